//! `archive.info` and `backup.info`: which clusters a stanza knows, and its backups. Pure.

use crate::text::{Sections, TextError, lacks};
use chrono::{DateTime, Utc};
use phoenix_core::{Lsn, Secret};
use serde_json::Value;
use std::collections::BTreeMap;

/// A PostgreSQL cluster as a stanza knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// `pg_control`'s system identifier.
    pub system_id: u64,
    /// Such as `15` or `9.6`.
    pub version: String,
}

/// `archive.info`.
#[derive(Debug, Clone)]
pub struct ArchiveInfo {
    /// The cluster that archives now.
    pub current: u64,
    /// Every cluster that ever archived here, by db-id.
    pub history: BTreeMap<u64, Database>,
    /// What the WAL is encrypted with.
    pub passphrase: Option<Secret>,
}

/// `backup.info`.
#[derive(Debug, Clone)]
pub struct BackupInfo {
    /// The cluster that is backed up now.
    pub current: u64,
    /// Every cluster that was ever backed up here, by db-id.
    pub history: BTreeMap<u64, Database>,
    /// The backups, the oldest first.
    pub backups: Vec<BackupEntry>,
    /// What the manifests are encrypted with.
    pub passphrase: Option<Secret>,
}

/// A backup as `backup.info` lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupEntry {
    /// Such as `20261127-082856F_20261127-082859I`.
    pub label: String,
    /// `full`, `diff` or `incr`.
    pub kind: String,
    /// The cluster it is of.
    pub db_id: u64,
    /// When it was complete.
    pub stopped_at: DateTime<Utc>,
    /// The WAL it needs; `None` if it was taken of a server that stood still.
    pub wal: Option<BackupWal>,
    /// The backups that its files lie in too.
    pub references: Vec<String>,
    /// Whether pgBackRest found pages in it with wrong checksums.
    pub has_page_errors: bool,
    /// Whether the WAL it needs lies within it (`archive-copy`).
    pub holds_its_wal: bool,
}

/// The WAL that a backup needs to be consistent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupWal {
    /// Where replay begins.
    pub start: Lsn,
    /// Where it is consistent.
    pub stop: Lsn,
    /// The name of the segment of `start`.
    pub first: String,
    /// The name of the segment of `stop`.
    pub last: String,
}

impl ArchiveInfo {
    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, TextError> {
        let sections = Sections::parse(bytes)?;
        let (current, history) = databases(&sections, "db-id")?;
        Ok(Self { current, history, passphrase: sections.passphrase() })
    }
}

impl BackupInfo {
    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, TextError> {
        let sections = Sections::parse(bytes)?;
        let (current, history) = databases(&sections, "db-system-id")?;
        let backups = sections.section("backup:current").map(|(label, value)| backup(label, value));
        Ok(Self {
            current,
            history,
            backups: backups.collect::<Result<_, _>>()?,
            passphrase: sections.passphrase(),
        })
    }
}

/// The two files name the system identifier in their histories differently.
fn databases(sections: &Sections, system_id: &str) -> Result<(u64, BTreeMap<u64, Database>), TextError> {
    let one = |(id, value): (&str, &Value)| {
        let wrong = || lacks("db:history", id);
        let database = Database {
            system_id: value[system_id].as_u64().ok_or_else(wrong)?,
            version: value["db-version"].as_str().ok_or_else(wrong)?.to_owned(),
        };
        Ok((id.parse().map_err(|_| wrong())?, database))
    };
    let history = sections.section("db:history").map(one).collect::<Result<_, _>>()?;
    Ok((sections.number("db", "db-id")?, history))
}

fn backup(label: &str, value: &Value) -> Result<BackupEntry, TextError> {
    let wrong = || lacks("backup:current", label);
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    let is = |key: &str| value[key].as_bool() == Some(true);
    let lsn = |key: &str| value[key].as_str().and_then(|text| text.parse::<Lsn>().ok());
    let wal = match (lsn("backup-lsn-start"), lsn("backup-lsn-stop")) {
        (Some(start), Some(stop)) => Some(BackupWal {
            start,
            stop,
            first: text("backup-archive-start").ok_or_else(wrong)?,
            last: text("backup-archive-stop").ok_or_else(wrong)?,
        }),
        _ => None,
    };
    let stopped = value["backup-timestamp-stop"].as_i64().and_then(|at| DateTime::from_timestamp(at, 0));
    let references = value["backup-reference"].as_array().into_iter().flatten();
    Ok(BackupEntry {
        label: label.to_owned(),
        kind: text("backup-type").ok_or_else(wrong)?,
        db_id: value["db-id"].as_u64().ok_or_else(wrong)?,
        stopped_at: stopped.ok_or_else(wrong)?,
        wal,
        references: references.filter_map(|label| label.as_str().map(str::to_owned)).collect(),
        has_page_errors: is("backup-error"),
        holds_its_wal: is("option-archive-copy"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{ARCHIVE_INFO, BACKUP_INFO};

    #[test]
    fn both_files_name_the_same_cluster() {
        let (archive, backup) = (
            ArchiveInfo::parse(ARCHIVE_INFO.as_bytes()).unwrap(),
            BackupInfo::parse(BACKUP_INFO.as_bytes()).unwrap(),
        );
        let database = Database { system_id: 7_712_765_403_790_574_807, version: "15".into() };
        assert_eq!(archive.history, BTreeMap::from([(1, database)]));
        assert_eq!((archive.current, &archive.history), (backup.current, &backup.history));
    }

    #[test]
    fn a_backup_says_what_it_needs() {
        let info = BackupInfo::parse(BACKUP_INFO.as_bytes()).unwrap();
        let kinds: Vec<_> = info.backups.iter().map(|backup| backup.kind.as_str()).collect();
        assert_eq!(kinds, ["full", "incr", "diff", "full"]);
        let incremental = &info.backups[1];
        assert_eq!(incremental.references, ["20261127-082856F"]);
        let wal = incremental.wal.clone().unwrap();
        assert_eq!((wal.start.to_string(), wal.stop.to_string()), ("0/B00028".into(), "0/C00050".into()));
        assert_eq!(
            (wal.first.as_str(), wal.last.as_str()),
            ("00000001000000000000000B", "00000001000000000000000C")
        );
        assert!(!incremental.has_page_errors && !incremental.holds_its_wal);
    }
}
