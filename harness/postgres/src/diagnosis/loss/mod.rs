//! Why rows did not come back as was promised. Replay is a prefix: it ended somewhere, and the segment at
//! which it did says why, together with what the store holds and what the log says of it.

mod causes;
mod overshot;
#[cfg(test)]
mod tests;

use super::recovery::{Recovery, Refusal, Unfetched};
use crate::pgbackrest::archive::{Archive, History, history_name};
use phoenix_core::{Finding, LostRow, Lsn, SegmentSize, Timeline, WalSegment};
use phoenix_drill::{Identity, Loss};
use std::collections::BTreeMap;

/// How many of the objects that are gone are evidence by name.
const SHOWN_OBJECTS: usize = 10;

/// What is known once rows did not come back.
#[derive(Debug, Clone, Copy)]
pub struct LossScene<'a> {
    /// What the stage knows.
    pub loss: &'a Loss,
    /// The archive as the store lists it now, or why it could not be listed.
    pub archive: Result<&'a Archive, &'a str>,
    /// The histories that could be read.
    pub histories: &'a BTreeMap<Timeline, History>,
    /// The log of the server that came back, pgBackRest's lines and all; empty if there is none.
    pub recovery_log: &'a str,
    /// Whether the table of the rows is there.
    pub table: Table,
    /// What the archive holds of the first lost row.
    pub record: Record,
}

/// What the archived WAL holds where the commit of the first lost row should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    /// Its commit.
    Commit,
    /// Something else: what is archived under this name is not what the castle wrote.
    Other,
    /// It was not looked for, or could not be.
    Unknown,
}

/// Whether the table of the rows is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// It is.
    There,
    /// It is gone.
    Gone,
    /// It could not be asked for.
    Unknown,
}

/// The cause of a loss: one finding, or none if nothing was lost, nothing is corrupt and nothing lies beyond the
/// target.
pub fn lost(scene: &LossScene<'_>) -> Vec<Finding> {
    let account = &scene.loss.account;
    let broken = scene.loss.promise.broken_by(account);
    let wrong = account.changed.len() + account.unexpected.len() + account.holes.len();
    let wrong = wrong + account.missing_objects.len();
    let Some(source) = scene.loss.source() else { return Vec::new() };
    if wrong == 0 && broken.is_empty() {
        let overshot = !account.overshot.is_empty();
        return overshot.then(|| overshot::find(scene, source.segment_size)).into_iter().collect();
    }
    let reborn = scene.loss.reborn().unwrap_or(source);
    let size = source.segment_size;
    let recovery = Recovery::read(scene.recovery_log, size);
    let archive = scene.archive.ok();
    let history = scene.histories.get(&reborn.timeline).cloned().or_else(|| told(&recovery, scene.histories));
    let history = history.map(walked);
    let mut case = Case { scene, recovery, archive, history, broken, source, reborn, size, stop: None };
    case.stop = case.find_stop();
    vec![causes::find(&case)]
}

/// Where the reborn cluster came from, as its log tells: its own history may not be archived yet.
fn told(recovery: &Recovery, histories: &BTreeMap<Timeline, History>) -> Option<History> {
    let (parent, (done, _)) = (recovery.restored.last()?.timeline, recovery.redo_done.as_ref()?);
    let mut history = histories.get(&parent).cloned().unwrap_or_default();
    history.0.push((parent, *done));
    Some(history)
}

/// A history as far as it was really gone. A server whose WAL ended before a fork that its target comes from
/// names all of the target's ancestors, and leaves the last of them earlier than those before it.
fn walked(history: History) -> History {
    let Some((_, end)) = history.0.last().copied() else { return history };
    let at = history.0.iter().position(|(_, left)| *left >= end).unwrap_or_default();
    let mut walked = history.0;
    walked.truncate(at + 1);
    walked.iter_mut().for_each(|(_, left)| *left = (*left).min(end));
    History(walked)
}

/// One loss under investigation.
struct Case<'a> {
    scene: &'a LossScene<'a>,
    recovery: Recovery,
    archive: Option<&'a Archive>,
    /// Where the reborn cluster came from, as far as it is known.
    history: Option<History>,
    /// The lost rows that were promised, in LSN order.
    broken: Vec<&'a LostRow>,
    source: Identity,
    reborn: Identity,
    size: SegmentSize,
    /// The segment at which replay ended: the first of which not all was replayed.
    stop: Option<WalSegment>,
}

