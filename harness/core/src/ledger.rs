//! What was attempted and what became of it. The ledger is written off the victim, one JSON object a
//! line, each attempt before it is made; the verdict follows from it alone.

use crate::{BackupInterval, Digest, Lsn, Object, RowId, Timeline, Xid};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Microseconds since the drill began, on a monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Moment(pub u64);

impl Moment {
    /// The time from `earlier` to here; zero if that lies later.
    pub fn since(self, earlier: Moment) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// Where a commit lies: its record is after `lsn_before` and ends at or before `lsn_after`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Commit {
    /// The transaction.
    pub xid: Xid,
    /// The insert position within the transaction, before its commit.
    pub lsn_before: Lsn,
    /// The insert position once the commit was acknowledged.
    pub lsn_after: Lsn,
}

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// A row is about to be inserted.
    Invoked {
        /// The row.
        row: RowId,
        /// What a person calls it: `DATO_A_NEL_BACKUP_S3`, or writer and number.
        label: String,
        /// Digest of its content.
        digest: Digest,
        /// How often the cluster had been reborn when it was written.
        life: u32,
        /// When.
        at: Moment,
    },
    /// The server acknowledged its commit.
    Ok {
        /// The row.
        row: RowId,
        /// Where the commit lies.
        commit: Commit,
        /// When the acknowledgement arrived.
        at: Moment,
    },
    /// The server refused it: it is certainly not there.
    Failed {
        /// The row.
        row: RowId,
        /// What the server said.
        error: String,
        /// When.
        at: Moment,
    },
    /// The answer never came: it may be there or not.
    Indeterminate {
        /// The row.
        row: RowId,
        /// What came instead of an answer.
        error: String,
        /// When.
        at: Moment,
    },
    /// A backup is complete.
    Backup {
        /// pgBackRest's label.
        label: String,
        /// From where to where its WAL goes.
        interval: BackupInterval,
        /// When it was complete.
        at: Moment,
    },
    /// What stood around the rows was looked at.
    Objects {
        /// All of it.
        objects: Vec<Object>,
        /// The insert position once it had been looked at.
        lsn: Lsn,
        /// How often the cluster had been reborn.
        life: u32,
        /// When.
        at: Moment,
    },
    /// The order to destroy was given.
    Disaster {
        /// When.
        at: Moment,
    },
    /// The cluster answered again.
    Rebirth {
        /// The timeline it is on.
        timeline: Timeline,
        /// When it first answered as an application asks.
        at: Moment,
    },
    /// A row that was read at the end.
    Read(ReadRow),
}

/// A row as the reborn cluster gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReadRow {
    /// The row.
    pub row: RowId,
    /// Digest of what was read.
    pub digest: Digest,
    /// The first characters of what was read, for a person.
    pub label: String,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Acknowledged.
    Ok {
        /// Where the commit lies.
        commit: Commit,
        /// When the acknowledgement arrived.
        at: Moment,
    },
    /// Refused by the server.
    Failed,
    /// No answer, or none written down.
    Indeterminate,
}

/// One row that somebody tried to insert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The row.
    pub row: RowId,
    /// What a person calls it.
    pub label: String,
    /// Digest of its content.
    pub digest: Digest,
    /// How often the cluster had been reborn when it was written.
    pub life: u32,
    /// When it was made.
    pub invoked_at: Moment,
    /// What became of it.
    pub outcome: Outcome,
}

/// The ledger tells of a row what cannot be: an outcome without an attempt, a second attempt or a
/// second outcome. Whichever line were believed, an acknowledged row could vanish unseen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the ledger contradicts itself about row {0}: one attempt comes first, then at most one outcome")]
pub struct BrokenLedger(pub RowId);

