//! What one drill on a cluster stands on: its platform, what is beside it, and how to run things.

use crate::{
    ClusterConfig,
    built_in::Phase,
    config::{PlatformConfig, WipeKind},
    kubernetes::Kubernetes,
    lookout::Lookout,
    manifests::{Manifests, STANZA},
    mistakes,
    operator::Operator,
    platform::{Existing, Kind, Platform, write_mirrors},
    postgrescluster::label,
    signs::RestoreLogs,
    site::{Beside, Site},
    sql::{Administrator, Application, Door},
};
use phoenix_core::SegmentSize;
use phoenix_docker::{Deed, Engine, ImageName, Minio, MinioPlan, REGISTRY_PORT, Registry, Role, Yard, names};
use phoenix_drill::{CastlePlan, Doing, Error, Mistake, Resource, Result, Scene, Span, Work};
use phoenix_postgres::{
    Sql,
    pgbackrest::{PgBackRest, S3, shell_line},
};
use phoenix_repository::{Host, Ran, Vault, Victim};
use phoenix_store::Credentials;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::RwLock;

/// Where `castle.toml` says how this environment is set up.
const SECTION: &str = "[cluster]";
const STORE_SECTION: &str = "[cluster.store]";
/// The container with PostgreSQL in an instance's pod.
pub(crate) const DATABASE: &str = "database";

