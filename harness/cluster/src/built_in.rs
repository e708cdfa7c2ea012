//! The layers that a castle has where nobody says otherwise.

use crate::{
    coming_up::ComingUp, command_layer::ByCommand, kubernetes::gone, layers::Layer, mistakes, plant::Plant,
    probe::probe,
};
use k8s_openapi::api::{core::v1::Secret, storage::v1::StorageClass};
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams},
};
use phoenix_core::{Finding, layers::Need};
use phoenix_drill::{
    Doing, Error, KeyAfterFire, Mistake, RebirthPlan, Result, Span, Wait, Work, environment::not_reborn,
    wait_for,
};
use std::{sync::Arc, time::Duration};

/// Longer than anything that ends well takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(100);

/// Why a castle rises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    /// For the first time.
    Birth,
    /// From the store.
    Rebirth(RebirthPlan),
}

impl Phase {
    /// What became of the repository's key before it.
    pub fn key(&self) -> KeyAfterFire {
        match self {
            Self::Birth => KeyAfterFire::Kept,
            Self::Rebirth(plan) => plan.key,
        }
    }

    /// The error of a castle that will not come up, for this reason.
    pub fn stopped(&self, finding: Finding) -> Error {
        match self {
            Self::Rebirth(_) => not_reborn(finding),
            Self::Birth => {
                let evidence = finding.evidence.last().cloned().unwrap_or_default();
                let what = format!("the castle is not born: {}: {evidence}", finding.sentence);
                Error::missing(what, finding.fix)
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Platform,
    Images,
    Engine,
    Secrets,
    Storage,
    Database,
    Service,
}

/// A layer that is built in.
struct BuiltIn {
    plant: Arc<Plant>,
    phase: Phase,
    part: Part,
}

/// All layers of one life: the built-in ones, and those of the user's beside them or in their place.
pub(crate) fn layers(plant: &Arc<Plant>, phase: &Phase) -> Result<Vec<Box<dyn Layer>>> {
    let parts = [
        Part::Platform,
        Part::Images,
        Part::Engine,
        Part::Secrets,
        Part::Storage,
        Part::Database,
        Part::Service,
    ];
    let mut layers: Vec<Box<dyn Layer>> = Vec::new();
    for part in parts {
        layers.push(Box::new(BuiltIn { plant: plant.clone(), phase: phase.clone(), part }));
    }
    for layer in &plant.site.config.layers {
        let own = Box::new(ByCommand { site: plant.site.clone(), layer: layer.clone() });
        match layers.iter_mut().find(|known| known.name() == layer.name) {
            Some(known) if ["engine", "storage"].contains(&layer.name.as_str()) => *known = own,
            Some(_) => {
                let what = format!("a command cannot take the place of the layer {}", layer.name);
                return Err(Error::usage(what, "give the layer in [[cluster.layer]] a name of its own"));
            }
            None => layers.push(own),
        }
    }
    if let Some(name) =
        plant.site.config.budgets.keys().find(|name| !layers.iter().any(|it| it.name() == *name))
    {
        let names: Vec<_> = layers.iter().map(|layer| layer.name()).collect();
        let what = format!("there is a budget for {name}, which is no layer");
        return Err(Error::usage(what, format!("name one of {}", names.join(", "))));
    }
    Ok(layers)
}

impl BuiltIn {
    async fn rise(&self, span: &Span) -> Result<()> {
        let plant = &self.plant;
        match self.part {
            Part::Platform => {
                if let Ok(standing) = plant.standing() {
                    standing.begin_life();
                    return Ok(());
                }
                plant.found(plant.platform.up(span).await?);
                Ok(())
            }
            Part::Images => match self.phase {
                Phase::Birth => plant.open_beside(span).await,
                Phase::Rebirth(_) => Ok(()),
            },
            Part::Engine => self.install(span).await,
            Part::Secrets => self.secrets().await,
            Part::Storage | Part::Service => Ok(()),
            Part::Database => self.order().await,
        }
    }

    async fn stand(&self, span: &Span) -> Result<()> {
        let plant = &self.plant;
        match self.part {
            Part::Platform => {
                let (kubernetes, _) = plant.cluster()?;
                plant.platform.ready(&kubernetes, span).await
            }
            Part::Images => {
                span.detail(plant.images.join(" · "));
                Ok(())
            }
            Part::Engine => self.operator(span).await,
            Part::Secrets => {
                if !plant.site.config.probe_store {
                    return Ok(());
                }
                let manifest = plant.manifest(&self.phase)?;
                probe(&self.plant, &self.phase, &manifest, span).await
            }
            Part::Storage => self.storage(span).await,
            Part::Database => self.database(span).await,
            Part::Service => self.service(span).await,
        }
    }

    /// Applies the operator's manifests: its namespace first, then all the rest at once.
    async fn install(&self, span: &Span) -> Result<()> {
        if self.plant.platform.operator_is_given() {
            return Ok(());
        }
        let (kubernetes, _) = self.plant.cluster()?;
        let objects = &self.plant.operator.objects;
        let is_namespace = |object: &&serde_json::Value| object["kind"] == "Namespace";
        for namespace in objects.iter().filter(is_namespace) {
            kubernetes.apply(namespace).await?;
        }
        let (namespace, _) = self.plant.operator.place()?;
        if !namespace.is_empty() {
            let namespace = serde_json::json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } });
            kubernetes.apply(&namespace).await?;
        }
        let others = objects.iter().filter(|object| !is_namespace(object));
        futures::future::try_join_all(others.map(|object| kubernetes.apply(object))).await?;
        span.detail(format!("{} objects applied", objects.len()));
        Ok(())
    }

