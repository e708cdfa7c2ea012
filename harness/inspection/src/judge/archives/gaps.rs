//! Segments that are missing along a path: lost, or removed by retention.

use super::Case;
use crate::{
    inspection::Severity,
    judge::{
        Remarks,
        paths::Way,
        wal::{Hole, Run},
    },
};
use phoenix_core::{Certainty, Finding};

/// What a gap is.
enum Kind {
    /// No backup needs what lies before it.
    BeforeBackups,
    /// It is what retention of WAL leaves: an older backup keeps the WAL that it needs, and no more.
    Expired,
    /// Something was lost.
    Lost,
}

pub(super) fn judge(case: &Case<'_>, way: &Way, remarks: &mut Remarks) {
    before_the_first(case, way, remarks);
    astray(case, way, remarks);
    for (before, holes, after) in way.breaks(case.wal) {
        let kind = kind(case, way, &before, &after);
        // what is there and spoilt was said of each segment
        for hole in holes.iter().filter(|hole| !case.wal.is_spoilt(hole)) {
            let (severity, finding) = said(case, hole, &after, &kind);
            remarks.say(severity, finding);
        }
    }
}

fn kind(case: &Case<'_>, way: &Way, before: &Run, after: &Run) -> Kind {
    if case.info.is_none() {
        return Kind::Lost; // the backups could not be seen
    }
    if !way.backups.iter().any(|need| need.position.first.number <= before.last.number) {
        return Kind::BeforeBackups;
    }
    let here = way.backups.iter().filter(|need| before.holds(need.position.first.number));
    let begins = way.backups.iter().any(|need| need.position.first == after.first);
    let mut needed = here.map(|need| (need.position.first.number, need.position.last));
    let (first, last) =
        needed.by_ref().fold((u64::MAX, 0), |(first, last), (from, to)| (first.min(from), last.max(to)));
    let keeps_no_more = (first, last) == (before.first.number, before.last.number);
    if begins && keeps_no_more { Kind::Expired } else { Kind::Lost }
}

fn said(case: &Case<'_>, hole: &Hole, after: &Run, kind: &Kind) -> (Severity, Finding) {
    let size = case.wal.size;
    let (first, last) = (hole.first.name(size), hole.last.name(size));
    let range = match hole.segments() {
        1 => format!("segment {first} is missing"),
        count => format!("{count} segments are missing, {first} to {last}"),
    };
    let next = after.first.name(size);
    match kind {
        Kind::BeforeBackups => {
            let sentence = format!("{range}: no backup needs what lies before");
            (Severity::Note, Finding::certain("wal-before-backups", sentence, "nothing"))
        }
        Kind::Expired => {
            let sentence = format!(
                "{range}: an older backup kept the WAL that it needs and no more, as retention leaves it"
            );
            let fix = "nothing, if repo1-retention-archive is set so; otherwise WAL was lost";
            (
                Severity::Warning,
                Finding::certain("wal-expired", sentence, fix).with_certainty(Certainty::Likely),
            )
        }
        Kind::Lost => {
            let sentence = format!("{range}: recovery stops there without an error");
            let fix = "bring them back from another repository or the primary's pg_wal; otherwise take a full backup \
                       now, for nothing beyond the gap can be reached from an older one";
            let certainty = if case.info.is_some() { Certainty::Certain } else { Certainty::Likely };
            let finding = Finding::certain("wal-missing", sentence, fix).with_certainty(certainty);
            (
                Severity::Harm,
                finding.with_evidence([format!("archive {}: {next} is there, and follows", case.archive.id)]),
            )
        }
    }
}

/// Where PostgreSQL takes an ancestor's WAL for that of a timeline that lacks its beginning.
fn astray(case: &Case<'_>, way: &Way, remarks: &mut Remarks) {
    let used = |run: &&Run| way.backups.iter().any(|need| way.run_of(need.position) == Some(*run));
    for run in way.runs.iter().filter(used) {
        let Some(strays_to) = run.strays_to else { continue };
        let sentence = format!(
            "archive {} lacks the beginning of timeline {}: recovery to it goes on along an ancestor that was left at \
             {}, to {strays_to}, and brings back what was meant to be left behind",
            case.archive.id, way.timeline, run.end
        );
        let fix =
            "push the timeline's first segment (pg_switch_wal() on its primary), or take a full backup there";
        remarks.warn(Finding::certain("wal-astray", sentence, fix));
    }
}

/// Where the WAL of the oldest backup begins, and what is older than it.
fn before_the_first(case: &Case<'_>, way: &Way, remarks: &mut Remarks) {
    let (Some(oldest), Some(run)) =
        (way.backups.iter().min_by_key(|need| need.position.first.number), way.runs.first())
    else {
        return;
    };
    let (size, id) = (case.wal.size, &case.archive.id);
    let begin = oldest.position.first;
    let (first, needed) = (run.first.name(size), begin.name(size));
    if run.first.number < begin.number {
        let sentence = format!(
            "archive {id} begins with {first}, and the oldest backup, {}, with {needed}: no recovery uses what lies \
             before",
            oldest.label
        );
        let fix = "nothing: the next expiry that removes WAL takes it along";
        remarks.note(Finding::certain("wal-unused", sentence, fix));
    } else if run.first == begin && begin.number > 1 {
        let sentence = format!(
            "archive {id} begins with {first}, as the oldest backup needs it: what was older was removed by \
             retention, or never archived"
        );
        remarks.note(Finding::certain(
            "wal-retention",
            sentence,
            "nothing: no backup that is there needs it",
        ));
    }
}
