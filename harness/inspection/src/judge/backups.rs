//! Backups: whether all that they consist of and all WAL that they need is there.

use super::{Remarks, wal::Wal};
use crate::{
    info::{BackupEntry, BackupInfo},
    inspection::{Backup, NeededWal, Unseen},
    manifest::Manifest,
    seen::{Pair, SeenStanza},
};
use chrono::{DateTime, Utc};
use phoenix_core::{Certainty, Finding, Lsn, WalSegment};

/// How many files are named as evidence.
const NAMED: usize = 5;

/// Where a backup lies in the WAL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// The first segment that it needs.
    pub(crate) first: WalSegment,
    /// The number of the last.
    pub(crate) last: u64,
    /// Where it is consistent.
    pub(crate) stop: Lsn,
}

/// What a backup needs of an archive.
#[derive(Debug, Clone)]
pub(crate) struct Need {
    pub(crate) label: String,
    pub(crate) stopped_at: DateTime<Utc>,
    pub(crate) position: Position,
    pub(crate) holds_its_wal: bool,
}

impl Need {
    /// What a backup needs; nothing if it needs no WAL, or its names do not fit the segments' size.
    pub(crate) fn of(entry: &BackupEntry, wal: &Wal) -> Option<Self> {
        let needed = entry.wal.as_ref()?;
        let first = WalSegment::parse(&needed.first, wal.size).ok()?;
        let last = WalSegment::parse(&needed.last, wal.size).ok()?;
        let position = Position { first, last: last.number, stop: needed.stop };
        let (label, stopped_at) = (entry.label.clone(), entry.stopped_at);
        Some(Self { label, stopped_at, position, holds_its_wal: entry.holds_its_wal })
    }

    /// The segments that it needs and that are not there.
    pub(crate) fn missing(&self, wal: &Wal) -> Vec<WalSegment> {
        let last = WalSegment { number: self.position.last, ..self.position.first };
        self.position.first.through(last).filter(|segment| !wal.has(*segment)).collect()
    }
}

/// Judges a backup; `wal` is that of its cluster, if there is any.
pub(crate) fn judge(
    entry: &BackupEntry,
    stanza: &SeenStanza,
    info: &BackupInfo,
    wal: Option<&Wal>,
    remarks: &mut Remarks,
) -> Backup {
    let is_complete = is_complete(entry, stanza, info, remarks);
    let has_its_wal = has_its_wal(entry, wal, remarks);
    if entry.has_page_errors {
        let sentence =
            format!("pgBackRest found pages with wrong checksums while it took backup {}", entry.label);
        let fix = "look for the damaged tables in its log, repair them and take a new full backup";
        remarks.harm(Finding::certain("backup-page-errors", sentence, fix));
    }
    Backup {
        label: entry.label.clone(),
        kind: entry.kind.clone(),
        db_id: entry.db_id,
        stopped_at: entry.stopped_at,
        wal: entry.wal.clone().map(|wal| NeededWal {
            start: wal.start,
            stop: wal.stop,
            first: wal.first,
            last: wal.last,
        }),
        is_complete,
        has_its_wal,
    }
}

fn is_complete(
    entry: &BackupEntry,
    stanza: &SeenStanza,
    info: &BackupInfo,
    remarks: &mut Remarks,
) -> Option<bool> {
    let label = &entry.label;
    let fix = "it cannot be restored: take a new full backup, and restore from another one until then";
    let Some(folder) = stanza.backups.get(label) else {
        let sentence = format!("backup.info lists backup {label}, and its folder is not there");
        remarks.harm(Finding::certain("backup-missing", sentence, fix));
        return Some(false);
    };
    let manifest = manifest(&folder.manifest, label, remarks)?;
    let Some(manifest) = manifest else { return Some(false) };
    let mut wrong = Vec::new();
    for (file, extent) in &manifest.files {
        let key = format!("backup/{}/{}/{}", stanza.name, file.label, file.path);
        match stanza.backups.get(&file.label).and_then(|holder| holder.files.get(&file.path)) {
            None => wrong.push(format!("{key} is missing")),
            Some(bytes) if !extent.admits(*bytes) => {
                wrong.push(format!("{key} holds {bytes} bytes, and not {extent}"))
            }
            Some(_) => {}
        }
    }
    let known = |label: &&String| !info.backups.iter().any(|backup| backup.label == **label);
    wrong.extend(
        entry.references.iter().filter(known).map(|label| format!("backup.info does not list {label}")),
    );
    if wrong.is_empty() {
        return Some(true);
    }
    let sentence = format!("backup {label} lacks {} of the files that it consists of", wrong.len());
    let more = wrong.len().saturating_sub(NAMED);
    wrong.truncate(NAMED);
    wrong.extend((more > 0).then(|| format!("and {more} more")));
    remarks.harm(Finding::certain("backup-incomplete", sentence, fix).with_evidence(wrong));
    Some(false)
}

