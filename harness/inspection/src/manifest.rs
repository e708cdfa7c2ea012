//! A backup's manifest: which files in the repository it consists of. Pure.
//!
//! Source: pgBackRest, `info/manifest/serialize.c.inc` and `command/backup/common.c` (`backupFileRepoPath`).

use crate::{
    compression::Compression,
    text::{Sections, TextError, lacks},
};
use serde_json::Value;
use std::{collections::BTreeMap, fmt};

/// A file of the repository that a backup needs: the backup's label it lies under, and its path there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredFile {
    /// The label of the backup that it lies in: this one or one it refers to.
    pub label: String,
    /// Such as `pg_data/base/1/1259.zst` or `bundle/2`.
    pub path: String,
}

/// How large a file of the repository must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Exactly as many bytes.
    Exactly(u64),
    /// At least as many: a bundle holds what later backups no longer need, too.
    AtLeast(u64),
}

impl Extent {
    /// Whether a file of so many bytes is long enough, and not too long.
    pub fn admits(self, bytes: u64) -> bool {
        match self {
            Self::Exactly(wanted) => bytes == wanted,
            Self::AtLeast(wanted) => bytes >= wanted,
        }
    }

    fn joined(self, other: Self) -> Self {
        match (self, other) {
            (Self::AtLeast(one), Self::AtLeast(two)) => Self::AtLeast(one.max(two)),
            (kept, _) => kept,
        }
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(bytes) => write!(f, "{bytes}"),
            Self::AtLeast(bytes) => write!(f, "at least {bytes}"),
        }
    }
}

/// A manifest.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The backup's label.
    pub label: String,
    /// The files that a restore reads.
    pub files: BTreeMap<StoredFile, Extent>,
}

impl Manifest {
    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, TextError> {
        let sections = Sections::parse(bytes)?;
        let label = sections.text("backup", "backup-label")?.to_owned();
        let is_bundled = sections.value("backup", "backup-bundle").and_then(Value::as_bool) == Some(true);
        let ending = compression_ending(&sections)?;
        let mut files = BTreeMap::new();
        for (name, value) in sections.section("target:file") {
            let size = value["size"].as_u64().ok_or_else(|| lacks("target:file", name))?;
            if size == 0 && is_bundled {
                continue; // nothing is stored of it
            }
            let stored = value["repo-size"].as_u64().unwrap_or(size);
            let holder = value["reference"].as_str().unwrap_or(&label).to_owned();
            let (path, extent) = match value["bni"].as_u64() {
                Some(bundle) => {
                    let end = value["bno"].as_u64().unwrap_or(0) + stored;
                    (format!("bundle/{bundle}"), Extent::AtLeast(end))
                }
                None if value.get("bim").is_some() => (format!("{name}.pgbi"), Extent::Exactly(stored)),
                None => (format!("{name}{ending}"), Extent::Exactly(stored)),
            };
            let file = StoredFile { label: holder, path };
            files
                .entry(file)
                .and_modify(|known: &mut Extent| *known = known.joined(extent))
                .or_insert(extent);
        }
        Ok(Self { label, files })
    }
}

fn compression_ending(sections: &Sections) -> Result<String, TextError> {
    let section = "backup:option";
    match sections.value(section, "option-compress-type").and_then(Value::as_str) {
        Some("none") => Ok(String::new()),
        Some(kind) => Ok(format!(".{kind}")),
        // before there was a choice
        None if sections.value(section, "option-compress").and_then(Value::as_bool) == Some(true) => {
            Ok(Compression::Gz.ending().to_owned())
        }
        None => Ok(String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::MANIFEST;

    fn extent(manifest: &Manifest, label: &str, path: &str) -> Option<Extent> {
        manifest.files.get(&StoredFile { label: label.into(), path: path.into() }).copied()
    }

    #[test]
    fn a_backup_needs_its_own_files_and_the_bundles_of_those_it_refers_to() {
        let manifest = Manifest::parse(MANIFEST.as_bytes()).unwrap();
        assert_eq!(manifest.label, "20261127-082856F_20261127-082859I");
        let label = manifest.label.as_str();
        assert_eq!(extent(&manifest, label, "pg_data/backup_label.zst"), Some(Extent::Exactly(186)));
        // the furthest file of a bundle says how long it must be
        let (full, furthest) = ("20261127-082856F", 2_600_068);
        assert_eq!(extent(&manifest, full, "bundle/1"), Some(Extent::AtLeast(furthest)));
        assert!(
            manifest
                .files
                .keys()
                .all(|file| file.path.starts_with("bundle/") || file.path == "pg_data/backup_label.zst")
        );
    }

    #[test]
    fn a_bundle_may_be_longer_and_a_file_may_not() {
        assert!(Extent::AtLeast(5).admits(6) && !Extent::AtLeast(5).admits(4));
        assert!(
            Extent::Exactly(5).admits(5) && !Extent::Exactly(5).admits(6) && !Extent::Exactly(5).admits(4)
        );
    }
}
