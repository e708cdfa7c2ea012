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
    /// No record of the path at or after this can be replayed.
    pub(crate) end: Lsn,
    /// The number of the first segment after it that the path lacks.
    pub(crate) lacks: u64,
    /// How far PostgreSQL goes on along WAL of an ancestor that the path had left.
    pub(crate) strays_to: Option<Lsn>,
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

    pub(crate) fn includes(&self, segment: WalSegment) -> bool {
        (self.first..=self.last).contains(&segment)
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
            Some((*timeline, history.forks()?.to_vec()))
        };
        let histories = archive.histories.iter().filter_map(history).collect();
        Self { size, lines, unusable: spoilt, histories }
    }

    /// Every timeline that has WAL or a history.
    pub(crate) fn timelines(&self) -> BTreeSet<Timeline> {
        self.lines.keys().chain(self.histories.keys()).copied().collect()
    }

    /// Every segment that is there in the order of names, also one that recovery cannot use.
    pub(crate) fn segments(&self) -> impl Iterator<Item = WalSegment> {
        let usable = self.lines.iter().flat_map(|(timeline, line)| {
            line.keys().map(|number| WalSegment { timeline: *timeline, number: *number })
        });
        let mut all: BTreeSet<_> = usable.collect();
        all.extend(&self.unusable);
        all.into_iter()
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
                let (end, lacks) = (segment.end(self.size), number + 1);
                match runs.last_mut().filter(|run| run.lacks == *number) {
                    Some(run) => (run.last, run.end, run.lacks) = (segment, end, lacks),
                    None => runs.push(Run { first: segment, last: segment, end, lacks, strays_to: None }),
                }
            }
        }
        self.share(timeline, &mut runs);
        runs
    }

    /// Where a timeline lacks the segment in which it begins, PostgreSQL takes its ancestor's of that
    /// number. Up to the fork that is the same history; then it goes astray.
    ///
    /// Source: PostgreSQL, `xlogrecovery.c`, `XLogFileReadAnyTLI`; measured with 15.
    fn share(&self, timeline: Timeline, runs: &mut Vec<Run>) {
        for Stretch { timeline: heir, from, .. } in self.stretches(timeline).into_iter().skip(1) {
            if self.has(WalSegment { timeline: heir, number: from }) {
                continue;
            }
            let run = runs.iter_mut().find(|run| run.lacks == from);
            let oldest = run.as_ref().map_or(Timeline(0), |run| run.last.timeline);
            let Some((shared, left_at)) = self.instead(timeline, from, oldest) else { continue };
            let belongs = left_at.0 > from * self.size.bytes();
            let strays_to = Some(self.astray(timeline, shared));
            match run {
                Some(run) if belongs => *run = Run { last: shared, end: left_at, strays_to, ..*run },
                Some(run) => run.strays_to = strays_to,
                None if belongs => {
                    runs.push(Run { first: shared, last: shared, end: left_at, lacks: from, strays_to });
                }
                None => {}
            }
        }
        runs.sort_by_key(|run| run.first.number);
    }

    /// What PostgreSQL takes where the segment that the path needs is not there: the youngest ancestor's,
    /// and none older than it has read already. With it where the path left that ancestor.
    fn instead(&self, timeline: Timeline, number: u64, oldest: Timeline) -> Option<(WalSegment, Lsn)> {
        let ancestors = self.forks(timeline).iter().rev().take_while(|fork| fork.timeline >= oldest);
        let mut taken = ancestors.map(|fork| (WalSegment { timeline: fork.timeline, number }, fork.at));
        taken.find(|(segment, _)| self.has(*segment))
    }

    /// Where PostgreSQL ends that has taken this segment in place of another.
    fn astray(&self, timeline: Timeline, mut last: WalSegment) -> Lsn {
        let stretches = self.stretches(timeline);
        loop {
            let number = last.number + 1;
            let needed = stretches.iter().find(|stretch| (stretch.from..stretch.until).contains(&number));
            // the path's own segment does not continue what was read, and is the end
            let returns =
                needed.is_some_and(|needed| self.has(WalSegment { timeline: needed.timeline, number }));
            match self.instead(timeline, number, last.timeline).filter(|_| !returns) {
                Some((next, _)) => last = next,
                None => return last.end(self.size),
            }
        }
    }

    /// What is missing between two runs of a path, timeline by timeline.
    pub(crate) fn holes(&self, timeline: Timeline, before: &Run, after: &Run) -> Vec<Hole> {
        let (first, last) = (before.lacks, after.first.number.saturating_sub(1));
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
