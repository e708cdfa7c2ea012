//! The account held against the promise.

use crate::{Account, Promise};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// In which way a rebirth fell short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Promised rows did not come back.
    Loss,
    /// The cluster did not come back, or another one did.
    NotReborn,
    /// Rows beyond the recovery target came back.
    Overshot,
    /// Rows are changed, were never written, or are missing in the middle; or all came back, and something
    /// that stood around them did not.
    Corrupt,
}

/// What is known in the end. Only `Valid` passes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// The promise was kept, and the drill did what a drill must do.
    Valid,
    /// The promise was broken.
    Invalid {
        /// How.
        fault: Fault,
    },
    /// It could not be verified.
    Unknown {
        /// Why not.
        why: String,
    },
}

impl Verdict {
    /// The promise was broken this way.
    pub const fn invalid(fault: Fault) -> Self {
        Self::Invalid { fault }
    }

    /// It could not be verified.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self::Unknown { why: why.into() }
    }

    /// Whether this is the verdict that was expected. Reasons of `Unknown` are prose and not compared.
    pub fn meets(&self, expected: &Verdict) -> bool {
        match (self, expected) {
            (Self::Unknown { .. }, Self::Unknown { .. }) => true,
            (verdict, expected) => verdict == expected,
        }
    }

    /// One word for tables and properties: `valid`, `invalid:loss`, `unknown`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Invalid { fault: Fault::Loss } => "invalid:loss",
            Self::Invalid { fault: Fault::NotReborn } => "invalid:not-reborn",
            Self::Invalid { fault: Fault::Overshot } => "invalid:overshot",
            Self::Invalid { fault: Fault::Corrupt } => "invalid:corrupt",
            Self::Unknown { .. } => "unknown",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Valid => f.write_str("VALID"),
            Self::Invalid { fault: Fault::Loss } => f.write_str("INVALID: rows are lost"),
            Self::Invalid { fault: Fault::NotReborn } => f.write_str("INVALID: not reborn"),
            Self::Invalid { fault: Fault::Overshot } => {
                f.write_str("INVALID: rows beyond the target came back")
            }
            Self::Invalid { fault: Fault::Corrupt } => f.write_str("INVALID: what came back is corrupt"),
            Self::Unknown { why } => write!(f, "UNKNOWN: {why}"),
        }
    }
}

/// What a drill really did, counted; and, as a demand, the least it must have done. A drill that
/// did nothing proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deeds {
    /// Acknowledged rows that lay in WAL alone when disaster struck.
    pub wal_only_rows: u64,
    /// Segments in the store after the last backup's stop.
    pub segments_after_backup: u64,
    /// Wipes proven by an inventory.
    pub wipes: u64,
    /// Restores that ran.
    pub restores: u64,
}

impl Deeds {
    /// Nothing was done yet; as a demand, nothing is demanded.
    pub const NONE: Self = Self { wal_only_rows: 0, segments_after_backup: 0, wipes: 0, restores: 0 };
    /// What the protocol demands.
    pub const PROTOCOL: Self = Self { wal_only_rows: 1, segments_after_backup: 3, wipes: 1, restores: 1 };

    /// What falls short of a demand, as a sentence, or nothing.
    pub fn shortfall(&self, demand: &Deeds) -> Option<String> {
        let counted = [
            ("rows in WAL alone", self.wal_only_rows, demand.wal_only_rows),
            ("segments after the backup", self.segments_after_backup, demand.segments_after_backup),
            ("wipes", self.wipes, demand.wipes),
            ("restores", self.restores, demand.restores),
        ];
        let short = counted.iter().filter(|(_, did, demanded)| did < demanded);
        let words: Vec<_> =
            short.map(|(what, did, least)| format!("{did} {what} (at least {least} are needed)")).collect();
        (!words.is_empty())
            .then(|| format!("the drill did too little to prove anything: {}", words.join(", ")))
    }
}

