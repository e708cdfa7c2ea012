//! The local environment, and the birth of a castle in it.

use crate::{
    LocalConfig,
    plant::Plant,
    process::{self, Capsule, SharedMemory},
    server, shared_memory,
    template::{Contents, Template},
    tools::Tools,
};
use phoenix_core::{RecoveryTarget, report::BackupRecord};
use phoenix_drill::{
    Castle, CastlePlan, Doing, Environment, Error, KeyAfterFire, LogLine, RestoreInPlace, Result, Scene,
    SlowStore, Span, Work, environment::furnish_and_back_up,
};
use phoenix_postgres::settings::Pace;
use phoenix_repository::{StartError, castle, fired, must, slow_restore};
use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, OnceLock},
    time::Duration,
};

/// Processes on this machine, for one drill.
pub struct Local {
    config: LocalConfig,
    tools: Tools,
    plant: OnceLock<Arc<Plant>>,
}

impl Local {
    /// Finds the programs, or says what is missing and how to get it.
    pub async fn new(config: LocalConfig) -> Result<Self> {
        let tools = Tools::find(&config).await?;
        Ok(Self { config, tools, plant: OnceLock::new() })
    }

    /// The faults that can be armed in the embedded store, once a castle is born.
    pub async fn store_faults(&self) -> Option<phoenix_store::Faults> {
        let store = self.plant.get()?.embedded.as_ref()?.lock().await;
        store.as_ref().map(|server| server.faults().clone())
    }

    pub(crate) fn plant(&self) -> Result<&Arc<Plant>> {
        self.plant.get().ok_or_else(|| Error::Demand("there is no castle in this drill yet".into()))
    }

    /// Lays the ground of this drill's only castle.
    async fn laid(&self, scene: &Arc<Scene>, plan: CastlePlan, span: &Span) -> Result<Arc<Plant>> {
        let (config, tools) = (self.config.clone(), self.tools.clone());
        let laid = span.run("store", async |_| Plant::lay(config, tools, scene.clone(), plan).await);
        let plant = Arc::new(laid.await?);
        self.plant.set(plant.clone()).map_err(|_| Error::Demand("a drill has one birth".into()))?;
        plant.furnish(plan.repositories, KeyAfterFire::Kept)?;
        Ok(plant)
    }

    async fn born(&self, scene: &Arc<Scene>, plan: CastlePlan, span: &Span) -> Result<Box<dyn Castle>> {
        let plant = self.laid(scene, plan, span).await?;
        span.run("initdb", async |_| initdb(&plant).await).await?;
        plant.configure()?;
        let castle = started(&plant, span).await?;
        let create = plant.pgbackrest().stanza_create();
        span.run("stanza", async |_| must(&*plant, "stanza-create", &create).await).await?;
        span.detail("store, initdb, start, stanza");
        Ok(castle)
    }

    /// By a template, where there may be one: the first drill makes it of its own castle.
    async fn born_with_backup(
        &self,
        scene: &Arc<Scene>,
        plan: CastlePlan,
        span: &Span,
    ) -> Result<(Box<dyn Castle>, BackupRecord)> {
        let template = Template::of(&self.config, &self.tools, plan, &scene.settings);
        let mut lock = None;
        if let Some(template) = &template {
            let held = template.lock().await?;
            if let Some(contents) = template.contents() {
                drop(held);
                return self.copied(template, contents, scene, plan, span).await;
            }
            lock = Some(held);
        }
        let castle = self.born(scene, plan, span).await?;
        let backup = furnish_and_back_up(&*castle, scene, span).await?;
        let Some(template) = template else { return Ok((castle, backup)) };
        // with the castle goes its connection, for which the server would wait
        drop(castle);
        let plant = self.plant()?;
        span.run("stop", async |_| server::stop(plant).await).await?;
        span.run("template", async |_| template.take(plant, &backup).await).await?;
        drop(lock);
        span.detail("made a template");
        Ok((started(plant, span).await?, backup))
    }

    async fn copied(
        &self,
        template: &Template,
        contents: Contents,
        scene: &Arc<Scene>,
        plan: CastlePlan,
        span: &Span,
    ) -> Result<(Box<dyn Castle>, BackupRecord)> {
        let plant = self.laid(scene, plan, span).await?;
        span.run("template", async |_| template.give(&plant, &contents).await).await?;
        let castle = started(&plant, span).await?;
        span.detail("copied from a template");
        Ok((castle, contents.backup))
    }
}

async fn started(plant: &Arc<Plant>, span: &Span) -> Result<Box<dyn Castle>> {
    let started =
        span.run("start", async |span| server::start(plant, span).await.map_err(StartError::at_birth));
    Ok(castle(plant.clone(), started.await?))
}

