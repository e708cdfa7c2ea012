//! Something outside the store that knows how far history went: a ledger, a position, a segment's name.

use crate::inspection::{Archive, Gap, Held, Path, Stanza};
use phoenix_core::{
    Entry, Finding, Lsn, SegmentSize, Timeline, WalSegment,
    ledger::{BrokenLedger, Outcome, attempts},
};
use std::{collections::BTreeMap, fmt};

/// What is held against the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// History went on to here, on the timeline that a default restore follows.
    Position(Lsn),
    /// This segment was written to its end.
    Segment(String),
    /// Rows that were acknowledged.
    Ledger(Vec<Acknowledged>),
}

/// A row that was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// The timeline that it was written on.
    pub timeline: Timeline,
    /// Its commit record ends at or before this.
    pub until: Lsn,
}

/// The text is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is neither an LSN such as 0/3000148 nor the 24 digits of a segment's name")]
pub struct NotAReference(String);

impl Reference {
    /// Reads an LSN or a segment's name.
    pub fn parse(text: &str) -> Result<Self, NotAReference> {
        if let Ok(lsn) = text.parse() {
            return Ok(Self::Position(lsn));
        }
        // the smallest segments have the most names
        match WalSegment::parse(text, SegmentSize::MIN) {
            Ok(_) => Ok(Self::Segment(text.to_owned())),
            Err(_) => Err(NotAReference(text.to_owned())),
        }
    }

    /// The acknowledged rows of a ledger. The first life was lived on timeline 1, each other on the
    /// timeline that its rebirth says.
    ///
    /// # Errors
    /// If it contradicts itself.
    pub fn ledger(entries: &[Entry]) -> Result<Self, BrokenLedger> {
        let reborn = entries.iter().filter_map(|entry| match entry {
            Entry::Rebirth { timeline, .. } => Some(*timeline),
            _ => None,
        });
        let lives: BTreeMap<u32, Timeline> = (0..).zip(std::iter::once(Timeline(1)).chain(reborn)).collect();
        let row = |attempt: phoenix_core::ledger::Attempt| match attempt.outcome {
            Outcome::Ok { commit, .. } => {
                Some(Acknowledged { timeline: *lives.get(&attempt.life)?, until: commit.lsn_after })
            }
            Outcome::Failed | Outcome::Indeterminate => None,
        };
        Ok(Self::Ledger(attempts(entries)?.into_values().filter_map(row).collect()))
    }

    /// Holds it against the stanza that a default restore brings furthest, and names that stanza.
    pub(crate) fn hold(&self, stanzas: &[Stanza]) -> (Held, String) {
        let furthest =
            stanzas.iter().max_by_key(|stanza| stanza.latest.as_ref().and_then(|latest| latest.to));
        let Some(reach) = furthest.and_then(Reach::of) else {
            let name = furthest.map(|stanza| stanza.name.clone()).unwrap_or_default();
            let rows = self.rows();
            let sentence = "a default restore reaches nothing of it".to_owned();
            let held = Held {
                reference: self.to_string(),
                sentence,
                missing: None,
                rows_beyond: rows,
                rows,
                is_reached: false,
            };
            return (held, name);
        };
        let held = match self {
            Self::Position(lsn) => reach.hold_position(self, *lsn),
            Self::Segment(name) => match WalSegment::parse(name, reach.size) {
                Ok(segment) => reach.hold_segment(self, segment),
                Err(_) => Held {
                    is_reached: false,
                    ..reach
                        .answer(self, format!("there is no segment {name} of {} bytes", reach.size.bytes()))
                },
            },
            Self::Ledger(rows) => reach.hold_rows(self, rows),
        };
        (held, reach.stanza.to_owned())
    }

    fn rows(&self) -> Option<u64> {
        match self {
            Self::Ledger(rows) => Some(rows.len() as u64),
            Self::Position(_) | Self::Segment(_) => None,
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Position(lsn) => lsn.fmt(f),
            Self::Segment(name) => f.write_str(name),
            Self::Ledger(rows) => write!(f, "a ledger of {} acknowledged rows", rows.len()),
        }
    }
}

/// How far a default restore gets.
struct Reach<'a> {
    stanza: &'a str,
    size: SegmentSize,
    timeline: Timeline,
    path: Option<&'a Path>,
    /// No record at or after this comes back.
    to: Lsn,
}

impl<'a> Reach<'a> {
    fn of(stanza: &'a Stanza) -> Option<Self> {
        let latest = stanza.latest.as_ref()?;
        let archive: &Archive = stanza.archives.iter().find(|archive| archive.id == latest.archive)?;
        let path = archive.paths.iter().find(|path| path.timeline == latest.timeline);
        Some(Self {
            stanza: &stanza.name,
            size: archive.segment_size,
            timeline: latest.timeline,
            path,
            to: latest.to?,
        })
    }

