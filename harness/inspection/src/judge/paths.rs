//! The ways that history took, and how far recovery gets along each.

use super::{
    backups::{Need, Position},
    wal::{Hole, Run, Wal},
};
use crate::inspection::{Interval, Path};
use chrono::{DateTime, Utc};
use phoenix_core::{Lsn, Timeline};

/// A path, with what the judgement needs besides what is shown.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    pub(crate) timeline: Timeline,
    pub(crate) runs: Vec<Run>,
    /// The backups that lie on it.
    pub(crate) backups: Vec<Need>,
}

impl Way {
    pub(crate) fn of(wal: &Wal, timeline: Timeline, backups: &[Need]) -> Self {
        let on = |need: &&Need| lies_on(wal, timeline, need.position);
        Self { timeline, runs: wal.runs(timeline), backups: backups.iter().filter(on).cloned().collect() }
    }

    /// The run that a backup is replayed along, if all that it needs is in it.
    pub(crate) fn run_of(&self, position: Position) -> Option<&Run> {
        let (first, last) = (position.first.number, position.last);
        self.runs.iter().find(|run| run.holds(first) && run.holds(last) && run.end >= position.stop)
    }

    /// What is missing between two runs, with those runs.
    pub(crate) fn breaks<'a>(&'a self, wal: &'a Wal) -> impl Iterator<Item = (Run, Vec<Hole>, Run)> + 'a {
        let holes = |pair: &[Run]| (pair[0], wal.holes(self.timeline, &pair[0], &pair[1]), pair[1]);
        self.runs.windows(2).map(holes)
    }

    /// As it is shown.
    pub(crate) fn shown(&self, wal: &Wal) -> Path {
        let holes = self.breaks(wal).flat_map(|(_, holes, _)| holes);
        Path {
            timeline: self.timeline,
            forks: wal.forks(self.timeline).to_vec(),
            intervals: self.intervals(wal),
            gaps: holes.map(|hole| hole.named(wal.size)).collect(),
        }
    }

    fn intervals(&self, wal: &Wal) -> Vec<Interval> {
        let of_run = |run: &Run| {
            let mut here: Vec<_> =
                self.backups.iter().filter(|need| self.run_of(need.position) == Some(run)).collect();
            here.sort_by_key(|need| need.position.stop);
            let first = here.first()?;
            let archived_at = wal.archived_at(run.last).unwrap_or(DateTime::<Utc>::UNIX_EPOCH);
            Some(Interval {
                from: first.position.stop,
                from_time: first.stopped_at,
                to: run.end,
                last: run.last.name(wal.size),
                to_time: archived_at.max(first.stopped_at),
                backups: here.iter().map(|need| need.label.clone()).collect(),
            })
        };
        let mut intervals: Vec<_> = self.runs.iter().filter_map(of_run).collect();
        // a backup that holds its own WAL gets to its end without the archive, and no further
        let alone =
            self.backups.iter().filter(|need| need.holds_its_wal && self.run_of(need.position).is_none());
        intervals.extend(alone.map(|need| Interval {
            from: need.position.stop,
            from_time: need.stopped_at,
            to: need.position.stop,
            last:
                phoenix_core::WalSegment { number: need.position.last, ..need.position.first }.name(wal.size),
            to_time: need.stopped_at,
            backups: vec![need.label.clone()],
        }));
        intervals.sort_by_key(|interval| interval.from);
        intervals
    }
}

/// Whether a backup can be replayed along a path: it was consistent before its timeline was left.
fn lies_on(wal: &Wal, timeline: Timeline, position: Position) -> bool {
    let own = position.first.timeline;
    let left_at = wal.forks(timeline).iter().find(|fork| fork.timeline == own).map(|fork| fork.at);
    match left_at {
        Some(at) => position.stop <= at,
        None => own == timeline,
    }
}

/// The timelines that are worth a path of their own: those that nobody descends from, and those that
/// went on after somebody had left them.
pub(crate) fn leaves(wal: &Wal) -> Vec<Timeline> {
    let all = wal.timelines();
    let left_at = |timeline: Timeline| -> Option<Lsn> {
        let forks = all.iter().flat_map(|other| wal.forks(*other));
        forks.filter(|fork| fork.timeline == timeline).map(|fork| fork.at).min()
    };
    let goes_on = |timeline: &Timeline| match left_at(*timeline) {
        Some(at) => wal.tail(*timeline, wal.number_of(at)).next().is_some(),
        None => true,
    };
    all.iter().copied().filter(goes_on).collect()
}
