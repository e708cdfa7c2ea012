//! The archive of a stanza: segments by their names, histories by their content, the size of segments.

use super::{
    AT_A_TIME,
    files::{Opener, said},
};
use crate::{
    compression, history,
    info::BackupInfo,
    names::{Named, SegmentFile, meaning},
    seen::{ArchiveId, SeenArchive, SeenHistory},
    source::{Object, Source, SourceError},
};
use futures::{StreamExt, TryStreamExt, stream};
use phoenix_core::{SegmentSize, WalSegment};
use std::collections::BTreeMap;

/// How many segments are looked into for their size before it is given up.
const CANDIDATES: usize = 3;

pub(super) async fn read(
    source: &dyn Source,
    stanza: &str,
    opener: &Opener,
    told: Option<SegmentSize>,
    backups: Option<&BackupInfo>,
) -> Result<Vec<SeenArchive>, SourceError> {
    let root = format!("archive/{stanza}/");
    let mut ids: Vec<ArchiveId> =
        source.level(&root).await?.folders.iter().filter_map(|name| name.parse().ok()).collect();
    ids.sort();
    let mut archives = Vec::new();
    for id in ids {
        let folder = format!("{root}{id}/");
        let mut archive = one(source, &folder, id, opener).await?;
        archive.segment_size = match told.or_else(|| by_backups(&archive.id, backups)) {
            Some(size) => Some(size),
            None => by_header(source, &folder, &archive, opener).await,
        };
        archives.push(archive);
    }
    Ok(archives)
}

async fn one(
    source: &dyn Source,
    folder: &str,
    id: ArchiveId,
    opener: &Opener,
) -> Result<SeenArchive, SourceError> {
    let level = source.level(folder).await?;
    // a folder for every 4 GiB of a timeline's WAL: they are listed side by side
    let folders = level.folders.into_iter().map(|name| format!("{folder}{name}/"));
    let lists = folders.map(|folder| async move { source.list(&folder).await });
    let lists: Vec<Vec<Object>> = stream::iter(lists).buffered(AT_A_TIME).try_collect().await?;
    let mut segments: Vec<_> = lists.into_iter().flatten().filter_map(segment_file).collect();
    segments.sort_by(|one, other| one.name.cmp(&other.name));
    let histories = level.objects.into_iter().filter_map(|object| match meaning(&object.key) {
        Named::History(timeline) => Some((timeline, object)),
        _ => None,
    });
    let histories = histories.map(|(timeline, object)| async move {
        let content = said(opener.open(source.get(&object.key).await), history::parse);
        (timeline, SeenHistory { archived_at: object.modified, content })
    });
    let histories: BTreeMap<_, _> = stream::iter(histories).buffer_unordered(AT_A_TIME).collect().await;
    Ok(SeenArchive { id, segment_size: None, segments, histories, contents: BTreeMap::new() })
}

fn segment_file(object: Object) -> Option<SegmentFile> {
    match meaning(&object.key) {
        Named::Segment { name, sha1, compression } => {
            let (stored_bytes, archived_at) = (object.bytes, object.modified);
            Some(SegmentFile { name, sha1, compression, stored_bytes, archived_at })
        }
        _ => None,
    }
}

/// A backup names both its position and the segment of it: only one size makes them agree.
fn by_backups(id: &ArchiveId, backups: Option<&BackupInfo>) -> Option<SegmentSize> {
    let of_this = backups?.backups.iter().filter(|backup| backup.db_id == id.db_id);
    of_this.filter_map(|backup| backup.wal.as_ref()).find_map(|wal| {
        let fits = |size: &SegmentSize| {
            let segment = WalSegment::parse(&wal.first, *size).ok()?;
            (WalSegment::containing(segment.timeline, wal.start, *size) == segment).then_some(())
        };
        let sizes = (20..=30).filter_map(|shift| SegmentSize::new(1 << shift).ok());
        let mut fitting = sizes.filter(|size| fits(size).is_some());
        match (fitting.next(), fitting.next()) {
            (Some(size), None) => Some(size),
            _ => None,
        }
    })
}

async fn by_header(
    source: &dyn Source,
    folder: &str,
    archive: &SeenArchive,
    opener: &Opener,
) -> Option<SegmentSize> {
    let mut smallest: Vec<_> = archive.segments.iter().filter(|file| file.compression.is_some()).collect();
    smallest.sort_by_key(|file| file.stored_bytes);
    for file in smallest.into_iter().filter(|file| file.stored_bytes > 0).take(CANDIDATES) {
        let opened = opener.open(source.get(&format!("{folder}{}", file.path())).await);
        let header =
            opened.ok().zip(file.compression).and_then(|(bytes, how)| compression::page_header(&bytes, how));
        if let Some(header) = header {
            return Some(header.segment_size);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::BACKUP_INFO;

    #[test]
    fn a_backup_tells_the_size_of_segments() {
        let info = BackupInfo::parse(BACKUP_INFO.as_bytes()).unwrap();
        let of = |db_id| by_backups(&ArchiveId { db_id, version: "15".into() }, Some(&info));
        assert_eq!(of(1), Some(SegmentSize::MIN));
        assert_eq!(of(2), None);
        assert_eq!(by_backups(&ArchiveId { db_id: 1, version: "15".into() }, None), None);
    }
}
