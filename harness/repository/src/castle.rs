//! A castle, its ashes and its rebirth: the same wherever pgBackRest itself is called to back up and to
//! restore.

use crate::{
    Vault, Victim, alterations::Errand, explain, failed_restore, find_commits, must, take_backup, victim::Ran,
};
use futures::future::BoxFuture;
use phoenix_core::{
    Commit, Finding, Lsn, RecoveryTarget, WalSegment, Xid,
    report::{BackupRecord, Inventory},
};
use phoenix_drill::{
    Ashes, BackupKind, Castle, Database, Doing, Error, KeyAfterFire, Loss, Raised, RebirthPlan, Rebirthing,
    Result, Span, Wait, Work, environment::not_reborn, wait_for,
};
use phoenix_postgres::{
    Sql,
    diagnosis::{self, Address, Symptoms},
    pgbackrest::PgBackRest,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::task::JoinHandle;

/// A victim that has PostgreSQL's programs and pgBackRest.
pub trait Host: Victim {
    /// The repository in the store.
    fn vault(&self) -> &Vault;
    /// How pgBackRest is called.
    fn pgbackrest(&self) -> PgBackRest;
    /// The directory with PostgreSQL's programs, as the victim knows it.
    fn postgres_bin(&self) -> Work<'_, String>;
    /// A directory of the victim's for segments that are looked into.
    fn spool(&self) -> String;
}

/// What a castle stands on: where it is destroyed, furnished and started.
pub trait Ground: Host {
    /// The path of the wrapper that makes archive errors fatal.
    fn seal(&self) -> String;
    /// PGDATA, as the victim knows it.
    fn data(&self) -> String;
    /// The directory of the server's socket, as the victim knows it.
    fn socket(&self) -> String;
    /// A directory of the victim's that burns with it.
    fn work(&self) -> String;
    /// Kills the victim, removes all it had, and looks for what is left.
    fn destroy(&self) -> Work<'_, Inventory>;
    /// Makes an empty place for a cluster to be restored into, with what became of the repository's key.
    fn furnish<'a>(&'a self, key: KeyAfterFire, span: &'a Span) -> Work<'a, ()>;
    /// Starts the server and waits until it is a primary that answers.
    fn start<'a>(&'a self, span: &'a Span) -> BoxFuture<'a, Result<Arc<Sql>, StartError>>;
    /// What the server that was started last has logged, pgBackRest's lines and all.
    fn recovery_log(&self) -> Work<'_, String>;
    /// Where the server is asked: it must listen there.
    fn address(&self) -> Address;
    /// What a file in PGDATA says, lossily decoded; `None` if it is not there.
    fn data_file<'a>(&'a self, name: &'a str) -> Work<'a, Option<String>>;
    /// The files in PGDATA; `None` once `pg_control`, the last, is among them.
    fn files_restored(&self) -> Work<'_, Option<u64>>;
}

/// How a start ended that did not end well.
pub enum StartError {
    /// The server went away; this is why, and its log.
    Died {
        /// Why, with the decisive line.
        error: Error,
        /// All it logged.
        log: String,
    },
    /// The server runs, and will never be a primary that answers where it is asked.
    Stuck(Box<Finding>),
    /// Something else.
    Other(Error),
}

impl From<Error> for StartError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl StartError {
    /// The error of a birth.
    pub fn at_birth(self) -> Error {
        match self {
            Self::Died { error, .. } | Self::Other(error) => error,
            Self::Stuck(finding) => Error::unverified("PostgreSQL does not start", finding.sentence),
        }
    }

    /// The error of a rebirth: a server that went away says why the castle does not come back.
    pub fn at_rebirth(self) -> Error {
        match self {
            Self::Died { log, .. } => {
                not_reborn(diagnosis::not_reborn(&Symptoms { server_log: log, ..Symptoms::default() }))
            }
            Self::Stuck(finding) => not_reborn(*finding),
            Self::Other(error) => error,
        }
    }
}

/// A castle that lives on its ground.
pub fn castle(ground: Arc<dyn Ground>, sql: Arc<Sql>) -> Box<dyn Castle> {
    Box::new(Living { ground, sql })
}

struct Living {
    ground: Arc<dyn Ground>,
    sql: Arc<Sql>,
}

impl Castle for Living {
    fn commit_records<'a>(
        &'a self,
        commits: &'a [Commit],
        backup: &'a BackupRecord,
        _span: &'a Span,
    ) -> Work<'a, BTreeMap<Xid, Lsn>> {
        Box::pin(find_commits(&*self.ground, commits, backup))
    }

    fn database(&self) -> Arc<dyn Database> {
        self.sql.clone()
    }

    fn backup<'a>(&'a self, kind: BackupKind, span: &'a Span) -> Work<'a, BackupRecord> {
        let ground = &*self.ground;
        Box::pin(take_backup(ground, span, move |repository| async move {
            let argv = ground.pgbackrest().backup(kind.word(), repository);
            must(ground, "backup", &argv).await.map(drop)
        }))
    }

    fn segments_in_store(&self) -> Work<'_, BTreeSet<WalSegment>> {
        Box::pin(self.ground.vault().segments())
    }

    fn explain<'a>(&'a self, loss: &'a Loss) -> Work<'a, Vec<Finding>> {
        Box::pin(async move {
            let log = self.ground.recovery_log().await?;
            Ok(explain(&*self.ground, &log, &self.sql, loss).await)
        })
    }

    fn wipe<'a>(self: Box<Self>, _span: &'a Span) -> Work<'a, Box<dyn Ashes>> {
        Box::pin(burn(self.ground))
    }
}

