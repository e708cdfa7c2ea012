//! The arithmetic of WAL that is there: histories, unbroken runs along them, gaps in between.

use crate::{
    history::Fork,
    inspection::{Gap, Line},
    seen::SeenArchive,
};
use chrono::{DateTime, Utc};
use phoenix_core::{Lsn, SegmentSize, Timeline, WalSegment};
use std::collections::{BTreeMap, BTreeSet};

/// The usable segments of an archive, and how its timelines descend from one another.
#[derive(Debug, Clone)]
pub(crate) struct Wal {
    pub(crate) size: SegmentSize,
    /// When each segment was archived, by its number.
    lines: BTreeMap<Timeline, BTreeMap<u64, DateTime<Utc>>>,
    /// The segments that are there, and that recovery cannot use.
    unusable: BTreeSet<WalSegment>,
    /// The ancestors of each timeline whose history is known.
    histories: BTreeMap<Timeline, Vec<Fork>>,
}

/// The part of a path that lies on one timeline: from one number up to, not including, another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) timeline: Timeline,
    pub(crate) from: u64,
    pub(crate) until: u64,
}

/// Segments of a path that follow one another without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) first: WalSegment,
    pub(crate) last: WalSegment,
    /// No record at or after this can be replayed.
    pub(crate) end: Lsn,
}

impl Run {
    pub(crate) fn holds(&self, number: u64) -> bool {
        (self.first.number..=self.last.number).contains(&number)
    }
}

/// Segments of one timeline that are missing: both ends are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hole {
    pub(crate) first: WalSegment,
    pub(crate) last: WalSegment,
}

impl Hole {
    pub(crate) fn segments(&self) -> u64 {
        self.last.number - self.first.number + 1
    }

    pub(crate) fn named(&self, size: SegmentSize) -> Gap {
        Gap { first: self.first.name(size), last: self.last.name(size), segments: self.segments() }
    }
}

impl Wal {
    /// The WAL of an archive without the files, by their paths in it, that recovery cannot use.
    pub(crate) fn of(archive: &SeenArchive, size: SegmentSize, unusable: &BTreeSet<String>) -> Self {
        let (mut lines, mut spoilt) = (BTreeMap::<_, BTreeMap<_, _>>::new(), BTreeSet::new());
        for file in &archive.segments {
            let Some(segment) = file.segment(size) else { continue };
            if unusable.contains(&file.path()) {
                spoilt.insert(segment);
            } else {
                lines.entry(segment.timeline).or_default().insert(segment.number, file.archived_at);
            }
        }
        let history = |(timeline, history): (&Timeline, &crate::seen::SeenHistory)| {
            Some((*timeline, history.forks.whole()?.clone()))
        };
        let histories = archive.histories.iter().filter_map(history).collect();
        Self { size, lines, unusable: spoilt, histories }
    }

    /// Every timeline that has WAL or a history.
    pub(crate) fn timelines(&self) -> BTreeSet<Timeline> {
        self.lines.keys().chain(self.histories.keys()).copied().collect()
    }

    pub(crate) fn has(&self, segment: WalSegment) -> bool {
        self.lines.get(&segment.timeline).is_some_and(|line| line.contains_key(&segment.number))
    }

    /// Whether all of a hole is there, and cannot be used.
    pub(crate) fn is_spoilt(&self, hole: &Hole) -> bool {
        hole.segments() <= self.unusable.len() as u64
            && hole.first.through(hole.last).all(|segment| self.unusable.contains(&segment))
    }

    /// When a segment was archived, if it was.
    pub(crate) fn archived_at(&self, segment: WalSegment) -> Option<DateTime<Utc>> {
        self.lines.get(&segment.timeline)?.get(&segment.number).copied()
    }

    /// Where the ancestors of a timeline were left; nothing if they are not known.
    pub(crate) fn forks(&self, timeline: Timeline) -> &[Fork] {
        self.histories.get(&timeline).map(Vec::as_slice).unwrap_or_default()
    }

