//! A drill's repository in the store: what the victim is told of it, and what is found in it.

use phoenix_core::{Secret, SegmentSize, WalSegment};
use phoenix_drill::{CastlePlan, Doing, Encrypted, Error, KeyAfterFire, Result};
use phoenix_postgres::{
    diagnosis::Encryption,
    pgbackrest::{self, Repository, S3},
};
use phoenix_store::{Credentials, Inspector, ObjectVersion};
use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

/// The name of the stanza in every repository.
pub const STANZA: &str = "castle";

/// A drill's own path in an object store, and the client that looks into it.
pub struct Vault {
    /// The store as the victim sees it.
    pub store: S3,
    inspector: Mutex<Inspector>,
    segment_size: SegmentSize,
    cipher: Option<Secret>,
}

impl Vault {
    /// A repository that is built to a plan; an encrypted one gets a passphrase of its own.
    pub fn new(store: S3, inspector: Inspector, segment_size: SegmentSize, plan: CastlePlan) -> Self {
        let cipher = match plan.encrypted {
            Encrypted::No => None,
            Encrypted::Aes256 => Some(Credentials::generate().secret_key),
        };
        Self { store, inspector: Mutex::new(inspector), segment_size, cipher }
    }

    /// The client that looks into the store.
    pub fn inspector(&self) -> Inspector {
        self.inspector.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks into the store through another client from now on: the store moved.
    pub fn look_through(&self, inspector: Inspector) {
        *self.inspector.lock().unwrap_or_else(PoisonError::into_inner) = inspector;
    }

    /// The repository as it goes into the victim's configuration, after what became of its key.
    pub fn repository(&self, key: KeyAfterFire) -> Repository {
        let cipher = self.cipher.clone().filter(|_| key == KeyAfterFire::Kept);
        Repository::S3(Box::new(self.store.clone()), cipher)
    }

    /// The path of this drill in the bucket, without the leading slash.
    pub fn prefix(&self) -> &str {
        self.store.path.trim_start_matches('/')
    }

    /// The segments that the store holds.
    pub async fn segments(&self) -> Result<BTreeSet<WalSegment>> {
        let prefix = format!("{}/archive/{STANZA}/", self.prefix());
        let objects = self.inspector().list(&prefix).await.doing("listing the archive in the store")?;
        Ok(pgbackrest::archive::segments(objects.iter().map(|object| object.key.as_str()), self.segment_size))
    }

    /// Every version of every object of this drill.
    pub async fn versions(&self) -> Result<Vec<ObjectVersion>> {
        self.inspector().versions(&format!("{}/", self.prefix())).await.doing("listing the store")
    }

    /// What was added since; an error if anything is missing or altered.
    pub async fn added_since(&self, before: &[ObjectVersion]) -> Result<Vec<String>> {
        let difference = phoenix_store::difference(before, &self.versions().await?);
        let (missing, altered) = (difference.missing.len(), difference.altered.len());
        if missing + altered > 0 {
            let harmed = format!("{missing} objects are missing, {altered} altered");
            return Err(Error::unverified("wiping the castle harmed the store", harmed));
        }
        Ok(difference.added.iter().map(|version| version.key.clone()).collect())
    }

    /// Whether the repository is encrypted, if the store lets itself be asked, and whether a restore
    /// after this had the key.
    pub async fn encryption(&self, key: KeyAfterFire) -> Option<Encryption> {
        let object = format!("{}/backup/{STANZA}/backup.info", self.prefix());
        let head = self.inspector().get(&object).await.ok()?;
        let has_key = self.cipher.is_some() && key == KeyAfterFire::Kept;
        Some(match (pgbackrest::is_encrypted(&head), has_key) {
            (false, _) => Encryption::None,
            (true, true) => Encryption::WithKey,
            (true, false) => Encryption::WithoutKey,
        })
    }
}

/// Small segments, so that few rows fill several; PostgreSQL's own where bulk data would fill thousands.
pub fn segment_size_for(size_bytes: u64) -> SegmentSize {
    if size_bytes < 64 << 20 { SegmentSize::MIN } else { SegmentSize::DEFAULT }
}
