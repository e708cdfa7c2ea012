//! RPO: how much of what was acknowledged is gone, in rows, seconds and bytes of WAL.

use crate::{Account, Budget, Lsn, Moment, ledger::Entry};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// Whether the last segment was pushed out on purpose before the disaster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Assistance {
    /// WAL was switched and awaited in the store: the figure says what the machinery can do.
    Assisted,
    /// Killed under load: the figure is the configuration's own.
    Unassisted,
}

/// The loss, measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rpo {
    /// Whether the last segment was pushed out on purpose.
    pub assistance: Assistance,
    /// Acknowledged rows that did not come back.
    pub rows: u64,
    /// From the first lost acknowledgement to the disaster, in seconds.
    #[serde(rename = "seconds", with = "crate::seconds")]
    #[schemars(with = "f64")]
    pub duration: Duration,
    /// WAL from before the first lost commit to after the last lost one, in bytes, as far as known.
    pub wal_bytes: u64,
}

impl Rpo {
    /// Measures the loss of an account against the disaster that began the last outage in the ledger.
    pub fn measure(account: &Account, entries: &[Entry], assistance: Assistance) -> Self {
        let first = account.lost.iter().map(|row| row.acknowledged_at).min();
        let duration = match (first, last_outage(entries)) {
            (Some(first), Some(outage)) => outage.began.since(first),
            _ => Duration::ZERO,
        };
        Self { assistance, rows: account.lost.len() as u64, duration, wal_bytes: lost_wal_bytes(account) }
    }
}

/// Every life's lost WAL by itself: lives write over each other's positions. An end that is not known
/// counts as the position before the commit.
fn lost_wal_bytes(account: &Account) -> u64 {
    let mut stretches: BTreeMap<u32, (Lsn, Lsn)> = BTreeMap::new();
    for row in &account.lost {
        let start = row.commit.lsn_before;
        let end = Some(row.commit.lsn_after).filter(|end| *end != Lsn::UNKNOWN).unwrap_or(start);
        let stretch = stretches.entry(row.life).or_insert((start, end));
        *stretch = (start.min(stretch.0), end.max(stretch.1));
    }
    stretches.values().map(|(start, end)| end.bytes_since(*start)).sum()
}

struct Outage {
    began: Moment,
    ended: Option<Moment>,
}

/// The last outage. A fire before anything answered belongs to the outage that it fell into.
fn last_outage(entries: &[Entry]) -> Option<Outage> {
    let mut last: Option<Outage> = None;
    for entry in entries {
        match (entry, &mut last) {
            (Entry::Disaster { .. }, Some(Outage { ended: None, .. })) => {}
            (Entry::Disaster { at }, _) => last = Some(Outage { began: *at, ended: None }),
            (Entry::Rebirth { at, .. }, Some(outage)) => outage.ended = outage.ended.or(Some(*at)),
            _ => {}
        }
    }
    last
}

/// RTO: from the order to destroy that began the last outage to the first row answered after it, if
/// both happened.
pub fn rto(entries: &[Entry]) -> Option<Duration> {
    let outage = last_outage(entries)?;
    outage.ended.map(|ended| ended.since(outage.began))
}

