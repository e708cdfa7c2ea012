//! What an environment is to a scenario: a place where a castle can be born, destroyed and reborn.
//! All traits are object-safe, so that the program can choose an environment at run time.

use crate::{LogLine, Loss, Result, Scene, Span};
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use phoenix_core::{
    BackupInterval, Commit, Finding, Lsn, Object, ReadRow, RecoveryTarget, RowId, SegmentSize,
    SystemIdentifier, Timeline, WalSegment, Xid,
    report::{BackupRecord, Inventory, Memory},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::AtomicBool},
};

/// Work that an environment does.
pub type Work<'a, T> = BoxFuture<'a, Result<T>>;

/// How a castle is to be built.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CastlePlan {
    /// Whether the repository is encrypted (`repo1-cipher-type=aes-256-cbc`), the key kept outside the fire.
    pub encrypted: Encrypted,
    /// Where backups go.
    pub repositories: Repositories,
}

/// Whether the repository is encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Encrypted {
    /// In the clear.
    #[default]
    No,
    /// AES-256, by pgBackRest.
    Aes256,
}

/// Where backups go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Repositories {
    /// To the object store.
    #[default]
    Store,
    /// To the object store for immortality, and to a local directory for speed.
    StoreAndLocal,
    /// To two repositories in the object store, one below the other.
    TwoInStore,
}

/// A kind of backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackupKind {
    /// Everything.
    Full,
    /// What changed since the last full one.
    Differential,
    /// What changed since the last one.
    Incremental,
}

impl BackupKind {
    /// pgBackRest's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Differential => "diff",
            Self::Incremental => "incr",
        }
    }
}

/// What became of the repository's key in the fire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeyAfterFire {
    /// It was kept outside.
    #[default]
    Kept,
    /// It burned too.
    Burned,
}

/// How to bring a castle back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RebirthPlan {
    /// To where.
    pub target: RecoveryTarget,
    /// What became of the repository's key.
    pub key: KeyAfterFire,
}

/// Who a cluster is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// From `initdb` on.
    pub system_identifier: SystemIdentifier,
    /// The timeline it writes on.
    pub timeline: Timeline,
    /// The size of its WAL segments.
    pub segment_size: SegmentSize,
}

/// A row to be inserted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRow {
    /// Its identity.
    pub row: RowId,
    /// Its content.
    pub content: String,
    /// What a person calls it.
    pub label: String,
}

/// A row that was inserted and acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inserted {
    /// Its identity.
    pub row: RowId,
    /// Where its commit lies.
    pub commit: Commit,
}

impl Inserted {
    /// Whether it was committed before the backup began.
    pub fn committed_before(&self, backup: BackupInterval) -> bool {
        self.commit.lsn_after <= backup.start
    }

    /// Whether it was committed after the backup was complete, and so lives in WAL alone.
    pub fn committed_after(&self, backup: BackupInterval) -> bool {
        self.commit.lsn_before >= backup.stop
    }
}

/// Rows inserted by several writers at the same time.
#[derive(Debug, Clone)]
pub struct Workload {
    /// How many in all; `None` goes on until the server is gone.
    pub rows: Option<u64>,
    /// How many at the same time.
    pub writers: u32,
    /// Random text added to each row, in bytes.
    pub pad_bytes: usize,
    /// How often the WAL is switched on the way, evenly.
    pub switches: u32,
    /// The padding follows from it.
    pub seed: u64,
    /// Once set, each writer finishes its row and stops.
    pub stop: Arc<AtomicBool>,
}

/// What became of a workload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WorkloadDone {
    /// Rows acknowledged.
    pub acknowledged: u64,
    /// Rows refused by the server.
    pub failed: u64,
    /// Rows whose answer never came.
    pub indeterminate: u64,
    /// Segments that the WAL moved on.
    pub segments: u64,
}

/// What PostgreSQL says of its archiver, in `pg_stat_archiver`. It believes whatever `archive_command` claims.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Archiver {
    /// Segments and other files that it takes for archived.
    pub archived: i64,
    /// The last of them.
    pub last_archived: Option<String>,
    /// Attempts that failed.
    pub failed: i64,
    /// The last file that failed.
    pub last_failed: Option<String>,
}