    /// Makes the castle's namespace, and what it needs that must be kept outside the fire.
    async fn secrets(&self) -> Result<()> {
        let plant = &self.plant;
        let (kubernetes, _) = plant.cluster()?;
        let (manifests, mistake) = (plant.manifests(), plant.mistaken());
        kubernetes.apply(&manifests.namespace()).await?;
        let secret = manifests.secret(self.phase.key());
        let secret = match mistake {
            Some(mistake) => {
                let another_ca = phoenix_docker::certificates(&["another".to_owned()])?.ca_pem;
                mistakes::in_secret(secret, mistake, &another_ca)
            }
            None => Some(secret),
        };
        match secret {
            Some(secret) => kubernetes.apply(&secret).await?,
            None => {
                let secrets = kubernetes.all::<Secret>(plant.site.namespace());
                let removed = secrets.delete(&plant.site.config.names.secret, &DeleteParams::default()).await;
                gone(removed).doing("removing the Secret")?;
            }
        }
        if mistake == Some(Mistake::VolumeNeverReady) {
            kubernetes.apply(&mistakes::nobodys_class(plant)).await?;
        }
        for object in manifests.beside() {
            kubernetes.apply(&object).await?;
        }
        for (user, password) in plant.kept_passwords() {
            kubernetes.apply(&manifests.password(&user, password.expose())).await?;
        }
        Ok(())
    }

    /// Applies the PostgresCluster. What the cluster refuses of a rebirth is why it does not come back.
    async fn order(&self) -> Result<()> {
        let plant = &self.plant;
        let (kubernetes, _) = plant.cluster()?;
        let manifest = plant.manifest(&self.phase)?;
        plant.site.keep_manifest(&self.phase, &manifest)?;
        plant.tell_difference(&self.phase, &manifest)?;
        let applied = kubernetes.apply(&manifest).await;
        match (applied, &self.phase) {
            (Err(Error::Usage { what, advice }), Phase::Rebirth(_)) => {
                let sentence = "the cluster refuses the PostgresCluster";
                Err(self
                    .phase
                    .stopped(Finding::certain("manifest-refused", sentence, advice).with_evidence([what])))
            }
            (applied, _) => applied,
        }
    }

