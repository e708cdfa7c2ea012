//! The WAL of one cluster: what recovery cannot use of it, its histories, its gaps, its clashes.

mod expiry;
mod foreign;
mod forks;
mod gaps;
mod segments;

pub(crate) use foreign::foreign;
pub(crate) use segments::size;
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
    retention::Retention,
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
    /// How much WAL is kept, if that was told.
    pub(super) retention: Option<Retention>,
    pub(super) now: DateTime<Utc>,
}

pub(super) fn judge(case: &Case<'_>, remarks: &mut Remarks) -> Archive {
    let Case { archive, wal, needs, now, .. } = case;
    forks::histories(case, remarks);
    forks::abandoned(case, remarks);
    let ways: Vec<_> = paths::leaves(wal).into_iter().map(|timeline| Way::of(wal, timeline, needs)).collect();
    let backups = case.info.map(|info| info.backups.as_slice()).unwrap_or_default();
    let kept = expiry::Kept::of(wal, needs, backups, case.retention);
    for way in &ways {
        gaps::judge(case, &kept, way, remarks);
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
