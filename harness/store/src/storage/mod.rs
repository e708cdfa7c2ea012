//! Where the objects are: versions that last, and an index of them in memory.
//!
//! Every write goes the same way: its bytes become a blob, a record naming the blob goes to the
//! journal, and only then does the index show it. Reading touches the index and the blobs alone.
//! Nothing is removed but by the explicit id of a version. All functions block.

mod blobs;
mod directory;
mod index;
mod journal;
pub(crate) mod listing;
mod record;

#[cfg(test)]
mod model_test;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use chrono::Utc;
use thiserror::Error;
use uuid::Uuid;

pub(crate) use self::blobs::{BlobWriter, Written};
pub(crate) use self::index::{Bucket, Refusal, Version};
pub(crate) use self::record::{Attributes, Blob, Object};

use self::blobs::{Blobs, sync_directory};
use self::directory::StoreDirectory;
use self::index::Index;
use self::journal::Journal;
use self::record::Record;
use crate::config::Durability;
use crate::digest::{Md5Digest, multipart_etag};
use crate::error::StoreError;

/// Parts other than the last must be as large as S3 wants them.
const SMALLEST_PART_BYTES: u64 = 5 * 1024 * 1024;

/// Why a write was not done.
#[derive(Debug, Error)]
pub(crate) enum StorageError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the parts are not in ascending order")]
    PartOrder,
    #[error("a part other than the last is smaller than 5 MiB")]
    PartTooSmall,
    #[error("the store is closed")]
    Closed,
    #[error("write to the store")]
    Io(#[from] io::Error),
}

/// An open store.
#[derive(Debug)]
pub(crate) struct Storage {
    directory: StoreDirectory,
    blobs: Blobs,
    index: RwLock<Index>,
    /// `None` once closed. Whoever changes the index holds this lock, so what was checked stays true.
    journal: Mutex<Option<Journal>>,
}

impl Storage {
    /// Opens or makes the store in `path`; what was acknowledged before is there.
    pub(crate) fn open(path: &Path, durability: Durability) -> Result<Self, StoreError> {
        let directory = StoreDirectory::open(path)?;
        let blobs = Blobs::open(directory.blobs(), durability)?;
        let mut index = Index::default();
        let journal = Journal::open(&directory.journal(), durability, |record| {
            index.check(&record).map_err(|refusal| refusal.to_string())?;
            index.apply(record);
            Ok(())
        })?;
        blobs.reconcile(index.blobs())?;
        sync_directory(path).map_err(StoreError::file("synchronise", path))?;
        Ok(Self { directory, blobs, index: RwLock::new(index), journal: Mutex::new(Some(journal)) })
    }

    /// Takes no more writes and lets another server open the directory.
    pub(crate) fn close(&self) {
        self.journal().take();
        self.directory.unlock();
    }

    /// The index as it is now. Writers wait while it is held.
    pub(crate) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a blob's bytes are.
    pub(crate) fn blob_path(&self, blob: Blob) -> PathBuf {
        self.blobs.path(blob.id)
    }

    /// Begins to write bytes that [`put`](Self::put) or [`put_part`](Self::put_part) will name.
    pub(crate) fn write_blob(&self) -> io::Result<BlobWriter> {
        self.blobs.create()
    }

    /// Forgets bytes that were written and shall not be named after all.
    pub(crate) fn discard(&self, written: Written) {
        self.blobs.discard(written.blob);
    }

    pub(crate) fn create_bucket(&self, bucket: &str) -> Result<(), StorageError> {
        self.commit(Record::Bucket { bucket: bucket.to_owned(), at: Utc::now() })
    }

    /// Makes a new version of a key.
    pub(crate) fn put(
        &self,
        bucket: &str,
        key: &str,
        written: Written,
        attributes: Attributes,
    ) -> Result<Version, StorageError> {
        let Written { blob, md5 } = written;
        let object = Object { bytes: blob.bytes, etag: md5.hex(), blobs: vec![blob], attributes };
        self.put_object(bucket, key, object, None).inspect_err(|_| self.discard(written))
    }

    /// Makes a new version out of another, whose bytes both then have.
    pub(crate) fn copy(
        &self,
        source: &Object,
        bucket: &str,
        key: &str,
        attributes: Attributes,
    ) -> Result<Version, StorageError> {
        let blobs = source.blobs.iter().map(|blob| self.blobs.link(*blob)).collect::<io::Result<Vec<_>>>()?;
        let discard_all = |_: &StorageError| blobs.iter().for_each(|blob| self.blobs.discard(*blob));
        let object =
            Object { bytes: source.bytes, etag: source.etag.clone(), blobs: blobs.clone(), attributes };
        self.put_object(bucket, key, object, None).inspect_err(discard_all)
    }

