//! A drill's repository in the store: what the victim is told of it, and what is found in it.

use crate::alterations::Alterations;
use phoenix_core::{Certainty, Finding, Secret, SegmentSize, Timeline, WalSegment};
use phoenix_drill::{CastlePlan, Doing, Encrypted, Error, KeyAfterFire, Repositories, Result};
use phoenix_postgres::{
    diagnosis::Encryption,
    pgbackrest::{
        self, Repository, S3,
        archive::{Archive, History},
    },
};
use phoenix_store::{Credentials, Inspector, ObjectVersion, VersionKind};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// How long the store may take to be looked at when something failed.
const GLANCE: Duration = Duration::from_secs(2);

/// Where the second repository lies below the first.
const SECOND: &str = "/second";

/// The name of the stanza in every repository.
pub const STANZA: &str = "castle";

/// A drill's own path in an object store, and the client that looks into it.
pub struct Vault {
    /// The store as the victim sees it.
    pub store: S3,
    stanza: &'static str,
    inspector: Mutex<Option<Inspector>>,
    segment_size: SegmentSize,
    repositories: Repositories,
    cipher: Option<Secret>,
    cluster_bytes: AtomicU64,
    pub(crate) alterations: Alterations,
}

impl Vault {
    /// A repository that is built to a plan; an encrypted one gets a passphrase of its own.
    pub fn new(store: S3, segment_size: SegmentSize, plan: CastlePlan) -> Self {
        let cipher = match plan.encrypted {
            Encrypted::No => None,
            Encrypted::Aes256 => Some(Credentials::generate().secret_key),
        };
        let (inspector, cluster_bytes) = (Mutex::default(), AtomicU64::new(0));
        let (stanza, repositories) = (STANZA, plan.repositories);
        let alterations = Alterations::default();
        Self { store, stanza, inspector, segment_size, repositories, cipher, cluster_bytes, alterations }
    }

    /// The same with a stanza of another name than [`STANZA`].
    #[must_use]
    pub fn with_stanza(self, stanza: &'static str) -> Self {
        Self { stanza, ..self }
    }

    /// The size of WAL segments.
    pub fn segment_size(&self) -> SegmentSize {
        self.segment_size
    }

    /// How many repositories backups go to; the first is the store.
    pub fn repositories(&self) -> u8 {
        match self.repositories {
            Repositories::Store => 1,
            Repositories::StoreAndLocal | Repositories::TwoInStore => 2,
        }
    }

    /// Which repository a restore is told to take; where the store holds two, nobody tells it.
    pub(crate) fn restored_from(&self) -> Option<u8> {
        (self.repositories != Repositories::TwoInStore).then_some(1)
    }

    /// The path of the second repository in the bucket, without the leading slash; an error if there is none.
    pub(crate) fn second(&self) -> Result<String> {
        match self.repositories {
            Repositories::TwoInStore => Ok(format!("{}{SECOND}", self.prefix())),
            _ => Err(Error::Demand("the store holds one repository of this castle's".into())),
        }
    }

    /// All repositories in the store as they go into the victim's configuration, of which the first is this.
    pub fn in_store(&self, first: Repository) -> Vec<Repository> {
        match (&first, self.repositories) {
            (Repository::S3(store, cipher), Repositories::TwoInStore) => {
                let path = format!("{}{SECOND}", store.path);
                let second = Repository::S3(Box::new(S3 { path, ..(**store).clone() }), cipher.clone());
                vec![first, second]
            }
            _ => vec![first],
        }
    }

    /// The size of the cluster that the last backup holds.
    pub(crate) fn cluster_bytes(&self) -> u64 {
        self.cluster_bytes.load(Ordering::Relaxed)
    }

    /// Notes how large the cluster is that the last backup holds.
    pub fn note_cluster_bytes(&self, cluster_bytes: u64) {
        self.cluster_bytes.store(cluster_bytes, Ordering::Relaxed);
    }

    /// The client that looks into the store; an error before the store is open.
    pub fn inspector(&self) -> Result<Inspector> {
        let inspector = self.inspector.lock().unwrap_or_else(PoisonError::into_inner).clone();
        inspector.ok_or_else(|| Error::Demand("the store is not open yet".into()))
    }

    /// Looks into the store through this client from now on: it was opened, or it moved.
    pub fn look_through(&self, inspector: Inspector) {
        *self.inspector.lock().unwrap_or_else(PoisonError::into_inner) = Some(inspector);
    }

    /// The repository as it goes into the victim's configuration, after what became of its key.
    pub fn repository(&self, key: KeyAfterFire) -> Repository {
        let cipher = self.cipher.clone().filter(|_| key == KeyAfterFire::Kept);
        Repository::S3(Box::new(self.store.clone()), cipher)
    }

