//! Where a restore goes that is asked for nothing special: the newest backup, and from there the newest
//! timeline.
//!
//! Source: PostgreSQL, `timeline.c` (`findNewestTimeLine` asks for one history after the other and stops
//! at the first that is not there) and `xlogrecovery.c` (a timeline that the backup's is no ancestor of
//! is fatal); before version 12 the default is the backup's own timeline.

use super::{
    Remarks,
    backups::{Need, Position},
    paths::Way,
    wal::Wal,
};
use crate::{
    info::BackupEntry,
    inspection::{Backup, Latest},
    seen::{ArchiveId, SeenArchive, SeenStanza},
};
use phoenix_core::{Finding, Timeline};

pub(super) fn judge<'a>(
    stanza: &SeenStanza,
    entries: &[BackupEntry],
    backups: &[Backup],
    wal_of: impl Fn(u64) -> Option<&'a Wal>,
    remarks: &mut Remarks,
) -> Option<Latest> {
    let (entry, backup) = entries.last().zip(backups.last())?;
    let archive = stanza.archives.iter().find(|archive| archive.id.db_id == entry.db_id)?;
    let wal = wal_of(entry.db_id)?;
    let need = Need::of(entry, wal)?;
    let own = need.position.first.timeline;
    let timeline = followed(archive, own);
    let way = Way::of(wal, timeline, std::slice::from_ref(&need));
    let is_readable =
        timeline == own || archive.histories.get(&timeline).is_some_and(|h| h.content.whole().is_some());
    if way.backups.is_empty() && is_readable {
        stranded(&need, timeline, wal, remarks);
    }
    let run = way.backups.first().and_then(|need| way.run_of(need.position));
    let reach = run.map(|run| (run.end, run.last.name(wal.size)));
    let alone = (need.holds_its_wal && !way.backups.is_empty()).then(|| {
        let Position { first, last, stop } = need.position;
        (stop, phoenix_core::WalSegment { number: last, ..first }.name(wal.size))
    });
    let (to, last) = reach.or(alone).filter(|_| backup.is_restorable() != Some(false)).unzip();
    let strays_to = run.and_then(|run| run.strays_to).filter(|_| to.is_some());
    Some(Latest {
        backup: entry.label.clone(),
        archive: archive.id.to_string(),
        timeline,
        to,
        strays_to,
        last,
    })
}

/// The timeline that PostgreSQL follows if nobody says which.
pub(super) fn followed(archive: &SeenArchive, own: Timeline) -> Timeline {
    if major(&archive.id) < 12 {
        return own;
    }
    let mut newest = own;
    while archive.histories.contains_key(&Timeline(newest.0.saturating_add(1))) {
        newest = Timeline(newest.0 + 1);
    }
    newest
}

fn major(id: &ArchiveId) -> u32 {
    id.version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(u32::MAX)
}

fn stranded(need: &Need, timeline: Timeline, wal: &Wal, remarks: &mut Remarks) {
    let own = need.position.first.timeline;
    let (label, forks) = (&need.label, wal.forks(timeline));
    let told = forks.iter().map(|fork| format!("timeline {} was left at {}", fork.timeline, fork.at));
    let sentence = format!(
        "a default restore fails: it takes backup {label} of timeline {own} to timeline {timeline}, which does not \
         descend from where that backup ends ({})",
        need.position.stop
    );
    let fix = format!(
        "restore with --target-timeline={own}, and take a full backup of the cluster that shall live on"
    );
    remarks.harm(Finding::certain("latest-impossible", sentence, fix).with_evidence(told));
}