    /// The segments of a timeline from this number on, with when they were archived.
    pub(crate) fn tail(&self, timeline: Timeline, from: u64) -> impl Iterator<Item = (u64, DateTime<Utc>)> {
        self.lines
            .get(&timeline)
            .into_iter()
            .flat_map(move |line| line.range(from..))
            .map(|(n, at)| (*n, *at))
    }

    /// The number of the segment in which a timeline was left: its successor holds that one too.
    pub(crate) fn number_of(&self, lsn: Lsn) -> u64 {
        lsn.0 / self.size.bytes()
    }

    /// A path as recovery reads it: each segment from the youngest timeline that had begun by then.
    pub(crate) fn stretches(&self, timeline: Timeline) -> Vec<Stretch> {
        let (mut stretches, mut from) = (Vec::new(), 0);
        for fork in self.forks(timeline) {
            let until = self.number_of(fork.at);
            stretches.push(Stretch { timeline: fork.timeline, from, until });
            from = until;
        }
        stretches.push(Stretch { timeline, from, until: u64::MAX });
        stretches
    }

    /// The unbroken runs along a path.
    pub(crate) fn runs(&self, timeline: Timeline) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for Stretch { timeline, from, until } in self.stretches(timeline) {
            let line =
                self.lines.get(&timeline).into_iter().flat_map(|line| line.range(from..until.max(from)));
            for (number, _) in line {
                let segment = WalSegment { timeline, number: *number };
                let end = segment.end(self.size);
                match runs.last_mut().filter(|run| run.last.number + 1 == *number) {
                    Some(run) => (run.last, run.end) = (segment, end),
                    None => runs.push(Run { first: segment, last: segment, end }),
                }
            }
        }
        self.up_to_the_fork(timeline, &mut runs);
        runs
    }

    /// A timeline that has archived nothing yet: its beginning lies in its ancestor's segment, if that is there.
    fn up_to_the_fork(&self, timeline: Timeline, runs: &mut Vec<Run>) {
        let Some(fork) = self.forks(timeline).last() else { return };
        let shared = WalSegment { timeline: fork.timeline, number: self.number_of(fork.at) };
        let is_empty = self.tail(timeline, shared.number).next().is_none();
        let begins_before = fork.at.0 > shared.number * self.size.bytes();
        if !is_empty || !begins_before || !self.has(shared) {
            return;
        }
        match runs.last_mut().filter(|run| run.last.number + 1 == shared.number) {
            Some(run) => (run.last, run.end) = (shared, fork.at),
            None => runs.push(Run { first: shared, last: shared, end: fork.at }),
        }
    }

    /// What is missing between two runs of a path, timeline by timeline.
    pub(crate) fn holes(&self, timeline: Timeline, before: &Run, after: &Run) -> Vec<Hole> {
        let (first, last) = (before.last.number + 1, after.first.number - 1);
        let holes = self.stretches(timeline).into_iter().filter_map(|stretch| {
            let (from, to) = (first.max(stretch.from), last.min(stretch.until.saturating_sub(1)));
            let at = |number| WalSegment { timeline: stretch.timeline, number };
            (from <= to && stretch.until > 0).then(|| Hole { first: at(from), last: at(to) })
        });
        holes.collect()
    }

    /// Each timeline by itself, whatever it descends from.
    pub(crate) fn table(&self) -> Vec<Line> {
        let line = |(timeline, line): (&Timeline, &BTreeMap<u64, DateTime<Utc>>)| {
            let at = |number: u64| WalSegment { timeline: *timeline, number };
            let numbers: Vec<_> = line.keys().copied().collect();
            let broken = numbers.windows(2).filter(|pair| pair[1] > pair[0] + 1);
            let gaps =
                broken.map(|pair| Hole { first: at(pair[0] + 1), last: at(pair[1] - 1) }.named(self.size));
            Some(Line {
                timeline: *timeline,
                first: at(*numbers.first()?).name(self.size),
                last: at(*numbers.last()?).name(self.size),
                segments: numbers.len() as u64,
                gaps: gaps.collect(),
            })
        };
        self.lines.iter().filter_map(line).collect()
    }
}
