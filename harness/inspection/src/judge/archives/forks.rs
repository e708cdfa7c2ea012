//! Histories that are missing or damaged, and timelines that went on after they were left.

use super::Case;
use crate::{
    inspection::{Severity, Unseen},
    judge::{Remarks, stanzas::Times},
    seen::Reading,
};
use phoenix_core::{Certainty, Finding, Timeline, WalSegment};

/// Whether every history that recovery asks for is there and readable.
pub(super) fn histories(case: &Case<'_>, remarks: &mut Remarks) {
    let Case { archive, wal, needs, .. } = case;
    let of_files =
        archive.segments.iter().filter_map(|file| file.segment(wal.size)).map(|segment| segment.timeline);
    let newest = of_files.chain(archive.histories.keys().copied()).max();
    // histories older than the oldest backup's timeline are removed with the WAL that they speak of
    let oldest = needs.iter().map(|need| need.position.first.timeline).min().unwrap_or(Timeline(1));
    let asked = oldest.0.saturating_add(1)..=newest.map_or(0, |newest| newest.0);
    for timeline in asked.map(Timeline) {
        let name = format!("{:08X}.history", timeline.0);
        let forks = archive.histories.get(&timeline).map_or(&Reading::Missing, |history| &history.forks);
        let Some(trouble) = forks.trouble() else { continue };
        if forks.is_unseen() {
            let what = format!("from where timeline {timeline} of {} descends", archive.id);
            remarks.unseen.push(Unseen::decisive(what, format!("{name} {trouble}")));
            continue;
        }
        let (code, effect) = match forks {
            Reading::Missing => {
                ("history-missing", "recovery falls back to an older timeline, without an error")
            }
            _ => ("history-damaged", "recovery to that timeline or a younger one fails"),
        };
        let sentence = format!("the history of timeline {timeline} {trouble}: {effect}");
        let fix = "copy it from the pg_wal of a server that lived on that timeline, or take a full backup on the newest";
        remarks.harm(Finding::certain(code, sentence, fix).with_evidence([format!(
            "archive/{}/{}/{name}",
            remarks.stanza(),
            archive.id
        )]));
    }
}

/// Timelines that hold WAL from beyond the point where a successor left them.
pub(super) fn abandoned(case: &Case<'_>, remarks: &mut Remarks) {
    for (heir, history) in &case.archive.histories {
        let Some(fork) = history.forks.whole().and_then(|forks| forks.last()) else { continue };
        let tail: Vec<_> = case.wal.tail(fork.timeline, case.wal.number_of(fork.at)).collect();
        let (Some((first, _)), Some((last, _))) = (tail.first(), tail.last()) else { continue };
        let name = |number: u64| WalSegment { timeline: fork.timeline, number }.name(case.wal.size);
        let (first, last) = (name(*first), name(*last));
        let range = if first == last { first } else { format!("{first} to {last}") };
        let mut evidence = vec![
            format!(
                "timeline {heir} left timeline {} at {}, {}",
                fork.timeline, fork.at, history.archived_at
            ),
            format!("{range} lie beyond that"),
        ];
        let after: Vec<_> = tail.iter().filter(|(_, at)| *at > history.archived_at).collect();
        if after.is_empty() {
            let sentence = format!(
                "timeline {} goes on beyond where timeline {heir} left it: {} segments that a default restore passes by",
                fork.timeline,
                tail.len()
            );
            let fix = format!(
                "nothing, if recovery was meant to go back; --target-timeline={} still reaches them",
                fork.timeline
            );
            remarks.note(Finding::certain("abandoned-wal", sentence, fix).with_evidence(evidence));
            continue;
        }
        let times = after.iter().map(|(_, at)| *at);
        if let (Some(from), Some(to)) = (times.clone().min(), times.max()) {
            evidence.push(format!(
                "{} of them were archived after the promotion, from {from} to {to}",
                after.len()
            ));
        }
        let sentence = format!(
            "timelines {} and {heir} were both written to: what was archived of timeline {} after the promotion is \
             lost in a default restore",
            fork.timeline, fork.timeline
        );
        let fix = format!(
            "stop the primary that shall not live; --target-timeline={} brings its rows back; then take a full backup",
            fork.timeline
        );
        let (severity, certainty) = match case.times {
            Times::OfWriting => (Severity::Harm, Certainty::Likely),
            Times::OfCopying => (Severity::Warning, Certainty::Unsure),
        };
        let finding = Finding::certain("clashing-primaries", sentence, fix).with_evidence(evidence);
        remarks.say(severity, finding.with_certainty(certainty));
    }
}