/// What one drill on a cluster stands on.
pub(crate) struct Plant {
    pub site: Arc<Site>,
    /// What stands beside the cluster, if anything does.
    pub beside: Option<Arc<Beside>>,
    pub platform: Box<dyn Platform>,
    pub operator: Operator,
    /// The images that the nodes pull: the operator's, PostgreSQL's, pgBackRest's, pgBouncer's.
    pub images: Vec<String>,
    pub vault: Vault,
    pub ca_pem: String,
    /// What is wrong with the next rebirth, on purpose.
    mistake: Mutex<Option<Mistake>>,
    /// The cluster, while there is one.
    standing: Mutex<Option<Standing>>,
}

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
        plan: CastlePlan,
    ) -> Result<Self> {
        let platform = Existing::find(&site, kubeconfig.clone(), context).await?;
        // by the kubeconfig that stays: the drill's own copy may be gone before its namespace is
        let (name, context) = (site.namespace().to_owned(), context.to_owned());
        site.scene.register.record(&Resource::Namespace { name, kubeconfig, context })?;
        let operator = Operator::running(platform.kubernetes()).await?;
        let images = operator.images(&site.config)?;
        let (repository, ca_pem) = external(&site)?;
        Ok(Self::of(site, None, Box::new(platform), operator, images, (repository, ca_pem), plan))
    }

    /// The network and what stands on it beside the cluster; nothing is raised yet.
    async fn on_kind(
        site: Arc<Site>,
        yard: Yard,
        workers: u8,
        plan: CastlePlan,
        span: &Span,
    ) -> Result<Self> {
        let (scene, config) = (&site.scene, &site.config);
        let operator = span.run("operator's manifests", async |_| Operator::read(&site).await);
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
        let images = operator.images(config)?;
        let minio = MinioPlan {
            bucket: &config.names.bucket,
            credentials: Credentials::generate(),
            also_known_as: &[],
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
        Ok(Self::of(site, Some(beside), Box::new(platform), operator, images, chosen, plan))
    }

    fn of(
        site: Arc<Site>,
        beside: Option<Arc<Beside>>,
        platform: Box<dyn Platform>,
        operator: Operator,
        images: Vec<String>,
        (repository, ca_pem): (S3, String),
        plan: CastlePlan,
    ) -> Self {
        let vault = Vault::new(repository, SegmentSize::DEFAULT, plan).with_stanza(STANZA);
        let (mistake, standing) = (Mutex::default(), Mutex::default());
        Self { site, beside, platform, operator, images, vault, ca_pem, mistake, standing }
    }

    /// Opens the store and the registry, which outlive the fire.
    pub async fn open_beside(&self, span: &Span) -> Result<()> {
        let images = &self.site.config.images;
        let store = span.run("store", async |_| {
            let inspector = match (&self.site.config.store, self.beside.as_deref()) {
                (Some(external), _) => external.open(&self.vault.store, STORE_SECTION).await?,
                (None, Some(Beside { yard, network, store: Some(store), .. })) => {
                    store.open(yard, network, &images.store, SECTION).await?
                }
                (None, _) => return Err(Error::Demand("a drill has a store".into())),
            };
            self.vault.look_through(inspector);
            Ok(())
        });
        let registry = async {
            let Some(Beside { yard, network, registry, .. }) = self.beside.as_deref() else { return Ok(()) };
            let held = span.run("registry", async |span| {
                registry.open(yard, network, &images.registry, SECTION).await?;
                for image in &self.images {
                    yard.have(image, "an image", SECTION, span).await?;
                    span.progress(format!("{image} into the registry"));
                    registry.hold(yard, image).await?;
                }
                span.detail(format!("{} images", self.images.len()));
                Ok(())
            });
            held.await
        };
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

    /// The PostgresCluster of a life, with what is wrong with it on purpose.
    pub fn manifest(&self, phase: &Phase) -> Result<Value> {
        let manifest = match phase {
            Phase::Birth => self.manifests().cluster()?,
            Phase::Rebirth(plan) => self.manifests().reborn(plan)?,
        };
        Ok(match self.mistaken() {
            Some(mistake) => mistakes::in_cluster(manifest, mistake),
            None => manifest,
        })
    }

    /// Whether the store has this bucket; yes, if it does not say.
    pub async fn has_bucket(&self, bucket: &str) -> bool {
        let store = S3 { bucket: bucket.to_owned(), ..self.vault.store.clone() };
        let inspector = match (&self.site.config.store, self.beside.as_deref()) {
            (Some(external), _) => {
                let endpoint = format!("https://{}:{}", external.host, external.port);
                phoenix_repository::inspect(&store, &endpoint, &external.ca_file)
            }
            (None, Some(Beside { yard, store: Some(minio), .. })) => {
                Minio { repository: store, ..minio.clone() }.inspector(&yard.engine).await
            }
            (None, _) => return true,
        };
        match inspector {
            Ok(inspector) => inspector.bucket_exists().await.unwrap_or(true),
            Err(_) => true,
        }
    }

    /// The cluster has risen.
    pub fn found(&self, kubernetes: Kubernetes) {
        let lookout = Lookout::over(&kubernetes, self.site.namespace());
        let logs = RestoreLogs::follow(self.site.clone(), kubernetes.clone(), lookout.clone());
        self.stands(Some(Standing { kubernetes, lookout, logs }));
    }

    /// The cluster is gone.
    pub fn lost(&self) {
        self.stands(None);
    }

    fn stands(&self, standing: Option<Standing>) {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = standing;
    }

    /// The cluster that stands.
    pub fn standing(&self) -> Result<Standing> {
        let standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        standing.ok_or_else(|| Error::Demand("there is no cluster now".into()))
    }

    /// The cluster's API and the lookout over the castle's namespace.
    pub fn cluster(&self) -> Result<(Kubernetes, Lookout)> {
        self.standing().map(|Standing { kubernetes, lookout, .. }| (kubernetes, lookout))
    }

    /// Asks the operator for a `pgbackrest-backup` or a `pgbackrest-restore` as people do: by what it is to
    /// do, in `spec.backups.pgbackrest`, and an annotation with an id that it repeats in its status.
    pub async fn ask(&self, what: &str, id: &str, how: Value) -> Result<()> {
        let (kubernetes, _) = self.cluster()?;
        let annotation = BTreeMap::from([(label(what), id)]);
        let change = json!({
            "metadata": { "annotations": annotation },
            "spec": { "backups": { "pgbackrest": how } },
        });
        let clusters = kubernetes.clusters(self.site.namespace());
        Kubernetes::merge(&clusters, &self.site.config.names.cluster, change).await
    }

    /// The pod of the primary, if there is one.
    pub fn primary(&self) -> Result<String> {
        let (_, lookout) = self.cluster()?;
        let found = lookout.look(|view| view.in_role("master"));
        found.ok_or_else(|| Error::unverified("looking for the primary", "no pod is ready with role=master"))
    }

    /// The castle's SQL, as its application speaks it: through the pooler.
    pub async fn sql(&self) -> Result<Arc<Sql>> {
        let (kubernetes, lookout) = self.cluster()?;
        let namespace = self.site.namespace().to_owned();
        let pooler = lookout.look(|view| view.in_role("pgbouncer"));
        let (pod, primary) = (pooler.map_or_else(|| self.primary(), Ok)?, self.primary()?);
        let names = &self.site.config.names;
        let user = names.users.first().map_or("", |user| user.name.as_str());
        let door = Door { kubernetes: kubernetes.clone(), namespace: namespace.clone(), pod, port: 5432 };
        let application = Application::read(door, &names.cluster, user).await?;
        let administrator = Administrator { kubernetes, namespace, pod: primary };
        Ok(Arc::new(Sql::of_application(application, administrator)))
    }
}

/// A cluster that stands: its API, the lookout over the castle's namespace, and what restores print there.
#[derive(Clone)]
pub(crate) struct Standing {
    pub kubernetes: Kubernetes,
    pub lookout: Lookout,
    pub logs: RestoreLogs,
}

impl Standing {
    /// A new life begins on it: what was seen and printed in the one before says nothing of it.
    pub fn begin_life(&self) {
        self.lookout.begin_life();
        self.logs.begin_life();
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

impl Victim for Plant {
    fn run<'a>(&'a self, purpose: &'a str, argv: &'a [String]) -> Work<'a, Ran> {
        Box::pin(async move {
            let ((kubernetes, _), pod) = (self.cluster()?, self.primary()?);
            let namespace = self.site.namespace();
            let line = format!("kubectl -n {namespace} exec {pod} -c {DATABASE} -- {}", shell_line(argv));
            let deed = Deed::typed(purpose, line);
            let ran = kubernetes.exec((namespace, &pod, DATABASE), argv, None).await?;
            deed.end(&self.site.scene.evidence, &ran.ended, format!("{}{}", ran.stdout, ran.stderr))?;
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
