//! The WAL of one cluster: what recovery cannot use of it, its histories, its gaps, its clashes.

mod forks;
mod gaps;
mod segments;

pub(super) use segments::usable;

use super::{
    Remarks,
    backups::Need,
    paths::{self, Way},
    stanzas::Times,
    wal::Wal,
};
use crate::{
    info::BackupInfo,
    inspection::{Archive, Newest},
    seen::SeenArchive,
};
use chrono::{DateTime, Utc};

/// What is judged together.
pub(super) struct Case<'a> {
    pub(super) archive: &'a SeenArchive,
    pub(super) wal: &'a Wal,
    /// What the backups of this cluster need.
    pub(super) needs: &'a [Need],
    pub(super) info: Option<&'a BackupInfo>,
    pub(super) times: Times,
    pub(super) now: DateTime<Utc>,
}

pub(super) fn judge(case: &Case<'_>, remarks: &mut Remarks) -> Archive {
    let Case { archive, wal, needs, now, .. } = case;
    forks::histories(case, remarks);
    forks::abandoned(case, remarks);
    let ways: Vec<_> = paths::leaves(wal).into_iter().map(|timeline| Way::of(wal, timeline, needs)).collect();
    for way in &ways {
        gaps::judge(case, way, remarks);
    }
    let newest = archive.segments.iter().max_by_key(|file| (file.archived_at, &file.name));
    Archive {
        id: archive.id.to_string(),
        segment_size: wal.size,
        stored_bytes: archive.segments.iter().map(|file| file.stored_bytes).sum(),
        newest: newest.map(|file| Newest {
            segment: file.name.clone(),
            archived_at: file.archived_at,
            age_seconds: (*now - file.archived_at).num_seconds(),
        }),
        timelines: wal.table(),
        paths: ways.iter().map(|way| way.shown(wal)).collect(),
    }
}
