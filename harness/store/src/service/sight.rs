//! Which version of a key a request sees, faults of storage included.

use std::sync::Arc;

use s3s::{S3ErrorCode, S3Result};

use super::StoreService;
use super::convert::{absent, version_id};
use crate::fault::{Fit, Operation, StorageFault, StorageView};
use crate::storage::{Object, Version};

/// The MD5 of nothing.
const EMPTY_ETAG: &str = "d41d8cd98f00b204e9800998ecf8427e";

/// An object as a request sees it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) version: Version,
    pub(super) object: Arc<Object>,
}

impl Seen {
    fn of(version: &Version) -> Option<Self> {
        let object = version.object.clone()?;
        Some(Self { version: version.clone(), object })
    }

    fn emptied(self) -> Self {
        let attributes = self.object.attributes.clone();
        let object = Object { bytes: 0, etag: EMPTY_ETAG.to_owned(), blobs: Vec::new(), attributes };
        Self { object: Arc::new(object), ..self }
    }
}

/// What a listing shows for a key, and what a reader finds under it: the latest version, or what
/// the armed faults make of it. `versions` are oldest first.
pub(super) fn see(view: &mut StorageView<'_>, key: &str, versions: &[Version]) -> Option<Seen> {
    let latest = versions.last().and_then(Seen::of);
    let before = versions.split_last().and_then(|(_, before)| before.iter().rev().find_map(Seen::of));
    let operation = view.operation();
    let fault = view.see(key, |fault| {
        Fit::from(match fault {
            StorageFault::Lost => latest.is_some(),
            StorageFault::Old => before.is_some() && operation != Operation::ListVersions,
            // A listing is emptied by its prefix, not by the keys in it.
            StorageFault::Empty => {
                latest.is_some() && !matches!(operation, Operation::List | Operation::ListVersions)
            }
        })
    });
    match fault {
        None => latest,
        Some(StorageFault::Lost) => None,
        Some(StorageFault::Old) => before,
        Some(StorageFault::Empty) => latest.map(Seen::emptied),
    }
}

/// Whether a listing of this prefix shall find nothing.
pub(super) fn is_emptied(view: &mut StorageView<'_>, prefix: &str) -> bool {
    view.see(prefix, |fault| Fit::from(fault == StorageFault::Empty)).is_some()
}

impl StoreService {
    /// The object that a GET or HEAD is about. A version named by its id is never subject to faults.
    pub(super) fn find(
        &self,
        operation: Operation,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> S3Result<Seen> {
        let index = self.storage.index();
        let versions = index.versions(bucket, key).map_err(absent)?;
        if let Some(version) = version {
            let id = version_id(version)?;
            let version = versions.iter().find(|found| found.id == id).ok_or(S3ErrorCode::NoSuchVersion)?;
            return Seen::of(version).ok_or_else(|| S3ErrorCode::MethodNotAllowed.into());
        }
        let mut view = self.faults.storage(operation);
        let seen = see(&mut view, key, versions);
        view.finish();
        seen.ok_or_else(|| S3ErrorCode::NoSuchKey.into())
    }
}