/// Holds an account against a promise. The worst comes first: corruption, loss, what stood around the rows,
/// overshoot, and only then whether the drill did enough for its green to mean something.
pub fn judge(account: &Account, promise: &Promise, deeds: &Deeds, demand: &Deeds) -> Verdict {
    let corrupt = [account.changed.len(), account.unexpected.len(), account.holes.len()];
    if corrupt.iter().any(|&rows| rows > 0) {
        Verdict::invalid(Fault::Corrupt)
    } else if !promise.broken_by(account).is_empty() {
        Verdict::invalid(Fault::Loss)
    } else if !account.missing_objects.is_empty() {
        // replay is a prefix: what took them and no row was not lost WAL
        Verdict::invalid(Fault::Corrupt)
    } else if !account.overshot.is_empty() {
        Verdict::invalid(Fault::Overshot)
    } else if account.came_back == 0 {
        Verdict::unknown("no acknowledged row came back, and none was promised")
    } else if let Some(shortfall) = deeds.shortfall(demand) {
        Verdict::unknown(shortfall)
    } else {
        Verdict::Valid
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Commit, Lsn, Moment, RowId, Xid,
        account::{LostRow, NamedRow},
    };
    use uuid::Uuid;

    const FULL: Promise = Promise::EveryAcknowledgedRow;

    fn named() -> Vec<NamedRow> {
        vec![NamedRow { row: RowId(Uuid::nil()), label: "DATO_A".into() }]
    }
    fn lost() -> Vec<LostRow> {
        let commit = Commit { xid: Xid(3), lsn_before: Lsn(10), lsn_after: Lsn(20) };
        let NamedRow { row, label } = named().remove(0);
        vec![LostRow { row, label, commit, acknowledged_at: Moment(1), life: 0 }]
    }
    fn of(account: Account) -> Verdict {
        judge(&account, &FULL, &Deeds::PROTOCOL, &Deeds::PROTOCOL)
    }

    #[test]
    fn the_worst_comes_first() {
        let good = || Account { came_back: 1, ..Account::default() };
        assert_eq!(of(good()), Verdict::Valid);
        assert_eq!(of(Account { recovered: named(), ..good() }), Verdict::Valid);
        assert_eq!(of(Account { overshot: named(), ..good() }), Verdict::invalid(Fault::Overshot));
        let lossy = || Account { lost: lost(), overshot: named(), ..good() };
        assert_eq!(of(lossy()), Verdict::invalid(Fault::Loss));
        for corrupt in [
            Account { changed: named(), ..lossy() },
            Account { unexpected: named(), ..lossy() },
            Account { holes: named(), ..lossy() },
        ] {
            assert_eq!(of(corrupt), Verdict::invalid(Fault::Corrupt));
        }
        let bare =
            |account: Account| Account { missing_objects: vec!["role reader is gone".into()], ..account };
        assert_eq!(of(bare(good())), Verdict::invalid(Fault::Corrupt));
        assert_eq!(of(bare(lossy())), Verdict::invalid(Fault::Loss), "they went with the rows");
    }

    #[test]
    fn a_broken_promise_is_invalid_however_little_the_drill_did() {
        let judged = |account: Account| judge(&account, &FULL, &Deeds::NONE, &Deeds::PROTOCOL);
        assert_eq!(judged(Account { lost: lost(), ..Account::default() }), Verdict::invalid(Fault::Loss));
        let why = "the drill did too little to prove anything: 0 rows in WAL alone (at least 1 are needed), \
                   0 segments after the backup (at least 3 are needed), 0 wipes (at least 1 are needed), \
                   0 restores (at least 1 are needed)";
        assert_eq!(judged(Account { came_back: 1, ..Account::default() }), Verdict::unknown(why));
    }

    #[test]
    fn no_row_is_no_proof() {
        let why = "no acknowledged row came back, and none was promised";
        assert_eq!(of(Account::default()), Verdict::unknown(why));
        assert_eq!(
            of(Account { beyond_target: 9, recovered: named(), ..Account::default() }),
            Verdict::unknown(why)
        );
    }

    #[test]
    fn an_unknown_meets_any_unknown_and_nothing_else_is_alike() {
        let faults = [Fault::Loss, Fault::NotReborn, Fault::Overshot, Fault::Corrupt];
        let mut all = vec![Verdict::Valid, Verdict::unknown("a")];
        all.extend(faults.map(Verdict::invalid));
        for (i, verdict) in all.iter().enumerate() {
            for (j, expected) in all.iter().enumerate() {
                assert_eq!(verdict.meets(expected), i == j, "{verdict} {expected}");
                assert_eq!(verdict.word() == expected.word(), i == j);
            }
        }
        assert!(Verdict::unknown("a").meets(&Verdict::unknown("b")));
    }
}
