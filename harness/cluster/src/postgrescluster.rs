//! The PostgresCluster of `postgres-operator.crunchydata.com/v1beta1`: what a drill writes of it, and what
//! it reads.

use kube::api::{ApiResource, GroupVersionKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

pub(crate) const GROUP: &str = "postgres-operator.crunchydata.com";
pub(crate) const VERSION: &str = "v1beta1";
pub(crate) const KIND: &str = "PostgresCluster";

/// A PostgresCluster as the API gives it: the spec as it is, and of the status what tells.
pub(crate) type PostgresCluster = kube::core::Object<Value, Status>;

/// How the API calls it.
pub(crate) fn resource() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(GROUP, VERSION, KIND))
}

/// A label or an annotation of the operator's.
pub(crate) fn label(name: &str) -> String {
    format!("{GROUP}/{name}")
}

/// What a drill writes.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Spec {
    pub postgres_version: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    pub instances: Vec<Instance>,
    pub users: Vec<UserSpec>,
    #[serde(rename = "databaseInitSQL")]
    pub database_init_sql: KeyOf,
    pub backups: Backups,
    pub proxy: Proxy,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_source: Option<DataSource>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Instance {
    pub name: String,
    pub replicas: u32,
    pub data_volume_claim_spec: VolumeClaim,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VolumeClaim {
    pub access_modes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class_name: Option<String>,
    pub resources: Resources,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Resources {
    pub requests: BTreeMap<String, String>,
}

impl VolumeClaim {
    /// One that one node at a time may write to.
    pub fn new(size: &str, storage_class: Option<&str>) -> Self {
        Self {
            access_modes: vec!["ReadWriteOnce".to_owned()],
            storage_class_name: storage_class.map(str::to_owned),
            resources: Resources { requests: BTreeMap::from([("storage".to_owned(), size.to_owned())]) },
        }
    }
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct UserSpec {
    pub name: String,
    pub databases: Vec<String>,
}

/// A key of a ConfigMap.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct KeyOf {
    pub name: String,
    pub key: String,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Backups {
    pub pgbackrest: PgBackRestSpec,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct PgBackRestSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    pub configuration: Vec<Projection>,
    pub global: BTreeMap<String, String>,
    pub repos: Vec<Repo>,
    pub manual: Manual,
}

/// A Secret that is put beside pgBackRest's configuration.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Projection {
    pub secret: Named,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Named {
    pub name: String,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Repo {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3: Option<S3Spec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume: Option<RepoVolume>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct S3Spec {
    pub bucket: String,
    /// `HOST:PORT`, without a scheme.
    pub endpoint: String,
    pub region: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RepoVolume {
    pub volume_claim_spec: VolumeClaim,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manual {
    pub repo_name: String,
    pub options: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Proxy {
    pub pg_bouncer: PgBouncer,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct PgBouncer {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    pub replicas: u32,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct DataSource {
    pub pgbackrest: DataSourceRepo,
}

/// Where the operator restores from. It hands the restore nothing of `spec.backups`: the Secret and the
/// options are said again.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct DataSourceRepo {
    pub stanza: String,
    pub configuration: Vec<Projection>,
    pub global: BTreeMap<String, String>,
    pub repo: Repo,
    pub options: Vec<String>,
}

/// What the operator says of a PostgresCluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Status {
    pub conditions: Vec<Condition>,
    pub users_revision: Option<String>,
    pub database_revision: Option<String>,
    #[serde(rename = "databaseInitSQL")]
    pub database_init_sql: Option<String>,
    pub startup_instance: Option<String>,
    pub patroni: Patroni,
    pub pgbackrest: PgBackRestStatus,
    pub proxy: ProxyStatus,
}

/// A condition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Condition {
    #[serde(rename = "type")]
    pub kind: String,
    pub status: String,
    pub reason: String,
    pub message: String,
    pub last_transition_time: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Patroni {
    pub system_identifier: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct PgBackRestStatus {
    pub repos: Vec<RepoStatus>,
    pub manual_backup: Option<JobStatus>,
    pub restore: Option<JobStatus>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct RepoStatus {
    pub name: String,
    pub stanza_created: bool,
    pub replica_create_backup_complete: bool,
}

/// A backup or a restore that somebody asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct JobStatus {
    pub id: String,
    pub finished: bool,
    pub active: i32,
    pub succeeded: i32,
    pub failed: i32,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ProxyStatus {
    pub pg_bouncer: PgBouncerStatus,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct PgBouncerStatus {
    pub ready_replicas: i32,
    #[serde(rename = "postgresRevision")]
    pub postgres_revision: Option<String>,
}

impl Status {
    /// The condition of this type.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.kind == kind)
    }

    /// Whether the condition of this type is true.
    pub fn is(&self, kind: &str) -> bool {
        self.condition(kind).is_some_and(|condition| condition.status == "True")
    }
}
