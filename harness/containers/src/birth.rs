//! The containers environment, and the birth of a castle in it.

use crate::{
    ContainersConfig, inventory,
    plant::Plant,
    server, store,
    victim::{Container, DATA, Furniture, PORT, ROOT, SEAL, SOCKET, write_file},
};
use futures::future::join_all;
use phoenix_core::RecoveryTarget;
use phoenix_docker::{Engine, Yard, keep_log, names::RUN, remove};
use phoenix_drill::{
    Castle, CastlePlan, Environment, Error, KeyAfterFire, LogLine, Resource, RestoreInPlace, Result, Scene,
    Span, Work,
};
use phoenix_postgres::settings::{Listen, Pace, ServerSettings, postgresql_conf};
use phoenix_repository::{StartError, castle, must};
use phoenix_store::Inspector;
use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};
use tokio::sync::RwLock;

/// Containers in a Docker engine, for one drill.
pub struct Containers {
    config: ContainersConfig,
    engine: Engine,
    plant: OnceLock<Arc<Plant>>,
    born: OnceLock<Container>,
    /// Held while the engine makes something for this drill.
    making: Arc<RwLock<()>>,
}

impl Containers {
    /// Finds the engine, or says how to get one.
    pub async fn new(config: ContainersConfig) -> Result<Self> {
        let engine = Engine::connect().await?;
        Ok(Self { config, engine, plant: OnceLock::new(), born: OnceLock::new(), making: Arc::default() })
    }

    /// The client that looks into the store, once a castle is born.
    pub fn store_inspector(&self) -> Result<Inspector> {
        self.plant()?.vault.inspector()
    }

    pub(crate) fn plant(&self) -> Result<&Arc<Plant>> {
        self.plant.get().ok_or_else(|| Error::Demand("there is no castle in this drill yet".into()))
    }

    async fn born(&self, scene: &Arc<Scene>, plan: CastlePlan, span: &Span) -> Result<Box<dyn Castle>> {
        let yard = Yard::open(self.engine.clone(), scene.clone(), self.making.clone())?;
        let plant = Arc::new(Plant::lay(self.config.clone(), yard, plan, span).await?);
        self.plant.set(plant.clone()).map_err(|_| Error::Demand("a drill has one birth".into()))?;
        let furniture = Furniture { repositories: plan.repositories, key: KeyAfterFire::Kept };
        let image = plant.images.victim.clone();
        // neither needs the other before the server archives
        let store = span.run("store", async |_| {
            plant.vault.look_through(store::open(&plant).await?);
            Ok(())
        });
        let victim = async {
            let container =
                span.run("container", async |_| plant.raise(&image, None, furniture).await).await?;
            room(&plant).await?;
            span.run("initdb", async |_| initdb(&plant, &container).await).await?;
            Ok(container)
        };
        let ((), container) = futures::try_join!(store, victim)?;
        // a drill has one birth
        let _ = self.born.set(container.clone());
        let sql =
            span.run("start", async |span| server::start(&plant, span).await.map_err(StartError::at_birth));
        let sql = sql.await?;
        let create = plant.pgbackrest().stanza_create();
        span.run("stanza", async |_| must(&*plant, "stanza-create", &create).await).await?;
        let (postgres, pgbackrest) = (container.postgres, container.pgbackrest);
        span.detail(format!(
            "store, container, initdb, start, stanza · postgresql {postgres} · pgbackrest {pgbackrest}"
        ));
        Ok(castle(plant, sql))
    }
}

/// Bulk data is there three times for a while: in the cluster, in its WAL and in the store, which mostly
/// share the engine's disk.
async fn room(plant: &Plant) -> Result<()> {
    let size = plant.yard.scene.settings.size_bytes;
    if size == 0 {
        return Ok(());
    }
    let argv = ["df", "-Pk", DATA].map(str::to_owned);
    let printed = must(plant, "room for the bulk data", &argv).await?;
    let free = printed.lines().nth(1).and_then(|line| line.split_whitespace().nth(3)?.parse::<u64>().ok());
    let free = free.ok_or_else(|| Error::unverified("looking for room", "df does not say"))? * 1024;
    let needed = size.saturating_mul(3);
    if needed <= free {
        return Ok(());
    }
    let [size, needed, free] = [size, needed, free].map(|bytes| bytes / 1_000_000);
    let what = format!("{size} MB of bulk data need {needed} MB, and the engine's disk has {free} MB");
    Err(Error::usage(what, "choose a smaller --size, or make room where the engine keeps its volumes"))
}

/// Makes a cluster that listens, archives, and wants a password from whoever comes by the network.
async fn initdb(plant: &Plant, container: &Container) -> Result<()> {
    let (bin, megabytes) = (&container.bin, plant.segment_size.bytes() >> 20);
    let sync = if plant.config.shipped.pace() == Pace::Fast { " --no-sync" } else { "" };
    let settings = ServerSettings {
        listen: Listen::Everywhere,
        socket_directory: SOCKET.to_owned(),
        port: PORT,
        archive_command: plant.pgbackrest().archive_command(),
        archive_timeout_s: plant.config.archive_timeout_s,
        pace: plant.config.shipped.pace(),
        shipped: plant.config.shipped.postgresql.clone(),
    };
    let text = postgresql_conf(&settings);
    let password = format!("{ROOT}/conf/password");
    let script = [
        "set -eu\n".to_owned(),
        write_file(&password, plant.password.expose(), "600"),
        format!(
            "{bin}/initdb -D {DATA} -U postgres --pwfile={password} --auth-local=trust --auth-host=scram-sha-256 \
             --encoding=UTF8 --locale=C --data-checksums --wal-segsize={megabytes}{sync}\nrm {password}\n"
        ),
        write_file(&format!("{ROOT}/conf/settings"), &text, "600"),
        format!("cat {ROOT}/conf/settings >>{DATA}/postgresql.conf\n"),
        write_file(&format!("{DATA}/pg_hba.conf"), Listen::Everywhere.pg_hba_conf(), "600"),
    ];
    let user = &plant.config.victim_user;
    plant.script(&container.name, user, "initdb", &script.concat()).await?;
    let evidence = &plant.yard.scene.evidence;
    evidence.remark(&format!("appended to `postgresql.conf`:\n```ini\n{}```", text.trim_start()))
}

