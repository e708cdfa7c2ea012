//! The drill and its verbs: what a scenario says, in the order in which it says it.

use crate::{
    Announced, Ashes, BackupKind, Castle, CastlePlan, Database, Doing, Environment, Error, Identity,
    Inserted, KeyAfterFire, NewRow, RebirthPlan, Rebirthing, Result, Scene, Span, Target, Wait, Workload,
    WorkloadDone, environment::not_reborn, wait_for,
};
use chrono::{DateTime, TimeDelta, Utc};
use phoenix_core::{
    Account, Deeds, Entry, Finding, Lsn, Promise, Provenance, RecoveryTarget, Report, RowId, Verdict,
    WalSegment,
    ledger::{self, Outcome},
    report::{BackupRecord, RebirthRecord},
    rpo::{self, Assistance},
    verdict,
};
use std::{sync::Arc, time::Duration};
use uuid::Uuid;

/// How long the store may take to hold a segment that was switched out.
const ARCHIVE_DEADLINE: Duration = Duration::from_secs(60);
/// How often the WAL is switched within a workload, so that few rows still fill several segments.
const SWITCHES: u32 = 3;

/// One drill under way.
pub struct Drill {
    pub(crate) scene: Arc<Scene>,
    pub(crate) report: Report,
    pub(crate) announced: Vec<Announced>,
    source: Option<Identity>,
    shown: Vec<RowId>,
    assistance: Assistance,
}

impl Drill {
    pub(crate) fn new(scene: Arc<Scene>, report: Report) -> Self {
        let (announced, shown) = (Vec::new(), Vec::new());
        Self { scene, report, announced, source: None, shown, assistance: Assistance::Assisted }
    }

    /// What this drill is asked to do.
    pub fn settings(&self) -> &crate::Settings {
        &self.scene.settings
    }

    /// Says that a log line which contains this is part of the scenario, and why.
    pub fn announce(&mut self, contains: &str, why: &str) {
        self.announced.push(Announced::new(contains, why));
    }

    /// Changes what this drill must do at least for a green to mean something.
    pub fn demand(&mut self, demand: Deeds) {
        self.report.demand = demand;
    }

    /// Without this the drill proves nothing.
    pub fn require(&self, held: impl Into<Option<bool>>, what: &str) -> Result<()> {
        match held.into() {
            Some(true) => Ok(()),
            Some(false) | None => Err(Error::Demand(what.to_owned())),
        }
    }

    /// Raises a castle with an empty repository and the table `memories`.
    pub async fn birth(&mut self, place: &(impl Environment + ?Sized)) -> Result<Box<dyn Castle>> {
        self.birth_as(place, CastlePlan::default()).await
    }

    /// Raises a castle built to a plan.
    pub async fn birth_as(
        &mut self,
        place: &(impl Environment + ?Sized),
        plan: CastlePlan,
    ) -> Result<Box<dyn Castle>> {
        let scene = &self.scene;
        let born = scene.spans.run("birth", async |span| {
            let castle = place.birth(scene, plan, span).await?;
            let database = castle.database();
            let identity = database.identity().await?;
            database.create_table().await?;
            Ok((castle, identity))
        });
        let (castle, identity) = born.await?;
        self.source = Some(identity);
        self.report.properties.insert("system_identifier".into(), identity.system_identifier.to_string());
        self.report.properties.insert("wal_segment_bytes".into(), identity.segment_size.bytes().to_string());
        self.report.properties.extend(place.properties());
        if scene.settings.size_bytes > 0 {
            let (bytes, database) = (scene.settings.size_bytes, castle.database());
            scene.spans.run("fill", async |span| database.fill(bytes, span).await).await?;
        }
        self.save()?;
        Ok(castle)
    }

