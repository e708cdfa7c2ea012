//! What one drill on a cluster stands on: its platform, what is beside it, and how to run things.

use crate::{
    built_in::Phase,
    kubernetes::Kubernetes,
    logs::Logs,
    lookout::Lookout,
    manifests::{Manifests, STANZA},
    masked::difference,
    mistakes,
    operator::Operator,
    own::Own,
    platform::Platform,
    postgrescluster::label,
    site::{Beside, Site},
    sql::{self, Administrator, Application, Door},
};
use phoenix_core::{Event, Secret};
use phoenix_docker::{Deed, Detour, Minio};
use phoenix_drill::{Error, Mistake, Result, Span, Work};
use phoenix_postgres::{
    Sql,
    pgbackrest::{PgBackRest, S3, shell_line},
};
use phoenix_repository::{Host, Ran, Vault, Victim};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// Where `castle.toml` says how this environment is set up.
pub(crate) const SECTION: &str = "[cluster]";
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
    /// What the castle's owner wrote, if it is not built from nothing.
    pub own: Option<Own>,
    /// Where the harness can listen for pods.
    pub gateway: Option<IpAddr>,
    /// The proxy before the store, once faults were asked for, and where pods reach it.
    pub detour: Detour,
    /// The passwords that users keep, by user.
    pub passwords: Mutex<BTreeMap<String, Secret>>,
    /// What is wrong with the next rebirth, on purpose.
    pub mistake: Mutex<Option<Mistake>>,
    /// The cluster, while there is one.
    pub standing: Mutex<Option<Standing>>,
}

impl Plant {
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
        let (site, vault, ca_pem) = (&self.site, &self.vault, &self.ca_pem);
        Manifests { site, vault, ca_pem, detour: self.detour.at(), own: self.own.as_ref() }
    }

    /// What is wrong from now on with whatever comes back, if anything.
    pub fn make(&self, mistake: Option<Mistake>) {
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
        let logs = Logs::follow(self.site.clone(), kubernetes.clone(), lookout.clone());
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

    /// Whether applications go through pgBouncer.
    pub fn has_pooler(&self) -> bool {
        self.own.as_ref().is_none_or(Own::has_pooler)
    }

    /// The passwords that users keep.
    pub fn kept_passwords(&self) -> BTreeMap<String, Secret> {
        self.passwords.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps the passwords of the castle that stands; an error if they are not those that were kept before.
    pub async fn keep_passwords(&self) -> Result<()> {
        let (kubernetes, _) = self.cluster()?;
        let names = &self.site.config.names;
        let mut found = BTreeMap::new();
        for user in names.users.iter().map(|user| &user.name) {
            let secret = format!("{}-pguser-{user}", names.cluster);
            let password = sql::password(&kubernetes, self.site.namespace(), &secret).await?;
            found.insert(user.clone(), Secret::new(password));
        }
        let mut kept = self.passwords.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same =
            |user: &String| kept.get(user).map(Secret::expose) == found.get(user).map(Secret::expose);
        if let Some(user) = kept.keys().find(|user| !is_same(user)) {
            let what = format!("the password of {user} is not kept");
            return Err(Error::unverified(what, "the operator gave it another one"));
        }
        *kept = found;
        Ok(())
    }

    /// Shows what a drill made of the owner's manifest, and what a rebirth adds to it.
    pub fn tell_difference(&self, phase: &Phase, applied: &Value) -> Result<()> {
        let Some(own) = &self.own else { return Ok(()) };
        let text = match phase {
            Phase::Birth => own.difference(applied)?,
            Phase::Rebirth(_) => {
                let born = self.manifests().cluster()?;
                difference(("at its birth", &born), ("at its rebirth", applied))?
            }
        };
        self.site.scene.spans.emit(&Event::Notice { text });
        Ok(())
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
        let primary = self.primary()?;
        let pooler = lookout.look(|view| view.in_role("pgbouncer")).filter(|_| self.has_pooler());
        let pod = pooler.unwrap_or_else(|| primary.clone());
        let names = &self.site.config.names;
        let user = names.users.first().map_or("", |user| user.name.as_str());
        let door = Door { kubernetes: kubernetes.clone(), namespace: namespace.clone(), pod, port: 5432 };
        let application = Application::read(door, &names.cluster, user).await?;
        let administrator = Administrator { kubernetes, namespace, pod: primary };
        Ok(Arc::new(Sql::of_application(application, administrator)))
    }
}

/// A cluster that stands: its API, the lookout over the castle's namespace, and what is printed there.
#[derive(Clone)]
pub(crate) struct Standing {
    pub kubernetes: Kubernetes,
    pub lookout: Lookout,
    pub logs: Logs,
}

impl Standing {
    /// A castle is restored in place: what was said and printed until now says nothing of it.
    pub fn forget_signs(&self) {
        self.lookout.forget_signs();
        self.logs.begin_life();
    }

    /// A new life begins on it: what was seen and printed in the one before says nothing of it.
    pub fn begin_life(&self) {
        self.lookout.begin_life();
        self.logs.begin_life();
    }
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