impl Environment for Containers {
    fn name(&self) -> &'static str {
        "containers"
    }

    fn properties(&self) -> BTreeMap<String, String> {
        let mut properties = BTreeMap::from([
            ("docker", self.engine.version.clone()),
            ("archive_timeout_seconds", self.config.archive_timeout_s.to_string()),
        ]);
        if let (Some(container), Some(plant)) = (self.born.get(), self.plant.get()) {
            properties.insert("postgresql", container.postgres.to_string());
            properties.insert("pgbackrest", container.pgbackrest.to_string());
            properties.insert("victim_image", container.image.clone());
            properties.insert("rebirth_image", plant.images.rebirth.clone());
            let store = match &self.config.store {
                Some(store) => format!("{}:{}", store.host, store.port),
                None => plant.images.store.clone(),
            };
            properties.insert("store", store);
        }
        properties.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn birth<'a>(
        &'a self,
        scene: &'a Arc<Scene>,
        plan: CastlePlan,
        span: &'a Span,
    ) -> Work<'a, Box<dyn Castle>> {
        Box::pin(self.born(scene, plan, span))
    }

    fn collect_logs<'a>(&'a self, scene: &'a Scene) -> Work<'a, Vec<LogLine>> {
        Box::pin(async {
            let _made = self.making.write().await;
            for resource in scene.register.resources()? {
                if let Resource::Container { name } = resource
                    && self.engine.container(&name).await?.is_some()
                {
                    keep_log(&self.engine, scene, &name).await?;
                }
            }
            scene.evidence.log_lines()
        })
    }

    fn faults(&self) -> Work<'_, Vec<String>> {
        Box::pin(self.everything_planted())
    }

    fn stop<'a>(&'a self, scene: &'a Scene) -> Work<'a, ()> {
        Box::pin(async {
            let _made = self.making.write().await;
            if let Some(plant) = self.plant.get()
                && let Some(proxy) = plant.detour.take().await
            {
                proxy.shutdown().await;
            }
            let resources = scene.register.resources()?;
            let kills = resources.iter().filter_map(|resource| match resource {
                Resource::Container { name } => Some(self.engine.kill(name)),
                _ => None,
            });
            join_all(kills).await.into_iter().collect()
        })
    }

    fn remove<'a>(&'a self, scene: &'a Scene) -> Work<'a, ()> {
        Box::pin(async {
            let _made = self.making.write().await;
            remove(&self.engine, scene.run.as_str(), &scene.register.resources()?).await
        })
    }

    fn reopen(&self) -> Vec<String> {
        let Some(plant) = self.plant.get() else { return Vec::new() };
        let run = plant.yard.scene.run.as_str();
        let label = format!("--filter label={RUN}={run}");
        let mut commands = vec![
            format!("docker ps --all {label}         # its containers, dead"),
            format!("docker volume ls {label}        # what they wrote"),
        ];
        if let Some(store) = &plant.store {
            commands.push(format!("docker start {}     # serve what the store held", store.name));
        }
        commands.push("phoenix sweep --kept         # remove all of it".to_owned());
        commands
    }
}

impl RestoreInPlace for Containers {
    fn restore_in_place<'a>(
        &'a self,
        castle: Box<dyn Castle>,
        target: RecoveryTarget,
        span: &'a Span,
    ) -> Work<'a, Box<dyn Castle>> {
        Box::pin(async move {
            drop(castle);
            let plant = self.plant()?;
            self.raise_again(span).await?;
            // the server was killed, not stopped: its lock file is stale, and pgBackRest would believe it
            let stale = ["rm".to_owned(), "-f".to_owned(), format!("{DATA}/postmaster.pid")];
            must(&**plant, "remove a stale postmaster.pid", &stale).await?;
            let argv = plant.pgbackrest().restore_in_place(&target, 2, SEAL);
            span.run("restore", async |_| must(&**plant, "restore", &argv).await).await?;
            let started = span
                .run("start", async |span| server::start(plant, span).await.map_err(StartError::at_rebirth));
            Ok(phoenix_repository::castle(plant.clone(), started.await?))
        })
    }
}

impl Containers {
    /// Kills the victim's container, if it is not dead, and raises another on its named volumes.
    pub(crate) async fn raise_again(&self, span: &Span) -> Result<Container> {
        let plant = self.plant()?;
        let dead = plant.container().await?;
        inventory::kill(plant, &dead).await?;
        plant.yard.keep_log(&dead.name).await?;
        plant.yard.engine.remove_container(&dead.name).await?;
        let furniture = Furniture { repositories: plant.plan.repositories, key: KeyAfterFire::Kept };
        span.run("container", async |_| plant.raise(&dead.image, Some(dead.volumes), furniture).await).await
    }
}
