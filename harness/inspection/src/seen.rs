//! What was read of a repository: everything that the judgement may know of it, and nothing else.

use crate::{
    history::{Fork, History},
    info::{ArchiveInfo, BackupInfo},
    inspection::Unseen,
    manifest::Manifest,
    names::SegmentFile,
    page::PageHeader,
    retention::Retention,
};
use chrono::{DateTime, Utc};
use phoenix_core::{SegmentSize, Timeline};
use std::{collections::BTreeMap, fmt, str::FromStr};

/// A repository as it was read.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Where it lies, as it was given.
    pub repository: String,
    /// When it was read, by the clock of whoever read it.
    pub looked_at: DateTime<Utc>,
    /// How much WAL pgBackRest keeps, if that was told.
    pub retention: Option<Retention>,
    /// Its stanzas, by name.
    pub stanzas: Vec<SeenStanza>,
    /// What the reader could not see.
    pub unseen: Vec<Unseen>,
}

/// A stanza as it was read.
#[derive(Debug, Clone, Default)]
pub struct SeenStanza {
    /// Its name.
    pub name: String,
    /// `archive.info` and its copy.
    pub archive_info: Pair<ArchiveInfo>,
    /// `backup.info` and its copy.
    pub backup_info: Pair<BackupInfo>,
    /// What lies in the archive.
    pub archives: Vec<SeenArchive>,
    /// The folders of backups, by label.
    pub backups: BTreeMap<String, SeenBackup>,
}

/// A file, as far as it could be read.
#[derive(Debug, Clone, Default)]
pub enum Reading<T> {
    /// It is whole.
    Whole(T),
    /// It is not there.
    #[default]
    Missing,
    /// It is there, and not what pgBackRest wrote.
    Damaged(String),
    /// It is encrypted, and nobody gave the passphrase.
    Sealed,
    /// The store would not give it.
    Refused(String),
}

impl<T> Reading<T> {
    /// Its content, if it is whole.
    pub fn whole(&self) -> Option<&T> {
        match self {
            Self::Whole(content) => Some(content),
            _ => None,
        }
    }

    /// The same trouble with something else; what was whole counts as missing.
    pub fn without<U>(self) -> Reading<U> {
        match self {
            Self::Whole(_) | Self::Missing => Reading::Missing,
            Self::Damaged(why) => Reading::Damaged(why),
            Self::Sealed => Reading::Sealed,
            Self::Refused(why) => Reading::Refused(why),
        }
    }

    /// Continues "the file": what is wrong with it, if anything is.
    pub fn trouble(&self) -> Option<String> {
        match self {
            Self::Whole(_) => None,
            Self::Missing => Some("is missing".to_owned()),
            Self::Damaged(why) => Some(format!("is damaged: {why}")),
            Self::Sealed => Some("is encrypted".to_owned()),
            Self::Refused(why) => Some(format!("cannot be read: {why}")),
        }
    }

    /// Whether nobody could tell what it holds.
    pub fn is_unseen(&self) -> bool {
        matches!(self, Self::Sealed | Self::Refused(_))
    }
}

/// A file that pgBackRest writes twice, and needs once.
#[derive(Debug, Clone)]
pub struct Pair<T> {
    /// The file.
    pub main: Reading<T>,
    /// Its copy.
    pub copy: Reading<T>,
}

impl<T> Default for Pair<T> {
    fn default() -> Self {
        Self { main: Reading::Missing, copy: Reading::Missing }
    }
}

impl<T> Pair<T> {
    /// What pgBackRest would use: the file, or else its copy.
    pub fn content(&self) -> Option<&T> {
        self.main.whole().or(self.copy.whole())
    }

    /// Whether it may well be whole, and could not be seen.
    pub fn is_unseen(&self) -> bool {
        self.content().is_none() && (self.main.is_unseen() || self.copy.is_unseen())
    }
}

/// The folder of one cluster's WAL: `<version>-<db-id>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArchiveId {
    /// The cluster's number in the stanza.
    pub db_id: u64,
    /// PostgreSQL's version.
    pub version: String,
}

impl fmt::Display for ArchiveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.version, self.db_id)
    }
}

/// The name is not that of an archive's folder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not the name of an archive, such as 15-1")]
pub struct NotAnArchive(String);

impl FromStr for ArchiveId {
    type Err = NotAnArchive;
    fn from_str(text: &str) -> Result<Self, NotAnArchive> {
        let refuse = || NotAnArchive(text.to_owned());
        let (version, db_id) = text.rsplit_once('-').ok_or_else(refuse)?;
        let plain = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let db_id = db_id.parse().ok().filter(|_| plain).ok_or_else(refuse)?;
        Ok(Self { db_id, version: version.to_owned() })
    }
}

/// What lies in the folder of one cluster's WAL.
#[derive(Debug, Clone)]
pub struct SeenArchive {
    /// Which.
    pub id: ArchiveId,
    /// The size of segments, if it was told or read.
    pub segment_size: Option<SegmentSize>,
    /// The whole segments.
    pub segments: Vec<SegmentFile>,
    /// The history files.
    pub histories: BTreeMap<Timeline, SeenHistory>,
    /// What reading the segments' content found, by their paths in the folder; empty if nobody read it.
    pub contents: BTreeMap<String, Reading<Option<PageHeader>>>,
}

/// A history file.
#[derive(Debug, Clone)]
pub struct SeenHistory {
    /// When it was archived: at the promotion.
    pub archived_at: DateTime<Utc>,
    /// What it says.
    pub content: Reading<History>,
}

impl SeenHistory {
    /// The ancestors that it names, if it is whole.
    pub fn forks(&self) -> Option<&[Fork]> {
        self.content.whole().map(|history| history.forks.as_slice())
    }
}

/// The folder of a backup.
#[derive(Debug, Clone, Default)]
pub struct SeenBackup {
    /// `backup.manifest` and its copy.
    pub manifest: Pair<Manifest>,
    /// When the manifest was written, by the store's clock.
    pub written_at: Option<DateTime<Utc>>,
    /// The size of each file in it, by its path within the folder.
    pub files: BTreeMap<String, u64>,
    /// What in those files is not what a manifest says, by path and where it begins; empty if nobody read it.
    pub damage: BTreeMap<(String, u64), Reading<()>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_are_named_by_version_and_number() {
        let id: ArchiveId = "9.6-12".parse().unwrap();
        assert_eq!((id.version.as_str(), id.db_id, id.to_string()), ("9.6", 12, "9.6-12".into()));
        for name in ["15", "-1", "15-", "15-x", "a-1", "archive.info"] {
            assert_eq!(name.parse::<ArchiveId>(), Err(NotAnArchive(name.into())));
        }
    }
}
