//! Segments that are missing along a path: lost, or removed by retention.

use super::{
    Case,
    expiry::{Expiry, Kept},
};
use crate::{
    inspection::{Severity, Unseen},
    judge::{
        Remarks,
        paths::Way,
        wal::{Hole, Run},
    },
    retention::Retention,
};
use phoenix_core::{Certainty, Finding};

/// What a gap is.
enum Kind {
    /// No backup needs what lies before it.
    BeforeBackups,
    /// Retention of WAL removed it, as it is set.
    Expired(Retention),
    /// Retention would have removed it if it were set like this; otherwise it was lost.
    ExpiredOrLost(Retention),
    /// Something was lost.
    Lost,
}

pub(super) fn judge(case: &Case<'_>, kept: &Kept<'_>, way: &Way, remarks: &mut Remarks) {
    before_the_first(case, way, remarks);
    astray(case, way, remarks);
    for (before, holes, after) in way.breaks(case.wal) {
        // what is there and spoilt was said of each segment
        for hole in holes.iter().filter(|hole| !case.wal.is_spoilt(hole)) {
            say(case, hole, &after, &kind(case, kept, way, &before, hole), remarks);
        }
    }
}

fn kind(case: &Case<'_>, kept: &Kept<'_>, way: &Way, before: &Run, hole: &Hole) -> Kind {
    if case.info.is_none() {
        return Kind::Lost; // the backups could not be seen
    }
    if !way.backups.iter().any(|need| need.position.first.number <= before.last.number) {
        return Kind::BeforeBackups;
    }
    match kept.explain(hole, case.archive.id.db_id) {
        Expiry::Never => Kind::Lost,
        Expiry::AsTold(setting) => Kind::Expired(setting),
        Expiry::If(setting) => Kind::ExpiredOrLost(setting),
    }
}

fn say(case: &Case<'_>, hole: &Hole, after: &Run, kind: &Kind, remarks: &mut Remarks) {
    let size = case.wal.size;
    let (first, last) = (hole.first.name(size), hole.last.name(size));
    let (range, is) = match hole.segments() {
        1 => (format!("segment {first}"), "is"),
        count => (format!("{count} segments, {first} to {last},"), "are"),
    };
    let next = after.first.name(size);
    let (severity, finding) = match kind {
        Kind::BeforeBackups => {
            let sentence = format!("{range} {is} missing: no backup needs what lies before");
            (Severity::Note, Finding::certain("wal-before-backups", sentence, "nothing"))
        }
        Kind::Expired(setting) => {
            let sentence = format!("{range} {is} missing: removed by retention, with {setting}");
            let fix = "nothing: the older backups can be restored, and go no further than their own WAL";
            (Severity::Note, Finding::certain("wal-expired", sentence, fix))
        }
        Kind::ExpiredOrLost(setting) => {
            let sentence = format!(
                "{range} {is} missing: either removed by retention or lost, and the store cannot tell which"
            );
            let fix = "look what repo1-retention-archive is set to, and say it with --retention-archive (default, if it is \
                       not set): what that does not explain was lost";
            let evidence = [
                format!("{setting} leaves it so; where it is not set, nothing between backups is removed"),
                format!("archive {}: {next} is there, and follows", case.archive.id),
            ];
            let what = format!(
                "whether {range} of archive {} {} removed by retention or lost",
                case.archive.id,
                if is == "is" { "was" } else { "were" }
            );
            remarks.unseen(Unseen::decisive(
                what,
                "the store does not hold the settings of retention; --retention-archive says them",
            ));
            let finding =
                Finding::certain("wal-expired-or-lost", sentence, fix).with_certainty(Certainty::Unsure);
            (Severity::Warning, finding.with_evidence(evidence))
        }
        Kind::Lost => {
            let sentence = format!("{range} {is} missing: recovery stops there without an error");
            let fix = "bring them back from another repository or the primary's pg_wal; otherwise take a full backup \
                       now, for nothing beyond the gap can be reached from an older one";
            let certainty = if case.info.is_some() { Certainty::Certain } else { Certainty::Likely };
            let finding = Finding::certain("wal-missing", sentence, fix).with_certainty(certainty);
            (
                Severity::Harm,
                finding.with_evidence([format!("archive {}: {next} is there, and follows", case.archive.id)]),
            )
        }
    };
    remarks.say(severity, finding);
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