/// A castle's SQL, as an application speaks it.
pub trait Database: Send + Sync {
    /// Makes the table `memories`, unless it is there.
    fn create_table(&self) -> Work<'_, ()>;
    /// Drops the table `memories`: the logical error.
    fn drop_table(&self) -> Work<'_, ()>;
    /// Adds bulk data of about this size, in bytes.
    fn fill<'a>(&'a self, size_bytes: u64, span: &'a Span) -> Work<'a, ()>;
    /// Inserts one row in a transaction of its own; the ledger knows before and after.
    fn insert<'a>(&'a self, scene: &'a Scene, row: NewRow) -> Work<'a, Inserted>;
    /// Inserts rows by several writers; the ledger knows each before and after.
    fn write<'a>(
        &'a self,
        scene: &'a Scene,
        workload: Workload,
        progress: &'a Span,
    ) -> Work<'a, WorkloadDone>;
    /// Reads every row of this run; none from a table that is gone.
    fn read<'a>(&'a self, scene: &'a Scene) -> Work<'a, Vec<ReadRow>>;
    /// Reads these rows for a person, by their number.
    fn memories<'a>(&'a self, rows: &'a [RowId]) -> Work<'a, Vec<Memory>>;
    /// Switches to the next segment and gives the position that the server answered: the end of the
    /// segment that was closed.
    fn switch_wal(&self) -> Work<'_, Lsn>;
    /// Makes a restore point.
    fn restore_point<'a>(&'a self, name: &'a str) -> Work<'a, Lsn>;
    /// The position at which the next record will be inserted.
    fn insert_position(&self) -> Work<'_, Lsn>;
    /// The server's clock.
    fn clock(&self) -> Work<'_, DateTime<Utc>>;
    /// Commits a transaction that writes nothing, so that recovery sees that time has passed.
    fn tick(&self) -> Work<'_, ()>;
    /// What stands around the rows: databases, roles, extensions, tables and sequences.
    fn objects(&self) -> Work<'_, Vec<Object>>;
    /// What PostgreSQL says of its archiver.
    fn archiver(&self) -> Work<'_, Archiver>;
    /// Who this cluster is.
    fn identity(&self) -> Work<'_, Identity>;
}

/// A place where castles can be born.
pub trait Environment: Send + Sync {
    /// `local`, `containers`, `cluster`.
    fn name(&self) -> &'static str;
    /// What it runs on and with: versions, storage, segment size. The header shows `postgresql`, `pgbackrest`
    /// and `docker`.
    fn properties(&self) -> BTreeMap<String, String>;
    /// Raises a castle with an empty repository in the store.
    fn birth<'a>(
        &'a self,
        scene: &'a Arc<Scene>,
        plan: CastlePlan,
        span: &'a Span,
    ) -> Work<'a, Box<dyn Castle>>;
    /// Raises a castle with the table `memories`, bulk data as the settings ask for, and one full backup. An
    /// environment may take both from a template, as long as the repository in the store is the drill's own.
    fn birth_with_backup<'a>(
        &'a self,
        scene: &'a Arc<Scene>,
        plan: CastlePlan,
        span: &'a Span,
    ) -> Work<'a, (Box<dyn Castle>, BackupRecord)> {
        Box::pin(async move {
            let castle = self.birth(scene, plan, span).await?;
            let backup = furnish_and_back_up(&*castle, scene, span).await?;
            Ok((castle, backup))
        })
    }
    /// The logs of everything that ran, copied into the evidence; called before anything is removed.
    fn collect_logs<'a>(&'a self, scene: &'a Scene) -> Work<'a, Vec<LogLine>>;
    /// Faults that were planted and really happened, one line each.
    fn faults(&self) -> Work<'_, Vec<String>>;
    /// Stops everything that runs. What was made on disk stays for `remove`.
    fn stop<'a>(&'a self, scene: &'a Scene) -> Work<'a, ()>;
    /// Removes everything that the register names.
    fn remove<'a>(&'a self, scene: &'a Scene) -> Work<'a, ()>;
    /// How to look at what was kept, as commands.
    fn reopen(&self) -> Vec<String>;
}

/// What a drill does with a castle that was just born: the table, bulk data, and a full backup.
pub async fn furnish_and_back_up(castle: &dyn Castle, scene: &Scene, span: &Span) -> Result<BackupRecord> {
    let (database, size_bytes) = (castle.database(), scene.settings.size_bytes);
    database.create_table().await?;
    if size_bytes > 0 {
        span.run("fill", async |span| database.fill(size_bytes, span).await).await?;
    }
    span.run("backup", async |span| castle.backup(BackupKind::Full, span).await).await
}

