//! Backups: whether all that they consist of and all WAL that they need is there.

use super::{Remarks, wal::Wal};
use crate::{
    info::{BackupEntry, BackupInfo},
    inspection::{Backup, Bearing, NeededWal, Unseen},
    manifest::{Digest, Manifest},
    seen::{Pair, SeenStanza},
};
use chrono::{DateTime, Utc};
use phoenix_core::{Certainty, Finding, Lsn, WalSegment};
use std::collections::BTreeMap;

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

    /// Whether it needs this segment.
    pub(crate) fn includes(&self, segment: WalSegment) -> bool {
        let Position { first, last, .. } = self.position;
        segment.timeline == first.timeline && (first.number..=last).contains(&segment.number)
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
    if manifest.in_blocks > 0 && !entry.references.is_empty() {
        let what =
            format!("which blocks of older backups {} files of backup {label} use", manifest.in_blocks);
        remarks.unseen.push(Unseen::aside(what, "the maps of those files are not read"));
    }
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
    let spoilt = spoilt(manifest, stanza, remarks);
    let is_whole = wrong.is_empty() && spoilt.is_empty();
    if !wrong.is_empty() {
        let sentence = format!("backup {label} lacks {} of the files that it consists of", wrong.len());
        remarks.harm(Finding::certain("backup-incomplete", sentence, fix).with_evidence(few(wrong)));
    }
    if !spoilt.is_empty() {
        let files = match spoilt.len() {
            1 => "one of its files is".to_owned(),
            count => format!("{count} of its files are"),
        };
        let sentence = format!("backup {label} is damaged: {files} not what its manifest says");
        remarks.harm(Finding::certain("backup-damaged", sentence, fix).with_evidence(few(spoilt)));
    }
    Some(is_whole)
}

/// The first ones, and how many more there are.
fn few(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(NAMED);
    lines.truncate(NAMED);
    lines.extend((more > 0).then(|| format!("and {more} more")));
    lines
}

/// The files of the cluster whose content was read and is not what the manifest says.
fn spoilt(manifest: &Manifest, stanza: &SeenStanza, remarks: &mut Remarks) -> Vec<String> {
    let (mut spoilt, mut unread) = (Vec::new(), BTreeMap::<(Bearing, String), usize>::new());
    for (file, pieces) in &manifest.pieces {
        let Some(holder) = stanza.backups.get(&file.label).filter(|holder| !holder.damage.is_empty()) else {
            continue;
        };
        for (offset, piece) in pieces {
            let Some(trouble) = holder.damage.get(&(file.path.clone(), *offset)) else { continue };
            let why = trouble.trouble().unwrap_or_default();
            if trouble.is_unseen() {
                // what a manifest does not tell nobody can read
                let bearing =
                    if piece.digest == Digest::Unknown { Bearing::Aside } else { Bearing::Decisive };
                *unread.entry((bearing, why)).or_default() += 1;
            } else {
                spoilt.push(format!(
                    "{} in backup/{}/{}/{} {why}",
                    piece.name, stanza.name, file.label, file.path
                ));
            }
        }
    }
    for ((bearing, why), count) in unread {
        let what = format!("the content of {count} files of backup {}", manifest.label);
        remarks.unseen.push(Unseen { bearing, what, why });
    }
    spoilt
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
