//! Where a row came back from: the backup's files, or WAL alone.

use crate::{Commit, Lsn};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The WAL interval that a backup needs for consistency, as `pgbackrest info` gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackupInterval {
    /// The redo position of the backup's checkpoint: what was committed before lies in its files.
    pub start: Lsn,
    /// The backup's end: nothing committed after it can lie in its files.
    pub stop: Lsn,
}

/// Where a row came back from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Provenance {
    /// Committed before the backup's start.
    Backup,
    /// Committed between the backup's start and stop: replayed from WAL that the backup needs.
    BackupWal,
    /// Committed after the backup's stop.
    WalAlone,
    /// The commit's interval straddles a border: only its record in the WAL can tell.
    Straddles,
}

impl Provenance {
    /// Judges by the positions observed around the commit.
    pub fn of(commit: Commit, backup: BackupInterval) -> Self {
        if commit.lsn_after <= backup.start {
            Self::Backup
        } else if commit.lsn_before >= backup.stop {
            Self::WalAlone
        } else if commit.lsn_before >= backup.start && commit.lsn_after <= backup.stop {
            Self::BackupWal
        } else {
            Self::Straddles
        }
    }

    /// Judges by the position of the commit record itself, as `pg_waldump` gives it.
    pub fn of_record(record: Lsn, backup: BackupInterval) -> Self {
        if record < backup.start {
            Self::Backup
        } else if record < backup.stop {
            Self::BackupWal
        } else {
            Self::WalAlone
        }
    }

    /// As the account says it.
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Backup => "from the backup",
            Self::BackupWal => "from the backup's own WAL",
            Self::WalAlone => "from WAL alone",
            Self::Straddles => "from the backup or its WAL",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Xid;
    use proptest::prelude::*;

    /// The nearest border decides, to the byte; what lies on both sides of one is not decided.
    #[test]
    fn borders_are_decided_to_the_byte() {
        let backup = BackupInterval { start: Lsn(100), stop: Lsn(200) };
        let of = |lsn_before, lsn_after| {
            let commit = Commit { xid: Xid(3), lsn_before: Lsn(lsn_before), lsn_after: Lsn(lsn_after) };
            Provenance::of(commit, backup)
        };
        assert_eq!(
            [of(90, 100), of(100, 200), of(200, 210)],
            [Provenance::Backup, Provenance::BackupWal, Provenance::WalAlone,]
        );
        for straddling in [of(90, 101), of(99, 200), of(100, 201), of(199, 210), of(90, 210)] {
            assert_eq!(straddling, Provenance::Straddles);
        }
        assert_eq!([of(200, u64::MAX), of(199, u64::MAX)], [Provenance::WalAlone, Provenance::Straddles]);
    }

    proptest! {
        /// Wherever the commit record really lies, the interval around it never claims otherwise.
        #[test]
        fn the_interval_never_contradicts_the_record(
            start in 0u64..1000, length in 0u64..1000, record in 0u64..3000, before in 0u64..100, after in 1u64..100,
        ) {
            let backup = BackupInterval { start: Lsn(start), stop: Lsn(start + length) };
            let lsn_before = Lsn(record.saturating_sub(before));
            let commit = Commit { xid: Xid(3), lsn_before, lsn_after: Lsn(record + after) };
            let (by_interval, by_record) = (Provenance::of(commit, backup), Provenance::of_record(Lsn(record), backup));
            prop_assert!(by_interval == by_record || by_interval == Provenance::Straddles);
        }
    }
}