    /// Inserts one row that a person will want to see again.
    pub async fn insert(&mut self, castle: &dyn Castle, content: &str) -> Result<Inserted> {
        let (scene, database) = (&self.scene, castle.database());
        let name: Vec<_> = content.splitn(3, '_').take(2).collect();
        let name = format!("insert {}", name.join("_"));
        let inserted = scene.spans.run(&name, async |span| {
            let row =
                NewRow { row: RowId(Uuid::new_v4()), content: content.to_owned(), label: content.to_owned() };
            let inserted = database.insert(scene, row).await?;
            span.detail(format!("lsn {} · xid {}", inserted.commit.lsn_after, inserted.commit.xid));
            Ok(inserted)
        });
        let inserted = inserted.await?;
        self.shown.push(inserted.row);
        Ok(inserted)
    }

    fn workload_plan(&self, rows: Option<u64>, switches: u32) -> Workload {
        let settings = &self.scene.settings;
        let seed = settings.seed.wrapping_add(u64::from(self.scene.life()));
        Workload { rows, writers: settings.writers, pad_bytes: settings.pad_bytes, switches, seed }
    }

    /// Inserts the rows that the settings ask for, by as many writers, switching the WAL on the way.
    pub async fn workload(&mut self, castle: &dyn Castle) -> Result<WorkloadDone> {
        let (scene, database) = (&self.scene, castle.database());
        let plan = self.workload_plan(Some(scene.settings.rows), SWITCHES);
        scene.spans.run("workload", async |span| write(scene, &*database, plan, span).await).await
    }

    /// Starts writers that go on until the server is gone. Nothing switches the WAL for them.
    pub fn endless_workload(&mut self, castle: &dyn Castle) -> EndlessWorkload {
        self.assistance = Assistance::Unassisted;
        let (scene, database) = (self.scene.clone(), castle.database());
        let plan = self.workload_plan(None, 0);
        EndlessWorkload(tokio::spawn(async move {
            let work = async |span: &Span| write(&scene, &*database, plan, span).await;
            scene.spans.run("workload until killed", work).await
        }))
    }

