//! The store in memory: what the journal's records add up to.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use thiserror::Error;
use uuid::Uuid;

use super::record::{Attributes, Blob, Object, Record};

/// Why a record does not fit the store as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Refusal {
    #[error("the bucket exists already")]
    BucketExists,
    #[error("no such bucket")]
    NoSuchBucket,
    #[error("no such version")]
    NoSuchVersion,
    #[error("no such upload")]
    NoSuchUpload,
    #[error("a part is not, or no longer, part of the upload")]
    InvalidPart,
}

/// A version of a key.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) id: Uuid,
    pub(crate) at: DateTime<Utc>,
    /// `None` for a delete marker.
    pub(crate) object: Option<Arc<Object>>,
}

/// A part of an upload that is not complete.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) at: DateTime<Utc>,
    pub(crate) blob: Blob,
    pub(crate) md5: String,
}

/// An upload that is neither complete nor aborted.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) attributes: Attributes,
    pub(crate) parts: BTreeMap<u16, Part>,
}

/// The keys of a bucket in the order of their UTF-8 bytes, which is S3's.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) created: DateTime<Utc>,
    /// Oldest version first; never an empty list.
    pub(crate) keys: BTreeMap<String, Vec<Version>>,
}

/// All buckets and all uploads under way.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) buckets: BTreeMap<String, Bucket>,
    pub(crate) uploads: HashMap<Uuid, Upload>,
}

impl Index {
    pub(crate) fn bucket(&self, bucket: &str) -> Result<&Bucket, Refusal> {
        self.buckets.get(bucket).ok_or(Refusal::NoSuchBucket)
    }

    /// All versions of a key, oldest first; none if it was never put.
    pub(crate) fn versions(&self, bucket: &str, key: &str) -> Result<&[Version], Refusal> {
        Ok(self.bucket(bucket)?.keys.get(key).map_or(&[], Vec::as_slice))
    }

    /// The upload, if it is one of this bucket and key.
    pub(crate) fn upload(&self, upload: Uuid, bucket: &str, key: &str) -> Result<&Upload, Refusal> {
        self.uploads
            .get(&upload)
            .filter(|found| found.bucket == bucket && found.key == key)
            .ok_or(Refusal::NoSuchUpload)
    }

    /// Whether the record fits. A record that does not is never written.
    pub(crate) fn check(&self, record: &Record) -> Result<(), Refusal> {
        match record {
            Record::Bucket { bucket, .. } if self.buckets.contains_key(bucket) => Err(Refusal::BucketExists),
            Record::Bucket { .. } => Ok(()),
            Record::Object { bucket, upload: None, .. }
            | Record::DeleteMarker { bucket, .. }
            | Record::Upload { bucket, .. } => self.bucket(bucket).map(drop),
            Record::Object { bucket, key, object, upload: Some(upload), .. } => {
                let parts = &self.upload(*upload, bucket, key)?.parts;
                let known = |blob: &Blob| parts.values().any(|part| part.blob == *blob);
                if object.blobs.iter().all(known) { Ok(()) } else { Err(Refusal::InvalidPart) }
            }
            Record::Removed { bucket, key, version } => {
                let versions = self.versions(bucket, key)?;
                versions.iter().find(|v| v.id == *version).map(drop).ok_or(Refusal::NoSuchVersion)
            }
            Record::Part { upload, .. } | Record::UploadAborted { upload } => {
                self.uploads.get(upload).map(drop).ok_or(Refusal::NoSuchUpload)
            }
        }
    }

    /// Takes a record that [`check`](Self::check) passed; gives the blobs that nothing needs now.
    pub(crate) fn apply(&mut self, record: Record) -> Vec<Blob> {
        match record {
            Record::Bucket { bucket, at } => {
                self.buckets.insert(bucket, Bucket { created: at, keys: BTreeMap::new() });
                Vec::new()
            }
            Record::Object { bucket, key, version, at, object, upload } => {
                let spare = upload.map_or_else(Vec::new, |upload| self.finish_upload(upload, &object.blobs));
                self.push(&bucket, key, Version { id: version, at, object: Some(Arc::new(object)) });
                spare
            }
            Record::DeleteMarker { bucket, key, version, at } => {
                self.push(&bucket, key, Version { id: version, at, object: None });
                Vec::new()
            }
            Record::Removed { bucket, key, version } => self.remove(&bucket, &key, version),
            Record::Upload { upload, bucket, key, attributes, .. } => {
                self.uploads.insert(upload, Upload { bucket, key, attributes, parts: BTreeMap::new() });
                Vec::new()
            }
            Record::Part { upload, part, at, blob, md5 } => {
                let upload = self.uploads.get_mut(&upload);
                let earlier = upload.and_then(|upload| upload.parts.insert(part, Part { at, blob, md5 }));
                earlier.map(|part| part.blob).into_iter().collect()
            }
            Record::UploadAborted { upload } => self.finish_upload(upload, &[]),
        }
    }

    /// Every blob that a version or an upload needs.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = Blob> {
        let versions = self.buckets.values().flat_map(|bucket| bucket.keys.values().flatten());
        let stored = versions.filter_map(|v| v.object.as_deref()).flat_map(|o| o.blobs.iter().copied());
        let parts = self.uploads.values().flat_map(|upload| upload.parts.values().map(|part| part.blob));
        stored.chain(parts)
    }

    fn push(&mut self, bucket: &str, key: String, version: Version) {
        if let Some(bucket) = self.buckets.get_mut(bucket) {
            bucket.keys.entry(key).or_default().push(version);
        }
    }

    fn remove(&mut self, bucket: &str, key: &str, version: Uuid) -> Vec<Blob> {
        let Some(bucket) = self.buckets.get_mut(bucket) else { return Vec::new() };
        let Some(versions) = bucket.keys.get_mut(key) else { return Vec::new() };
        let removed = versions.iter().position(|v| v.id == version).map(|at| versions.remove(at));
        if versions.is_empty() {
            bucket.keys.remove(key);
        }
        removed.and_then(|v| v.object).map_or_else(Vec::new, |object| object.blobs.clone())
    }

    fn finish_upload(&mut self, upload: Uuid, kept: &[Blob]) -> Vec<Blob> {
        let parts = self.uploads.remove(&upload).map(|upload| upload.parts).unwrap_or_default();
        parts.into_values().map(|part| part.blob).filter(|blob| !kept.contains(blob)).collect()
    }
}
