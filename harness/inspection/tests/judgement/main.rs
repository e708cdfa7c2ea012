//! The judgement against a model: what a restore would do, segment by segment, and every finding with a
//! control.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clusters;
mod contents;
mod faults;
mod gaps;
mod references;
mod retention;

use chrono::{DateTime, TimeDelta, Utc};
use phoenix_core::{Lsn, SegmentSize, Timeline, WalSegment};
use phoenix_inspection::{
    Inspection,
    compression::Compression,
    history::{Ended, Fork, History},
    info::{ArchiveInfo, BackupEntry, BackupInfo, BackupWal, Database},
    inspection::{Remark, Severity},
    judge,
    manifest::{Digest, Extent, Manifest, Piece, StoredFile},
    names::SegmentFile,
    seen::{ArchiveId, Pair, Reading, Seen, SeenArchive, SeenBackup, SeenHistory, SeenStanza},
};
use std::collections::BTreeMap;

pub(crate) const SIZE: SegmentSize = SegmentSize::MIN;
pub(crate) const FULL: &str = "20260101-000000F";

/// So many minutes after the repository was begun.
pub(crate) fn minute(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).unwrap() + TimeDelta::minutes(minutes)
}

pub(crate) fn segment(timeline: u32, number: u64) -> WalSegment {
    WalSegment { timeline: Timeline(timeline), number }
}

pub(crate) fn name(timeline: u32, number: u64) -> String {
    segment(timeline, number).name(SIZE)
}

/// The position so many bytes into a segment.
pub(crate) fn lsn(number: u64, bytes: u64) -> Lsn {
    Lsn(number * SIZE.bytes() + bytes)
}

/// A segment's file; the minute it was archived in is its number, unless said otherwise.
pub(crate) fn file(timeline: u32, number: u64) -> SegmentFile {
    SegmentFile {
        name: name(timeline, number),
        sha1: format!("{:040x}", u64::from(timeline) << 32 | number),
        compression: Some(Compression::Zst),
        stored_bytes: 1000,
        archived_at: minute(number.try_into().unwrap()),
    }
}

/// A stanza with one cluster and no backup; its archive holds these segments of timeline 1.
pub(crate) fn stanza(numbers: impl IntoIterator<Item = u64>) -> SeenStanza {
    let history = BTreeMap::from([(1, Database { system_id: 77, version: "15".into() })]);
    let archive_info = ArchiveInfo { current: 1, history: history.clone(), passphrase: None };
    let backup_info = BackupInfo { current: 1, history, backups: Vec::new(), passphrase: None };
    SeenStanza {
        name: "main".into(),
        archive_info: twice(archive_info),
        backup_info: twice(backup_info),
        archives: vec![SeenArchive {
            id: ArchiveId { db_id: 1, version: "15".into() },
            segment_size: Some(SIZE),
            segments: numbers.into_iter().map(|number| file(1, number)).collect(),
            histories: BTreeMap::new(),
            contents: BTreeMap::new(),
        }],
        backups: BTreeMap::new(),
    }
}

pub(crate) fn twice<T: Clone>(content: T) -> Pair<T> {
    Pair { main: Reading::Whole(content.clone()), copy: Reading::Whole(content) }
}

/// Both copies of `backup.info`, changed.
pub(crate) fn change_info(stanza: &mut SeenStanza, change: impl FnOnce(&mut BackupInfo)) {
    let mut info = stanza.backup_info.content().unwrap().clone();
    change(&mut info);
    stanza.backup_info = twice(info);
}

/// Takes a full backup that needs the segments from one number to another, and is whole.
pub(crate) fn back_up(stanza: &mut SeenStanza, label: &str, timeline: u32, first: u64, last: u64) {
    let entry = BackupEntry {
        label: label.into(),
        kind: "full".into(),
        db_id: 1,
        stopped_at: minute(last.try_into().unwrap()),
        wal: Some(BackupWal {
            start: lsn(first, 40),
            stop: lsn(last, 80),
            first: name(timeline, first),
            last: name(timeline, last),
        }),
        references: Vec::new(),
        has_page_errors: false,
        holds_its_wal: false,
    };
    let written_at = Some(entry.stopped_at);
    change_info(stanza, |info| info.backups.push(entry));
    let path = "pg_data/PG_VERSION.zst".to_owned();
    let stored = StoredFile { label: label.into(), path: path.clone() };
    let digest = Digest::Stored("0a".into());
    let piece = Piece { name: "pg_data/PG_VERSION".into(), bytes: 12, digest };
    let manifest = twice(Manifest {
        label: label.into(),
        files: BTreeMap::from([(stored.clone(), Extent::Exactly(12))]),
        pieces: BTreeMap::from([(stored, BTreeMap::from([(0, piece)]))]),
        in_blocks: 0,
        compression: Some(Compression::Zst),
        passphrase: None,
    });
    let (files, damage) = (BTreeMap::from([(path, 12)]), BTreeMap::new());
    stanza.backups.insert(label.into(), SeenBackup { manifest, written_at, files, damage });
}

/// Lets a timeline descend from others, left at these positions.
pub(crate) fn descend(
    stanza: &mut SeenStanza,
    timeline: u32,
    forks: &[(u32, Lsn)],
    archived_at: DateTime<Utc>,
) {
    let fork = |(timeline, at): &(u32, Lsn)| Fork { timeline: Timeline(*timeline), at: *at };
    let forks = forks.iter().map(fork).collect();
    let content = Reading::Whole(History { forks, ended: Ended::AtTarget });
    stanza.archives[0].histories.insert(Timeline(timeline), SeenHistory { archived_at, content });
}

pub(crate) fn seen(stanza: SeenStanza) -> Seen {
    Seen {
        repository: "/repo".into(),
        looked_at: minute(10_000),
        retention: None,
        stanzas: vec![stanza],
        unseen: Vec::new(),
    }
}

pub(crate) fn inspected(stanza: SeenStanza) -> Inspection {
    judge(&seen(stanza), None)
}

/// The codes of a severity, in their order.
pub(crate) fn codes(inspection: &Inspection, severity: Severity) -> Vec<&str> {
    let of = |remark: &&Remark| remark.severity == severity;
    inspection.remarks.iter().filter(of).map(|remark| remark.finding.code.as_str()).collect()
}

/// The intervals along the path to a timeline, as positions.
pub(crate) fn intervals(inspection: &Inspection, timeline: u32) -> Vec<(Lsn, Lsn)> {
    let paths =
        inspection.stanzas.iter().flat_map(|stanza| &stanza.archives).flat_map(|archive| &archive.paths);
    let wanted = paths.filter(|path| path.timeline == Timeline(timeline));
    wanted.flat_map(|path| &path.intervals).map(|interval| (interval.from, interval.to)).collect()
}
