//! A castle on this machine, its ashes and its rebirth.

use crate::{inventory, plant::Plant, server};
use phoenix_core::{
    Commit, Lsn, RecoveryTarget, WalSegment, Xid,
    report::{BackupRecord, Inventory},
};
use phoenix_drill::{
    Ashes, BackupKind, Castle, Database, Doing, Error, KeyAfterFire, RebirthPlan, Rebirthing, Repositories,
    Result, Span, Wait, Work, environment::not_reborn, wait_for,
};
use phoenix_postgres::{
    Sql,
    diagnosis::{self, Symptoms},
};
use phoenix_repository::{Ran, Victim, Waldump, failed_restore, find_commits, take_backup};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::task::JoinHandle;

pub(crate) struct LocalCastle {
    plant: Arc<Plant>,
    sql: Arc<Sql>,
}

impl LocalCastle {
    pub fn new(plant: Arc<Plant>, sql: Arc<Sql>) -> Self {
        Self { plant, sql }
    }

    async fn take_backup(&self, kind: BackupKind, span: &Span) -> Result<BackupRecord> {
        let plant = &*self.plant;
        let backup = take_backup(plant, &plant.pgbackrest(), plant.repositories(), kind, span).await?;
        plant.cluster_bytes.store(backup.cluster_bytes, Ordering::Relaxed);
        Ok(backup)
    }

    async fn find_commits(&self, commits: &[Commit], backup: &BackupRecord) -> Result<BTreeMap<Xid, Lsn>> {
        let plant = &*self.plant;
        let how = Waldump {
            victim: plant,
            pgbackrest: plant.pgbackrest(),
            program: plant.tools.postgres_bin.join("pg_waldump").display().to_string(),
            directory: plant.victim().join("work/spool").display().to_string(),
            segment_size: plant.segment_size,
        };
        find_commits(&how, commits, backup).await
    }
}

impl Castle for LocalCastle {
    fn commit_records<'a>(
        &'a self,
        commits: &'a [Commit],
        backup: &'a BackupRecord,
        _span: &'a Span,
    ) -> Work<'a, BTreeMap<Xid, Lsn>> {
        Box::pin(self.find_commits(commits, backup))
    }

    fn database(&self) -> Arc<dyn Database> {
        self.sql.clone()
    }

    fn backup<'a>(&'a self, kind: BackupKind, span: &'a Span) -> Work<'a, BackupRecord> {
        Box::pin(self.take_backup(kind, span))
    }

    fn segments_in_store(&self) -> Work<'_, BTreeSet<WalSegment>> {
        Box::pin(self.plant.vault.segments())
    }

    fn wipe<'a>(self: Box<Self>, _span: &'a Span) -> Work<'a, Box<dyn Ashes>> {
        Box::pin(burn(self.plant))
    }
}

async fn burn(plant: Arc<Plant>) -> Result<Box<dyn Ashes>> {
    let inventory = inventory::destroy(&plant).await?;
    Ok(Box::new(LocalAshes { plant, inventory }))
}

struct LocalAshes {
    plant: Arc<Plant>,
    inventory: Inventory,
}

impl Ashes for LocalAshes {
    fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    fn segments_in_store(&self) -> Work<'_, BTreeSet<WalSegment>> {
        Box::pin(self.plant.vault.segments())
    }

    fn rebirth<'a>(self: Box<Self>, plan: RebirthPlan, _span: &'a Span) -> Work<'a, Box<dyn Rebirthing>> {
        Box::pin(async move {
            let plant = self.plant;
            plant.furnish(Repositories::Store, plan.key)?;
            let argv = plant.pgbackrest().restore(&plan.target, Some(1), &plant.seal());
            let worker = plant.clone();
            let restore = tokio::spawn(async move { worker.run("restore", &argv).await });
            let RebirthPlan { target, key } = plan;
            Ok(Box::new(LocalRebirthing { plant, target, key, restore: Restore(restore) })
                as Box<dyn Rebirthing>)
        })
    }
}

/// A restore under way; dropped, it is killed.
struct Restore(JoinHandle<Result<Ran>>);

impl Drop for Restore {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct LocalRebirthing {
    plant: Arc<Plant>,
    target: RecoveryTarget,
    key: KeyAfterFire,
    restore: Restore,
}

impl LocalRebirthing {
    async fn rise(mut self, span: &Span) -> Result<Box<dyn Castle>> {
        let plant = &self.plant;
        let restore = &mut self.restore.0;
        span.run("restore", async |span| {
            let ran = restore.await.doing("waiting for the restore")??;
            if ran.status != Some(0) {
                let encrypted = plant.vault.encryption(self.key).await;
                return Err(not_reborn(failed_restore(&ran, encrypted)));
            }
            let megabytes = plant.cluster_bytes.load(Ordering::Relaxed) as f64 / 1e6;
            span.detail(format!("{megabytes:.1} MB · {:.0} MB/s", megabytes / span.elapsed().as_secs_f64()));
            Ok(())
        })
        .await?;
        let name = format!("recovery to {}", self.target.kind());
        let sql = span.run(&name, async |span| match server::start(plant, span).await {
            Ok(sql) => Ok(sql),
            Err(server::StartError::Died { log, .. }) => {
                let symptoms = Symptoms { server_log: log, ..Symptoms::default() };
                Err(not_reborn(diagnosis::not_reborn(&symptoms)))
            }
            Err(server::StartError::Other(error)) => Err(error),
        });
        let sql = sql.await?;
        Ok(Box::new(LocalCastle::new(self.plant.clone(), sql)))
    }
}

impl Rebirthing for LocalRebirthing {
    fn ready<'a>(self: Box<Self>, span: &'a Span) -> Work<'a, Box<dyn Castle>> {
        Box::pin(self.rise(span))
    }

    fn midway(&mut self) -> Work<'_, String> {
        Box::pin(async {
            let data = self.plant.data();
            wait_for(
                "the restore to be midway",
                Duration::from_secs(60),
                Duration::from_millis(2),
                || async {
                    let files = count_files(&data);
                    if self.restore.0.is_finished() || data.join("global/pg_control").exists() {
                        return Err(Error::Demand(
                            "the restore was over before it could be caught midway".into(),
                        ));
                    }
                    let seen = format!("{files} files restored, pg_control not yet");
                    Ok(if files > 0 { Wait::Ready(seen) } else { Wait::NotYet(seen) })
                },
            )
            .await
        })
    }

    fn wipe<'a>(self: Box<Self>, _span: &'a Span) -> Work<'a, Box<dyn Ashes>> {
        let Self { plant, restore, .. } = *self;
        drop(restore);
        Box::pin(burn(plant))
    }
}

fn count_files(path: &Path) -> usize {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let count = |entry: fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => count_files(&entry.path()),
        Ok(_) => 1,
        Err(_) => 0,
    };
    entries.map(count).sum()
}