/// A cluster that lives.
pub trait Castle: Send + Sync {
    /// Its SQL; it outlives the castle, so that a writer can be at work when disaster strikes.
    fn database(&self) -> Arc<dyn Database>;
    /// Takes a backup into every repository.
    fn backup<'a>(&'a self, kind: BackupKind, span: &'a Span) -> Work<'a, BackupRecord>;
    /// The WAL segments that the store holds: the store is asked, not PostgreSQL.
    fn segments_in_store(&self) -> Work<'_, BTreeSet<WalSegment>>;
    /// The commit records of these transactions, as `pg_waldump` finds them in the archived WAL of a
    /// backup's timeline. What is not found is left out.
    fn commit_records<'a>(
        &'a self,
        commits: &'a [Commit],
        backup: &'a BackupRecord,
        span: &'a Span,
    ) -> Work<'a, BTreeMap<Xid, Lsn>>;
    /// Waits for what a castle that is back does by itself, so that its moment is known: an operator's first
    /// backup.
    fn settle<'a>(&'a self, _scene: &'a Scene) -> Work<'a, ()> {
        Box::pin(async { Ok(()) })
    }
    /// Why rows did not come back as was promised, as far as it can tell: the surest cause first.
    fn explain<'a>(&'a self, _loss: &'a Loss) -> Work<'a, Vec<Finding>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    /// Destroys it: SIGKILL, then everything it had, proven by an inventory. Anything left is an error.
    fn wipe<'a>(self: Box<Self>, span: &'a Span) -> Work<'a, Box<dyn Ashes>>;
}

/// A cluster that is gone, with proof.
pub trait Ashes: Send + Sync {
    /// What was found after the wipe.
    fn inventory(&self) -> &Inventory;
    /// The WAL segments that the store holds now that the victim is dead.
    fn segments_in_store(&self) -> Work<'_, BTreeSet<WalSegment>>;
    /// Begins to bring it back from the store alone.
    fn rebirth<'a>(self: Box<Self>, plan: RebirthPlan, span: &'a Span) -> Work<'a, Box<dyn Rebirthing>>;
}

/// A rebirth under way.
pub trait Rebirthing: Send + Sync + 'static {
    /// Waits until it answers as a primary; [`Error::NotReborn`](crate::Error::NotReborn) if it never will.
    fn ready<'a>(self: Box<Self>, span: &'a Span) -> Work<'a, Box<dyn Castle>>;
    /// The same for whoever goes on after a failure: what came up can still be wiped, where the environment
    /// has kept hold of it.
    fn attempt<'a>(self: Box<Self>, span: &'a Span) -> Work<'a, Raised> {
        Box::pin(async move {
            match self.ready(span).await {
                Ok(castle) => Ok(Raised::Castle(castle)),
                Err(crate::Error::NotReborn(finding)) => Ok(Raised::Failed { finding, remains: None }),
                Err(error) => Err(error),
            }
        })
    }
    /// Waits until the restore has put files in place but is not complete, and says what it saw.
    fn midway<'a>(&'a mut self, span: &'a Span) -> Work<'a, String>;
    /// Waits until it is plain that it never will, and gives the reason; an error if it comes back.
    fn failure<'a>(&'a mut self, _span: &'a Span) -> Work<'a, Finding> {
        Box::pin(async { Err(crate::Error::Demand("a rebirth cannot be seen to fail here".into())) })
    }
    /// Destroys it again.
    fn wipe<'a>(self: Box<Self>, span: &'a Span) -> Work<'a, Box<dyn Ashes>>;
}

/// How a rebirth ended.
pub enum Raised {
    /// It answers as a primary.
    Castle(Box<dyn Castle>),
    /// It never will.
    Failed {
        /// Why.
        finding: Box<Finding>,
        /// What came up, to be wiped.
        remains: Option<Box<dyn Rebirthing>>,
    },
}

/// The finding that a rebirth ended with, boxed as an error.
pub fn not_reborn(finding: Finding) -> crate::Error {
    crate::Error::NotReborn(Box::new(finding))
}
