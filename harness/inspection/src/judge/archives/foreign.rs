//! Segments that are whole and belong elsewhere: their first page names another cluster, another timeline
//! or another place than archive.info and their own names do. PostgreSQL refuses them.

use super::segments::named;
use crate::{
    judge::Remarks,
    page::PageHeader,
    seen::{SeenArchive, SeenStanza},
};
use phoenix_core::{Finding, Lsn, SegmentSize, Timeline, WalSegment};
use std::collections::{BTreeMap, BTreeSet};

/// How many segments are named as evidence.
const NAMED: usize = 5;

/// Says which segments belong elsewhere, and gives their paths.
pub(super) fn judge(
    archive: &SeenArchive,
    stanza: &SeenStanza,
    size: SegmentSize,
    remarks: &mut Remarks,
) -> BTreeSet<String> {
    let found = foreign(archive, stanza, size);
    let mut by_sentence: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (path, Foreign { whose, evidence }) in &found {
        by_sentence.entry(whose).or_default().push(format!("{}: {evidence}", named(path)));
    }
    for (whose, mut evidence) in by_sentence {
        let more = evidence.len().saturating_sub(NAMED);
        let count = match evidence.len() {
            1 => "a segment".to_owned(),
            count => format!("{count} segments"),
        };
        evidence.truncate(NAMED);
        evidence.extend((more > 0).then(|| format!("and {more} more")));
        let sentence = format!("{count} of archive {} {whose}: recovery stops there", archive.id);
        let fix = "find out who archived here, and give every cluster a stanza of its own; bring the right segments back from \
                   an older version of the object or from another repository, or take a new full backup";
        remarks.harm(Finding::certain("wal-foreign", sentence, fix).with_evidence(evidence));
    }
    found.into_keys().collect()
}

/// What is foreign about a segment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Foreign {
    whose: &'static str,
    evidence: String,
}

/// The segments that belong elsewhere, of those that were read, by path.
pub(crate) fn foreign(
    archive: &SeenArchive,
    stanza: &SeenStanza,
    size: SegmentSize,
) -> BTreeMap<String, Foreign> {
    let known = stanza.archive_info.content().map(|info| &info.history);
    let known = known.or_else(|| stanza.backup_info.content().map(|info| &info.history));
    let system_id =
        known.and_then(|history| history.get(&archive.id.db_id)).map(|database| database.system_id);
    let one = |(path, content): (&String, &crate::seen::Reading<Option<PageHeader>>)| {
        let header = content.whole()?;
        let segment = WalSegment::parse(named(path), size).ok()?;
        Some((path.clone(), contradiction(archive, segment, size, system_id, header.as_ref())?))
    };
    archive.contents.iter().filter_map(one).collect()
}

fn contradiction(
    archive: &SeenArchive,
    segment: WalSegment,
    size: SegmentSize,
    system_id: Option<u64>,
    header: Option<&PageHeader>,
) -> Option<Foreign> {
    let is = |whose, evidence| Some(Foreign { whose, evidence });
    let Some(header) = header else {
        return is("is no WAL at all", "it does not begin with the first page of a segment".to_owned());
    };
    if let Some(system_id) = system_id.filter(|known| *known != header.system_id) {
        let evidence = format!("written by system {}, and the stanza's is {system_id}", header.system_id);
        return is("was written by another cluster", evidence);
    }
    let start = start(segment, size);
    if header.start != start || header.segment_size != size {
        let evidence = format!("its first page is that of {}, and its name means {start}", header.start);
        return is("is another segment than its name says", evidence);
    }
    let (owner, is_known) = owner(archive, segment, size);
    // without its history a timeline may have any older one for its parent
    let fits = header.timeline == owner || (!is_known && header.timeline < segment.timeline);
    if !fits {
        let evidence = format!(
            "its first page is of timeline {}, and that place belongs to timeline {owner}",
            header.timeline
        );
        return is("was written on another timeline", evidence);
    }
    None
}

/// The timeline that wrote the first page of a segment: where a timeline begins within one, its first page
/// is a copy of its ancestor's. Also whether the history that tells was there.
fn owner(archive: &SeenArchive, segment: WalSegment, size: SegmentSize) -> (Timeline, bool) {
    let forks = archive.histories.get(&segment.timeline).and_then(|history| history.forks());
    let ancestors = forks.unwrap_or_default().iter();
    let mut later = ancestors.filter(|fork| fork.at > start(segment, size));
    let owner = later.next().map_or(segment.timeline, |fork| fork.timeline);
    (owner, forks.is_some() || segment.timeline == Timeline(1))
}

fn start(segment: WalSegment, size: SegmentSize) -> Lsn {
    Lsn(segment.number * size.bytes())
}
