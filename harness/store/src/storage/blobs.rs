//! The files that hold the objects' bytes, named by number and never by key.
//!
//! A blob is written first and recorded in the journal after. What no record names is therefore
//! half-written or never acknowledged, and is swept away when the store is opened.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use md5::{Digest as _, Md5};
use uuid::Uuid;

use super::record::Blob;
use crate::config::Durability;
use crate::digest::Md5Digest;
use crate::error::StoreError;

/// The directory of blobs.
#[derive(Clone, Debug)]
pub(crate) struct Blobs {
    directory: PathBuf,
    durability: Durability,
}

/// A blob that is whole and lasts, but that no record names yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    pub(crate) blob: Blob,
    pub(crate) md5: Md5Digest,
}

impl Blobs {
    pub(crate) fn open(directory: PathBuf, durability: Durability) -> Result<Self, StoreError> {
        fs::create_dir_all(&directory).map_err(StoreError::file("create", &directory))?;
        Ok(Self { directory, durability })
    }

    pub(crate) fn path(&self, blob: Uuid) -> PathBuf {
        self.directory.join(blob.simple().to_string())
    }

    /// Checks that each of these blobs is there in full, and removes every other file.
    pub(crate) fn reconcile(&self, needed: impl Iterator<Item = Blob>) -> Result<(), StoreError> {
        let mut names = HashSet::<OsString>::new();
        for blob in needed {
            let path = self.path(blob.id);
            let damaged = |found: String| StoreError::DamagedBlob {
                path: path.clone(),
                expected_bytes: blob.bytes,
                found,
            };
            let found = fs::metadata(&path).map_err(|error| damaged(error.to_string()))?.len();
            if found != blob.bytes {
                return Err(damaged(format!("it holds {found}")));
            }
            names.insert(blob.id.simple().to_string().into());
        }
        let entries = fs::read_dir(&self.directory).map_err(StoreError::file("read", &self.directory))?;
        for entry in entries {
            let entry = entry.map_err(StoreError::file("read", &self.directory))?;
            if !names.contains(&entry.file_name()) {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }

    pub(crate) fn create(&self) -> io::Result<BlobWriter> {
        let id = Uuid::new_v4();
        let path = self.path(id);
        let file = File::create_new(&path)?;
        Ok(BlobWriter { blobs: self.clone(), id, file, md5: Md5::new(), bytes: 0, fate: Fate::Removed })
    }

    /// Another name for the same bytes, so that a copy costs nothing and outlives its source.
    pub(crate) fn link(&self, blob: Blob) -> io::Result<Blob> {
        let copy = Blob { id: Uuid::new_v4(), bytes: blob.bytes };
        fs::hard_link(self.path(blob.id), self.path(copy.id))?;
        self.sync_directory()?;
        Ok(copy)
    }

    /// Removes a blob that nothing needs. A failure leaves a file for the next opening to sweep.
    pub(crate) fn discard(&self, blob: Blob) {
        let _ = fs::remove_file(self.path(blob.id));
    }

    fn sync_directory(&self) -> io::Result<()> {
        match self.durability {
            Durability::Fsync => sync_directory(&self.directory),
            Durability::Buffered => Ok(()),
        }
    }
}

/// What is gone already, by a writer that was still ending, need not be removed.
fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::file("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Makes the names in a directory last.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// What becomes of the file when its writer goes.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Removed,
    Kept,
}

/// A blob being written. Dropped before [`finish`](Self::finish), it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct BlobWriter {
    blobs: Blobs,
    id: Uuid,
    file: File,
    md5: Md5,
    bytes: u64,
    fate: Fate,
}

impl BlobWriter {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.md5.update(bytes);
        self.file.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Makes the blob last.
    pub(crate) fn finish(mut self) -> io::Result<Written> {
        if self.blobs.durability == Durability::Fsync {
            self.file.sync_all()?;
        }
        self.blobs.sync_directory()?;
        self.fate = Fate::Kept;
        let md5 = Md5Digest::of(std::mem::take(&mut self.md5));
        Ok(Written { blob: Blob { id: self.id, bytes: self.bytes }, md5 })
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        if self.fate == Fate::Removed {
            self.blobs.discard(Blob { id: self.id, bytes: self.bytes });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> (tempfile::TempDir, Blobs) {
        let directory = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(directory.path().join("blobs"), Durability::Fsync).unwrap();
        (directory, blobs)
    }

    fn write(blobs: &Blobs, bytes: &[u8]) -> Written {
        let mut writer = blobs.create().unwrap();
        writer.write(bytes).unwrap();
        writer.finish().unwrap()
    }

    fn files(blobs: &Blobs) -> usize {
        fs::read_dir(&blobs.directory).unwrap().count()
    }

    #[test]
    fn a_finished_blob_stays_and_a_dropped_one_does_not() {
        let (_directory, blobs) = open();
        let written = write(&blobs, b"hello");
        assert_eq!(written.md5.hex(), "5d41402abc4b2a76b9719d911017c592");
        assert_eq!(fs::read(blobs.path(written.blob.id)).unwrap(), b"hello");
        let mut dropped = blobs.create().unwrap();
        dropped.write(b"half").unwrap();
        drop(dropped);
        assert_eq!(files(&blobs), 1);
    }

    #[test]
    fn what_nothing_needs_is_swept() {
        let (_directory, blobs) = open();
        let needed = write(&blobs, b"needed").blob;
        write(&blobs, b"never acknowledged");
        blobs.reconcile([needed].into_iter()).unwrap();
        assert_eq!(files(&blobs), 1);
    }

    #[test]
    fn a_short_or_missing_blob_is_damage() {
        let (_directory, blobs) = open();
        let needed = write(&blobs, b"needed").blob;
        fs::write(blobs.path(needed.id), b"need").unwrap();
        let short = blobs.reconcile([needed].into_iter());
        assert!(matches!(short, Err(StoreError::DamagedBlob { expected_bytes: 6, .. })), "{short:?}");
        blobs.discard(needed);
        let missing = blobs.reconcile([needed].into_iter());
        assert!(matches!(missing, Err(StoreError::DamagedBlob { .. })), "{missing:?}");
    }

    #[test]
    fn a_link_outlives_its_source() {
        let (_directory, blobs) = open();
        let source = write(&blobs, b"shared").blob;
        let copy = blobs.link(source).unwrap();
        blobs.discard(source);
        assert_eq!(fs::read(blobs.path(copy.id)).unwrap(), b"shared");
    }
}
