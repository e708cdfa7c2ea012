//! A stanza: its info files, the clusters it knows, its backups and archives.

use super::{
    Remarks, archives,
    backups::{self, Need},
    latest,
    wal::Wal,
};
use crate::{
    info::Database,
    inspection::{Cluster, Stanza, Unseen},
    seen::{Seen, SeenStanza},
};
use chrono::TimeDelta;
use phoenix_core::{Certainty, Finding};
use std::collections::BTreeMap;

/// How long after a backup its manifest is written at most, if the store's times are those of writing.
const WRITTEN_WITHIN: TimeDelta = TimeDelta::hours(1);

/// Whether the store's times are those of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Times {
    /// They are.
    OfWriting,
    /// The repository was copied, and they are those of the copy.
    OfCopying,
}

pub(super) fn judge(stanza: &SeenStanza, seen: &Seen, remarks: &mut Remarks) -> Stanza {
    let (now, retention) = (seen.looked_at, seen.retention);
    info_files(stanza, remarks);
    let times = times(stanza, remarks);
    let mut held: Vec<(u64, Wal)> = Vec::new();
    for archive in &stanza.archives {
        held.push((archive.id.db_id, archives::usable(archive, stanza, remarks)));
    }
    let info = stanza.backup_info.content();
    let entries = info.map(|info| info.backups.as_slice()).unwrap_or_default();
    let wal_of = |db_id: u64| held.iter().find(|(id, _)| *id == db_id).map(|(_, wal)| wal);
    let backups = entries
        .iter()
        .filter_map(|entry| Some(backups::judge(entry, stanza, info?, wal_of(entry.db_id), remarks)));
    let backups: Vec<_> = backups.collect();
    if let Some(info) = info {
        backups::unlisted(stanza, info, remarks);
    }
    if info.is_some() && entries.is_empty() {
        let fix = "take a full backup: without one no WAL can be used";
        remarks.harm(Finding::certain("no-backup", format!("stanza {} holds no backup", stanza.name), fix));
    }
    let archives = stanza.archives.iter().zip(&held).map(|(archive, (db_id, wal))| {
        let of_this = entries.iter().filter(|entry| entry.db_id == *db_id);
        let needs: Vec<_> = of_this.filter_map(|entry| Need::of(entry, wal)).collect();
        let case = archives::Case { archive, wal, needs: &needs, info, times, retention, now };
        archives::judge(&case, remarks)
    });
    let archives = archives.collect();
    let latest = latest::judge(stanza, entries, &backups, wal_of, remarks);
    Stanza { name: stanza.name.clone(), clusters: clusters(stanza, remarks), backups, archives, latest }
}

fn info_files(stanza: &SeenStanza, remarks: &mut Remarks) {
    let (archive, backup) = (&stanza.archive_info, &stanza.backup_info);
    let again = "pgBackRest writes both anew at its next backup; until then one more damage is harm";
    let lost = "pgBackRest finds nothing without it: put it back from a version of the object, or from another repository";
    let one = Finding::certain("archive-info-copy", "only one copy of archive.info is whole", again);
    let none = Finding::certain("archive-info-lost", "neither archive.info nor its copy is whole", lost);
    remarks.pair("archive.info", archive, one, none);
    let one = Finding::certain("backup-info-copy", "only one copy of backup.info is whole", again);
    let none = Finding::certain("backup-info-lost", "neither backup.info nor its copy is whole", lost);
    remarks.pair("backup.info", backup, one, none);
    let name = &stanza.name;
    if archive.is_unseen() {
        let why = format!("archive.info {}", archive.main.trouble().unwrap_or_default());
        remarks.unseen.push(Unseen::decisive(format!("which clusters archive to stanza {name}"), why));
    }
    if backup.is_unseen() {
        let why = format!("backup.info {}", backup.main.trouble().unwrap_or_default());
        let what = format!("the backups of stanza {name}, and the WAL that they need");
        remarks.unseen.push(Unseen::decisive(what, why));
    }
}

