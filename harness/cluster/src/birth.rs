//! The cluster environment, and the birth of a castle in it.

use crate::{
    ClusterConfig, built_in::Phase, castle::Living, command_layer::ByCommand, config::PlatformConfig,
    evidence, plant::Plant, site, sweep,
};
use phoenix_docker::Engine;
use phoenix_drill::{Castle, CastlePlan, Environment, Error, LogLine, Resource, Result, Scene, Span, Work};
use phoenix_store::Inspector;
use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};
use tokio::sync::RwLock;

/// A Kubernetes cluster, for one drill.
pub struct Cluster {
    config: ClusterConfig,
    /// Where nodes are containers.
    engine: Option<Engine>,
    plant: OnceLock<Arc<Plant>>,
    /// Held while the engine makes something for this drill.
    making: Arc<RwLock<()>>,
}

impl Cluster {
    /// Finds what it needs, or says how to get it.
    pub async fn new(config: ClusterConfig) -> Result<Self> {
        let engine = match config.platform {
            PlatformConfig::Kind { .. } => Some(Engine::connect().await?),
            PlatformConfig::Existing { .. } => None,
        };
        Ok(Self { config, engine, plant: OnceLock::new(), making: Arc::default() })
    }

    /// The client that looks into the store, once a castle is born.
    pub fn store_inspector(&self) -> Result<Inspector> {
        self.plant()?.vault.inspector()
    }

    pub(crate) fn plant(&self) -> Result<&Arc<Plant>> {
        self.plant.get().ok_or_else(|| Error::Demand("there is no castle in this drill yet".into()))
    }

    async fn halt(&self) -> Result<()> {
        match self.plant.get() {
            Some(plant) => plant.platform.halt().await,
            None => Ok(()),
        }
    }

    async fn born(&self, scene: &Arc<Scene>, plan: CastlePlan, span: &Span) -> Result<Box<dyn Castle>> {
        let (config, engine) = (self.config.clone(), self.engine.clone());
        let laid = Plant::lay(config, engine, self.making.clone(), scene.clone(), plan, span).await?;
        let plant = Arc::new(laid);
        self.plant.set(plant.clone()).map_err(|_| Error::Demand("a drill has one birth".into()))?;
        Living::rise(plant, Phase::Birth, span).await
    }
}

impl Environment for Cluster {
    fn name(&self) -> &'static str {
        "cluster"
    }

    fn properties(&self) -> BTreeMap<String, String> {
        let mut properties = BTreeMap::new();
        properties.extend(self.engine.as_ref().map(|engine| ("docker".to_owned(), engine.version.clone())));
        if let Some(plant) = self.plant.get() {
            properties.insert("platform".to_owned(), plant.platform.name().to_owned());
            properties.insert("wipe".to_owned(), self.config.wipe().word().to_owned());
            properties.insert("images".to_owned(), plant.images.join(" "));
            properties.insert("operator_manifests".to_owned(), self.config.operator.manifests.clone());
        }
        properties
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
            if let Some(plant) = self.plant.get() {
                evidence::collect(plant).await?;
                if plant.cluster().is_ok() {
                    for layer in plant.site.config.layers.clone() {
                        ByCommand { site: plant.site.clone(), layer }.fall().await?;
                    }
                }
            }
            scene.evidence.log_lines()
        })
    }

    fn faults(&self) -> Work<'_, Vec<String>> {
        Box::pin(async { Ok(self.fired().await) })
    }

    fn stop<'a>(&'a self, scene: &'a Scene) -> Work<'a, ()> {
        Box::pin(async {
            let _made = self.making.write().await;
            self.halt().await?;
            let Some(engine) = &self.engine else { return Ok(()) };
            for resource in scene.register.resources()? {
                match resource {
                    Resource::KindCluster { name } => sweep::kill_nodes(engine, &name).await?,
                    Resource::Container { name } => engine.kill(&name).await?,
                    _ => {}
                }
            }
            Ok(())
        })
    }

    fn remove<'a>(&'a self, scene: &'a Scene) -> Work<'a, ()> {
        Box::pin(async {
            let _made = self.making.write().await;
            self.halt().await?;
            let resources = scene.register.resources()?;
            let run = scene.run.as_str();
            sweep::remove_namespaces(run, &resources).await?;
            if let Some(engine) = &self.engine {
                sweep::remove(engine, run, &resources, sweep::AT_THE_END).await?;
                phoenix_docker::remove(engine, run, &resources).await?;
            }
            site::clear(run, &resources)
        })
    }

    fn reopen(&self) -> Vec<String> {
        let Some(plant) = self.plant.get() else { return Vec::new() };
        let kubeconfig = format!("export KUBECONFIG={}", plant.site.kubeconfig().display());
        let mut commands = match self.config.platform {
            PlatformConfig::Existing { .. } => {
                vec![format!(
                    "{kubeconfig}; kubectl -n {} get all   # what is left of the castle",
                    plant.site.namespace()
                )]
            }
            PlatformConfig::Kind { .. } => {
                let nodes = format!("label=io.x-k8s.kind.cluster=phoenix-{}", plant.site.scene.run.slug());
                vec![format!(
                    "docker start $(docker ps --all --quiet --filter {nodes}); {kubeconfig}   # its nodes again"
                )]
            }
        };
        commands.push("phoenix sweep --kept         # remove all of it".to_owned());
        commands
    }
}
