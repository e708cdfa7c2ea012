//! A backup's manifest: which files in the repository it consists of. Pure.
//!
//! Source: pgBackRest, `info/manifest/serialize.c.inc` and `command/backup/common.c` (`backupFileRepoPath`).

use crate::{
    compression::Compression,
    text::{Sections, TextError, lacks},
};
use phoenix_core::Secret;
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

/// A file of the cluster as it lies in a file of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The cluster's file, such as `pg_data/base/1/1259`.
    pub name: String,
    /// How much of the stored file it takes.
    pub bytes: u64,
    /// What it hashes to.
    pub digest: Digest,
}

/// What a manifest says that something hashes to: SHA-1, as lower-case digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Digest {
    /// What is stored does.
    Stored(String),
    /// What is stored does once it is decrypted and decompressed.
    Original(String),
    /// Nothing that can be computed from this piece alone.
    Unknown,
}

/// A manifest.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The backup's label.
    pub label: String,
    /// The files that a restore reads.
    pub files: BTreeMap<StoredFile, Extent>,
    /// What lies in them, by where it begins.
    pub pieces: BTreeMap<StoredFile, BTreeMap<u64, Piece>>,
    /// How many of the cluster's files lie there in blocks, of which older backups may hold some.
    pub in_blocks: usize,
    /// How they are compressed; `None` for a way that nobody knows here.
    pub compression: Option<Compression>,
    /// What they are encrypted with.
    pub passphrase: Option<Secret>,
}

impl Manifest {
    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, TextError> {
        let sections = Sections::parse(bytes)?;
        let label = sections.text("backup", "backup-label")?.to_owned();
        let is_bundled = sections.value("backup", "backup-bundle").and_then(Value::as_bool) == Some(true);
        let ending = compression_ending(&sections)?;
        let compression = Compression::of_ending(&ending);
        let passphrase = sections.passphrase();
        let is_plain = compression == Some(Compression::None) && passphrase.is_none();
        let mut in_blocks = 0;
        let (mut files, mut pieces) = (BTreeMap::new(), BTreeMap::<_, BTreeMap<_, _>>::new());
        for (name, value) in sections.section("target:file") {
            let size = value["size"].as_u64().ok_or_else(|| lacks("target:file", name))?;
            if size == 0 && is_bundled {
                continue; // nothing is stored of it
            }
            let bytes = value["repo-size"].as_u64().unwrap_or(size);
            let holder = value["reference"].as_str().unwrap_or(&label).to_owned();
            let is_in_blocks = value.get("bim").is_some();
            in_blocks += usize::from(is_in_blocks);
            let offset = value["bni"].as_u64().map_or(0, |_| value["bno"].as_u64().unwrap_or(0));
            let (path, extent) = match value["bni"].as_u64() {
                Some(bundle) => (format!("bundle/{bundle}"), Extent::AtLeast(offset + bytes)),
                None if is_in_blocks => (format!("{name}.pgbi"), Extent::Exactly(bytes)),
                None => (format!("{name}{ending}"), Extent::Exactly(bytes)),
            };
            let file = StoredFile { label: holder, path };
            let text = |key: &str| value[key].as_str().map(str::to_owned);
            let digest = match (text("rck"), text("checksum")) {
                (Some(stored), _) => Digest::Stored(stored),
                (None, Some(original)) if is_plain && !is_in_blocks => Digest::Stored(original),
                (None, Some(original)) if !is_in_blocks => Digest::Original(original),
                _ => Digest::Unknown,
            };
            let piece = Piece { name: name.to_owned(), bytes, digest };
            pieces.entry(file.clone()).or_default().insert(offset, piece);
            files
                .entry(file)
                .and_modify(|known: &mut Extent| *known = known.joined(extent))
                .or_insert(extent);
        }
        Ok(Self { label, files, pieces, in_blocks, compression, passphrase })
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
    use crate::sample::{MANIFEST, sealed};

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
    fn every_file_has_its_place_and_its_digest() {
        let manifest = Manifest::parse(MANIFEST.as_bytes()).unwrap();
        assert_eq!(manifest.compression, Some(Compression::Zst));
        let full = StoredFile { label: "20261127-082856F".into(), path: "bundle/1".into() };
        let version = Piece {
            name: "pg_data/PG_VERSION".into(),
            bytes: 12,
            digest: Digest::Stored("c763f3304da14f884b9fd5d320f41e8a2a8d0eb4".into()),
        };
        assert_eq!(manifest.pieces[&full][&55_768], version);
        // two in the backup's own bundle, and none for the file that is empty
        let own = StoredFile { label: manifest.label.clone(), path: "bundle/1".into() };
        assert_eq!(manifest.pieces[&own].keys().collect::<Vec<_>>(), [&73, &257]);
    }

    /// An older pgBackRest says only what the original hashes to; of what lies in blocks that tells nothing.
    #[test]
    fn what_a_digest_is_of_is_told() {
        let digest = |compression: &str, line: &str| {
            let text = sealed(&[
                ("backrest", "backrest-format=5"),
                ("backup", "backup-label=\"20260101-000000F\""),
                ("backup:option", &format!("option-compress-type=\"{compression}\"")),
                ("target:file", line),
            ]);
            let manifest = Manifest::parse(text.as_bytes()).unwrap();
            manifest.pieces.into_values().next().unwrap().into_values().next().unwrap().digest
        };
        let is = |of: fn(String) -> Digest, text: &str| of(text.to_owned());
        assert_eq!(digest("zst", r#"a={"checksum":"0a","size":9}"#), is(Digest::Original, "0a"));
        assert_eq!(digest("none", r#"a={"checksum":"0a","size":9}"#), is(Digest::Stored, "0a"));
        assert_eq!(digest("none", r#"a={"bim":5,"checksum":"0a","size":9}"#), Digest::Unknown);
        assert_eq!(
            digest("zst", r#"a={"bim":5,"checksum":"0a","rck":"0b","size":9}"#),
            is(Digest::Stored, "0b")
        );
        assert_eq!(digest("none", r#"a={"size":9}"#), Digest::Unknown);
    }

    #[test]
    fn a_bundle_may_be_longer_and_a_file_may_not() {
        assert!(Extent::AtLeast(5).admits(6) && !Extent::AtLeast(5).admits(4));
        assert!(
            Extent::Exactly(5).admits(5) && !Extent::Exactly(5).admits(6) && !Extent::Exactly(5).admits(4)
        );
    }
}