/// A manifest that is much younger than its backup was copied, and so was the rest.
fn times(stanza: &SeenStanza, remarks: &mut Remarks) -> Times {
    let entries = stanza.backup_info.content().map(|info| info.backups.as_slice()).unwrap_or_default();
    let copied = entries.iter().find(|entry| {
        let written = stanza.backups.get(&entry.label).and_then(|folder| folder.written_at);
        written.is_some_and(|at| at - entry.stopped_at > WRITTEN_WITHIN)
    });
    let Some(copied) = copied else { return Times::OfWriting };
    let why = format!(
        "the manifest of {} is much younger than that backup: the repository was copied",
        copied.label
    );
    remarks.unseen.push(Unseen::aside(format!("when the WAL of stanza {} was archived", stanza.name), why));
    Times::OfCopying
}

/// The clusters of the stanza, and whether they belong together.
fn clusters(stanza: &SeenStanza, remarks: &mut Remarks) -> Vec<Cluster> {
    let archive = stanza.archive_info.content().map(|info| &info.history);
    let backup = stanza.backup_info.content().map(|info| &info.history);
    if let (Some(archive), Some(backup)) = (archive, backup)
        && archive != backup
    {
        let told = |history: &BTreeMap<u64, Database>| {
            let one = |(id, database): (&u64, &Database)| {
                format!("{id}: {} (PostgreSQL {})", database.system_id, database.version)
            };
            history.iter().map(one).collect::<Vec<_>>().join(", ")
        };
        let evidence = [format!("archive.info: {}", told(archive)), format!("backup.info: {}", told(backup))];
        let fix = "one of them was put back from another time or another stanza: put the matching one back";
        let sentence = "archive.info and backup.info do not know the same clusters";
        remarks.harm(Finding::certain("info-mismatch", sentence, fix).with_evidence(evidence));
    }
    let Some(known) = archive.or(backup) else { return Vec::new() };
    let all: Vec<_> = known.iter().collect();
    for pair in all.windows(2) {
        successor(pair[0], pair[1], remarks);
    }
    for archive in stanza.archives.iter().filter(|archive| !known.contains_key(&archive.id.db_id)) {
        let sentence = format!("archive {} belongs to no cluster that the stanza knows", archive.id);
        let fix = "find out who made it: no restore reads it";
        remarks.warn(Finding::certain("archive-unknown", sentence, fix));
    }
    let cluster = |(db_id, database): (&u64, &Database)| Cluster {
        db_id: *db_id,
        system_identifier: database.system_id.to_string(),
        version: database.version.clone(),
    };
    known.iter().map(cluster).collect()
}

/// A cluster that took another's place: by an upgrade of PostgreSQL, or by mistake.
fn successor(old: (&u64, &Database), new: (&u64, &Database), remarks: &mut Remarks) {
    let ((old_id, old), (new_id, new)) = (old, new);
    let evidence = [
        format!("db-id {old_id}: system {}, PostgreSQL {}", old.system_id, old.version),
        format!("db-id {new_id}: system {}, PostgreSQL {}", new.system_id, new.version),
    ];
    let number =
        |version: &str| version.split('.').map(|part| part.parse::<u32>().unwrap_or(0)).collect::<Vec<_>>();
    if number(&new.version) > number(&old.version) {
        let sentence = format!("the stanza went from PostgreSQL {} to {}", old.version, new.version);
        let fix = "nothing: backups of the old version need its programs, and --set";
        remarks.note(Finding::certain("upgraded-cluster", sentence, fix).with_evidence(evidence));
    } else if old.system_id != new.system_id {
        let sentence =
            "another cluster of the same version took the stanza: a default restore brings that one back";
        let fix = "restore the old one with --set=<its backup>, keep its backups from expiring \
                   (pgbackrest expire counts both), and give every cluster a path of its own";
        let finding = Finding::certain("foreign-cluster", sentence, fix).with_evidence(evidence);
        remarks.harm(finding.with_certainty(Certainty::Likely));
    }
}
