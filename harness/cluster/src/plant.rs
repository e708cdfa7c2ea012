//! What one drill on a cluster stands on: its platform, what is beside it, and how to run things.

use crate::{
    ClusterConfig,
    config::PlatformConfig,
    kubernetes::Kubernetes,
    lookout::Lookout,
    manifests::{Manifests, STANZA},
    operator::Operator,
    platform::{Kind, Platform, write_mirrors},
    postgrescluster::label,
    site::{Beside, Site},
    sql::{Administrator, Application, Door, pod_name},
};
use k8s_openapi::api::core::v1::Pod;
use phoenix_core::SegmentSize;
use phoenix_docker::{Engine, ImageName, Minio, MinioPlan, REGISTRY_PORT, Registry, Role, Yard, names};
use phoenix_drill::{CastlePlan, Error, Mistake, Result, Scene, Span, Work};
use phoenix_postgres::{
    Sql,
    pgbackrest::{PgBackRest, shell_line},
};
use phoenix_repository::{Host, Ran, Vault, Victim};
use phoenix_store::Credentials;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};
use tokio::sync::RwLock;

/// Where `castle.toml` says how this environment is set up.
const SECTION: &str = "[cluster]";
/// The container with PostgreSQL in an instance's pod.
pub(crate) const DATABASE: &str = "database";

/// What one drill on a cluster stands on.
pub(crate) struct Plant {
    pub site: Arc<Site>,
    pub beside: Arc<Beside>,
    pub platform: Box<dyn Platform>,
    pub operator: Operator,
    /// The images that the nodes pull.
    pub images: Vec<String>,
    pub registry: Registry,
    pub store: Minio,
    pub vault: Vault,
    pub ca_pem: String,
    /// What is wrong with the next rebirth, on purpose.
    mistake: Mutex<Option<Mistake>>,
    /// The cluster's API and a lookout over the castle's namespace, while there is a cluster.
    cluster: Mutex<Option<(Kubernetes, Lookout)>>,
}

impl Plant {
    /// Lays the ground: the network and what stands on it beside the cluster, which is not raised yet.
    pub async fn lay(
        config: ClusterConfig,
        engine: Engine,
        making: Arc<RwLock<()>>,
        scene: Arc<Scene>,
        plan: CastlePlan,
        span: &Span,
    ) -> Result<Self> {
        let yard = Yard::open(engine, scene.clone(), making)?;
        let site = Arc::new(Site::new(scene.clone(), config)?);
        let operator = span.run("operator's manifests", async |_| Operator::read(&site).await);
        let network = names::name(&scene.run, "net");
        let laid = async {
            span.run("network", async |_| yard.make_network(&network, Role::Store).await).await?;
            let images = &site.config.images;
            yard.have(&images.node, "node-image", SECTION, span).await?;
            yard.have(&images.registry, "registry-image", SECTION, span).await?;
            yard.have(&images.store, "store-image", SECTION, span).await
        };
        let (operator, _) = futures::try_join!(operator, laid)?;
        let images = operator.images(&site.config)?;
        let store = Minio::plan(
            &yard,
            MinioPlan {
                bucket: &site.config.names.bucket,
                credentials: Credentials::generate(),
                also_known_as: &[],
                ca_file: "",
            },
        )?;
        let registry = Registry::plan(&yard);
        let hosts = images.iter().map(|image| ImageName::read(image).host).collect();
        let mirrors = write_mirrors(&site.directory, &format!("{}:{REGISTRY_PORT}", registry.name), &hosts)?;
        let beside = Arc::new(Beside { yard, network });
        let platform: Box<dyn Platform> = match site.config.platform {
            PlatformConfig::Kind { workers } => {
                Box::new(Kind::new(site.clone(), beside.clone(), workers, Some(mirrors)))
            }
            PlatformConfig::Existing { .. } => {
                return Err(Error::usage(
                    "existing clusters cannot be drilled yet",
                    "use platform = \"kind\"",
                ));
            }
        };
        let vault = Vault::new(store.repository.clone(), SegmentSize::DEFAULT, plan).with_stanza(STANZA);
        let ca_pem = store.certificates.ca_pem.clone();
        let (mistake, cluster) = (Mutex::default(), Mutex::default());
        Ok(Self {
            site,
            beside,
            platform,
            operator,
            images,
            registry,
            store,
            vault,
            ca_pem,
            mistake,
            cluster,
        })
    }

    /// Opens the store and the registry, which outlive the fire.
    pub async fn open_beside(&self, span: &Span) -> Result<()> {
        let (yard, network) = (&self.beside.yard, self.beside.network.as_str());
        let images = &self.site.config.images;
        let store = span.run("store", async |_| {
            self.vault.look_through(self.store.open(yard, network, &images.store, SECTION).await?);
            Ok(())
        });
        let registry = span.run("registry", async |span| {
            self.registry.open(yard, network, &images.registry, SECTION).await?;
            for image in &self.images {
                yard.have(image, "an image", SECTION, span).await?;
                span.progress(format!("{image} into the registry"));
                self.registry.hold(yard, image).await?;
            }
            span.detail(format!("{} images", self.images.len()));
            Ok(())
        });
        futures::try_join!(store, registry).map(drop)
    }

