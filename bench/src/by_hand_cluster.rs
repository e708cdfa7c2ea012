//! A disaster on a kind cluster as a person drills it: `by-hand-cluster.sh`, and the files that it is given.
//! The PostgresCluster is the drill's own, but for where its store is.

use crate::{
    by_hand,
    house::House,
    rounds::Lap,
    yard::{Yard, docker},
};
use miette::{Context, IntoDiagnostic, Result, bail, miette};
use phoenix_cluster::ClusterConfig;
use phoenix_store::Credentials;
use serde_json::{Value, json};
use std::{env, fs, path::Path, process::Stdio};
use tokio::process::Command;
use uuid::Uuid;

const SCRIPT: &str = include_str!("../by-hand-cluster.sh");
/// Rows of the workload before and after the backup, each, as a drill on a cluster writes them.
const ROWS: u32 = 200;
const TABLE: &str = "CREATE TABLE memories (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    content text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    row_id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    run_id text NOT NULL DEFAULT 'by hand');";

/// What both take that is there before: the images' names, and the operator's manifests.
pub struct Kit {
    /// The drill's configuration.
    pub config: ClusterConfig,
    /// What is used: name and version.
    pub on: Vec<(String, String)>,
    operator: Operator,
}

/// The operator's manifests as they are applied, with its namespace.
struct Operator {
    namespace: String,
    name: String,
    text: String,
}

impl Kit {
    /// Finds everything, or says what cannot be had.
    pub async fn gather() -> Result<Self> {
        let config = ClusterConfig::default().overridden(|name| env::var(name).ok());
        let mut on = Vec::new();
        for (what, state) in phoenix_cluster::needs(&config).await {
            let found = state.map_err(|advice| miette!("{what}: {advice}"))?;
            if ["kind", "kubectl"].contains(&what.as_str()) {
                on.push((what, found));
            }
        }
        let images = &config.images;
        let own = [&images.operator, &images.postgres, &images.pgbackrest, &images.pgbouncer];
        for image in
            [&images.node, &images.registry, &images.store].into_iter().chain(own.into_iter().flatten())
        {
            if docker(&["image", "inspect", image]).await.is_err() {
                let pulled = docker(&["pull", "--quiet", image]).await;
                pulled.map_err(|why| miette!("the image {image} is not in the engine: {why}"))?;
            }
        }
        let operator = Operator::read(&config).await?;
        on.extend(
            [("nodes", &images.node), ("store", &images.store)]
                .map(|(what, name)| (what.to_owned(), name.clone())),
        );
        Ok(Self { config, on, operator })
    }
}

impl Operator {
    async fn read(config: &ClusterConfig) -> Result<Self> {
        let place = &config.operator.manifests;
        let text = match Path::new(place).is_file() {
            true => fs::read_to_string(place).into_diagnostic()?,
            false => said("kubectl", &["kustomize", place]).await?,
        };
        Self::parse(&text, config.images.operator.as_deref())
            .wrap_err_with(|| format!("the operator's manifests, {place}"))
    }

    /// Puts the image into the Deployment, and the namespace before everything, if it is not there.
    fn parse(text: &str, image: Option<&str>) -> Result<Self> {
        let of_kind = |kind: &str| {
            let line = format!("kind: {kind}");
            text.split("\n---\n").find(|document| document.lines().any(|it| it == line))
        };
        let deployment = of_kind("Deployment").ok_or_else(|| miette!("there is no Deployment"))?;
        let mut changed: Value = serde_saphyr::from_str(deployment).into_diagnostic()?;
        let named = |what: &str| changed["metadata"][what].as_str().unwrap_or_default().to_owned();
        let (namespace, name) = (named("namespace"), named("name"));
        let container = &mut changed["spec"]["template"]["spec"]["containers"][0];
        if let Some(image) = image {
            container["image"] = json!(image);
        }
        // what was loaded is not to be pulled
        container["imagePullPolicy"] = json!("IfNotPresent");
        let text = text.replace(deployment, &changed.to_string());
        let before = match of_kind("Namespace") {
            Some(_) => String::new(),
            None => format!(
                "{}\n---\n",
                json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } })
            ),
        };
        Ok(Self { namespace, name, text: before + &text })
    }
}

/// What the drill of the same round used.
#[derive(Debug, Clone, Default)]
pub struct Model {
    /// The operator's image, and those of the PostgresCluster.
    pub images: String,
    /// The PostgresCluster, as it was born and as it was reborn.
    pub clusters: [Value; 2],
}

/// Runs the script once. What it is given is made before.
pub async fn run(house: &House, yard: &Yard, kit: &Kit, model: &Model) -> Result<Lap> {
    let name = yard.name(&Uuid::new_v4().simple().to_string()[..8]);
    let files = house.disk().join(&name);
    fs::create_dir(&files).into_diagnostic()?;
    let store = format!("{name}-store");
    let (certificates, keys) = by_hand::write_store_files(&files, &store)?;
    let [birth, rebirth] = model.clusters.clone().map(|cluster| with_store(cluster, &store));
    let text = |value: &Value, pointer: &str| -> Result<String> {
        let found = value.pointer(pointer).and_then(Value::as_str);
        found.map(str::to_owned).ok_or_else(|| miette!("the drill's PostgresCluster has no {pointer}"))
    };
    let secrets = secrets(&birth, &keys, &certificates.ca_pem)?;
    let texts = [
        ("operator.yaml", kit.operator.text.clone()),
        ("secrets.json", secrets.to_string()),
        ("birth.json", birth.to_string()),
        ("rebirth.json", rebirth.to_string()),
        ("table.sql", TABLE.to_owned()),
    ];
    by_hand::write_files(&files, &texts.each_ref().map(|(path, text)| (*path, text.as_str())))?;
    let variables = [
        ("NAME", name),
        ("LABEL", yard.label()),
        ("NODE_IMAGE", kit.config.images.node.clone()),
        ("STORE_IMAGE", kit.config.images.store.clone()),
        ("IMAGES", model.images.clone()),
        ("BUCKET", text(&birth, "/spec/backups/pgbackrest/repos/0/s3/bucket")?),
        ("ROWS", ROWS.to_string()),
        ("OPERATOR", format!("{} {}", kit.operator.namespace, kit.operator.name)),
        ("NAMESPACE", text(&birth, "/metadata/namespace")?),
        ("CLUSTER", text(&birth, "/metadata/name")?),
        ("APPLICATION", text(&birth, "/spec/users/0/name")?),
    ];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    by_hand::run("by-hand-cluster.sh", SCRIPT, &files, &variables).await
}

