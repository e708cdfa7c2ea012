//! The account: which rows came back and which did not, as facts. It is pure: ledger in, account out.

use crate::{
    Commit, Entry, Moment, Promise, ReadRow, RowId,
    ledger::{self, Attempt, BrokenLedger, Outcome},
    objects,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// An acknowledged row that was not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LostRow {
    /// The row.
    pub row: RowId,
    /// What a person calls it.
    pub label: String,
    /// Where its commit lies.
    pub commit: Commit,
    /// When its commit was acknowledged.
    pub acknowledged_at: Moment,
    /// How often the cluster had been reborn when it was written.
    pub life: u32,
}

/// A row with its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamedRow {
    /// The row.
    pub row: RowId,
    /// What a person calls it, or the first characters of what was read.
    pub label: String,
}

/// What came back and what did not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Account {
    /// The life that burned last, in which the promise's position lies.
    #[serde(default)]
    pub burned_life: u32,
    /// Rows that somebody tried to insert.
    pub attempted: u64,
    /// Rows whose commit was acknowledged.
    pub acknowledged: u64,
    /// Rows that the server refused.
    pub failed: u64,
    /// Rows whose answer never came.
    pub indeterminate: u64,
    /// Acknowledged rows that were read, unaltered.
    pub came_back: u64,
    /// Acknowledged rows that were not read, in LSN order, but for those beyond the target.
    pub lost: Vec<LostRow>,
    /// Acknowledged rows beyond the recovery target that were not read, as was asked for.
    pub beyond_target: u64,
    /// Rows whose answer never came and that were read.
    pub recovered: Vec<NamedRow>,
    /// Rows that were read, but were never attempted, were refused by the server, or were read twice.
    pub unexpected: Vec<NamedRow>,
    /// Rows that were read with other content.
    pub changed: Vec<NamedRow>,
    /// Rows that were read though they lie beyond the recovery target.
    pub overshot: Vec<NamedRow>,
    /// Lost rows with a later row of the same life that came back. WAL replay is a prefix, so this is
    /// corruption or tampering, never mere lost WAL.
    pub holes: Vec<NamedRow>,
    /// What stood around the rows and is gone, or went back: one sentence each.
    #[serde(default)]
    pub missing_objects: Vec<String>,
}

impl Account {
    /// Draws up the account of a ledger. The promise decides only what lies beyond the target. Neither
    /// the order in which rows were read nor that of different writers' lines matters.
    pub fn of(entries: &[Entry], promise: &Promise) -> Result<Self, BrokenLedger> {
        let attempts = ledger::attempts(entries)?;
        let (attempted, burned_life) = (attempts.len() as u64, ledger::burned_life(entries));
        let mut account = Self { attempted, burned_life, ..Self::default() };
        let mut read = BTreeSet::new();
        for row in sorted_reads(entries, &attempts) {
            let again = !read.insert(row.row);
            account.enter_read(attempts.get(&row.row).filter(|_| !again), row, promise);
        }
        for attempt in attempts.values() {
            account.enter_attempt(attempt, read.contains(&attempt.row), promise);
        }
        account.lost.sort_by_key(|row| (row.life, row.commit.lsn_before, row.row));
        account.missing_objects = objects::missing(entries, promise);
        account.holes = holes(&account.lost, &attempts, &read);
        Ok(account)
    }

    fn enter_read(&mut self, attempt: Option<&Attempt>, row: ReadRow, promise: &Promise) {
        let Some(attempt) = attempt else {
            return self.unexpected.push(NamedRow { row: row.row, label: row.label });
        };
        let named = NamedRow { row: attempt.row, label: attempt.label.clone() };
        if attempt.outcome == Outcome::Failed {
            return self.unexpected.push(named);
        }
        if row.digest != attempt.digest {
            self.changed.push(named.clone());
        }
        match attempt.outcome {
            Outcome::Ok { commit, .. } => {
                self.came_back += u64::from(row.digest == attempt.digest);
                if self.is_beyond_target(attempt, commit, promise) {
                    self.overshot.push(named);
                }
            }
            Outcome::Failed | Outcome::Indeterminate => self.recovered.push(named),
        }
    }