impl Case<'_> {
    fn find_stop(&self) -> Option<WalSegment> {
        let recovery = &self.recovery;
        if let Some((segment, _)) = recovery.damage.last() {
            return Some(*segment);
        }
        if let Some(last) = recovery.restored.iter().max_by_key(|segment| (segment.number, segment.timeline))
        {
            let beyond = self.beyond(*last);
            // a record that should begin within a whole segment and does not is damage, unless the next
            // segment was asked for: then it is what follows the switch
            let asked = |unfetched: &Unfetched| unfetched.file == self.name(beyond);
            let went_on = self.recovery.unfetched.iter().any(asked);
            let told = !self.recovery.unfetched.is_empty() && !went_on;
            let no_record = recovery.no_record.as_ref().filter(|(segment, _)| {
                let later = || self.exists(|other| other.number > segment.number);
                segment.number == last.number && (told || (!went_on && later()))
            });
            if let Some((segment, _)) = no_record {
                return Some(*segment);
            }
            return Some(beyond);
        }
        // where the backup brought its own WAL none was fetched: the last that was asked for is the one
        let asked = recovery.unfetched.iter().filter_map(|it| WalSegment::parse(&it.file, self.size).ok());
        if let Some(last) = asked.max_by_key(|segment| (segment.number, segment.timeline)) {
            return Some(last);
        }
        // without a log, the first segment that the store lacks
        let archive = self.archive?;
        let backup = self.scene.loss.backups.last()?;
        let timeline = self.source.timeline;
        let first = WalSegment::containing(timeline, backup.interval.start, self.size);
        let last = self.broken.iter().map(|row| row.commit.lsn_before).max()?;
        let last = WalSegment::containing(timeline, last, self.size);
        first.through(last).find(|segment| !archive.segments.contains_key(segment))
    }

    /// The segment that replay needed after the last one that was fetched. Of several timelines, the newest
    /// is asked for first, and it is this one.
    fn beyond(&self, last: WalSegment) -> WalSegment {
        let asked = self.recovery.unfetched.iter().filter_map(|unfetched| {
            let segment = WalSegment::parse(&unfetched.file, self.size).ok()?;
            (segment.number == last.number + 1).then_some(segment)
        });
        let next = WalSegment { number: last.number + 1, ..last };
        asked.max_by_key(|segment| segment.timeline).unwrap_or(next)
    }

    /// The first row that was promised and did not come back.
    fn first(&self) -> Option<&LostRow> {
        self.broken.first().copied()
    }

    /// The timeline that a row was written on.
    fn timeline(&self, row: &LostRow) -> Timeline {
        self.scene.loss.timeline(row).unwrap_or(self.source.timeline)
    }

    /// Where the reborn cluster came from, as far as it is known.
    fn history(&self) -> Option<&History> {
        self.history.as_ref()
    }

    /// The timeline that the reborn cluster left last.
    fn parent(&self) -> Timeline {
        let parent = self.history().and_then(|history| history.0.last()).map(|(timeline, _)| *timeline);
        parent.unwrap_or(self.source.timeline)
    }

    /// How far the reborn cluster's past goes on a timeline; `None` where it has no part of it.
    fn replayed_to(&self, timeline: Timeline) -> Option<Lsn> {
        let done =
            self.recovery.redo_done.as_ref().map(|(lsn, _)| *lsn).filter(|_| timeline == self.parent());
        done.max(self.history().and_then(|history| history.left(timeline)))
    }

    /// Whether the record of this row's commit was replayed.
    fn was_replayed(&self, row: &LostRow) -> bool {
        self.replayed_to(self.timeline(row)).is_some_and(|end| row.commit.lsn_after <= end)
    }

    /// Whether the store holds a segment now; `None` if it could not be listed.
    fn holds(&self, segment: WalSegment) -> Option<bool> {
        Some(self.archive?.segments.contains_key(&segment))
    }

    /// Whether the store held a segment when the victim was dead; `None` if that is not known.
    fn held(&self, segment: WalSegment) -> Option<bool> {
        Some(self.scene.loss.held.as_ref()?.contains(&segment))
    }

    /// Whether the store holds such a segment of the timeline on which replay ended, or held it.
    fn exists(&self, wanted: impl Fn(&WalSegment) -> bool) -> bool {
        let now = self.archive.iter().flat_map(|archive| archive.segments.keys());
        let mut all = now.chain(self.scene.loss.held.iter().flatten());
        all.any(|segment| segment.timeline == self.parent() && wanted(segment))
    }

    fn name(&self, segment: WalSegment) -> String {
        segment.name(self.size)
    }

    /// How a file was refused.
    fn refusal(&self, file: &str) -> Option<&Unfetched> {
        self.recovery.refusal(file, self.size)
    }

    /// What pgBackRest said when it failed to fetch a segment.
    fn failure(&self, segment: WalSegment) -> Option<&[String]> {
        let refusal = self.refusal(&self.name(segment)).filter(|refusal| refusal.why == Refusal::Failed)?;
        Some(&refusal.said)
    }

    /// How the history of a timeline was refused.
    fn refused_history(&self, timeline: Timeline) -> Option<&Unfetched> {
        self.refusal(&history_name(timeline))
    }

    /// Whether a segment is no part of the reborn cluster's past, nor what it might have replayed further.
    fn is_off_path(&self, segment: WalSegment) -> bool {
        let Some(history) = self.history() else { return false };
        let timeline = segment.timeline;
        if timeline == self.reborn.timeline || timeline == self.parent() {
            return false;
        }
        history.left(timeline).is_none_or(|left| segment.end(self.size) > left)
    }

    /// What every finding ends with: which row is the first to be missing, and where replay ended.
    fn evidence(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(row) = self.first() {
            let (commit, timeline) = (row.commit, self.timeline(row));
            let segment = self.name(WalSegment::containing(timeline, commit.lsn_before, self.size));
            lines.push(format!(
                "first lost row: {} (xid {}), committed after {} in segment {segment}; {} lost in all",
                row.label,
                commit.xid,
                commit.lsn_before,
                self.broken.len()
            ));
        }
        lines.extend(self.scene.loss.account.missing_objects.iter().take(SHOWN_OBJECTS).cloned());
        lines.extend(self.recovery.redo_done.iter().map(|(_, line)| line.clone()));
        if let Err(why) = self.scene.archive {
            lines.push(format!("the archive could not be listed: {why}"));
        }
        lines
    }
}
