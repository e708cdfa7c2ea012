//! How the cluster environment is set up. The names of all images are here and nowhere else.

use crate::own::Own;
use phoenix_core::layers::Need;
use phoenix_repository::ExternalStore;
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// What the castle stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlatformConfig {
    /// A cluster of containers that a drill makes and destroys.
    Kind {
        /// Nodes besides the control plane.
        workers: u8,
    },
    /// A cluster that is there and stays: a drill owns only namespaces that it made.
    Existing {
        /// The kubeconfig; `KUBECONFIG` or `~/.kube/config`, if absent.
        kubeconfig: Option<PathBuf>,
        /// The context in it. It is never guessed.
        context: String,
    },
}

impl Default for PlatformConfig {
    fn default() -> Self {
        Self::Kind { workers: 2 }
    }
}

/// What a wipe destroys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WipeKind {
    /// The PostgresCluster and its volumes.
    Database,
    /// The namespace with everything in it.
    Namespace,
    /// Every node.
    Platform,
}

impl WipeKind {
    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Namespace => "namespace",
            Self::Platform => "platform",
        }
    }
}

/// The images of a drill. Those that are absent are the ones that the operator's manifests name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// kind's node.
    pub node: String,
    /// The registry beside the cluster, from which the nodes pull.
    pub registry: String,
    /// The object store: MinIO, or one that is started and configured as MinIO is.
    pub store: String,
    /// The operator.
    pub operator: Option<String>,
    /// PostgreSQL with Patroni and pgBackRest.
    pub postgres: Option<String>,
    /// pgBackRest.
    pub pgbackrest: Option<String>,
    /// pgBouncer.
    pub pgbouncer: Option<String>,
}

impl Default for Images {
    fn default() -> Self {
        Self {
            node: "kindest/node:v1.34.4".to_owned(),
            registry: "registry:2".to_owned(),
            store: "quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z".to_owned(),
            operator: None,
            postgres: None,
            pgbackrest: None,
            pgbouncer: None,
        }
    }
}

/// The operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorConfig {
    /// Its manifests: a file, a directory, or whatever else `kubectl kustomize` reads.
    pub manifests: String,
}

impl Default for OperatorConfig {
    fn default() -> Self {
        Self {
            manifests: "https://github.com/CrunchyData/postgres-operator//config/default?ref=v6.0.3"
                .to_owned(),
        }
    }
}

/// What the castle is called, and who lives in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The PostgresCluster.
    pub cluster: String,
    /// Its namespace; on an existing cluster a suffix makes it unique to the run.
    pub namespace: String,
    /// The bucket of the drill's own store.
    pub bucket: String,
    /// The Secret with the store's credentials.
    pub secret: String,
    /// Users, each with a database of its own; the first is the application.
    pub users: Vec<User>,
}

/// A user and its database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its name: the operator takes lower-case letters, digits and `-`.
    pub name: String,
    /// Its database.
    pub database: String,
}

impl Default for Names {
    fn default() -> Self {
        let user = |name: &str, database: &str| User { name: name.to_owned(), database: database.to_owned() };
        Self {
            cluster: "tazlab-db".to_owned(),
            namespace: "tazlab-db".to_owned(),
            bucket: "tazlab-longhorn".to_owned(),
            secret: "s3-backrest-creds".to_owned(),
            users: vec![user("mnemosyne", "tazlab_memory"), user("tazlab-admin", "tazlab_test")],
        }
    }
}

/// A layer that a command of the user's raises: Terragrunt, Helm, kubectl. One with the name of a built-in
/// layer, `engine` or `storage`, takes its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLayer {
    /// Its name.
    pub name: String,
    /// The layers that it needs.
    pub needs: Vec<Need>,
    /// What asks for it, for `sh`.
    pub up: String,
    /// What succeeds once it is ready, for `sh`; it is tried until then.
    pub ready: Option<String>,
    /// What takes it down at the end of the drill, for `sh`, if its platform still stands.
    pub down: Option<String>,
}