    /// Takes a backup.
    pub async fn backup(&mut self, castle: &dyn Castle, kind: BackupKind) -> Result<BackupRecord> {
        let scene = &self.scene;
        let backup = scene.spans.run("backup", async |span| {
            let backup = castle.backup(kind, span).await?;
            let (label, interval) = (backup.label.clone(), backup.interval);
            scene.ledger.append(&[Entry::Backup { label, interval, at: scene.now() }])?;
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
        self.report.backups.push(backup.clone());
        self.save()?;
        Ok(backup)
    }

    /// Switches the WAL and waits until the store holds every segment since the last backup's start.
    pub async fn archive_everything(&mut self, castle: &dyn Castle) -> Result<()> {
        let (scene, database) = (&self.scene, castle.database());
        let Some(backup) = self.report.backups.last().cloned() else {
            return Err(Error::Demand("nothing was backed up before the WAL was archived".into()));
        };
        let after = scene.spans.run("archive", async |span| {
            let identity = database.identity().await?;
            let end = database.switch_wal().await?;
            let (timeline, size) = (identity.timeline, identity.segment_size);
            let first = WalSegment::containing(timeline, backup.interval.start, size);
            let stop = WalSegment::ending_at(timeline, backup.interval.stop, size);
            let last = WalSegment::ending_at(timeline, end, size);
            let what = format!("segments {} to {} in the store", first.name(size), last.name(size));
            wait_for(&what, ARCHIVE_DEADLINE, Duration::from_millis(10), || async {
                let held = castle.segments_in_store().await?;
                let missing: Vec<_> = first.through(last).filter(|segment| !held.contains(segment)).collect();
                let Some(next) = missing.first() else { return Ok(Wait::Ready(())) };
                Ok(Wait::NotYet(format!("{} missing, first {}", missing.len(), next.name(size))))
            })
            .await?;
            span.detail(format!("{} to {} are in the store", first.name(size), last.name(size)));
            Ok(last.number - stop.number)
        });
        self.report.deeds.segments_after_backup = after.await?;
        self.report.deeds.wal_only_rows = self.rows_in_wal_alone()?;
        self.save()
    }

    /// Acknowledged rows in the ledger that lie after the last backup's stop.
    fn rows_in_wal_alone(&self) -> Result<u64> {
        let Some(backup) = self.report.backups.last() else { return Ok(0) };
        let attempts = ledger::attempts(&self.scene.ledger.read_back()?).doing("reading the ledger")?;
        let alone = |outcome: &Outcome| match outcome {
            Outcome::Ok { commit, .. } => Provenance::of(*commit, backup.interval) == Provenance::WalAlone,
            Outcome::Failed | Outcome::Indeterminate => false,
        };
        Ok(attempts.values().filter(|attempt| alone(&attempt.outcome)).count() as u64)
    }

    /// Waits until the store holds a whole segment written after the last backup, unasked.
    pub async fn first_segment_after_backup(&mut self, castle: &dyn Castle) -> Result<()> {
        let (Some(source), Some(backup)) = (self.source, self.report.backups.last()) else {
            return Err(Error::Demand("there was no castle with a backup".into()));
        };
        let stop = WalSegment::ending_at(source.timeline, backup.interval.stop, source.segment_size);
        let awaited = self.scene.spans.run("archive, unasked", async |span| {
            wait_for(
                "a segment after the backup in the store",
                ARCHIVE_DEADLINE,
                Duration::from_millis(20),
                || async {
                    let held = castle.segments_in_store().await?;
                    let after = held.iter().filter(|segment| **segment > stop).count();
                    Ok(if after > 0 {
                        Wait::Ready(after)
                    } else {
                        Wait::NotYet(format!("{} segments", held.len()))
                    })
                },
            )
            .await
            .map(|after| span.detail(format!("{after} segments after the backup are in the store")))
        });
        awaited.await
    }

    /// Destroys the castle, with proof.
    pub async fn wipe(&mut self, castle: Box<dyn Castle>) -> Result<Box<dyn Ashes>> {
        self.burn(async |span: &Span| castle.wipe(span).await).await
    }

    /// Destroys a castle that is just being reborn, with proof.
    pub async fn wipe_again(&mut self, rebirthing: Box<dyn Rebirthing>) -> Result<Box<dyn Ashes>> {
        self.burn(async |span: &Span| rebirthing.wipe(span).await).await
    }

    async fn burn(
        &mut self,
        wipe: impl AsyncFnOnce(&Span) -> Result<Box<dyn Ashes>>,
    ) -> Result<Box<dyn Ashes>> {
        let scene = &self.scene;
        scene.ledger.append(&[Entry::Disaster { at: scene.now() }])?;
        scene.ledger.sync()?;
        let ashes = scene.spans.run("wipe", async |span| {
            let ashes = wipe(span).await?;
            let inventory = ashes.inventory();
            let counts: Vec<_> =
                inventory.left.iter().map(|(what, count)| format!("{count} {what}")).collect();
            if !inventory.is_clean() || counts.is_empty() {
                let left = inventory.remains.join(", ");
                return Err(Error::Demand(format!("the wipe left {}: {left}", counts.join(", "))));
            }
            span.detail(format!("{} · nothing left: {}", inventory.method, counts.join(", ")));
            Ok(ashes)
        });
        let ashes = ashes.await?;
        self.report.wipes.push(ashes.inventory().clone());
        self.report.deeds.wipes += 1;
        self.save()?;
        Ok(ashes)
    }

    /// Counts what the store held when the victim was dead, and gives the end of its last segment on
    /// the source's timeline that can be reached from the last backup without a gap.
    pub async fn end_of_store(&mut self, ashes: &dyn Ashes) -> Result<Lsn> {
        let (Some(source), Some(backup)) = (self.source, self.report.backups.last()) else {
            return Err(Error::Demand("there was no castle with a backup".into()));
        };
        let (timeline, size) = (source.timeline, source.segment_size);
        let held = ashes.segments_in_store().await?;
        let first = WalSegment::containing(timeline, backup.interval.start, size);
        let stop = WalSegment::ending_at(timeline, backup.interval.stop, size);
        let endless = WalSegment { timeline, number: u64::MAX };
        let reach = first.through(endless).take_while(|segment| held.contains(segment)).last();
        let Some(last) = reach else {
            return Err(Error::Demand("the store does not hold the backup's own WAL".into()));
        };
        self.report.deeds.segments_after_backup = last.number.saturating_sub(stop.number);
        self.report.deeds.wal_only_rows = self.rows_in_wal_alone()?;
        Ok(last.end(size))
    }

    /// Brings the castle back from the store alone.
    pub async fn rebirth(
        &mut self,
        ashes: Box<dyn Ashes>,
        target: RecoveryTarget,
    ) -> Result<Box<dyn Castle>> {
        self.rebirth_as(ashes, RebirthPlan { target, key: KeyAfterFire::Kept }).await
    }

    /// Brings the castle back to a plan.
    pub async fn rebirth_as(&mut self, ashes: Box<dyn Ashes>, plan: RebirthPlan) -> Result<Box<dyn Castle>> {
        let target = plan.target.clone();
        self.report.deeds.restores += 1;
        self.come_back(target, async |span: &Span| ashes.rebirth(plan, span).await?.ready(span).await).await
    }

    /// Begins to bring the castle back, and returns while the restore is midway.
    pub async fn begin_rebirth(
        &mut self,
        ashes: Box<dyn Ashes>,
        target: RecoveryTarget,
    ) -> Result<Box<dyn Rebirthing>> {
        let plan = RebirthPlan { target, key: KeyAfterFire::Kept };
        self.report.deeds.restores += 1;
        let begun = self.scene.spans.run("rebirth begun", async |span| {
            let mut rebirthing = ashes.rebirth(plan, span).await?;
            span.detail(rebirthing.midway().await?);
            Ok(rebirthing)
        });
        begun.await
    }

    /// Takes a living castle back in place, from its local repository.
    pub async fn restore_in_place(
        &mut self,
        place: &(impl crate::RestoreInPlace + ?Sized),
        castle: Box<dyn Castle>,
        target: RecoveryTarget,
    ) -> Result<Box<dyn Castle>> {
        let goal = target.clone();
        self.report.deeds.restores += 1;
        let scene = &self.scene;
        scene.ledger.append(&[Entry::Disaster { at: scene.now() }])?;
        scene.ledger.sync()?;
        self.come_back(goal, async |span: &Span| place.restore_in_place(castle, target, span).await).await
    }

    async fn come_back(
        &mut self,
        target: RecoveryTarget,
        restore: impl AsyncFnOnce(&Span) -> Result<Box<dyn Castle>>,
    ) -> Result<Box<dyn Castle>> {
        let (scene, source) = (&self.scene, self.source);
        let back = scene.spans.run("rebirth", async |span| {
            let castle = restore(span).await?;
            let identity = castle.database().identity().await?;
            if source.is_some_and(|source| source.system_identifier != identity.system_identifier) {
                return Err(not_reborn(foreign(identity)));
            }
            let (kind, timeline) = (target.kind(), identity.timeline);
            span.detail(format!("{kind} · timeline {timeline} · same system identifier · promoted"));
            Ok((castle, identity))
        });
        let (castle, identity) = back.await?;
        scene.spans.run("query", async |_| castle.database().memories(&self.shown).await).await?;
        let timeline = identity.timeline;
        scene.ledger.append(&[Entry::Rebirth { timeline, at: scene.now() }])?;
        scene.life.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let system_identifier = identity.system_identifier;
        self.report.rebirths.push(RebirthRecord { target, timeline, system_identifier });
        self.source = Some(identity);
        self.save()?;
        Ok(castle)
    }

    /// The target that the settings ask for; `name`, `time`, `lsn` and `xid` mean the moment that has come now.
    pub async fn target(&mut self, castle: &dyn Castle) -> Result<RecoveryTarget> {
        match self.scene.settings.target.clone() {
            Target::Given(target) => Ok(target),
            Target::Here(kind) => self.point(castle, kind).await.map(|(target, _)| target),
            Target::Sealed => self.seal(castle).await,
        }
    }

    /// Makes a unique restore point that a sealed recovery must reach.
    pub async fn seal(&mut self, castle: &dyn Castle) -> Result<RecoveryTarget> {
        let name = self.restore_point_name();
        castle.database().restore_point(&name).await?;
        Ok(RecoveryTarget::Sealed(name))
    }

    fn restore_point_name(&self) -> String {
        // at most 63 characters, and unique: names match first
        let unique = Uuid::new_v4().simple().to_string();
        format!("phoenix-{}-{}", self.scene.run.slug(), &unique[..16])
    }

    /// Marks the moment that has come as a recovery target of this kind, with the position up to
    /// which rows are then promised. Nobody may be writing.
    pub async fn point(&mut self, castle: &dyn Castle, kind: &str) -> Result<(RecoveryTarget, Lsn)> {
        let (scene, database) = (&self.scene, castle.database());
        let backup = self.report.backups.last().map(|backup| backup.completed_at);
        scene
            .spans
            .run("target", async |span| {
                let lsn = database.insert_position().await?;
                let target = match kind {
                    "lsn" => RecoveryTarget::Lsn(lsn),
                    "time" => RecoveryTarget::Time(quiet_time(&*database, backup).await?),
                    "xid" => RecoveryTarget::Xid(last_xid(scene)?),
                    "name" => {
                        let name = self.restore_point_name();
                        database.restore_point(&name).await?;
                        RecoveryTarget::Name(name)
                    }
                    _ => {
                        return Err(Error::usage(
                            format!("'{kind}' is no kind of recovery target"),
                            "lsn, time, xid or name",
                        ));
                    }
                };
                span.detail(target.to_string());
                Ok((target, lsn))
            })
            .await
    }

    /// Reads every row of this run and holds the account against the promise.
    pub async fn judge(&mut self, castle: &dyn Castle, promise: Promise) -> Result<Verdict> {
        let (scene, database) = (&self.scene, castle.database());
        let read = scene.spans.run("account", async |span| {
            let rows = database.read(scene).await?;
            span.detail(format!("{} rows read", rows.len()));
            Ok(rows)
        });
        let rows: Vec<_> = read.await?.into_iter().map(Entry::Read).collect();
        scene.ledger.append(&rows)?;
        scene.ledger.sync()?;
        let entries = scene.ledger.read_back()?;
        let account = Account::of(&entries, &promise).doing("drawing up the account")?;
        let verdict = verdict::judge(&account, &promise, &self.report.deeds, &self.report.demand);
        self.report.memories = database.memories(&self.shown).await?;
        self.trace(&entries)?;
        self.report.rto = rpo::rto(&entries);
        let rpo = phoenix_core::Rpo::measure(&account, &entries, self.assistance);
        self.report.over_budget = rpo::over_budget(&self.report.budget, self.report.rto, Some(&rpo));
        (self.report.rpo, self.report.promise, self.report.account) =
            (Some(rpo), Some(promise), Some(account));
        self.save()?;
        Ok(verdict)
    }

    /// Says of every row that came back where it came back from. The last backup before the last
    /// disaster counts.
    fn trace(&mut self, entries: &[Entry]) -> Result<()> {
        let Some(backup) = self.report.backups.last().map(|backup| backup.interval) else { return Ok(()) };
        let attempts = ledger::attempts(entries).doing("reading the ledger")?;
        let commit = |row: &RowId| match attempts.get(row)?.outcome {
            Outcome::Ok { commit, .. } => Some(commit),
            Outcome::Failed | Outcome::Indeterminate => None,
        };
        let provenance = |row: &RowId| commit(row).map(|commit| Provenance::of(commit, backup));
        let mut count = phoenix_core::report::ProvenanceCount::default();
        for row in ledger::reads(entries) {
            match provenance(&row.row) {
                Some(Provenance::Backup) => count.backup += 1,
                Some(Provenance::BackupWal) => count.backup_wal += 1,
                Some(Provenance::WalAlone) => count.wal_alone += 1,
                Some(Provenance::Straddles) => count.straddles += 1,
                None => {}
            }
        }
        self.report.provenance = count;
        for memory in &mut self.report.memories {
            (memory.commit, memory.provenance) = (commit(&memory.row), provenance(&memory.row));
        }
        Ok(())
    }

    /// Writes down what is known so far.
    pub(crate) fn save(&mut self) -> Result<()> {
        self.scene.ledger.sync()?;
        self.report.spans = self.scene.spans.records();
        self.scene.evidence.report(&self.report)
    }
}

/// Writers at work until the server is gone.
pub struct EndlessWorkload(tokio::task::JoinHandle<Result<WorkloadDone>>);

impl EndlessWorkload {
    /// Waits for the writers to notice that the server is gone.
    pub async fn end(self) -> Result<WorkloadDone> {
        self.0.await.doing("waiting for the writers")?
    }
}

async fn write(scene: &Scene, database: &dyn Database, plan: Workload, span: &Span) -> Result<WorkloadDone> {
    let (writers, switches) = (plan.writers, plan.switches);
    let done = database.write(scene, plan, span).await?;
    scene.ledger.sync()?;
    let mut detail =
        format!("{} rows by {writers} writers · {} WAL segments", done.acknowledged, done.segments);
    if switches > 0 {
        detail.push_str(&format!(", switched {switches} times"));
    }
    if done.failed + done.indeterminate > 0 {
        detail.push_str(&format!(" · {} refused, {} unanswered", done.failed, done.indeterminate));
    }
    span.detail(detail);
    Ok(done)
}

/// A time on the server's clock with nothing committed around it, in a second after the backup's.
async fn quiet_time(database: &dyn Database, backup: Option<DateTime<Utc>>) -> Result<DateTime<Utc>> {
    let start = database.clock().await?;
    let earliest = backup.map_or(start, |backup| start.max(backup + TimeDelta::seconds(1)));
    let target = clock_past(database, earliest).await?;
    clock_past(database, target).await?;
    database.tick().await?;
    Ok(target)
}

/// Waits until the server's clock is well past a time, and gives what it says then.
async fn clock_past(database: &dyn Database, time: DateTime<Utc>) -> Result<DateTime<Utc>> {
    wait_for("the server's clock to move on", Duration::from_secs(10), Duration::from_millis(2), || async {
        let now = database.clock().await?;
        let past = now - time > TimeDelta::milliseconds(5);
        Ok(if past { Wait::Ready(now) } else { Wait::NotYet(now.to_string()) })
    })
    .await
}

/// The transaction that committed last, as the ledger knows it.
fn last_xid(scene: &Scene) -> Result<phoenix_core::Xid> {
    let entries = scene.ledger.read_back()?;
    let commits = entries.iter().filter_map(|entry| match entry {
        Entry::Ok { commit, .. } => Some(commit),
        _ => None,
    });
    let last = commits.max_by_key(|commit| commit.lsn_after);
    last.map(|commit| commit.xid)
        .ok_or_else(|| Error::Demand("nothing was committed before the target".into()))
}

fn foreign(identity: Identity) -> Finding {
    let sentence =
        format!("another cluster came back: its system identifier is {}", identity.system_identifier);
    Finding::certain(
        "foreign-cluster",
        sentence,
        "look which cluster archives to this repository, and since when",
    )
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