    fn enter_attempt(&mut self, attempt: &Attempt, was_read: bool, promise: &Promise) {
        match attempt.outcome {
            Outcome::Failed => self.failed += 1,
            Outcome::Indeterminate => self.indeterminate += 1,
            Outcome::Ok { commit, at } => {
                self.acknowledged += 1;
                if !was_read && self.is_beyond_target(attempt, commit, promise) {
                    self.beyond_target += 1;
                } else if !was_read {
                    let (row, label, life) = (attempt.row, attempt.label.clone(), attempt.life);
                    self.lost.push(LostRow { row, label, commit, acknowledged_at: at, life });
                }
            }
        }
    }

    fn is_beyond_target(&self, attempt: &Attempt, commit: Commit, promise: &Promise) -> bool {
        attempt.life == self.burned_life && promise.forbids(commit)
    }
}

/// The rows that were read, by identity; of several with the same one, the unaltered first.
fn sorted_reads(entries: &[Entry], attempts: &BTreeMap<RowId, Attempt>) -> Vec<ReadRow> {
    let altered = |row: &ReadRow| attempts.get(&row.row).is_some_and(|attempt| attempt.digest != row.digest);
    let mut reads = ledger::reads(entries);
    reads.sort_by(|a, b| {
        let identity = a.row.cmp(&b.row);
        identity.then_with(|| (altered(a), &a.label).cmp(&(altered(b), &b.label)))
    });
    reads
}

/// Lost rows that a row of the same life outlived although it was committed later.
fn holes(lost: &[LostRow], attempts: &BTreeMap<RowId, Attempt>, read: &BTreeSet<RowId>) -> Vec<NamedRow> {
    let mut last_survivor = BTreeMap::new();
    for attempt in attempts.values().filter(|attempt| read.contains(&attempt.row)) {
        if let Outcome::Ok { commit, .. } = attempt.outcome {
            let latest = last_survivor.entry(attempt.life).or_insert(commit.lsn_before);
            *latest = commit.lsn_before.max(*latest);
        }
    }
    let outlived =
        |row: &&LostRow| last_survivor.get(&row.life).is_some_and(|lsn| row.commit.lsn_after <= *lsn);
    lost.iter().filter(outlived).map(|row| NamedRow { row: row.row, label: row.label.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Digest, Lsn, Timeline, Xid};
    use uuid::Uuid;

    fn acknowledged(number: u64, life: u32, positions: [u64; 2]) -> [Entry; 2] {
        let (row, label, digest) = (id(number), format!("row {number}"), Digest::of("run", "content"));
        let [lsn_before, lsn_after] = positions.map(Lsn);
        let commit = Commit { xid: Xid(number), lsn_before, lsn_after };
        let at = Moment(1);
        [Entry::Invoked { row, label, digest, life, at }, Entry::Ok { row, commit, at }]
    }
    fn id(number: u64) -> RowId {
        RowId(Uuid::from_u128(number.into()))
    }
    fn read(number: u64) -> Entry {
        let digest = Digest::of("run", "content");
        Entry::Read(ReadRow { row: id(number), digest, label: String::new() })
    }
    fn fire() -> [Entry; 2] {
        [Entry::Disaster { at: Moment(100) }, Entry::Rebirth { timeline: Timeline(2), at: Moment(200) }]
    }
    fn holes(entries: &[Entry]) -> Vec<RowId> {
        let account = Account::of(entries, &Promise::EveryAcknowledgedRow).unwrap();
        account.holes.iter().map(|row| row.row).collect()
    }

    #[test]
    fn a_hole_needs_a_survivor_that_began_where_the_loss_had_ended() {
        let ledger = |lost, survivor, life| {
            [acknowledged(1, 0, lost), acknowledged(2, life, survivor), fire()].concat()
        };
        let judged = |lost, survivor, life| holes(&[ledger(lost, survivor, life), vec![read(2)]].concat());
        assert_eq!(judged([10, 20], [20, 30], 0), [id(1)]);
        assert_eq!(judged([10, 20], [19, 30], 0), [], "they may have committed in either order");
        assert_eq!(judged([10, u64::MAX], [90, 99], 0), [], "nobody knows where the lost one lay");
        assert_eq!(
            judged([10, 20], [20, 30], 1),
            [],
            "another life writes over the positions of a lost tail"
        );
    }

    #[test]
    fn lost_rows_are_listed_by_life_and_position() {
        let rows =
            [acknowledged(1, 1, [5, 9]), acknowledged(2, 0, [7, 9]), acknowledged(3, 0, [6, 9])].concat();
        let account = Account::of(&rows, &Promise::EveryAcknowledgedRow).unwrap();
        assert_eq!(account.lost.iter().map(|row| row.row).collect::<Vec<_>>(), [id(3), id(2), id(1)]);
    }
}
