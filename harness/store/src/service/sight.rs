//! Which version of a key a request sees, faults of storage included.

use std::sync::Arc;

use s3s::{S3ErrorCode, S3Result};

use super::StoreService;
use super::convert::{absent, version_id};
use crate::fault::sight::{self, EMPTY_ETAG, Held};
use crate::fault::{Operation, StorageView};
use crate::storage::{Object, Version};

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

/// What a listing shows for a key, and what a reader finds under it. `versions` are oldest first.
pub(super) fn see(view: &mut StorageView<'_>, key: &str, versions: &[Version]) -> Option<Seen> {
    let latest = versions.last().and_then(Seen::of);
    let before = versions.split_last().and_then(|(_, before)| before.iter().rev().find_map(Seen::of));
    match sight::see(view, key, Held { latest, before }) {
        sight::Seen::Latest(latest) => latest,
        sight::Seen::Lost => None,
        sight::Seen::Before(before) => Some(before),
        sight::Seen::Emptied(latest) => Some(latest.emptied()),
    }
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