    /// A `pgbackrest.conf` of a rebirth, as defects that were planted alter it.
    pub fn altered(&self, configuration: &str) -> String {
        self.alterations.of_configuration(configuration)
    }

    /// What was planted, one line each.
    pub fn planted(&self) -> Vec<String> {
        self.alterations.deeds()
    }

    /// The path of this drill in the bucket, without the leading slash.
    pub fn prefix(&self) -> &str {
        self.store.path.trim_start_matches('/')
    }

    /// The segments that the store holds, in each of its repositories.
    pub async fn segments(&self) -> Result<BTreeSet<WalSegment>> {
        let mut held: BTreeSet<_> = self.archive().await?.segments.into_keys().collect();
        if let Ok(second) = self.second() {
            let second = self.archive_below(&second).await?;
            held.retain(|segment| second.segments.contains_key(segment));
        }
        Ok(held)
    }

    /// The archive, as the store lists it.
    pub async fn archive(&self) -> Result<Archive> {
        self.archive_below(self.prefix()).await
    }

    async fn archive_below(&self, path: &str) -> Result<Archive> {
        let prefix = format!("{path}/archive/{}/", self.stanza);
        let objects = self.inspector()?.list(&prefix).await.doing("listing the archive in the store")?;
        let objects = objects.iter().map(|object| (object.key.as_str(), object.bytes));
        Ok(Archive::of(objects, self.segment_size))
    }

    /// The histories of timelines that lie there in the clear and can be read.
    pub async fn histories(&self, archive: &Archive) -> BTreeMap<Timeline, History> {
        let mut read = BTreeMap::new();
        for (timeline, key) in &archive.histories {
            let Ok(inspector) = self.inspector() else { break };
            let Ok(bytes) = inspector.get(key).await else { continue };
            read.extend(History::parse(&String::from_utf8_lossy(&bytes)).map(|history| (*timeline, history)));
        }
        read
    }

    /// Says what the store holds where a restore found no backup: nothing, backups without their list, or
    /// all of it, so that the restore looked elsewhere.
    pub(crate) async fn look_for_backups(&self, finding: Finding) -> Finding {
        let prefix = format!("{}/backup/{}/", self.prefix(), self.stanza);
        let Ok(inspector) = self.inspector() else { return finding };
        let objects = match inspector.list(&prefix).await {
            Ok(objects) => objects,
            Err(error) => return finding.with_evidence([format!("listing {prefix}: {error}")]),
        };
        let is_list = |key: &str| key.ends_with("/backup.info") || key.ends_with("/backup.info.copy");
        let lists = objects.iter().filter(|object| is_list(&object.key)).count();
        let held =
            format!("{prefix} in the store holds {} objects, {lists} of them a backup.info", objects.len());
        let finding = match (objects.len(), lists) {
            (1.., 0) => Finding {
                sentence: "the backups are there and their list, backup.info, is not".into(),
                fix: "bring backup.info or its copy back from an older version of the object".into(),
                certainty: Certainty::Certain,
                ..finding
            },
            _ => finding,
        };
        finding.with_evidence([held])
    }

    /// Every version of every object of this drill.
    pub async fn versions(&self) -> Result<Vec<ObjectVersion>> {
        self.inspector()?.versions(&format!("{}/", self.prefix())).await.doing("listing the store")
    }

    /// The keys that were added since; an error if anything is missing or altered. Versions that are still
    /// there below another do not count: nobody who restores sees them. pgBackRest itself writes its info
    /// files anew, and nothing else.
    pub async fn added_since(&self, before: &[ObjectVersion]) -> Result<Vec<String>> {
        let difference = phoenix_store::difference(before, &self.versions().await?);
        let old = |new: &ObjectVersion| before.iter().find(|old| old.is_latest && old.key == new.key);
        let is_info = |key: &str| key.ends_with(".info") || key.ends_with(".info.copy");
        let mut missing: BTreeSet<_> = difference.missing.iter().map(|version| version.key.clone()).collect();
        let mut altered: BTreeSet<_> =
            difference.altered.iter().map(|alteration| alteration.before.key.clone()).collect();
        let mut added = Vec::new();
        for new in difference.added {
            match (new.kind, old(&new)) {
                (VersionKind::DeleteMarker, _) => missing.insert(new.key),
                (VersionKind::Object, Some(old)) if old.etag != new.etag && !is_info(&new.key) => {
                    altered.insert(new.key)
                }
                (VersionKind::Object, _) => {
                    added.push(new.key);
                    continue;
                }
            };
        }
        if missing.is_empty() && altered.is_empty() {
            return Ok(added);
        }
        let first = missing.iter().chain(&altered).next().cloned().unwrap_or_default();
        let (missing, altered) = (missing.len(), altered.len());
        let harmed = format!("{missing} objects are missing, {altered} altered, first {first}");
        Err(Error::unverified("wiping the castle harmed the store", harmed))
    }

