//! Lays the ground of a drill on a cluster: which platform it is, which store, and what is refused.

use crate::{
    ClusterConfig,
    config::{PlatformConfig, WipeKind},
    manifests::STANZA,
    operator::Operator,
    own::Own,
    plant::{Plant, SECTION},
    platform::{Existing, Kind, Platform, write_mirrors},
    site::{Beside, Site},
};
use phoenix_core::SegmentSize;
use phoenix_docker::{
    Detour, Engine, ImageName, Minio, MinioPlan, REGISTRY_PORT, Registry, Role, Yard, names,
};
use phoenix_drill::{CastlePlan, Doing, Error, Resource, Result, Scene, Span};
use phoenix_postgres::pgbackrest::S3;
use phoenix_repository::Vault;
use phoenix_store::Credentials;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::RwLock;

impl Plant {
    /// Lays the ground: finds the platform or says what it will be, and chooses the store.
    pub async fn lay(
        mut config: ClusterConfig,
        engine: Option<Engine>,
        making: Arc<RwLock<()>>,
        scene: Arc<Scene>,
        plan: CastlePlan,
        span: &Span,
    ) -> Result<Self> {
        let own = config.manifest.as_deref().map(Own::read).transpose()?;
        let plan = own.as_ref().map_or(plan, |own| own.planned(plan));
        if let Some(own) = &own {
            config.fit(own);
        }
        let plan = (plan, own);
        match (config.platform.clone(), engine) {
            (PlatformConfig::Existing { kubeconfig, context }, _) => {
                allowed(&config, &context)?;
                let slug = scene.run.slug();
                // unique to the run: whoever else is there is not met
                let suffix = &slug[slug.len().saturating_sub(8)..];
                config.names.namespace = format!("{}-{suffix}", config.names.namespace);
                let site = Arc::new(Site::new(scene, config)?);
                Self::on_existing(site, kubeconfig, &context, plan).await
            }
            (PlatformConfig::Kind { workers }, Some(engine)) => {
                let yard = Yard::open(engine, scene.clone(), making)?;
                Self::on_kind(Arc::new(Site::new(scene, config)?), yard, workers, plan, span).await
            }
            (PlatformConfig::Kind { .. }, None) => Err(Error::Demand("kind needs an engine".into())),
        }
    }

    async fn on_existing(
        site: Arc<Site>,
        kubeconfig: Option<PathBuf>,
        context: &str,
        plan: (CastlePlan, Option<Own>),
    ) -> Result<Self> {
        let platform = Existing::find(&site, kubeconfig.clone(), context).await?;
        // by the kubeconfig that stays: the drill's own copy may be gone before its namespace is
        let (name, context) = (site.namespace().to_owned(), context.to_owned());
        let kubeconfig = kubeconfig.map(std::path::absolute).transpose().doing("finding the kubeconfig")?;
        let cluster = platform.kubernetes().uid().await?;
        site.scene.register.record(&Resource::Namespace { name, kubeconfig, context, cluster })?;
        let operator = Operator::running(platform.kubernetes()).await?;
        plan.1.as_ref().map_or(Ok(()), |own| own.preflight(&operator))?;
        let images = operator.images(&site.config)?;
        let (repository, ca_pem) = external(&site)?;
        Ok(Self::of(site, None, Box::new(platform), operator, images, (repository, ca_pem), plan))
    }

    /// The network and what stands on it beside the cluster; nothing is raised yet.
    async fn on_kind(
        site: Arc<Site>,
        yard: Yard,
        workers: u8,
        plan: (CastlePlan, Option<Own>),
        span: &Span,
    ) -> Result<Self> {
        let (scene, config) = (&site.scene, &site.config);
        let operator = span.run("operator's manifests", async |_| {
            let operator = Operator::read(&site).await?;
            plan.1.as_ref().map_or(Ok(()), |own| own.preflight(&operator))?;
            Ok(operator)
        });
        let network = names::name(&scene.run, "net");
        let laid = async {
            span.run("network", async |_| yard.make_network(&network, Role::Store).await).await?;
            yard.have(&config.images.node, "node-image", SECTION, span).await?;
            yard.have(&config.images.registry, "registry-image", SECTION, span).await?;
            if config.store.is_none() {
                yard.have(&config.images.store, "store-image", SECTION, span).await?;
            }
            Ok(())
        };
        let (operator, ()) = futures::try_join!(operator, laid)?;
        let gateway = yard.gateway(&network).await?;
        let reached_as = gateway.map(|gateway| gateway.to_string());
        let reached_as: Vec<_> = reached_as.iter().map(String::as_str).collect();
        let images = operator.images(config)?;
        let minio = MinioPlan {
            bucket: &config.names.bucket,
            credentials: Credentials::generate(),
            also_known_as: &reached_as,
            ca_file: "",
        };
        let store = config.store.is_none().then(|| Minio::plan(&yard, minio)).transpose()?;
        let chosen = match &store {
            Some(store) => (store.repository.clone(), store.certificates.ca_pem.clone()),
            None => external(&site)?,
        };
        let registry = Registry::plan(&yard);
        let hosts = images.iter().map(|image| ImageName::read(image).host).collect();
        let mirrors = write_mirrors(&site.directory, &format!("{}:{REGISTRY_PORT}", registry.name), &hosts)?;
        let beside = Arc::new(Beside { yard, network, registry, store });
        let platform = Kind::new(site.clone(), beside.clone(), workers, Some(mirrors));
        let plant = Self::of(site, Some(beside), Box::new(platform), operator, images, chosen, plan);
        Ok(Self { gateway, ..plant })
    }

    fn of(
        site: Arc<Site>,
        beside: Option<Arc<Beside>>,
        platform: Box<dyn Platform>,
        operator: Operator,
        images: Vec<String>,
        (repository, ca_pem): (S3, String),
        (plan, own): (CastlePlan, Option<Own>),
    ) -> Self {
        let vault = Vault::new(repository, SegmentSize::DEFAULT, plan).with_stanza(STANZA);
        Self {
            site,
            beside,
            platform,
            operator,
            images,
            vault,
            ca_pem,
            own,
            gateway: None,
            detour: Detour::default(),
            passwords: Default::default(),
            mistake: Default::default(),
            standing: Default::default(),
        }
    }
}

/// A context that a drill did not make is refused, unless its owner names it in full.
fn allowed(config: &ClusterConfig, context: &str) -> Result<()> {
    if !config.own.iter().any(|own| own == context) {
        let what = format!("a drill did not make the cluster of the context {context}");
        let advice = format!("if it may be drilled on, say so with its full name: --i-own {context}");
        return Err(Error::usage(what, advice));
    }
    if config.wipe() == WipeKind::Platform {
        let what = format!("the cluster of the context {context} is not the drill's to destroy");
        return Err(Error::usage(what, "choose wipe = \"namespace\" or \"database\""));
    }
    Ok(())
}

/// The drill's own path in a store that is there already, and its CA.
fn external(site: &Site) -> Result<(S3, String)> {
    let Some(store) = &site.config.store else {
        let advice = "describe one that its pods reach in [cluster.store] of castle.toml";
        return Err(Error::usage(
            "a cluster that is there already needs a store that is there already",
            advice,
        ));
    };
    let repository = store.repository(&site.scene.run.slug(), Path::new(""));
    let doing = || format!("reading {}", store.ca_file.display());
    Ok((repository, std::fs::read_to_string(&store.ca_file).doing(doing())?))
}