/// The drill's PostgresCluster with another store, and images that were loaded rather than pulled.
fn with_store(mut cluster: Value, store: &str) -> Value {
    if let Some(metadata) = cluster["metadata"].as_object_mut() {
        metadata.remove("labels");
    }
    cluster["spec"]["imagePullPolicy"] = json!("IfNotPresent");
    for (source, s3) in
        [("/spec/backups/pgbackrest", "/repos/0/s3"), ("/spec/dataSource/pgbackrest", "/repo/s3")]
    {
        if let Some(source) = cluster.pointer_mut(source) {
            source["global"]["repo1-path"] = json!("/by-hand");
            if let Some(s3) = source.pointer_mut(s3) {
                s3["endpoint"] = json!(format!("{store}:9000"));
            }
        }
    }
    cluster
}

/// What the PostgresCluster needs: the namespace, the Secret with the store's keys, and SQL that makes its
/// users at home.
fn secrets(cluster: &Value, keys: &Credentials, ca_pem: &str) -> Result<Value> {
    let (namespace, spec) = (&cluster["metadata"]["namespace"], &cluster["spec"]);
    let mut sql = String::new();
    for user in spec["users"].as_array().into_iter().flatten() {
        let (Some(name), Some(database)) = (user["name"].as_str(), user["databases"][0].as_str()) else {
            bail!("a user of the drill's PostgresCluster has no database");
        };
        sql += &format!("\\c {database}\nGRANT ALL ON SCHEMA public TO \"{name}\";\n");
    }
    let conf = format!(
        "[global]\nrepo1-s3-key={}\nrepo1-s3-key-secret={}\n",
        keys.access_key,
        keys.secret_key.expose()
    );
    let named = |name: &Value| json!({ "name": name, "namespace": namespace });
    let secret = named(&spec["backups"]["pgbackrest"]["configuration"][0]["secret"]["name"]);
    Ok(json!({ "apiVersion": "v1", "kind": "List", "items": [
        { "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } },
        { "apiVersion": "v1", "kind": "Secret", "metadata": secret,
          "stringData": { "s3.conf": conf, "s3-ca.crt": ca_pem } },
        { "apiVersion": "v1", "kind": "ConfigMap", "metadata": named(&spec["databaseInitSQL"]["name"]),
          "data": { "init.sql": sql } },
    ] }))
}

async fn said(program: &str, words: &[&str]) -> Result<String> {
    let output = Command::new(program).args(words).stdin(Stdio::null()).output().await;
    let output = output.into_diagnostic().wrap_err_with(|| format!("{program} does not start"))?;
    if !output.status.success() {
        bail!("{program} {} failed: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_gets_its_image_and_its_namespace() {
        let text = "kind: CustomResourceDefinition\nx: 'kind: Deployment'\n---\nkind: Deployment\nmetadata:\n  name: pgo\n  namespace: there\n\
                    spec:\n  template:\n    spec:\n      containers:\n      - image: old\n";
        let operator = Operator::parse(text, Some("new:latest")).unwrap();
        assert_eq!((operator.namespace.as_str(), operator.name.as_str()), ("there", "pgo"));
        let documents: Vec<_> = operator.text.split("\n---\n").collect();
        assert_eq!(documents.len(), 3);
        assert!(documents[0].contains(r#""kind":"Namespace""#), "{}", documents[0]);
        let deployment: Value = serde_json::from_str(documents[2]).unwrap();
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container, &json!({ "image": "new:latest", "imagePullPolicy": "IfNotPresent" }));
    }

    #[test]
    fn the_drills_postgrescluster_is_changed_in_its_store_alone() {
        let source = |repo: &str, value: Value| json!({ "global": { "repo1-path": "/run", "process-max": "2" }, repo: value });
        let s3 = |endpoint: &str| json!({ "bucket": "b", "endpoint": endpoint });
        let cluster = |path: &str, endpoint: &str| {
            let mut one = json!({ "metadata": { "name": "db", "namespace": "db" }, "spec": {
                "backups": { "pgbackrest": source("repos", json!([{ "s3": s3(endpoint) }])) },
                "dataSource": { "pgbackrest": source("repo", json!({ "s3": s3(endpoint) })) } } });
            for place in ["backups", "dataSource"] {
                one["spec"][place]["pgbackrest"]["global"]["repo1-path"] = json!(path);
            }
            one
        };
        let mut drills = cluster("/run", "phoenix-run-store:9000");
        drills["metadata"]["labels"] = json!({ "phoenix.run": "RUN" });
        let mut wanted = cluster("/by-hand", "mine:9000");
        wanted["spec"]["imagePullPolicy"] = json!("IfNotPresent");
        assert_eq!(with_store(drills, "mine"), wanted);
    }
}