    /// Whether the repository is encrypted, if the store lets itself be asked, and whether a restore
    /// after this had the key.
    pub async fn encryption(&self, key: KeyAfterFire) -> Option<Encryption> {
        let object = format!("{}/backup/{}/backup.info", self.prefix(), self.stanza);
        // the store may be what failed: it is not waited for
        let inspector = self.inspector().ok()?;
        let head = tokio::time::timeout(GLANCE, inspector.get(&object)).await.ok()?.ok()?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use phoenix_store::{StoreConfig, StoreServer};
    use std::path::Path;

    async fn vault(folder: &Path, plan: CastlePlan) -> (StoreServer, Inspector, Vault) {
        let credentials = Credentials::generate();
        let config = StoreConfig::new(folder.join("store"), "bucket", credentials.clone());
        let server = StoreServer::start(config).await.unwrap();
        let store = S3 {
            path: "/drill".into(),
            bucket: "bucket".into(),
            host: "localhost".into(),
            port: server.port(),
            region: "us-east-1".into(),
            access_key: credentials.access_key,
            secret_key: credentials.secret_key,
            ca_file: String::new(),
            connect_to: None,
        };
        let inspector = crate::inspect(&store, &server.endpoint(), server.ca_file()).unwrap();
        let vault = Vault::new(store, SegmentSize::MIN, plan);
        assert!(vault.inspector().is_err());
        vault.look_through(inspector.clone());
        (server, inspector, vault)
    }

    /// What only one of two repositories holds may still be on its way to the other.
    #[tokio::test]
    async fn a_segment_is_in_the_store_once_each_repository_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let plan = CastlePlan { repositories: Repositories::TwoInStore, ..CastlePlan::default() };
        let (server, inspector, vault) = vault(folder.path(), plan).await;
        let below = |path: &str, number: u8| {
            let name = format!("00000001000000000000000{number}");
            format!("{path}/archive/castle/15-1/0000000100000000/{name}-{}.zst", "a".repeat(40))
        };
        let keys = [below("drill", 1), below("drill", 2), below("drill/second", 2), below("drill/second", 3)];
        for key in keys {
            inspector.put(&key, "segment").await.unwrap();
        }
        let numbers =
            |segments: BTreeSet<WalSegment>| segments.iter().map(|it| it.number).collect::<Vec<_>>();
        assert_eq!(numbers(vault.segments().await.unwrap()), [2]);
        assert_eq!(vault.archive().await.unwrap().segments.len(), 2, "the first's");
        assert_eq!((vault.repositories(), vault.restored_from()), (2, None));
        let listed = vault.in_store(vault.repository(KeyAfterFire::Kept));
        let paths = listed.iter().map(|repository| match repository {
            Repository::S3(store, _) => store.path.as_str(),
            Repository::Directory(path) => path,
        });
        assert_eq!(paths.collect::<Vec<_>>(), ["/drill", "/drill/second"]);
        server.shutdown().await;
    }

    /// A wipe may add to the store; it may not take, nor change.
    #[tokio::test]
    async fn harm_to_the_store_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let (server, inspector, vault) = vault(folder.path(), CastlePlan::default()).await;
        assert!(vault.second().is_err());
        for key in ["drill/a", "drill/b", "drill/backup/castle/backup.info", "another/c"] {
            inspector.put(key, key).await.unwrap();
        }
        let before = vault.versions().await.unwrap();
        inspector.put("drill/new", "new").await.unwrap();
        inspector.put("drill/a", "drill/a").await.unwrap();
        inspector.put("drill/backup/castle/backup.info", "another backup").await.unwrap();
        inspector.delete("another/c").await.unwrap();
        let added = vault.added_since(&before).await.unwrap();
        assert_eq!(added, ["drill/a", "drill/backup/castle/backup.info", "drill/new"]);

        inspector.delete("drill/a").await.unwrap();
        inspector.put("drill/b", "other").await.unwrap();
        let harm = vault.added_since(&before).await.unwrap_err().chain();
        assert_eq!(
            harm,
            "wiping the castle harmed the store: 1 objects are missing, 1 altered, first drill/a"
        );
        server.shutdown().await;
    }
}
