//! A castle in containers, its ashes and its rebirth.

use crate::{
    inventory,
    plant::Plant,
    server,
    victim::{DATA, Furniture, SEAL, WORK},
};
use phoenix_core::{
    Commit, Lsn, RecoveryTarget, WalSegment, Xid,
    report::{BackupRecord, Inventory},
};
use phoenix_drill::{
    Ashes, BackupKind, Castle, Database, Doing, Error, KeyAfterFire, RebirthPlan, Rebirthing, Repositories,
    Result, Span, Wait, Work, environment::not_reborn, wait_for,
};
use phoenix_postgres::Sql;
use phoenix_repository::{Ran, Victim, Waldump, failed_restore, find_commits, take_backup};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::task::JoinHandle;

pub(crate) struct ContainersCastle {
    plant: Arc<Plant>,
    sql: Arc<Sql>,
}

impl ContainersCastle {
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
            program: format!("{}/pg_waldump", plant.container().await?.bin),
            directory: format!("{WORK}/spool"),
            segment_size: plant.segment_size,
        };
        find_commits(&how, commits, backup).await
    }
}

impl Castle for ContainersCastle {
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
    Ok(Box::new(ContainersAshes { plant, inventory }))
}

struct ContainersAshes {
    plant: Arc<Plant>,
    inventory: Inventory,
}

impl Ashes for ContainersAshes {
    fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    fn segments_in_store(&self) -> Work<'_, BTreeSet<WalSegment>> {
        Box::pin(self.plant.vault.segments())
    }

    fn rebirth<'a>(self: Box<Self>, plan: RebirthPlan, span: &'a Span) -> Work<'a, Box<dyn Rebirthing>> {
        Box::pin(async move {
            let plant = self.plant;
            let RebirthPlan { target, key } = plan;
            let furniture = Furniture { repositories: Repositories::Store, key };
            let image = plant.images.rebirth.clone();
            span.run("container", async |_| plant.raise(&image, None, furniture).await).await?;
            let argv = plant.pgbackrest().restore(&target, Some(1), SEAL);
            let worker = plant.clone();
            let restore = Restore(tokio::spawn(async move { worker.run("restore", &argv).await }));
            Ok(Box::new(ContainersRebirthing { plant, target, key, restore }) as Box<dyn Rebirthing>)
        })
    }
}

/// A restore under way; dropped, nobody waits for it any more, and it dies with its container.
struct Restore(JoinHandle<Result<Ran>>);

impl Drop for Restore {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct ContainersRebirthing {
    plant: Arc<Plant>,
    target: RecoveryTarget,
    key: KeyAfterFire,
    restore: Restore,
}

impl ContainersRebirthing {
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
        let container = plant.container().await?;
        let sql = span.run(&name, async |span| {
            server::start(plant, &container, span).await.map_err(server::StartError::at_rebirth)
        });
        let sql = sql.await?;
        Ok(Box::new(ContainersCastle::new(self.plant.clone(), sql)))
    }

    /// Whether files are there and the last of them, `pg_control`, is not.
    async fn look(&self) -> Result<Wait<String>> {
        let script = format!("[ -e {DATA}/global/pg_control ] && echo over || find {DATA} -type f | wc -l");
        let user = &self.plant.config.victim_user;
        let container = self.plant.container().await?;
        let argv = ["sh".to_owned(), "-c".to_owned(), script];
        let seen =
            self.plant.engine.exec(&container.name, user, &argv, None).await?.must("looking for files")?;
        let files: u64 = match seen.trim().parse() {
            Ok(files) if !self.restore.0.is_finished() => files,
            _ => return Err(Error::Demand("the restore was over before it could be caught midway".into())),
        };
        let seen = format!("{files} files restored, pg_control not yet");
        Ok(if files > 0 { Wait::Ready(seen) } else { Wait::NotYet(seen) })
    }
}

impl Rebirthing for ContainersRebirthing {
    fn ready<'a>(self: Box<Self>, span: &'a Span) -> Work<'a, Box<dyn Castle>> {
        Box::pin(self.rise(span))
    }

    fn midway(&mut self) -> Work<'_, String> {
        Box::pin(wait_for(
            "the restore to be midway",
            Duration::from_secs(60),
            Duration::from_millis(20),
            || self.look(),
        ))
    }

    fn wipe<'a>(self: Box<Self>, _span: &'a Span) -> Work<'a, Box<dyn Ashes>> {
        let Self { plant, restore, .. } = *self;
        drop(restore);
        Box::pin(burn(plant))
    }
}