async fn burn(ground: Arc<dyn Ground>) -> Result<Box<dyn Ashes>> {
    let inventory = ground.destroy().await?;
    Ok(Box::new(Burned { ground, inventory }))
}

struct Burned {
    ground: Arc<dyn Ground>,
    inventory: Inventory,
}

impl Ashes for Burned {
    fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    fn segments_in_store(&self) -> Work<'_, BTreeSet<WalSegment>> {
        Box::pin(self.ground.vault().segments())
    }

    fn rebirth<'a>(self: Box<Self>, plan: RebirthPlan, span: &'a Span) -> Work<'a, Box<dyn Rebirthing>> {
        Box::pin(async move {
            let (ground, RebirthPlan { target, key }) = (self.ground, plan);
            ground.furnish(key, span).await?;
            let mut beside = Vec::new();
            for errand in ground.vault().alterations.errands() {
                match errand {
                    Errand::Before(argv) => drop(must(&*ground, "planted script", &argv).await?),
                    Errand::Beside(argv) => beside.push(Running::begin(&ground, "planted script", argv)),
                }
            }
            let argv = ground.pgbackrest().restore(&target, ground.vault().restored_from(), &ground.seal());
            let argv = ground.vault().alterations.of_restore(argv);
            let restore = Some(Running::begin(&ground, "restore", argv));
            let rising = Rising { ground, target, key, restore, restored: false, _beside: beside };
            Ok(Box::new(rising) as Box<dyn Rebirthing>)
        })
    }
}

/// A command under way; dropped, nobody waits for it any more, and it dies with the victim if not before.
struct Running(JoinHandle<Result<Ran>>);

impl Running {
    fn begin(ground: &Arc<dyn Ground>, purpose: &'static str, argv: Vec<String>) -> Self {
        let ground = ground.clone();
        Self(tokio::spawn(async move { ground.run(purpose, &argv).await }))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Rising {
    ground: Arc<dyn Ground>,
    target: RecoveryTarget,
    key: KeyAfterFire,
    /// Gone once somebody has waited for its end.
    restore: Option<Running>,
    /// Whether the restore ended well: a server was started on what it left.
    restored: bool,
    /// What was planted beside the restore, as long as this lives.
    _beside: Vec<Running>,
}

impl Rising {
    async fn rise(&mut self, span: &Span) -> Result<Box<dyn Castle>> {
        let (ground, restore) = (&self.ground, self.restore.take());
        let mut restore = restore.ok_or_else(|| Error::Demand("this rebirth has failed already".into()))?;
        span.run("restore", async |span| {
            let ran = (&mut restore.0).await.doing("waiting for the restore")??;
            if ran.status != Some(0) {
                let encrypted = ground.vault().encryption(self.key).await;
                return Err(not_reborn(failed_restore(ground.vault(), &ran, encrypted).await));
            }
            let megabytes = ground.vault().cluster_bytes() as f64 / 1e6;
            span.detail(format!("{megabytes:.1} MB · {:.0} MB/s", megabytes / span.elapsed().as_secs_f64()));
            Ok(())
        })
        .await?;
        self.restored = true;
        let name = format!("recovery to {}", self.target.kind());
        let ground = &self.ground;
        let sql = span.run(&name, async |span| ground.start(span).await.map_err(StartError::at_rebirth));
        let sql = sql.await?;
        Ok(castle(self.ground.clone(), sql))
    }

    /// Whether files are there and the last of them is not.
    async fn look(&self) -> Result<Wait<String>> {
        let files = self.ground.files_restored().await?;
        let goes_on = self.restore.as_ref().is_some_and(|restore| !restore.0.is_finished());
        let Some(files) = files.filter(|_| goes_on) else {
            return Err(Error::Demand("the restore was over before it could be caught midway".into()));
        };
        let seen = format!("{files} files restored, pg_control not yet");
        Ok(if files > 0 { Wait::Ready(seen) } else { Wait::NotYet(seen) })
    }
}

impl Rebirthing for Rising {
    fn ready<'a>(mut self: Box<Self>, span: &'a Span) -> Work<'a, Box<dyn Castle>> {
        Box::pin(async move { self.rise(span).await })
    }

    fn attempt<'a>(mut self: Box<Self>, span: &'a Span) -> Work<'a, Raised> {
        Box::pin(async move {
            match self.rise(span).await {
                Ok(castle) => Ok(Raised::Castle(castle)),
                Err(Error::NotReborn(finding)) => {
                    // what could not be restored will not be restored to another target
                    let remains = self.restored.then_some(self as Box<dyn Rebirthing>);
                    Ok(Raised::Failed { finding, remains })
                }
                Err(error) => Err(error),
            }
        })
    }

    fn midway<'a>(&'a mut self, _span: &'a Span) -> Work<'a, String> {
        let (deadline, interval) = (Duration::from_secs(60), Duration::from_millis(2));
        Box::pin(wait_for("the restore to be midway", deadline, interval, || self.look()))
    }

    fn wipe<'a>(self: Box<Self>, _span: &'a Span) -> Work<'a, Box<dyn Ashes>> {
        let Self { ground, restore, _beside, .. } = *self;
        drop((restore, _beside));
        Box::pin(burn(ground))
    }
}
