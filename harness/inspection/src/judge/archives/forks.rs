//! Histories that are missing or damaged, and timelines that went on after they were left.

use super::Case;
use crate::{
    history::Ended,
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
        let content = archive.histories.get(&timeline).map_or(&Reading::Missing, |history| &history.content);
        let Some(trouble) = content.trouble() else { continue };
        if content.is_unseen() {
            let what = format!("from where timeline {timeline} of {} descends", archive.id);
            remarks.unseen.push(Unseen::decisive(what, format!("{name} {trouble}")));
            continue;
        }
        let fix = "copy it from the pg_wal of a server that lived on that timeline, or take a full backup on the newest";
        let told = |effect: &str| format!("the history of timeline {timeline} {trouble}: {effect}");
        let finding = match content {
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
        let Some(fork) = history.forks().and_then(<[_]>::last) else { continue };
        let left_in = case.wal.number_of(fork.at);
        let tail: Vec<_> = case.wal.tail(fork.timeline, left_in).collect();
        let (Some((first, _)), Some((last, _))) = (tail.first(), tail.last()) else { continue };
        let name = |number: u64| WalSegment { timeline: fork.timeline, number }.name(case.wal.size);
        let held = if first == last { name(*last) } else { format!("{} to {}", name(*first), name(*last)) };
        let evidence = vec![
            format!("timeline {heir} left it at {}, {}", fork.at, seconds(history.archived_at)),
            format!("it holds {held} from beyond that"),
        ];
        let later = tail.iter().map(|(_, at)| *at).filter(|at| *at > history.archived_at);
        let branch = Branch { left: fork.timeline, heir: *heir, evidence, later: later.collect() };
        // the segment that a timeline is left within ends with a record that was never complete
        let goes_on = last * case.wal.size.bytes() >= fork.at.0;
        let ended = history.content.whole().map(|history| history.ended);
        match (ended, branch.later.is_empty()) {
            (Some(Ended::WithoutTarget), _) if goes_on => left_behind(case.times, branch, remarks),
            (Some(Ended::WithoutTarget), true) => {}
            (_, true) => passed_by(branch, remarks),
            (_, false) => clash(case.times, branch, remarks),
        }
    }
}

/// A timeline that goes on beyond where another left it.
struct Branch {
    left: Timeline,
    heir: Timeline,
    evidence: Vec<String>,
    /// When what was archived after the promotion was, if the store's times are those of writing.
    later: Vec<DateTime<Utc>>,
}

impl Branch {
    /// What the times say of it.
    fn guess(&self, times: Times) -> Option<String> {
        let (from, to) = (seconds(*self.later.iter().min()?), seconds(*self.later.iter().max()?));
        let count = self.later.len();
        Some(match times {
            Times::OfWriting => {
                format!("{count} of these segments were archived after the promotion: {from} to {to}")
            }
            Times::OfCopying => format!(
                "by times that are those of a copy, {count} of these segments were archived after the promotion"
            ),
        })
    }

    /// What brings back what was left behind.
    fn fix(&self) -> String {
        let Self { left, .. } = self;
        format!(
            "stop the primary that shall not live; --target-timeline={left} brings its rows back; then take a full backup"
        )
    }
}

/// Nobody asked the recovery to stop, and the timeline that it left goes on: whatever it holds from there on
/// was not there yet, or could not be read, and a default restore loses it. That is certain without any clock.
fn left_behind(times: Times, mut branch: Branch, remarks: &mut Remarks) {
    let Branch { left, heir, .. } = branch;
    let sentence = format!(
        "timelines {left} and {heir} were both written to: a default restore loses what timeline {left} went on to hold"
    );
    branch.evidence.push(format!(
        "the history of timeline {heir} says \"no recovery target specified\": nobody asked it to go back"
    ));
    branch.evidence.extend(branch.guess(times));
    let finding = Finding::certain("clashing-primaries", sentence, branch.fix());
    remarks.harm(finding.with_evidence(branch.evidence));
}

/// All of it was archived before the promotion: recovery was meant to go back.
fn passed_by(branch: Branch, remarks: &mut Remarks) {
    let Branch { left, heir, evidence, .. } = branch;
    let sentence = format!(
        "timeline {left} goes on beyond where timeline {heir} left it, and a default restore passes that by"
    );
    let fix = format!("nothing, if recovery was meant to go back; --target-timeline={left} reaches it");
    remarks.note(Finding::certain("abandoned-wal", sentence, fix).with_evidence(evidence));
}

/// Some of it was archived after the promotion, as far as the store's clock can be trusted: there were two
/// primaries.
fn clash(times: Times, mut branch: Branch, remarks: &mut Remarks) {
    let Branch { left, heir, .. } = branch;
    let sentence = format!(
        "timelines {left} and {heir} seem to have been written to at the same time: a default restore loses what \
         timeline {left} went on to hold"
    );
    branch.evidence.extend(branch.guess(times));
    branch.evidence.push("this is a guess by the store's times, and by nothing else".to_owned());
    let (severity, certainty) = match times {
        Times::OfWriting => (Severity::Harm, Certainty::Likely),
        Times::OfCopying => (Severity::Warning, Certainty::Unsure),
    };
    let finding =
        Finding::certain("clashing-primaries", sentence, branch.fix()).with_evidence(branch.evidence);
    remarks.say(severity, finding.with_certainty(certainty));
}

fn seconds(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
