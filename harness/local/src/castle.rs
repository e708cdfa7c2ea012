//! A castle on this machine, its ashes and its rebirth.

use crate::{inventory, plant::Plant, server};
use phoenix_core::{
    Commit, Finding, Lsn, RecoveryTarget, WalSegment, Xid,
    report::{BackupRecord, Inventory},
};
use phoenix_drill::{
    Ashes, BackupKind, Castle, Database, Doing, Error, RebirthPlan, Rebirthing, Repositories, Result, Span,
    Wait, Work, environment::not_reborn, wait_for,
};
use phoenix_postgres::{
    Sql,
    diagnosis::{self, Encryption, Symptoms},
    pgbackrest::newest_backup,
    waldump,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Output,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::task::JoinHandle;

/// The first bytes of everything that pgBackRest encrypts (OpenSSL's salted format).
const ENCRYPTED: &[u8] = b"Salted__";

pub(crate) struct LocalCastle {
    plant: Arc<Plant>,
    sql: Arc<Sql>,
}

impl LocalCastle {
    pub fn new(plant: Arc<Plant>, sql: Arc<Sql>) -> Self {
        Self { plant, sql }
    }

    async fn take_backup(&self, kind: BackupKind, span: &Span) -> Result<BackupRecord> {
        let (plant, pgbackrest) = (&self.plant, self.plant.pgbackrest());
        let mut newest = None;
        for repository in 1..=plant.repositories() {
            let argv = pgbackrest.backup(kind.word(), repository);
            let name = format!("backup to repo{repository}");
            span.run(&name, async |_| plant.capsule.must(&plant.scene.evidence, "backup", &argv).await)
                .await?;
            let info =
                plant.capsule.must(&plant.scene.evidence, "info", &pgbackrest.info(repository)).await?;
            let record = newest_backup(&info, &pgbackrest.stanza).doing("reading pgbackrest info")?;
            newest.get_or_insert(record);
        }
        let cluster_bytes = newest.as_ref().map_or(0, |record: &BackupRecord| record.cluster_bytes);
        plant.cluster_bytes.store(cluster_bytes, Ordering::Relaxed);
        newest.ok_or_else(|| Error::Demand("no repository took a backup".into()))
    }
}

impl LocalCastle {
    /// Fetches the segments around the commits from the archive and reads them with `pg_waldump`.
    async fn find_commits(&self, commits: &[Commit], backup: &BackupRecord) -> Result<BTreeMap<Xid, Lsn>> {
        let (plant, size) = (&self.plant, self.plant.segment_size);
        let ends = commits.iter().map(|commit| commit.lsn_after).filter(|lsn| *lsn != Lsn::UNKNOWN);
        let (Some(from), Some(to)) = (commits.iter().map(|commit| commit.lsn_before).min(), ends.max())
        else {
            return Ok(BTreeMap::new());
        };
        let directory = plant.victim().join("work/spool").display().to_string();
        let first = WalSegment::containing(backup.timeline, from, size);
        let last = WalSegment::ending_at(backup.timeline, to, size);
        let names: Vec<_> = first.through(last).map(|segment| segment.name(size)).collect();
        let evidence = &plant.scene.evidence;
        for name in &names {
            let argv = plant.pgbackrest().archive_get(name, &format!("{directory}/{name}"));
            plant.capsule.must(evidence, "archive-get", &argv).await?;
        }
        let mut found = BTreeMap::new();
        for (index, name) in names.iter().enumerate() {
            let program = plant.tools.postgres_bin.join("pg_waldump").display().to_string();
            let argv = waldump::argv(program, &directory, name, names.get(index + 1).map(String::as_str));
            let output = plant.capsule.run(evidence, "pg_waldump", &argv).await?;
            found.extend(waldump::commits(&String::from_utf8_lossy(&output.stdout)));
        }
        Ok(waldump::records_of(commits.iter().map(|commit| commit.xid), &found))
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
        Box::pin(self.plant.segments())
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
        Box::pin(self.plant.segments())
    }

    fn rebirth<'a>(self: Box<Self>, plan: RebirthPlan, _span: &'a Span) -> Work<'a, Box<dyn Rebirthing>> {
        Box::pin(async move {
            let plant = self.plant;
            plant.furnish(Repositories::Store, plan.key)?;
            let argv = plant.pgbackrest().restore(&plan.target, Some(1), &plant.seal());
            let worker = plant.clone();
            let restore =
                tokio::spawn(
                    async move { worker.capsule.run(&worker.scene.evidence, "restore", &argv).await },
                );
            Ok(Box::new(LocalRebirthing { plant, target: plan.target, restore: Restore(restore) })
                as Box<dyn Rebirthing>)
        })
    }
}

/// A restore under way; dropped, it is killed.
struct Restore(JoinHandle<Result<Output>>);

impl Drop for Restore {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct LocalRebirthing {
    plant: Arc<Plant>,
    target: RecoveryTarget,
    restore: Restore,
}

impl LocalRebirthing {
    async fn rise(mut self, span: &Span) -> Result<Box<dyn Castle>> {
        let plant = &self.plant;
        let restore = &mut self.restore.0;
        span.run("restore", async |span| {
            let output = restore.await.doing("waiting for the restore")??;
            if !output.status.success() {
                return Err(not_reborn(failed_restore(plant, &output).await));
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

async fn failed_restore(plant: &Plant, output: &Output) -> Finding {
    let head = plant.backup_info_head().await;
    let encrypted = head.map(|head| match (head.starts_with(ENCRYPTED), plant.has_key()) {
        (false, _) => Encryption::None,
        (true, true) => Encryption::WithKey,
        (true, false) => Encryption::WithoutKey,
    });
    let restore_output = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let (restore_status, restore_output) = (output.status.code(), restore_output.into_owned());
    diagnosis::not_reborn(&Symptoms { restore_status, restore_output, server_log: String::new(), encrypted })
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
