//! Histories that are missing or damaged, and timelines that went on after they were left.

use super::Case;
use crate::{
    inspection::{Severity, Unseen},
    judge::{Remarks, stanzas::Times},
    seen::Reading,
};
use chrono::{DateTime, Utc};
use phoenix_core::{Certainty, Finding, Timeline, WalSegment};
use std::collections::BTreeSet;

/// Whether every history that recovery asks for is there and readable.
pub(super) fn histories(case: &Case<'_>, remarks: &mut Remarks) {
    let Case { archive, wal, needs, .. } = case;
    // histories older than the oldest backup's timeline are removed with the WAL that they speak of
    let oldest = needs.iter().map(|need| need.position.first.timeline).min().unwrap_or(Timeline(1));
    let of_files =
        archive.segments.iter().filter_map(|file| file.segment(wal.size)).map(|segment| segment.timeline);
    // PostgreSQL asks for one after the other, and stops at the first that is not there
    let before = archive.histories.keys().map(|timeline| Timeline(timeline.0.saturating_sub(1)));
    let asked: BTreeSet<_> = of_files.chain(archive.histories.keys().copied()).chain(before).collect();
    for timeline in asked.into_iter().filter(|timeline| *timeline > oldest) {
        let name = format!("{:08X}.history", timeline.0);
        let forks = archive.histories.get(&timeline).map_or(&Reading::Missing, |history| &history.forks);
        let Some(trouble) = forks.trouble() else { continue };
        if forks.is_unseen() {
            let what = format!("from where timeline {timeline} of {} descends", archive.id);
            remarks.unseen.push(Unseen::decisive(what, format!("{name} {trouble}")));
            continue;
        }
        let fix = "copy it from the pg_wal of a server that lived on that timeline, or take a full backup on the newest";
        let told = |effect: &str| format!("the history of timeline {timeline} {trouble}: {effect}");
        let finding = match forks {
            Reading::Missing => {
                let effect = "recovery falls back to an older timeline, without an error";
                Finding::certain("history-missing", told(effect), fix)
            }
            _ => {
                let effect = "recovery to that timeline or a younger one fails";
                Finding::certain("history-damaged", told(effect), fix)
            }
        };
        let key = format!("archive/{}/{}/{name}", remarks.stanza(), archive.id);
        remarks.harm(finding.with_evidence([key]));
    }
}

/// Timelines that hold WAL from beyond the point where a successor left them.
pub(super) fn abandoned(case: &Case<'_>, remarks: &mut Remarks) {
    for (heir, history) in &case.archive.histories {
        let Some(fork) = history.forks.whole().and_then(|forks| forks.last()) else { continue };
        let tail: Vec<_> = case.wal.tail(fork.timeline, case.wal.number_of(fork.at)).collect();
        let (Some((first, _)), Some((last, _))) = (tail.first(), tail.last()) else { continue };
        let name = |number: u64| WalSegment { timeline: fork.timeline, number }.name(case.wal.size);
        let evidence = vec![
            format!("timeline {heir} left it at {}, {}", fork.at, seconds(history.archived_at)),
            format!("it holds {} to {} from beyond that", name(*first), name(*last)),
        ];
        let later: Vec<_> = tail.iter().map(|(_, at)| *at).filter(|at| *at > history.archived_at).collect();
        if later.is_empty() {
            passed_by(fork.timeline, *heir, evidence, remarks);
        } else {
            clash(case.times, fork.timeline, *heir, (evidence, later), remarks);
        }
    }
}

/// All of it was archived before the promotion: recovery was meant to go back.
fn passed_by(left: Timeline, heir: Timeline, evidence: Vec<String>, remarks: &mut Remarks) {
    let sentence = format!(
        "timeline {left} goes on beyond where timeline {heir} left it, and a default restore passes that by"
    );
    let fix = format!("nothing, if recovery was meant to go back; --target-timeline={left} reaches it");
    remarks.note(Finding::certain("abandoned-wal", sentence, fix).with_evidence(evidence));
}

/// Some of it was archived after the promotion: there were two primaries.
fn clash(
    times: Times,
    left: Timeline,
    heir: Timeline,
    (mut evidence, later): (Vec<String>, Vec<DateTime<Utc>>),
    remarks: &mut Remarks,
) {
    if let (Some(from), Some(to)) = (later.iter().min(), later.iter().max()) {
        let (count, from, to) = (later.len(), seconds(*from), seconds(*to));
        evidence.push(format!("{count} of these segments were archived after the promotion: {from} to {to}"));
    }
    let sentence = format!(
        "timelines {left} and {heir} were both written to: a default restore loses what timeline {left} went on to hold"
    );
    let fix = format!(
        "stop the primary that shall not live; --target-timeline={left} brings its rows back; then take a full backup"
    );
    let (severity, certainty) = match times {
        Times::OfWriting => (Severity::Harm, Certainty::Likely),
        Times::OfCopying => (Severity::Warning, Certainty::Unsure),
    };
    let finding = Finding::certain("clashing-primaries", sentence, fix).with_evidence(evidence);
    remarks.say(severity, finding.with_certainty(certainty));
}

fn seconds(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