    async fn operator(&self, span: &Span) -> Result<()> {
        let (namespace, name) = self.plant.operator.place()?;
        let operator = ComingUp::elsewhere(&self.plant, &self.phase, &namespace)?;
        operator.pod("the operator to run", &name).await?;
        span.detail(format!("{name} in {namespace}"));
        Ok(())
    }

    async fn storage(&self, span: &Span) -> Result<()> {
        let (kubernetes, _) = self.plant.cluster()?;
        let Some(wanted) = &self.plant.site.config.storage_class else {
            let classes = kubernetes.global::<StorageClass>();
            let default = wait_for("a default StorageClass", DEADLINE, LOOK, || async {
                let found = match classes.list(&ListParams::default()).await {
                    Ok(found) => found.items,
                    Err(error) => return Ok(Wait::NotYet(crate::kubernetes::short(&error))),
                };
                let key = "storageclass.kubernetes.io/is-default-class";
                let is_default =
                    |class: &&StorageClass| class.annotations().get(key).is_some_and(|it| it == "true");
                Ok(match found.iter().find(is_default) {
                    Some(class) => Wait::Ready(class.name_any()),
                    None => Wait::NotYet(format!("none of {} classes is the default", found.len())),
                })
            })
            .await?;
            span.detail(default);
            return Ok(());
        };
        // one that is not there is found where it is asked for: at the volume
        span.detail(wanted.clone());
        Ok(())
    }

    /// Waits until there is a primary that has its role and its users, or a sign that there never will be.
    async fn database(&self, span: &Span) -> Result<()> {
        let castle = ComingUp::castle(&self.plant, &self.phase)?;
        // without a data source the operator restores nothing, and says nothing of it
        let restores = self.plant.manifest(&self.phase)?.pointer("/spec/dataSource").is_some();
        if let Phase::Rebirth(plan) = &self.phase
            && restores
        {
            let name = format!("restore and recovery to {}", plan.target.kind());
            span.run(&name, async |_| castle.restored("~").await).await?;
        }
        let primary = span.run("primary and users", async |span| castle.primary(span).await).await?;
        span.detail(primary);
        Ok(())
    }

    async fn service(&self, span: &Span) -> Result<()> {
        let plant = &self.plant;
        let pod = ComingUp::castle(plant, &self.phase)?.service().await?;
        span.detail(format!("answered through {pod}"));
        match plant.site.config.keep_passwords {
            true => plant.keep_passwords().await,
            false => Ok(()),
        }
    }
}

impl Layer for BuiltIn {
    fn name(&self) -> &str {
        match self.part {
            Part::Platform => "platform",
            Part::Images => "images",
            Part::Engine => "engine",
            Part::Secrets => "secrets",
            Part::Storage => "storage",
            Part::Database => "database",
            Part::Service => "service",
        }
    }

    fn needs(&self) -> Vec<Need> {
        match self.part {
            Part::Platform | Part::Images => Vec::new(),
            Part::Storage => vec![Need::up("platform")],
            // nobody pulls what the registry does not hold yet
            Part::Engine | Part::Secrets => vec![Need::up("platform"), Need::up("images")],
            // a class that somebody else makes must be there before it is asked for
            Part::Database if self.plant.site.config.layers.iter().any(|layer| layer.name == "storage") => {
                vec![Need::up("engine"), Need::up("secrets"), Need::ready("storage")]
            }
            Part::Database => vec![Need::up("engine"), Need::up("secrets")],
            Part::Service => vec![Need::ready("database")],
        }
    }

    fn budget(&self) -> Option<Duration> {
        self.plant.site.config.budgets.get(self.name()).copied()
    }

    fn up<'a>(&'a self, span: &'a Span) -> Work<'a, ()> {
        Box::pin(self.rise(span))
    }

    fn ready<'a>(&'a self, span: &'a Span) -> Work<'a, ()> {
        Box::pin(self.stand(span))
    }
}
