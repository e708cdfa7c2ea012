//! Rows and backups.

use super::Drill;
use crate::{
    BackupKind, Castle, Database, Doing, Inserted, NewRow, Result, Scene, Span, Workload, WorkloadDone,
};
use phoenix_core::{Entry, RowId, report::BackupRecord, rpo::Assistance, words::grouped};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use uuid::Uuid;

/// How often the WAL is switched within a workload, so that few rows still fill several segments.
const SWITCHES: u32 = 3;

impl Drill {
    /// Inserts one row that a person will want to see again.
    pub async fn insert(&mut self, castle: &dyn Castle, content: &str) -> Result<Inserted> {
        let (scene, database) = (&self.scene, castle.database());
        let name: Vec<_> = content.splitn(3, '_').take(2).collect();
        let name = format!("insert {}", name.join("_"));
        let inserted = scene.spans.run(&name, async |span| {
            let row =
                NewRow { row: RowId(Uuid::new_v4()), content: content.to_owned(), label: content.to_owned() };
            scene
                .evidence
                .remark(&format!("SQL: `INSERT INTO memories (content, …) VALUES ('{content}', …)`"))?;
            let inserted = database.insert(scene, row).await?;
            span.detail(format!("lsn {} · xid {}", inserted.commit.lsn_after, inserted.commit.xid));
            Ok(inserted)
        });
        let inserted = inserted.await?;
        self.shown.push(inserted.row);
        Ok(inserted)
    }

    pub(super) fn workload_plan(&self, rows: Option<u64>, switches: u32) -> Workload {
        let settings = &self.scene.settings;
        let seed = settings.seed.wrapping_add(u64::from(self.scene.life()));
        let (writers, pad_bytes, stop) = (settings.writers, settings.pad_bytes, Arc::default());
        Workload { rows, writers, pad_bytes, switches, seed, stop }
    }

    /// Inserts the rows that the settings ask for, by as many writers, switching the WAL on the way.
    pub async fn workload(&mut self, castle: &dyn Castle) -> Result<WorkloadDone> {
        let (scene, database) = (&self.scene, castle.database());
        let plan = self.workload_plan(Some(scene.settings.rows), SWITCHES);
        scene.spans.run("workload", async |span| write(scene, &*database, plan, span).await).await
    }

    /// Starts writers that go on until the server is gone. Nothing switches the WAL for them, and the
    /// loss is this configuration's own.
    pub fn write_until_the_end(&mut self, castle: &dyn Castle) -> Writers {
        self.assistance = Assistance::Unassisted;
        self.writers(castle, "workload until killed")
    }

    fn writers(&self, castle: &dyn Castle, name: &'static str) -> Writers {
        let (scene, database) = (self.scene.clone(), castle.database());
        let plan = self.workload_plan(None, 0);
        let stop = plan.stop.clone();
        let work = tokio::spawn(async move {
            let work = async |span: &Span| write(&scene, &*database, plan, span).await;
            scene.spans.run(name, work).await
        });
        Writers { work, stop }
    }

    /// Takes a backup while writers are at work.
    pub async fn backup_under_load(
        &mut self,
        castle: &dyn Castle,
        kind: BackupKind,
    ) -> Result<(BackupRecord, WorkloadDone)> {
        let writers = self.writers(castle, "workload during backup");
        let backup = self.backup(castle, kind).await;
        let written = writers.stop().await?;
        Ok((backup?, written))
    }

    /// Takes a backup.
    pub async fn backup(&mut self, castle: &dyn Castle, kind: BackupKind) -> Result<BackupRecord> {
        let scene = &self.scene;
        let backup = scene.spans.run("backup", async |span| {
            let backup = castle.backup(kind, span).await?;
            let seconds = span.elapsed().as_secs_f64();
            let [all, stored] = [backup.cluster_bytes, backup.stored_bytes].map(megabytes);
            span.detail(format!(
                "{} · {} · {all:.1} MB, {stored:.1} MB stored · {:.0} MB/s",
                backup.label,
                backup.kind,
                all / seconds
            ));
            Ok(backup)
        });
        let backup = backup.await?;
        self.note_backup(&backup)?;
        Ok(backup)
    }

    /// Writes a backup down that is complete.
    pub(super) fn note_backup(&mut self, backup: &BackupRecord) -> Result<()> {
        let (label, interval, at) = (backup.label.clone(), backup.interval, self.scene.now());
        self.scene.ledger.append(&[Entry::Backup { label, interval, at }])?;
        self.report.backups.push(backup.clone());
        self.save()
    }
}

/// Writers at work in the background.
pub struct Writers {
    work: tokio::task::JoinHandle<Result<WorkloadDone>>,
    stop: Arc<AtomicBool>,
}

impl Writers {
    /// Waits for the writers to notice that the server is gone.
    pub async fn end(self) -> Result<WorkloadDone> {
        self.work.await.doing("waiting for the writers")?
    }

    /// Lets each writer finish its row, and waits for them.
    pub async fn stop(self) -> Result<WorkloadDone> {
        self.stop.store(true, Ordering::Relaxed);
        self.end().await
    }
}

pub(super) async fn write(
    scene: &Scene,
    database: &dyn Database,
    plan: Workload,
    span: &Span,
) -> Result<WorkloadDone> {
    let (writers, switches) = (plan.writers, plan.switches);
    let done = database.write(scene, plan, span).await?;
    scene.ledger.sync()?;
    let mut detail =
        format!("{} rows by {writers} writers · {} WAL segments", grouped(done.acknowledged), done.segments);
    if switches > 0 {
        detail.push_str(&format!(", switched {switches} times"));
    }
    if done.failed + done.indeterminate > 0 {
        detail.push_str(&format!(" · {} refused, {} unanswered", done.failed, done.indeterminate));
    }
    span.detail(detail);
    Ok(done)
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