async fn initdb(plant: &Plant) -> Result<()> {
    let program = plant.tools.postgres_bin.join("initdb").display().to_string();
    let megabytes = plant.segment_size.bytes() >> 20;
    let data = plant.data().display().to_string();
    let mut argv: Vec<String> =
        [&program, "-D", &data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]
            .map(str::to_owned)
            .into();
    argv.extend([format!("--wal-segsize={megabytes}"), "--data-checksums".to_owned()]);
    if plant.config.shipped.pace() == Pace::Fast {
        argv.push("--no-sync".to_owned());
    }
    let capsule = Capsule { shared_memory: SharedMemory::Forbidden, ..plant.capsule.clone() };
    capsule.run(&plant.scene.evidence, "initdb", &argv).await?.must("initdb").map(drop)
}

impl Environment for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    fn properties(&self) -> BTreeMap<String, String> {
        let properties = [
            ("postgresql", self.tools.postgres.to_string()),
            ("pgbackrest", self.tools.pgbackrest.to_string()),
            ("storage", self.config.storage.word().to_owned()),
            ("capsule", self.tools.capsule.word().to_owned()),
            ("victim_user", self.tools.victim_user.clone().unwrap_or_else(|| "the harness's own".to_owned())),
            ("archive_timeout_seconds", self.config.archive_timeout_s.to_string()),
        ];
        properties.map(|(name, value)| (name.to_owned(), value)).into()
    }

    fn birth<'a>(
        &'a self,
        scene: &'a Arc<Scene>,
        plan: CastlePlan,
        span: &'a Span,
    ) -> Work<'a, Box<dyn Castle>> {
        Box::pin(self.born(scene, plan, span))
    }

    fn birth_with_backup<'a>(
        &'a self,
        scene: &'a Arc<Scene>,
        plan: CastlePlan,
        span: &'a Span,
    ) -> Work<'a, (Box<dyn Castle>, BackupRecord)> {
        Box::pin(self.born_with_backup(scene, plan, span))
    }

    fn collect_logs<'a>(&'a self, scene: &'a Scene) -> Work<'a, Vec<LogLine>> {
        Box::pin(async { scene.evidence.log_lines() })
    }

    fn faults(&self) -> Work<'_, Vec<String>> {
        Box::pin(async {
            let mut happened = self.plant.get().map(|plant| plant.vault.planted()).unwrap_or_default();
            happened.extend(self.store_faults().await.as_ref().map(fired).unwrap_or_default());
            Ok(happened)
        })
    }

    fn stop<'a>(&'a self, _scene: &'a Scene) -> Work<'a, ()> {
        Box::pin(async {
            let Some(plant) = self.plant.get() else { return Ok(()) };
            let memory = shared_memory::of(&plant.data());
            if let Some(mut server) = plant.server.lock().await.take() {
                server.kill().await?;
            }
            process::extinguish(|| plant.processes()).await?;
            shared_memory::release(memory).await?;
            if let Some(store) = &plant.embedded
                && let Some(server) = store.lock().await.take()
            {
                server.shutdown().await;
            }
            Ok(())
        })
    }

    fn remove<'a>(&'a self, scene: &'a Scene) -> Work<'a, ()> {
        Box::pin(async { crate::sweep::remove(scene.run.as_str(), &scene.register.resources()?).await })
    }

    fn reopen(&self) -> Vec<String> {
        let Some(plant) = self.plant.get() else { return Vec::new() };
        let root = plant.root.display();
        vec![
            format!("phoenix store --directory {root}/store    # serve what the store held"),
            format!("ls {root}                                 # what is left of the castle"),
            "phoenix sweep --kept                              # remove all of it".to_owned(),
        ]
    }
}

impl RestoreInPlace for Local {
    fn restore_in_place<'a>(
        &'a self,
        castle: Box<dyn Castle>,
        target: RecoveryTarget,
        span: &'a Span,
    ) -> Work<'a, Box<dyn Castle>> {
        Box::pin(async move {
            drop(castle);
            let plant = self.plant()?;
            if let Some(mut server) = plant.server.lock().await.take() {
                server.kill().await?;
            }
            // the server was killed, not stopped: its lock file is stale, and pgBackRest would believe it
            fs::remove_file(plant.data().join("postmaster.pid")).doing("removing a stale postmaster.pid")?;
            let argv = plant.pgbackrest().restore_in_place(&target, 2, &plant.seal());
            span.run("restore", async |_| must(&**plant, "restore", &argv).await).await?;
            let started = span
                .run("start", async |span| server::start(plant, span).await.map_err(StartError::at_rebirth));
            Ok(phoenix_repository::castle(plant.clone(), started.await?))
        })
    }
}

impl SlowStore for Local {
    fn slow_restores(&self, delay: Duration) -> Work<'_, ()> {
        Box::pin(async move {
            let faults = self.store_faults().await;
            let faults =
                faults.ok_or_else(|| Error::Demand("only the embedded store can be made slow".into()))?;
            faults.arm(slow_restore(delay)).doing("making the store slow")
        })
    }

    fn heal_store(&self) -> Work<'_, Vec<String>> {
        Box::pin(async {
            let Some(faults) = self.store_faults().await else { return Ok(Vec::new()) };
            faults.disarm_all();
            Ok(fired(&faults))
        })
    }
}
