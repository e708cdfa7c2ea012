//! What a scenario says must, may and must not come back.

use crate::{Account, Commit, Lsn, account::LostRow};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// What must come back, what may and what must not.
///
/// A position lies in the life that burned last: every life writes over the positions that the one
/// before it lost, so a row of another life cannot be compared with it, and must come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "promise", rename_all = "snake_case")]
pub enum Promise {
    /// Every acknowledged row must come back; rows whose answer never came may.
    EveryAcknowledgedRow,
    /// Every row acknowledged by `lsn` must come back and no row committed after it may.
    RowsUntil {
        /// The recovery target as a position, taken in a quiet gap.
        lsn: Lsn,
    },
    /// Every row in a segment that the store held when the victim was dead must come back; of the
    /// tail after it, any may be lost, which is held against a budget.
    RowsInStore {
        /// The end of the last segment in the store.
        lsn: Lsn,
    },
}

impl Promise {
    /// Whether losing this row of the life that burned last breaks the promise.
    pub fn covers(&self, commit: Commit) -> bool {
        match self {
            Self::EveryAcknowledgedRow => true,
            Self::RowsUntil { lsn } | Self::RowsInStore { lsn } => commit.lsn_after <= *lsn,
        }
    }

    /// Whether this row of the life that burned last, if it came back, lies beyond the target.
    pub fn forbids(&self, commit: Commit) -> bool {
        match self {
            Self::EveryAcknowledgedRow | Self::RowsInStore { .. } => false,
            Self::RowsUntil { lsn } => commit.lsn_before >= *lsn,
        }
    }

    /// The lost rows that this promise covers.
    pub fn broken_by<'a>(&self, account: &'a Account) -> Vec<&'a LostRow> {
        let covered = |row: &&LostRow| row.life != account.burned_life || self.covers(row.commit);
        account.lost.iter().filter(covered).collect()
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EveryAcknowledgedRow => f.write_str("every acknowledged row comes back"),
            Self::RowsUntil { lsn } => write!(f, "exactly the rows before {lsn} come back"),
            Self::RowsInStore { lsn } => write!(f, "every row that the store held, up to {lsn}, comes back"),
        }
    }
}

/// Limits that make a valid drill too slow or too lossy. `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Budget {
    /// Acknowledged rows that may be lost unassisted.
    pub rpo_rows: Option<u64>,
    /// Time from the first lost acknowledgement to the disaster, in seconds.
    #[serde(rename = "rpo_seconds", with = "crate::seconds::option", default)]
    #[schemars(with = "Option<f64>")]
    pub rpo: Option<Duration>,
    /// WAL that may be lost unassisted, in bytes.
    pub rpo_wal_bytes: Option<u64>,
    /// Time from the order to destroy to the first row answered, in seconds.
    #[serde(rename = "rto_seconds", with = "crate::seconds::option", default)]
    #[schemars(with = "Option<f64>")]
    pub rto: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Moment, RowId, Xid};
    use uuid::Uuid;

    fn commit(lsn_before: u64, lsn_after: u64) -> Commit {
        Commit { xid: Xid(3), lsn_before: Lsn(lsn_before), lsn_after: Lsn(lsn_after) }
    }

    #[test]
    fn borders_are_part_of_the_promise() {
        let lsn = Lsn(100);
        let said = |commit: Commit| {
            [Promise::EveryAcknowledgedRow, Promise::RowsUntil { lsn }, Promise::RowsInStore { lsn }]
                .map(|promise| (promise.covers(commit), promise.forbids(commit)))
        };
        let (must, may, must_not) = ((true, false), (false, false), (false, true));
        assert_eq!(said(commit(90, 99)), [must, must, must]);
        assert_eq!(said(commit(90, 100)), [must, must, must], "its record ends at the target");
        assert_eq!(said(commit(90, 101)), [must, may, may], "its record ends on either side");
        assert_eq!(said(commit(99, u64::MAX)), [must, may, may]);
        assert_eq!(said(commit(100, 110)), [must, must_not, may], "its record begins at the target");
        assert_eq!(said(commit(101, u64::MAX)), [must, must_not, may]);
    }

    #[test]
    fn a_position_excuses_rows_of_the_life_that_burned_last_alone() {
        let row = |life| {
            let (row, label) = (RowId(Uuid::from_u128(life)), format!("row of life {life}"));
            let (commit, life) = (commit(900, 950), u32::try_from(life).unwrap());
            LostRow { row, label, commit, acknowledged_at: Moment(1), life }
        };
        let account = Account { burned_life: 1, lost: [0, 1, 2].map(row).into(), ..Account::default() };
        let broken =
            |promise: Promise| -> Vec<_> { promise.broken_by(&account).iter().map(|row| row.life).collect() };
        assert_eq!(broken(Promise::EveryAcknowledgedRow), [0, 1, 2]);
        assert_eq!(broken(Promise::RowsInStore { lsn: Lsn(100) }), [0, 2]);
        assert_eq!(broken(Promise::RowsUntil { lsn: Lsn(100) }), [0, 2]);
        assert_eq!(broken(Promise::RowsInStore { lsn: Lsn(950) }), [0, 1, 2]);
    }
}