/// How the cluster environment is set up.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// What the castle stands on.
    pub platform: PlatformConfig,
    /// What a wipe destroys; if absent the platform on kind, the namespace on an existing cluster.
    pub wipe: Option<WipeKind>,
    /// What the user owns although a drill did not make it: contexts, by their full names.
    pub own: Vec<String>,
    /// The images.
    pub images: Images,
    /// The operator.
    pub operator: OperatorConfig,
    /// What the castle is called.
    pub names: Names,
    /// A PostgresCluster of the user's own, in a file with the ConfigMaps and Secrets that it needs; else it
    /// is built from all this.
    pub manifest: Option<PathBuf>,
    /// Whether users keep their passwords across a rebirth.
    pub keep_passwords: bool,
    /// Whether a pod asks the store before a castle is raised from it. The operator's own restore is mute for
    /// longer.
    pub probe_store: bool,
    /// PostgreSQL's major version.
    pub postgresql: u16,
    /// The StorageClass of all volumes; the cluster's default, if absent.
    pub storage_class: Option<String>,
    /// The size of PGDATA's volume and of the second repository's.
    pub volume_size: String,
    /// Layers besides the built-in ones, or in their place.
    pub layers: Vec<CommandLayer>,
    /// How long each layer may take until it is ready, by name.
    pub budgets: BTreeMap<String, Duration>,
    /// A store that is there already, instead of MinIO. Pods must reach it by the same name.
    pub store: Option<ExternalStore>,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        Self {
            platform: PlatformConfig::default(),
            wipe: None,
            own: Vec::new(),
            images: Images::default(),
            operator: OperatorConfig::default(),
            names: Names::default(),
            manifest: None,
            keep_passwords: false,
            probe_store: true,
            postgresql: 17,
            storage_class: None,
            volume_size: "2Gi".to_owned(),
            layers: Vec::new(),
            budgets: BTreeMap::new(),
            store: None,
        }
    }
}

impl ClusterConfig {
    /// The environment variables that win over `castle.toml`.
    pub const VARIABLES: [&str; 8] = [
        "PHOENIX_STORE_IMAGE",
        "PHOENIX_NODE_IMAGE",
        "PHOENIX_REGISTRY_IMAGE",
        "PHOENIX_OPERATOR_MANIFESTS",
        "PHOENIX_OPERATOR_IMAGE",
        "PHOENIX_PGO_POSTGRES_IMAGE",
        "PHOENIX_PGO_PGBACKREST_IMAGE",
        "PHOENIX_PGO_PGBOUNCER_IMAGE",
    ];

    /// This configuration, but for what a variable names.
    #[must_use]
    pub fn overridden(mut self, variable: impl Fn(&str) -> Option<String>) -> Self {
        let [store, node, registry, manifests, operator, postgres, pgbackrest, pgbouncer] =
            Self::VARIABLES.map(|name| variable(name).filter(|value| !value.is_empty()));
        let images = &mut self.images;
        images.store = store.unwrap_or_else(|| images.store.clone());
        images.node = node.unwrap_or_else(|| images.node.clone());
        images.registry = registry.unwrap_or_else(|| images.registry.clone());
        images.operator = operator.or(images.operator.take());
        images.postgres = postgres.or(images.postgres.take());
        images.pgbackrest = pgbackrest.or(images.pgbackrest.take());
        images.pgbouncer = pgbouncer.or(images.pgbouncer.take());
        self.operator.manifests = manifests.unwrap_or(self.operator.manifests);
        self
    }

    /// Takes from a PostgresCluster of the owner's what it says and nobody else did.
    pub(crate) fn fit(&mut self, own: &Own) {
        (self.names.cluster, self.names.users) = (own.name(), own.users());
        self.postgresql = own.postgresql().unwrap_or(self.postgresql);
        let [postgres, pgbackrest, pgbouncer] = own.images();
        let images = &mut self.images;
        images.postgres = images.postgres.take().or(postgres);
        images.pgbackrest = images.pgbackrest.take().or(pgbackrest);
        images.pgbouncer = images.pgbouncer.take().or(pgbouncer);
    }

    /// What a wipe destroys here.
    pub fn wipe(&self) -> WipeKind {
        self.wipe.unwrap_or(match self.platform {
            PlatformConfig::Kind { .. } => WipeKind::Platform,
            PlatformConfig::Existing { .. } => WipeKind::Namespace,
        })
    }
}
