//! The store's directory: ours by a mark, and open in one server at a time by a lock.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::blobs::sync_directory;
use crate::error::StoreError;

const MARK: &str = "phoenix-store.json";
const MARK_BEING_WRITTEN: &str = "phoenix-store.json.new";
const LOCK: &str = "phoenix-store.lock";
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Mark {
    format: u32,
    created: DateTime<Utc>,
}

/// A directory that is ours and locked, until this is dropped.
#[derive(Debug)]
pub(crate) struct StoreDirectory {
    path: PathBuf,
    lock: File,
}

impl StoreDirectory {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(path).map_err(StoreError::file("create", path))?;
        refuse_foreign(path)?;
        let lock = lock(path)?;
        let mark = path.join(MARK);
        if mark.try_exists().map_err(StoreError::file("read", &mark))? {
            check_mark(&mark)?;
        } else {
            write_mark(path)?;
        }
        Ok(Self { path: path.to_owned(), lock })
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.path.join("journal.jsonl")
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.path.join("blobs")
    }

    /// Lets another server open the directory.
    pub(crate) fn unlock(&self) {
        let _ = self.lock.unlock();
    }
}

/// A directory without a mark may hold only what a server killed at its first start leaves.
fn refuse_foreign(path: &Path) -> Result<(), StoreError> {
    let mut foreign = false;
    for entry in fs::read_dir(path).map_err(StoreError::file("read", path))? {
        let name = entry.map_err(StoreError::file("read", path))?.file_name();
        if name == MARK {
            return Ok(());
        }
        foreign |= name != LOCK && name != MARK_BEING_WRITTEN;
    }
    if foreign { Err(StoreError::ForeignDirectory { path: path.to_owned() }) } else { Ok(()) }
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let name = path.join(LOCK);
    let file = File::options().create(true).truncate(false).write(true).open(&name);
    let file = file.map_err(StoreError::file("open", &name))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::DirectoryInUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(StoreError::file("lock", name)(error)),
    }
}

fn check_mark(mark: &Path) -> Result<(), StoreError> {
    let text = fs::read_to_string(mark).map_err(StoreError::file("read", mark))?;
    let unknown = |found| StoreError::UnknownFormat { path: mark.to_owned(), expected: FORMAT, found };
    let read: Mark = serde_json::from_str(&text).map_err(|error| unknown(error.to_string()))?;
    if read.format == FORMAT { Ok(()) } else { Err(unknown(format!("format {}", read.format))) }
}

fn write_mark(path: &Path) -> Result<(), StoreError> {
    let mark = path.join(MARK);
    let new = path.join(MARK_BEING_WRITTEN);
    let failed = |error| StoreError::file("write", &mark)(error);
    let text = serde_json::to_vec(&Mark { format: FORMAT, created: Utc::now() });
    fs::write(&new, text.map_err(|error| failed(error.into()))?).map_err(failed)?;
    File::open(&new).and_then(|file| file.sync_all()).map_err(failed)?;
    fs::rename(&new, &mark).map_err(failed)?;
    sync_directory(path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_open_once_at_a_time() {
        let home = tempfile::tempdir().unwrap();
        let first = StoreDirectory::open(home.path()).unwrap();
        let second = StoreDirectory::open(home.path());
        assert!(matches!(second, Err(StoreError::DirectoryInUse { .. })), "{second:?}");
        first.unlock();
        StoreDirectory::open(home.path()).unwrap();
    }

    #[test]
    fn a_foreign_directory_is_refused_and_left_as_it_was() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("thesis.txt"), "mine").unwrap();
        let opened = StoreDirectory::open(home.path());
        assert!(matches!(opened, Err(StoreError::ForeignDirectory { .. })), "{opened:?}");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_server_killed_at_its_first_start_leaves_is_ours() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(LOCK), "").unwrap();
        fs::write(home.path().join(MARK_BEING_WRITTEN), "{").unwrap();
        StoreDirectory::open(home.path()).unwrap();
    }

    #[test]
    fn another_format_is_refused() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(MARK), r#"{"format":2,"created":"2026-01-01T00:00:00Z"}"#).unwrap();
        let opened = StoreDirectory::open(home.path());
        assert!(matches!(opened, Err(StoreError::UnknownFormat { expected: 1, .. })), "{opened:?}");
        fs::write(home.path().join(MARK), "not json").unwrap();
        assert!(matches!(StoreDirectory::open(home.path()), Err(StoreError::UnknownFormat { .. })));
    }
}