/// The manifest; `None` if nobody could see it, `Some(None)` if it is lost.
fn manifest<'a>(
    pair: &'a Pair<Manifest>,
    label: &str,
    remarks: &mut Remarks,
) -> Option<Option<&'a Manifest>> {
    let name = format!("backup.manifest of {label}");
    let fix = "take a new full backup: nothing writes this one's manifest again";
    let one = Finding::certain("manifest-copy", format!("only one copy of {name} is whole"), fix);
    let none = Finding::certain("manifest-lost", format!("neither {name} nor its copy is whole"), fix);
    remarks.pair(&name, pair, one, none);
    if pair.is_unseen() {
        let why = pair.main.trouble().unwrap_or_default();
        remarks.unseen.push(Unseen::decisive(
            format!("which files backup {label} consists of"),
            format!("its manifest {why}"),
        ));
        return None;
    }
    Some(pair.content())
}

fn has_its_wal(entry: &BackupEntry, wal: Option<&Wal>, remarks: &mut Remarks) -> Option<bool> {
    let label = &entry.label;
    let Some(needed) = &entry.wal else {
        let why = "it was taken of a server that stood still, and says no position in the WAL";
        remarks.unseen.push(Unseen::aside(format!("which WAL follows backup {label}"), why));
        return Some(true);
    };
    let missing: Vec<String> = match wal.map(|wal| (wal, Need::of(entry, wal))) {
        Some((wal, Some(need))) => {
            need.missing(wal).into_iter().map(|segment| segment.name(wal.size)).collect()
        }
        Some((_, None)) => {
            let why = format!("{} is no segment of the size that was found or told", needed.first);
            remarks
                .unseen
                .push(Unseen::decisive(format!("whether the WAL that backup {label} needs is there"), why));
            return None;
        }
        None => vec![format!("{} to {}", needed.first, needed.last)],
    };
    if missing.is_empty() || entry.holds_its_wal {
        return Some(true);
    }
    let sentence = format!(
        "backup {label} cannot be restored: {} of the WAL that it needs is not usable",
        missing.join(", ")
    );
    let fix =
        "bring the segments back from another repository or from the primary's pg_wal, or take a new backup";
    let evidence = format!("it needs {} to {} to be consistent", needed.first, needed.last);
    remarks.harm(Finding::certain("backup-wal-missing", sentence, fix).with_evidence([evidence]));
    Some(false)
}

/// Folders of backups that `backup.info` does not list.
pub(crate) fn unlisted(stanza: &SeenStanza, info: &BackupInfo, remarks: &mut Remarks) {
    let newest = info.backups.iter().map(|backup| backup.label.as_str()).max().unwrap_or_default();
    for (label, folder) in &stanza.backups {
        if info.backups.iter().any(|backup| backup.label == *label) {
            continue;
        }
        let is_whole = folder.manifest.main.whole().is_some();
        if is_whole {
            let sentence =
                format!("backup {label} is there, and backup.info does not list it: no restore finds it");
            let fix = "if no backup or expiry is under way, an older backup.info may have been put back";
            remarks
                .warn(Finding::certain("backup-unlisted", sentence, fix).with_certainty(Certainty::Likely));
        } else {
            let state = if label.as_str() > newest {
                "is under way, or was broken off"
            } else {
                "was broken off, or is being removed"
            };
            let sentence = format!("backup {label} has no manifest: it {state}");
            let fix = "nothing: the next backup resumes or removes it";
            remarks
                .note(Finding::certain("backup-unfinished", sentence, fix).with_certainty(Certainty::Likely));
        }
    }
}