    fn answer(&self, reference: &Reference, sentence: String) -> Held {
        Held {
            reference: reference.to_string(),
            sentence,
            missing: None,
            rows_beyond: None,
            rows: None,
            is_reached: true,
        }
    }

    /// The first segment that a default restore does not replay to its end.
    fn next(&self) -> WalSegment {
        WalSegment::containing(self.timeline, self.to, self.size)
    }

    fn hold_position(&self, reference: &Reference, lsn: Lsn) -> Held {
        self.hold_segment_until(reference, WalSegment::ending_at(self.timeline, lsn, self.size), lsn)
    }

    fn hold_segment(&self, reference: &Reference, segment: WalSegment) -> Held {
        let left_at = self.left_at(segment.timeline);
        match left_at {
            Some(at) if segment.end(self.size) <= at => {
                self.hold_segment_until(reference, segment, segment.end(self.size))
            }
            Some(at) => {
                let sentence = format!(
                    "a default restore leaves timeline {} at {at}, before that segment ends",
                    segment.timeline
                );
                Held { is_reached: false, ..self.answer(reference, sentence) }
            }
            None => {
                let sentence = format!(
                    "a default restore follows timeline {}, which does not descend from timeline {}",
                    self.timeline, segment.timeline
                );
                Held { is_reached: false, ..self.answer(reference, sentence) }
            }
        }
    }

    fn hold_segment_until(&self, reference: &Reference, last: WalSegment, lsn: Lsn) -> Held {
        if lsn <= self.to {
            return self
                .answer(reference, format!("nothing is missing: a default restore reaches {}", self.to));
        }
        let first = WalSegment { timeline: last.timeline, ..self.next() };
        let segments = last.number.saturating_sub(first.number) + 1;
        let gap = Gap { first: first.name(self.size), last: last.name(self.size), segments };
        let range = if segments == 1 { gap.first.clone() } else { format!("{} to {}", gap.first, gap.last) };
        let is_behind = self.path.is_some_and(|path| path.gaps.iter().any(|hole| hole.first == gap.first));
        let missing = match (segments, is_behind) {
            (1, _) => "1 segment, is missing".to_owned(),
            (count, false) => format!("{count} segments, are missing"),
            (count, true) => format!("{count} segments, are missing, or lie behind one that is"),
        };
        let sentence = format!("a default restore reaches {} and not {lsn}: {range}, {missing}", self.to);
        Held { missing: Some(gap), is_reached: false, ..self.answer(reference, sentence) }
    }

    fn hold_rows(&self, reference: &Reference, rows: &[Acknowledged]) -> Held {
        let is_beyond = |row: &&Acknowledged| {
            self.left_at(row.timeline).is_none_or(|left_at| row.until > left_at.min(self.to))
        };
        let beyond: Vec<_> = rows.iter().filter(is_beyond).collect();
        let furthest =
            beyond.iter().map(|row| row.until).filter(|lsn| *lsn != Lsn::UNKNOWN && *lsn > self.to).max();
        let sentence = match beyond.len() {
            0 => format!(
                "all {} acknowledged rows lie before {}, which a default restore reaches",
                rows.len(),
                self.to
            ),
            count => format!(
                "{count} of {} acknowledged rows lie beyond {}, which is as far as a default restore gets",
                rows.len(),
                self.to
            ),
        };
        let missing = furthest.map(|lsn| self.hold_position(reference, lsn)).and_then(|held| held.missing);
        Held {
            missing,
            rows_beyond: Some(beyond.len() as u64),
            rows: Some(rows.len() as u64),
            is_reached: beyond.is_empty(),
            ..self.answer(reference, sentence)
        }
    }

    /// Where the followed path leaves a timeline: never, if that is the last; `None` if it is not on it.
    fn left_at(&self, timeline: Timeline) -> Option<Lsn> {
        if timeline == self.timeline {
            return Some(Lsn(u64::MAX));
        }
        self.path?.forks.iter().find(|fork| fork.timeline == timeline).map(|fork| fork.at)
    }
}

impl Held {
    /// What it is where something is missing.
    pub(crate) fn finding(&self) -> Finding {
        let fix = "push what is missing from the primary's pg_wal (pgbackrest archive-push), if it still lives; \
                   otherwise it is lost";
        let missing = self.missing.iter().map(|gap| format!("{} to {}", gap.first, gap.last));
        Finding::certain("reference-beyond", self.sentence.clone(), fix).with_evidence(missing)
    }
}
