//! Reading a repository: listings side by side, the archive last, the info files again at the end.

mod archive;
mod backups;
mod contents;
mod files;
mod pieces;

pub use contents::Which;

use crate::{
    info::{ArchiveInfo, BackupInfo},
    inspection::Unseen,
    retention::Retention,
    seen::{Seen, SeenStanza},
    source::{Source, SourceError},
};
use chrono::Utc;
use files::Opener;
use phoenix_core::{Secret, SegmentSize};
use std::collections::BTreeSet;

/// How many requests are under way at a time.
const AT_A_TIME: usize = 16;
/// How often a stanza is read whose info files change meanwhile.
const LOOKS: u32 = 3;

/// What is read, and with what.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The only stanza that is read; all of them without it.
    pub stanza: Option<String>,
    /// The size of segments, where it shall not be found out.
    pub segment_size: Option<SegmentSize>,
    /// How much WAL pgBackRest keeps: no store tells that.
    pub retention: Option<Retention>,
    /// The passphrase of an encrypted repository.
    pub passphrase: Option<Secret>,
}

/// Why nothing can be said of a repository.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is none.
    #[error(
        "there is no pgBackRest repository in {place}: it holds neither archive/ nor backup/ with a stanza"
    )]
    NoRepository {
        /// Where it was looked for.
        place: String,
        /// The folders that are there instead.
        folders: Vec<String>,
    },
    /// There is one, without that stanza.
    #[error("there is no stanza '{wanted}' in {place}")]
    NoStanza {
        /// The stanza that was asked for.
        wanted: String,
        /// Where it was looked for.
        place: String,
        /// Those that are there.
        stanzas: Vec<String>,
    },
    /// The directory or store did not answer.
    #[error("the repository cannot be read")]
    Source(#[from] SourceError),
}

/// Reads a repository, without the content of its segments.
///
/// # Errors
/// See [`ReadError`]. What is there and cannot be read is no error: it is [`Seen`] to be so.
pub async fn read(source: &dyn Source, options: &Options) -> Result<Seen, ReadError> {
    let looked_at = Utc::now();
    let (archives, backups) = futures::try_join!(source.level("archive/"), source.level("backup/"))?;
    let mut names: BTreeSet<_> = archives.folders.into_iter().chain(backups.folders).collect();
    if names.is_empty() {
        let folders = source.level("").await?.folders;
        return Err(ReadError::NoRepository { place: source.place(), folders });
    }
    if let Some(wanted) = &options.stanza {
        if !names.contains(wanted) {
            let (wanted, stanzas) = (wanted.clone(), names.into_iter().collect());
            return Err(ReadError::NoStanza { wanted, place: source.place(), stanzas });
        }
        names = BTreeSet::from([wanted.clone()]);
    }
    let (repository, retention) = (source.place(), options.retention);
    let mut seen = Seen { repository, looked_at, retention, stanzas: Vec::new(), unseen: Vec::new() };
    for name in names {
        let (stanza, unseen) = settled(source, options, &name).await?;
        seen.stanzas.push(stanza);
        seen.unseen.extend(unseen);
    }
    Ok(seen)
}

/// A stanza between two looks at its info files that saw the same.
async fn settled(
    source: &dyn Source,
    options: &Options,
    name: &str,
) -> Result<(SeenStanza, Option<Unseen>), SourceError> {
    let mut before = info_files(source, name).await;
    let mut look = 1;
    loop {
        let stanza = stanza(source, options, name, &before).await?;
        let after = info_files(source, name).await;
        let is_same =
            before.iter().map(|file| file.as_ref().ok()).eq(after.iter().map(|file| file.as_ref().ok()));
        if is_same || look == LOOKS {
            let why = "its info files changed at every look: a backup or an expiry is under way";
            let unseen = (!is_same).then(|| Unseen::aside(format!("stanza {name} at rest"), why));
            return Ok((stanza, unseen));
        }
        (before, look) = (after, look + 1);
    }
}

/// The two info files and their copies.
type InfoFiles = [Result<Vec<u8>, SourceError>; 4];

async fn info_files(source: &dyn Source, name: &str) -> InfoFiles {
    let (archive, backup) = (format!("archive/{name}/archive.info"), format!("backup/{name}/backup.info"));
    let (archive_copy, backup_copy) = (format!("{archive}.copy"), format!("{backup}.copy"));
    let keys = [&archive, &archive_copy, &backup, &backup_copy];
    futures::join!(source.get(keys[0]), source.get(keys[1]), source.get(keys[2]), source.get(keys[3])).into()
}

async fn stanza(
    source: &dyn Source,
    options: &Options,
    name: &str,
    [archive, archive_copy, backup, backup_copy]: &InfoFiles,
) -> Result<SeenStanza, SourceError> {
    let opener = Opener::new(options.passphrase.clone());
    let archive_info = opener.pair(archive, archive_copy, ArchiveInfo::parse);
    let backup_info = opener.pair(backup, backup_copy, BackupInfo::parse);
    let inner = backup_info.content().and_then(|info| info.passphrase.clone());
    let backups = backups::read(source, name, &Opener::new(inner)).await?;
    let inner = archive_info.content().and_then(|info| info.passphrase.clone());
    let told = options.segment_size;
    let archives = archive::read(source, name, &Opener::new(inner), told, backup_info.content()).await?;
    Ok(SeenStanza { name: name.to_owned(), archive_info, backup_info, archives, backups })
}

/// Reads the content of segments too, and notes what it is.
pub async fn read_segments(source: &dyn Source, seen: &mut Seen, which: &Which) {
    for stanza in &mut seen.stanzas {
        let inner = stanza.archive_info.content().and_then(|info| info.passphrase.clone());
        for archive in &mut stanza.archives {
            let folder = format!("archive/{}/{}/", stanza.name, archive.id);
            archive.contents =
                contents::read(source, &folder, archive, which, &Opener::new(inner.clone())).await;
        }
    }
}

/// Reads the content of backups' files too, and notes what is not as a manifest says.
pub async fn read_backups(source: &dyn Source, seen: &mut Seen, which: &Which) {
    for stanza in &mut seen.stanzas {
        for (file, offset, trouble) in pieces::read(source, stanza, which).await {
            if let Some(holder) = stanza.backups.get_mut(&file.label) {
                holder.damage.insert((file.path, offset), trouble);
            }
        }
    }
}