/// Every attempt in the ledger by its row. An attempt without an outcome is indeterminate: the
/// harness may have died in between.
pub fn attempts(entries: &[Entry]) -> Result<BTreeMap<RowId, Attempt>, BrokenLedger> {
    let (mut attempts, mut open) = (BTreeMap::new(), BTreeSet::new());
    for entry in entries {
        let (row, outcome) = match entry {
            Entry::Invoked { row, label, digest, life, at } => {
                let (label, digest, outcome) = (label.clone(), digest.clone(), Outcome::Indeterminate);
                let (row, life, invoked_at) = (*row, *life, *at);
                let attempt = Attempt { row, label, digest, life, invoked_at, outcome };
                if attempts.insert(row, attempt).is_some() {
                    return Err(BrokenLedger(row));
                }
                open.insert(row);
                continue;
            }
            Entry::Ok { row, commit, at } => (row, Outcome::Ok { commit: *commit, at: *at }),
            Entry::Failed { row, .. } => (row, Outcome::Failed),
            Entry::Indeterminate { row, .. } => (row, Outcome::Indeterminate),
            Entry::Backup { .. }
            | Entry::Objects { .. }
            | Entry::Disaster { .. }
            | Entry::Rebirth { .. }
            | Entry::Read(_) => continue,
        };
        let attempt = attempts.get_mut(row).filter(|_| open.remove(row)).ok_or(BrokenLedger(*row))?;
        attempt.outcome = outcome;
    }
    bound_unknown_ends(&mut attempts);
    Ok(attempts)
}

/// A commit whose end was never told had ended before any row of its life that was begun after its
/// acknowledgement: a connection that broke is no excuse for what the server went on to hold.
fn bound_unknown_ends(attempts: &mut BTreeMap<RowId, Attempt>) {
    let begun = |attempt: &Attempt| match attempt.outcome {
        Outcome::Ok { commit, .. } => Some((attempt.life, attempt.invoked_at, commit.lsn_before)),
        Outcome::Failed | Outcome::Indeterminate => None,
    };
    let begun: Vec<_> = attempts.values().filter_map(begun).collect();
    for attempt in attempts.values_mut() {
        if let Outcome::Ok { commit, at } = &mut attempt.outcome
            && commit.lsn_after == Lsn::UNKNOWN
        {
            let later = begun.iter().filter(|(life, invoked_at, _)| *life == attempt.life && invoked_at > at);
            commit.lsn_after = later.map(|(_, _, lsn)| *lsn).min().unwrap_or(Lsn::UNKNOWN);
        }
    }
}

/// The life that burned last: how often the cluster had been reborn when the last disaster struck;
/// the one that is lived if nothing ever burned.
pub fn burned_life(entries: &[Entry]) -> u32 {
    let until = &entries[..last_disaster(entries).unwrap_or(entries.len())];
    let rebirths = until.iter().filter(|entry| matches!(entry, Entry::Rebirth { .. })).count();
    u32::try_from(rebirths).unwrap_or(u32::MAX)
}

/// Where the last disaster stands.
pub(crate) fn last_disaster(entries: &[Entry]) -> Option<usize> {
    entries.iter().rposition(|entry| matches!(entry, Entry::Disaster { .. }))
}

/// What was written since the cluster last burned or was reborn.
pub(crate) fn since_turn(entries: &[Entry]) -> &[Entry] {
    let turn = |entry: &Entry| matches!(entry, Entry::Disaster { .. } | Entry::Rebirth { .. });
    entries.rsplit(turn).next().unwrap_or_default()
}