    /// Puts a delete marker over the key, whether or not it was there.
    pub(crate) fn delete(&self, bucket: &str, key: &str) -> Result<Uuid, StorageError> {
        let version = Uuid::new_v4();
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.commit(Record::DeleteMarker { bucket, key, version, at: Utc::now() })?;
        Ok(version)
    }

    /// Removes one version for good.
    pub(crate) fn remove_version(&self, bucket: &str, key: &str, version: Uuid) -> Result<(), StorageError> {
        self.commit(Record::Removed { bucket: bucket.to_owned(), key: key.to_owned(), version })
    }

    pub(crate) fn begin_upload(
        &self,
        bucket: &str,
        key: &str,
        attributes: Attributes,
    ) -> Result<Uuid, StorageError> {
        let upload = Uuid::new_v4();
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.commit(Record::Upload { upload, bucket, key, at: Utc::now(), attributes })?;
        Ok(upload)
    }

    pub(crate) fn put_part(&self, upload: Uuid, part: u16, written: Written) -> Result<(), StorageError> {
        let Written { blob, md5 } = written;
        self.commit(Record::Part { upload, part, at: Utc::now(), blob, md5: md5.hex() })
            .inspect_err(|_| self.discard(written))
    }

    /// Makes a version out of the parts named by number and ETag, in this order.
    pub(crate) fn complete_upload(
        &self,
        upload: Uuid,
        bucket: &str,
        key: &str,
        parts: &[(u16, String)],
    ) -> Result<Version, StorageError> {
        let object = self.assemble(upload, bucket, key, parts)?;
        self.put_object(bucket, key, object, Some(upload))
    }

    pub(crate) fn abort_upload(&self, upload: Uuid) -> Result<(), StorageError> {
        self.commit(Record::UploadAborted { upload })
    }

    fn assemble(
        &self,
        upload: Uuid,
        bucket: &str,
        key: &str,
        parts: &[(u16, String)],
    ) -> Result<Object, StorageError> {
        if !parts.is_sorted_by(|(a, _), (b, _)| a < b) {
            return Err(StorageError::PartOrder);
        }
        let index = self.index();
        let upload = index.upload(upload, bucket, key)?;
        let mut blobs = Vec::new();
        let mut digests = Vec::new();
        for (number, etag) in parts {
            let part = upload.parts.get(number).filter(|part| part.md5 == *etag);
            let part = part.ok_or(Refusal::InvalidPart)?;
            digests.push(Md5Digest::from_hex(&part.md5).ok_or(Refusal::InvalidPart)?);
            blobs.push(part.blob);
        }
        let Some((_, all_but_last)) = blobs.split_last() else { return Err(Refusal::InvalidPart.into()) };
        if all_but_last.iter().any(|blob| blob.bytes < SMALLEST_PART_BYTES) {
            return Err(StorageError::PartTooSmall);
        }
        let bytes = blobs.iter().map(|blob| blob.bytes).sum();
        Ok(Object { bytes, etag: multipart_etag(&digests), blobs, attributes: upload.attributes.clone() })
    }

    fn put_object(
        &self,
        bucket: &str,
        key: &str,
        object: Object,
        upload: Option<Uuid>,
    ) -> Result<Version, StorageError> {
        let (version, at) = (Uuid::new_v4(), Utc::now());
        let put = Version { id: version, at, object: Some(object.clone().into()) };
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.commit(Record::Object { bucket, key, version, at, object, upload })?;
        Ok(put)
    }

    /// Checks, writes, shows: in this order, so that nothing is seen that might not last.
    fn commit(&self, record: Record) -> Result<(), StorageError> {
        let mut journal = self.journal();
        let open = journal.as_mut().ok_or(StorageError::Closed)?;
        self.index().check(&record)?;
        open.append(&record)?;
        let unneeded = self.index.write().unwrap_or_else(PoisonError::into_inner).apply(record);
        drop(journal);
        for blob in unneeded {
            self.blobs.discard(blob);
        }
        Ok(())
    }

    fn journal(&self) -> MutexGuard<'_, Option<Journal>> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