/// What a valid drill took too much of: one sentence each.
pub fn over_budget(budget: &Budget, rto: Option<Duration>, rpo: Option<&Rpo>) -> Vec<String> {
    let mut over = Vec::new();
    if let (Some(limit), Some(rto)) = (budget.rto, rto)
        && rto > limit
    {
        over.push(format!(
            "RTO {:.2} s is over its budget of {:.2} s",
            rto.as_secs_f64(),
            limit.as_secs_f64()
        ));
    }
    let Some(rpo) = rpo else { return over };
    if let Some(limit) = budget.rpo_rows
        && rpo.rows > limit
    {
        over.push(format!("RPO {} rows is over its budget of {limit} rows", rpo.rows));
    }
    if let Some(limit) = budget.rpo
        && rpo.duration > limit
    {
        let (seconds, limit) = (rpo.duration.as_secs_f64(), limit.as_secs_f64());
        over.push(format!("RPO {seconds:.2} s is over its budget of {limit:.2} s"));
    }
    if let Some(limit) = budget.rpo_wal_bytes
        && rpo.wal_bytes > limit
    {
        over.push(format!("RPO {} bytes of WAL is over its budget of {limit} bytes", rpo.wal_bytes));
    }
    over
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Commit, RowId, Timeline, Xid, account::LostRow};
    use uuid::Uuid;

    fn disaster(at: u64) -> Entry {
        Entry::Disaster { at: Moment(at) }
    }
    fn rebirth(at: u64) -> Entry {
        Entry::Rebirth { timeline: Timeline(2), at: Moment(at) }
    }

    #[test]
    fn rto_runs_from_the_disaster_that_began_the_outage() {
        assert_eq!(rto(&[]), None);
        assert_eq!(rto(&[disaster(5)]), None);
        assert_eq!(rto(&[disaster(5), rebirth(9)]), Some(Duration::from_micros(4)));
        // wiped again before anything answered: the outage began with the first fire
        assert_eq!(rto(&[disaster(5), disaster(8), rebirth(20)]), Some(Duration::from_micros(15)));
        // a second life: the last outage counts
        assert_eq!(
            rto(&[disaster(5), rebirth(9), disaster(30), rebirth(37)]),
            Some(Duration::from_micros(7))
        );
        // the last disaster was never survived
        assert_eq!(rto(&[disaster(5), rebirth(9), disaster(30)]), None);
    }

    #[test]
    fn rto_ends_with_the_first_answer() {
        assert_eq!(rto(&[disaster(5), rebirth(9), rebirth(30)]), Some(Duration::from_micros(4)));
        assert_eq!(rto(&[rebirth(9)]), None);
    }

    fn lost(life: u32, acknowledged_at: u64, lsn_before: u64, lsn_after: u64) -> LostRow {
        let commit = Commit { xid: Xid(3), lsn_before: Lsn(lsn_before), lsn_after: Lsn(lsn_after) };
        let (row, label) = (RowId(Uuid::nil()), String::from("DATO_B"));
        LostRow { row, label, commit, acknowledged_at: Moment(acknowledged_at), life }
    }
    fn measured(lost: Vec<LostRow>, entries: &[Entry]) -> (u64, u64, u64) {
        let account = Account { lost, ..Account::default() };
        let rpo = Rpo::measure(&account, entries, Assistance::Unassisted);
        (rpo.rows, u64::try_from(rpo.duration.as_micros()).unwrap(), rpo.wal_bytes)
    }

    #[test]
    fn rpo_runs_from_the_first_lost_acknowledgement_to_the_fire() {
        let fire = [disaster(50), rebirth(70)];
        assert_eq!(measured(vec![], &fire), (0, 0, 0));
        assert_eq!(measured(vec![lost(0, 40, 110, 150), lost(0, 30, 100, 180)], &fire), (2, 20, 80));
        // acknowledged between the order to destroy and the end
        assert_eq!(measured(vec![lost(0, 53, 100, 150)], &fire), (1, 0, 50));
        // burned again in the midst of the restore: nothing more could be lost by then
        assert_eq!(measured(vec![lost(0, 30, 100, 150)], &[disaster(50), disaster(60)]), (1, 20, 50));
        assert_eq!(measured(vec![lost(0, 30, 100, 150)], &[]), (1, 0, 50));
    }

    #[test]
    fn lost_wal_is_summed_over_lives_and_never_endless() {
        let unknown = Lsn::UNKNOWN.0;
        assert_eq!(measured(vec![lost(0, 1, 100, unknown)], &[]).2, 0);
        assert_eq!(measured(vec![lost(0, 1, 100, 120), lost(0, 2, 130, unknown)], &[]).2, 30);
        // the second life wrote over the positions that the first one lost
        assert_eq!(measured(vec![lost(0, 1, 100, 180), lost(1, 9, 90, 120)], &[]).2, 110);
    }

    #[test]
    fn only_what_is_over_is_named() {
        let budget = Budget { rpo_rows: Some(3), rto: Some(Duration::from_secs(1)), ..Budget::default() };
        let rpo =
            |rows| Rpo { assistance: Assistance::Unassisted, rows, duration: Duration::ZERO, wal_bytes: 9 };
        assert!(over_budget(&budget, Some(Duration::from_secs(1)), Some(&rpo(3))).is_empty());
        let over = over_budget(&budget, Some(Duration::from_secs(2)), Some(&rpo(4)));
        assert_eq!(
            over,
            ["RTO 2.00 s is over its budget of 1.00 s", "RPO 4 rows is over its budget of 3 rows"]
        );
    }

    #[test]
    fn each_limit_is_kept_at_its_value_and_broken_above_it() {
        let second = Duration::from_secs;
        let budget = Budget {
            rpo_rows: Some(3),
            rpo: Some(second(2)),
            rpo_wal_bytes: Some(100),
            rto: Some(second(5)),
        };
        let over = |rows, seconds, wal_bytes, rto| {
            let rpo = Rpo { assistance: Assistance::Assisted, rows, duration: second(seconds), wal_bytes };
            over_budget(&budget, Some(second(rto)), Some(&rpo))
        };
        assert_eq!(over(3, 2, 100, 5), [""; 0]);
        assert_eq!(over(4, 2, 100, 5), ["RPO 4 rows is over its budget of 3 rows"]);
        assert_eq!(over(3, 3, 100, 5), ["RPO 3.00 s is over its budget of 2.00 s"]);
        assert_eq!(over(3, 2, 101, 5), ["RPO 101 bytes of WAL is over its budget of 100 bytes"]);
        assert_eq!(over(3, 2, 100, 6), ["RTO 6.00 s is over its budget of 5.00 s"]);
        assert_eq!(over(4, 3, 101, 6).len(), 4);
        assert_eq!(over_budget(&budget, None, None), [""; 0]);
        assert_eq!(over_budget(&Budget::default(), Some(second(99)), None), [""; 0]);
    }
}