    pub fn manifests(&self) -> Manifests<'_> {
        Manifests { site: &self.site, vault: &self.vault, ca_pem: &self.ca_pem }
    }

    /// What is wrong from now on with whatever comes back, if anything.
    pub fn mistake(&self, mistake: Option<Mistake>) {
        *self.mistake.lock().unwrap_or_else(PoisonError::into_inner) = mistake;
    }

    /// What is wrong now with whatever comes back.
    pub fn mistaken(&self) -> Option<Mistake> {
        *self.mistake.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The data source of what is asked for now, where the cluster has not taken it yet.
    pub fn asked_for(&self) -> Option<serde_json::Value> {
        let target = phoenix_core::RecoveryTarget::Latest;
        let plan = phoenix_drill::RebirthPlan { target, key: phoenix_drill::KeyAfterFire::Kept };
        let mut manifest = self.manifests().reborn(&plan).ok()?;
        if let Some(mistake) = self.mistaken() {
            manifest = crate::mistakes::in_cluster(manifest, mistake, 9);
        }
        manifest.pointer("/spec/dataSource/pgbackrest").cloned()
    }

    /// Whether the drill's own store has this bucket.
    pub async fn has_bucket(&self, bucket: &str) -> bool {
        let mut store = self.store.clone();
        store.repository.bucket = bucket.to_owned();
        match store.inspector(&self.beside.yard.engine).await {
            Ok(inspector) => inspector.bucket_exists().await.unwrap_or(true),
            Err(_) => true,
        }
    }

    /// The cluster has risen, or is gone.
    pub fn found(&self, cluster: Option<(Kubernetes, Lookout)>) {
        *self.cluster.lock().unwrap_or_else(PoisonError::into_inner) = cluster;
    }

    /// The cluster's API and the lookout over the castle's namespace.
    pub fn cluster(&self) -> Result<(Kubernetes, Lookout)> {
        let cluster = self.cluster.lock().unwrap_or_else(PoisonError::into_inner).clone();
        cluster.ok_or_else(|| Error::Demand("there is no cluster now".into()))
    }

    /// The pod of the primary, if there is one.
    pub fn primary(&self) -> Result<String> {
        let role = label("role");
        let (_, lookout) = self.cluster()?;
        let found = lookout
            .look(|view| view.pods_with(&role, Some("master")).find(|pod| is_ready(pod)).map(pod_name));
        found.ok_or_else(|| Error::unverified("looking for the primary", "no pod is ready with role=master"))
    }

    /// The castle's SQL, as its application speaks it: through the pooler.
    pub async fn sql(&self) -> Result<Arc<Sql>> {
        let (kubernetes, lookout) = self.cluster()?;
        let namespace = self.site.namespace().to_owned();
        let role = label("role");
        let pooler = lookout
            .look(|view| view.pods_with(&role, Some("pgbouncer")).find(|pod| is_ready(pod)).map(pod_name));
        let (pod, primary) = (pooler.map_or_else(|| self.primary(), Ok)?, self.primary()?);
        let names = &self.site.config.names;
        let user = names.users.first().map_or("", |user| user.name.as_str());
        let door = Door { kubernetes: kubernetes.clone(), namespace: namespace.clone(), pod, port: 5432 };
        let application = Application::read(door, &names.cluster, user).await?;
        let administrator = Administrator { kubernetes, namespace, pod: primary };
        Ok(Arc::new(Sql::of_application(application, administrator)))
    }
}

impl Victim for Plant {
    fn run<'a>(&'a self, purpose: &'a str, argv: &'a [String]) -> Work<'a, Ran> {
        Box::pin(async move {
            let ((kubernetes, _), pod) = (self.cluster()?, self.primary()?);
            let (namespace, began) = (self.site.namespace(), Instant::now());
            let ran = kubernetes.exec((namespace, &pod, DATABASE), argv, None).await?;
            let line = format!("kubectl -n {namespace} exec {pod} -c {DATABASE} -- {}", shell_line(argv));
            let (purpose, ended, elapsed) = (purpose.to_owned(), ran.ended.clone(), began.elapsed());
            let output = format!("{}{}", ran.stdout, ran.stderr);
            let command = phoenix_drill::Command { purpose, line, ended, elapsed, output };
            self.site.scene.evidence.command(&command)?;
            Ok(ran)
        })
    }
}

impl Host for Plant {
    fn vault(&self) -> &Vault {
        &self.vault
    }

    fn pgbackrest(&self) -> PgBackRest {
        PgBackRest { program: "pgbackrest".to_owned(), config: None, stanza: STANZA.to_owned() }
    }

    fn postgres_bin(&self) -> Work<'_, String> {
        Box::pin(async { Ok(format!("/usr/pgsql-{}/bin", self.site.config.postgresql)) })
    }

    fn spool(&self) -> String {
        "/tmp".to_owned()
    }
}

/// Whether every container of a pod is ready.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
