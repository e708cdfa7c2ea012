//! Segments that are there and that recovery cannot use.

use super::foreign;
use crate::{
    compression::Compression,
    inspection::Unseen,
    judge::{Remarks, wal::Wal},
    names::SegmentFile,
    seen::{Reading, SeenArchive, SeenStanza},
};
use phoenix_core::{Finding, SegmentSize};
use std::collections::{BTreeMap, BTreeSet};

const FIX: &str = "recovery stops there without an error, and what follows is lost: bring it back from an older \
                   version of the object or from another repository, or take a new full backup";

/// The name of the segment that lies at a path in the archive's folder.
pub(super) fn named(path: &str) -> &str {
    path.rsplit('/').next().and_then(|file| file.get(..24)).unwrap_or(path)
}

/// The WAL that recovery can use; says what it cannot.
pub(in crate::judge) fn usable(archive: &SeenArchive, stanza: &SeenStanza, remarks: &mut Remarks) -> Wal {
    let size = told_size(archive, remarks);
    let mut unusable = doubles(archive, remarks);
    unusable.extend(short(archive, stanza, size, remarks));
    unusable.extend(damaged(archive, remarks));
    unusable.extend(foreign::judge(archive, stanza, size, remarks));
    Wal::of(archive, size, &unusable)
}

/// The size of an archive's segments, as far as it is known.
pub(crate) fn size(archive: &SeenArchive) -> SegmentSize {
    archive.segment_size.unwrap_or_else(|| by_names(archive))
}

fn told_size(archive: &SeenArchive, remarks: &mut Remarks) -> SegmentSize {
    let size = size(archive);
    let bytes = size.bytes();
    if archive.segment_size.is_none() && !archive.segments.is_empty() {
        let what = format!("the size of segments in {}", archive.id);
        let why = format!(
            "no backup and no segment tells it; their names allow {} MiB, --segment-size says otherwise",
            bytes >> 20
        );
        remarks.unseen.push(Unseen::aside(what, why));
    }
    let impossible = archive.segments.iter().filter(|file| file.segment(size).is_none()).count();
    if impossible > 0 {
        let what = format!("which {impossible} segments of {} follow one another", archive.id);
        let why = format!("their names do not exist with segments of {bytes} bytes: check --segment-size");
        remarks.unseen.push(Unseen::decisive(what, why));
    }
    size
}

/// The largest size up to PostgreSQL's own with which all names exist.
fn by_names(archive: &SeenArchive) -> SegmentSize {
    let exist = |size: &SegmentSize| archive.segments.iter().all(|file| file.segment(*size).is_some());
    let sizes = (20..=24).rev().filter_map(|shift| SegmentSize::new(1 << shift).ok());
    sizes.into_iter().find(exist).unwrap_or(SegmentSize::DEFAULT)
}

/// Two contents under one segment's name: pgBackRest refuses to choose.
fn doubles(archive: &SeenArchive, remarks: &mut Remarks) -> BTreeSet<String> {
    let mut by_name: BTreeMap<&str, Vec<&SegmentFile>> = BTreeMap::new();
    for file in &archive.segments {
        by_name.entry(&file.name).or_default().push(file);
    }
    let mut unusable = BTreeSet::new();
    for (name, files) in by_name {
        let contents: BTreeSet<_> = files.iter().map(|file| &file.sha1).collect();
        if contents.len() > 1 {
            let sentence = format!(
                "segment {name} is there with {} contents: pgBackRest gives none of them",
                contents.len()
            );
            let fix = "two primaries archived the same timeline: find out which one lived on, and move the other's away";
            let evidence = files.iter().map(|file| format!("{} archived {}", file.path(), file.archived_at));
            remarks.harm(Finding::certain("wal-duplicate", sentence, fix).with_evidence(evidence));
            unusable.extend(files.iter().map(|file| file.path()));
        }
    }
    unusable
}

/// Segments whose size alone shows that they are not whole.
fn short(
    archive: &SeenArchive,
    stanza: &SeenStanza,
    size: SegmentSize,
    remarks: &mut Remarks,
) -> BTreeSet<String> {
    let info = &stanza.archive_info;
    // what is encrypted is longer than what it holds
    let is_sealed = info.is_unseen() || info.content().is_some_and(|info| info.passphrase.is_some());
    let is_short = |file: &&SegmentFile| {
        file.stored_bytes == 0
            || (!is_sealed
                && file.compression == Some(Compression::None)
                && file.stored_bytes != size.bytes())
    };
    let short: Vec<_> = archive.segments.iter().filter(is_short).collect();
    for file in &short {
        let sentence = format!("segment {} is not whole: it takes {} bytes", file.name, file.stored_bytes);
        remarks.harm(Finding::certain("wal-truncated", sentence, FIX).with_evidence([file.path()]));
    }
    short.into_iter().map(SegmentFile::path).collect()
}

/// Segments whose content was read and is not what it should be.
fn damaged(archive: &SeenArchive, remarks: &mut Remarks) -> BTreeSet<String> {
    let mut damaged = BTreeSet::new();
    let mut unread: BTreeMap<String, usize> = BTreeMap::new();
    for (path, content) in &archive.contents {
        match content {
            Reading::Damaged(why) => {
                let sentence = format!("segment {} is not what its name says: {why}", named(path));
                remarks.harm(Finding::certain("wal-damaged", sentence, FIX).with_evidence([path.clone()]));
                damaged.insert(path.clone());
            }
            Reading::Missing | Reading::Sealed | Reading::Refused(_) => {
                *unread.entry(content.trouble().unwrap_or_default()).or_default() += 1;
            }
            Reading::Whole(_) => {}
        }
    }
    for (why, count) in unread {
        let what = format!("the content of {count} segments of {}", archive.id);
        remarks.unseen.push(Unseen::decisive(what, why));
    }
    damaged
}