/// The rows that were read at the end, since the cluster last burned or was reborn: what an earlier
/// life was seen to hold says nothing about this one.
pub fn reads(entries: &[Entry]) -> Vec<ReadRow> {
    let read = |entry: &Entry| match entry {
        Entry::Read(row) => Some(row.clone()),
        _ => None,
    };
    since_turn(entries).iter().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const ROW: RowId = RowId(Uuid::from_u128(7));
    const AT: Moment = Moment(1);

    fn invoked() -> Entry {
        let (label, digest) = ("DATO_A".to_owned(), Digest::of("run", "DATO_A"));
        Entry::Invoked { row: ROW, label, digest, life: 0, at: AT }
    }
    fn acknowledged() -> Entry {
        let commit = Commit { xid: Xid(3), lsn_before: Lsn(10), lsn_after: Lsn(20) };
        Entry::Ok { row: ROW, commit, at: AT }
    }
    fn refused() -> Entry {
        Entry::Failed { row: ROW, error: "duplicate key".into(), at: AT }
    }
    fn unanswered() -> Entry {
        Entry::Indeterminate { row: ROW, error: "connection closed".into(), at: AT }
    }
    fn read(label: &str) -> Entry {
        Entry::Read(ReadRow { row: ROW, digest: Digest::of("run", label), label: label.into() })
    }
    fn fire() -> Entry {
        Entry::Disaster { at: AT }
    }
    fn rebirth() -> Entry {
        Entry::Rebirth { timeline: Timeline(2), at: AT }
    }

    #[test]
    fn an_attempt_has_the_outcome_that_was_written_or_none_is_known() {
        let outcome = |entries: &[Entry]| attempts(entries).unwrap()[&ROW].outcome.clone();
        assert_eq!(outcome(&[invoked()]), Outcome::Indeterminate);
        assert_eq!(outcome(&[invoked(), unanswered()]), Outcome::Indeterminate);
        assert_eq!(outcome(&[invoked(), refused()]), Outcome::Failed);
        assert!(matches!(outcome(&[invoked(), fire(), acknowledged()]), Outcome::Ok { at: AT, .. }));
    }

    #[test]
    fn an_unknown_end_lies_before_whatever_was_begun_after_the_acknowledgement() {
        let end = |life: u32, begun_at: u64| {
            let (row, label, digest) =
                (RowId(Uuid::from_u128(8)), String::new(), Digest::of("run", "DATO_B"));
            let commit = |lsn_before, lsn_after| Commit { xid: Xid(3), lsn_before, lsn_after };
            let entries = [
                invoked(),
                Entry::Ok { row: ROW, commit: commit(Lsn(10), Lsn::UNKNOWN), at: Moment(5) },
                Entry::Invoked { row, label, digest, life, at: Moment(begun_at) },
                Entry::Ok { row, commit: commit(Lsn(90), Lsn(99)), at: Moment(9) },
            ];
            match attempts(&entries).unwrap()[&ROW].outcome {
                Outcome::Ok { commit, .. } => commit.lsn_after,
                _ => unreachable!(),
            }
        };
        assert_eq!(end(0, 6), Lsn(90));
        assert_eq!(end(0, 5), Lsn::UNKNOWN, "begun in the same microsecond, perhaps before");
        assert_eq!(end(1, 6), Lsn::UNKNOWN, "another life");
    }

    /// Were the last line believed, an acknowledged row could be taken for one that may be gone.
    #[test]
    fn a_ledger_that_contradicts_itself_is_refused() {
        let ledgers = [
            vec![acknowledged()],
            vec![acknowledged(), invoked()],
            vec![invoked(), acknowledged(), invoked()],
            vec![invoked(), invoked()],
            vec![invoked(), acknowledged(), unanswered()],
            vec![invoked(), acknowledged(), refused()],
            vec![invoked(), unanswered(), acknowledged()],
        ];
        for ledger in ledgers {
            assert_eq!(attempts(&ledger), Err(BrokenLedger(ROW)), "{ledger:?}");
        }
    }

    #[test]
    fn only_what_was_read_since_the_last_fire_and_rebirth_counts() {
        let labels = |entries: &[Entry]| reads(entries).into_iter().map(|row| row.label).collect::<Vec<_>>();
        assert_eq!(labels(&[read("a")]), ["a"]);
        assert_eq!(labels(&[read("a"), fire()]), [""; 0]);
        assert_eq!(labels(&[read("a"), fire(), rebirth(), read("b"), read("c")]), ["b", "c"]);
        assert_eq!(labels(&[fire(), read("a"), rebirth(), read("b")]), ["b"]);
    }

    #[test]
    fn the_life_that_burned_last_is_counted_by_rebirths() {
        assert_eq!(burned_life(&[]), 0);
        assert_eq!(burned_life(&[fire(), rebirth()]), 0);
        assert_eq!(burned_life(&[fire(), fire(), rebirth()]), 0, "a fire in the midst of a restore");
        assert_eq!(burned_life(&[fire(), rebirth(), fire(), rebirth()]), 1);
        assert_eq!(burned_life(&[fire(), rebirth(), fire()]), 1, "not reborn yet");
        assert_eq!(burned_life(&[rebirth()]), 1, "nothing burned: the life that is lived");
    }

    #[test]
    fn a_moment_before_another_is_no_time_at_all() {
        assert_eq!(Moment(9).since(Moment(4)), Duration::from_micros(5));
        assert_eq!(Moment(4).since(Moment(9)), Duration::ZERO);
    }
}
