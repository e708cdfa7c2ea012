//! A castle as its owner wrote it: a PostgresCluster in a file. A drill raises it as it is, but for what it
//! must have its own way, so that nothing of the owner's is touched: the name of the namespace, the store, and
//! whoever else would write there.

use crate::{
    config::User,
    manifests::RUN,
    masked::difference,
    operator::{Operator, parse},
    postgrescluster::KIND,
    preflight,
};
use phoenix_drill::{CastlePlan, Encrypted, Error, Result};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const PGBACKREST: &str = "/spec/backups/pgbackrest";
const INIT_SQL: &str = "/spec/databaseInitSQL";

/// What a file of the owner's holds.
#[derive(Debug, Clone)]
pub(crate) struct Own {
    file: PathBuf,
    text: String,
    cluster: Value,
    /// ConfigMaps and Secrets that it needs.
    beside: Vec<Value>,
}

impl Own {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self> {
        let file = path.display().to_string();
        let wrong = |what: String| {
            let advice = "give one PostgresCluster as manifest in [cluster], with the ConfigMaps and Secrets that it needs";
            Error::usage(format!("{file}: {what}"), advice)
        };
        let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let documents = parse(&text, &file).map_err(|error| wrong(error.chain()))?;
        let (mut clusters, beside): (Vec<_>, Vec<_>) =
            documents.into_iter().partition(|document| document["kind"] == KIND);
        if let Some(other) = beside.iter().find(|it| it["kind"] != "ConfigMap" && it["kind"] != "Secret") {
            return Err(wrong(format!("a {} is not applied by a drill; raise it as a layer", other["kind"])));
        }
        let (Some(cluster), true) = (clusters.pop(), clusters.is_empty()) else {
            return Err(wrong("it does not hold one PostgresCluster".to_owned()));
        };
        let own = Self { file: path.to_owned(), text, cluster, beside };
        own.check().map_err(wrong)?;
        Ok(own)
    }

    /// An error if the operator's CRD does not take it, or a restore would stumble over it.
    pub fn preflight(&self, operator: &Operator) -> Result<()> {
        preflight::check(&self.file, &self.text, &self.cluster, operator)
    }

    fn text(&self, pointer: &str) -> Option<String> {
        self.cluster.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
    }

    /// What a drill cannot do with it.
    fn check(&self) -> Result<(), String> {
        if self.cluster.pointer("/spec/standby/enabled") == Some(&json!(true)) {
            return Err("spec.standby is enabled: a standby takes no row".to_owned());
        }
        let first = self.cluster.pointer(&format!("{PGBACKREST}/repos/0"));
        if first.is_none_or(|repo| repo["name"] != "repo1" || repo["volume"].is_object()) {
            return Err("spec.backups.pgbackrest.repos[0] is to be repo1, in an object store".to_owned());
        }
        if let Some(name) = self.text(&format!("{INIT_SQL}/name"))
            && self.init_sql().is_none()
        {
            return Err(format!(
                "spec.databaseInitSQL names the ConfigMap {name}, which is not in this file"
            ));
        }
        match self.users().is_empty() {
            true => Err("spec.users names nobody with a database: rows are written as one".to_owned()),
            false => Ok(()),
        }
    }

    fn init_sql(&self) -> Option<&Value> {
        let name = self.text(&format!("{INIT_SQL}/name"))?;
        self.beside.iter().find(|it| it["kind"] == "ConfigMap" && it["metadata"]["name"] == name.as_str())
    }

    /// The PostgresCluster's name.
    pub fn name(&self) -> String {
        self.text("/metadata/name").unwrap_or_default()
    }

    /// PostgreSQL's major version.
    pub fn postgresql(&self) -> Option<u16> {
        self.cluster.pointer("/spec/postgresVersion")?.as_u64()?.try_into().ok()
    }

    /// PostgreSQL's image, pgBackRest's, pgBouncer's, where they are named.
    pub fn images(&self) -> [Option<String>; 3] {
        ["/spec/image", "/spec/backups/pgbackrest/image", "/spec/proxy/pgBouncer/image"]
            .map(|pointer| self.text(pointer))
    }

    /// Whoever has a database. Without any user the operator makes one with the cluster's name.
    pub fn users(&self) -> Vec<User> {
        let Some(users) = self.cluster.pointer("/spec/users").and_then(Value::as_array) else {
            return vec![User { name: self.name(), database: self.name() }];
        };
        let user = |user: &Value| {
            let (name, database) = (user["name"].as_str()?, user["databases"].get(0)?.as_str()?);
            Some(User { name: name.to_owned(), database: database.to_owned() })
        };
        users.iter().filter_map(user).collect()
    }

    /// How the castle is to be built: encrypted, if it is.
    pub fn planned(&self, plan: CastlePlan) -> CastlePlan {
        let cipher = self.text(&format!("{PGBACKREST}/global/repo1-cipher-type"));
        match cipher.is_some_and(|cipher| cipher != "none") {
            true => CastlePlan { encrypted: Encrypted::Aes256, ..plan },
            false => plan,
        }
    }

    /// Whether applications go through pgBouncer.
    pub fn has_pooler(&self) -> bool {
        self.cluster.pointer("/spec/proxy/pgBouncer").is_some()
    }

    /// The ConfigMaps and Secrets that it needs, in the drill's namespace. The Secret with the store's
    /// credentials is the drill's own; `grants` make the application at home.
    pub fn beside(&self, namespace: &str, secret: &str, run: &str, grants: &str) -> Vec<Value> {
        let key = self.text(&format!("{INIT_SQL}/key")).unwrap_or_default();
        let init_sql = self.init_sql();
        let configuration = self.cluster.pointer(&format!("{PGBACKREST}/configuration"));
        let is_of_the_store = |name: &Value| {
            let mut listed = configuration.and_then(Value::as_array).into_iter().flatten();
            *name == secret || listed.any(|source| source["secret"]["name"] == *name)
        };
        let kept = self
            .beside
            .iter()
            .filter(|it| it["kind"] != "Secret" || !is_of_the_store(&it["metadata"]["name"]));
        let placed = kept.map(|object| {
            let mut placed = object.clone();
            placed["metadata"]["namespace"] = json!(namespace);
            placed["metadata"]["labels"][RUN] = json!(run);
            if Some(object) == init_sql {
                let sql = object["data"][&key].as_str().unwrap_or_default();
                placed["data"][&key] = json!(format!("{sql}\n{grants}"));
            }
            placed
        });
        placed.collect()
    }

    /// The owner's PostgresCluster, with what a drill must have its own way taken from the one that it would
    /// build itself.
    pub fn fitted(&self, built: &Value) -> Value {
        let mut fitted = self.cluster.clone();
        // whoever looks for the owner's labels and annotations does not find a drill's castle
        fitted["metadata"] = built["metadata"].clone();
        let spec = &mut fitted["spec"];
        keep_inside(spec);
        let wanted = &built["spec"];
        for pointer in ["/image", "/backups/pgbackrest/image", "/proxy/pgBouncer/image"] {
            let (parent, key) = pointer.rsplit_once('/').unwrap_or_default();
            if let (Some(image), Some(parent)) = (wanted.pointer(pointer), spec.pointer_mut(parent)) {
                parent[key] = image.clone();
            }
        }
        if spec.get("databaseInitSQL").is_none() {
            spec["databaseInitSQL"] = wanted["databaseInitSQL"].clone();
        }
        if let Some(class) = wanted.pointer("/instances/0/dataVolumeClaimSpec/storageClassName") {
            set_class(spec, class);
        }
        let (mine, wanted) = (&mut spec["backups"]["pgbackrest"], &wanted["backups"]["pgbackrest"]);
        // an owner's own credentials would win over the drill's
        mine["configuration"] = wanted["configuration"].clone();
        mine["repos"] = repositories(&mine["repos"], &wanted["repos"]);
        mine["global"] = options(&mine["global"], &wanted["global"], &mine["repos"]);
        mine["manual"] = wanted["manual"].clone();
        let (mine, mut source) = (mine.clone(), built["spec"]["dataSource"].clone());
        if source.is_null() {
            if let Some(spec) = spec.as_object_mut() {
                spec.remove("dataSource");
            }
        } else {
            let told = &mut source["pgbackrest"];
            told["configuration"] = mine["configuration"].clone();
            told["global"] = options(&mine["global"], &told["global"], &mine["repos"]);
            spec["dataSource"] = source;
        }
        fitted
    }

    /// What a drill changed in the owner's file.
    pub fn difference(&self, fitted: &Value) -> Result<String> {
        difference(("yours", &self.cluster), ("at its birth", fitted))
    }
}

/// The first repository is the drill's, volumes are the owner's, and no other store is written to.
fn repositories(theirs: &Value, wanted: &Value) -> Value {
    let mut all: Vec<Value> = wanted.as_array().cloned().unwrap_or_default();
    for repo in theirs.as_array().into_iter().flatten().filter(|repo| repo["volume"].is_object()) {
        let mut repo = repo.clone();
        if let Some(repo) = repo.as_object_mut() {
            // nobody takes a backup but whoever is asked
            repo.remove("schedules");
        }
        all.retain(|known| known["name"] != repo["name"]);
        all.push(repo);
    }
    Value::Array(all)
}

/// pgBackRest's options: the owner's, but for what says where the store is.
fn options(theirs: &Value, wanted: &Value, repositories: &Value) -> Value {
    let kept: BTreeSet<_> =
        repositories.as_array().into_iter().flatten().filter_map(|repo| repo["name"].as_str()).collect();
    let of_store = ["path", "s3-", "gcs-", "azure-", "storage-", "host", "cipher-", "type"];
    let stays = |name: &str| {
        let repo = name.split_once('-').filter(|(repo, _)| repo.starts_with("repo"));
        repo.is_none_or(|(repo, option)| {
            kept.contains(repo) && (repo != "repo1" || !of_store.iter().any(|it| option.starts_with(it)))
        })
    };
    let theirs = theirs.as_object().cloned().unwrap_or_default();
    let mut all: Map<String, Value> = theirs.into_iter().filter(|(name, _)| stays(name)).collect();
    for (name, value) in wanted.as_object().into_iter().flatten() {
        if name.starts_with("repo1-") || !all.contains_key(name) {
            all.insert(name.clone(), value.clone());
        }
    }
    Value::Object(all)
}

/// Takes out whatever reaches beyond the drill's namespace: names and ports that others find, volumes and
/// snapshots that are there, and containers of the owner's that may write anywhere.
fn keep_inside(spec: &mut Value) {
    const OUTWARD: [&str; 9] = [
        "service",
        "replicaService",
        "containers",
        "instrumentation",
        "monitoring",
        "userInterface",
        "volumeName",
        "selector",
        "dataSourceRef",
    ];
    match spec {
        Value::Object(object) => {
            object.retain(|name, _| !OUTWARD.contains(&name.as_str()));
            if object.contains_key("accessModes") {
                object.remove("dataSource");
            }
            object.values_mut().for_each(keep_inside);
        }
        Value::Array(all) => all.iter_mut().for_each(keep_inside),
        _ => {}
    }
}

/// Gives every claim for a volume this class.
fn set_class(value: &mut Value, class: &Value) {
    match value {
        Value::Object(object) => {
            if object.contains_key("accessModes") {
                object.insert("storageClassName".to_owned(), class.clone());
            }
            object.values_mut().for_each(|value| set_class(value, class));
        }
        Value::Array(all) => all.iter_mut().for_each(|value| set_class(value, class)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = r#"
apiVersion: postgres-operator.crunchydata.com/v1beta1
kind: PostgresCluster
metadata: { name: prod, namespace: prod, labels: { team: dba } }
spec:
  postgresVersion: 17
  users: [{ name: app, databases: [shop], options: "CREATEDB" }]
  service: { type: LoadBalancer, metadata: { annotations: { dns: db.prod } } }
  instances:
  - { name: one, replicas: 2, dataVolumeClaimSpec: { accessModes: [ReadWriteOnce], storageClassName: longhorn } }
  patroni: { dynamicConfiguration: { postgresql: { parameters: { work_mem: 8MB } } } }
  databaseInitSQL: { name: sql, key: a.sql }
  backups:
    pgbackrest:
      configuration: [{ secret: { name: prod-creds } }]
      global: { repo1-path: /prod, repo1-retention-full: "7", repo1-s3-uri-style: host, repo3-path: /far, compress-type: zst }
      repos:
      - { name: repo1, s3: { bucket: prod, endpoint: s3.amazonaws.com, region: eu-south-1 }, schedules: { full: "0 1 * * 0" } }
      - { name: repo2, volume: { volumeClaimSpec: { accessModes: [ReadWriteOnce] } }, schedules: { full: "0 2 * * 0" } }
      - { name: repo3, s3: { bucket: far, endpoint: s3.amazonaws.com, region: eu-west-1 } }
---
{ apiVersion: v1, kind: ConfigMap, metadata: { name: sql }, data: { a.sql: "SELECT 1;" } }
---
{ apiVersion: v1, kind: Secret, metadata: { name: prod-creds }, stringData: { s3.conf: "[global]" } }
"#;

    fn read(text: &str) -> Result<Own> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        Own::read(file.path())
    }

    fn built(source: bool) -> Value {
        let pgbackrest = json!({
            "configuration": [{ "secret": { "name": "creds" } }], "manual": { "repoName": "repo1" },
            "global": { "repo1-path": "/run", "repo1-s3-uri-style": "path", "compress-type": "lz4" },
            "repos": [{ "name": "repo1", "s3": { "bucket": "drill" } }],
        });
        let mut built = json!({
            "metadata": { "name": "prod", "namespace": "drill", "labels": { RUN: "run" } },
            "spec": {
                "databaseInitSQL": { "name": "init-sql" }, "backups": { "pgbackrest": pgbackrest },
                "instances": [{ "dataVolumeClaimSpec": { "storageClassName": "standard" } }],
            },
        });
        if source {
            built["spec"]["dataSource"]["pgbackrest"] = json!({
                "global": { "repo1-path": "/run", "repo1-s3-uri-style": "path" }, "repo": { "name": "repo1" },
            });
        }
        built
    }

    /// Whatever would touch the owner's store goes; whatever makes the castle what it is stays.
    #[test]
    fn a_castle_of_ones_own_keeps_all_but_its_store() {
        let own = read(OWN).unwrap();
        assert_eq!(own.users(), [User { name: "app".into(), database: "shop".into() }]);
        let fitted = own.fitted(&built(false));
        let text = fitted.to_string();
        for gone in
            ["amazonaws", "/prod", "prod-creds", "schedules", "repo3", "longhorn", "dataSource", "db.prod"]
        {
            assert!(!text.contains(gone), "{gone}: {text}");
        }
        assert_eq!(fitted["metadata"]["labels"], json!({ RUN: "run" }));
        let pgbackrest = &fitted["spec"]["backups"]["pgbackrest"];
        let global = json!({ "repo1-path": "/run", "repo1-retention-full": "7", "repo1-s3-uri-style": "path", "compress-type": "zst" });
        assert_eq!(pgbackrest["global"], global);
        assert_eq!(pgbackrest["repos"].as_array().unwrap().len(), 2);
        assert_eq!(fitted["spec"]["patroni"], own.cluster["spec"]["patroni"]);
        assert_eq!(fitted["spec"]["databaseInitSQL"]["name"], "sql");

        let reborn = own.fitted(&built(true));
        assert_eq!(reborn["spec"]["dataSource"]["pgbackrest"]["global"], global);
        let difference = difference(("birth", &fitted), ("rebirth", &reborn)).unwrap();
        assert!(difference.contains("+  dataSource:"), "{difference}");
        assert!(!difference.lines().any(|line| line.starts_with("- ")), "{difference}");
    }

    #[test]
    fn what_it_needs_is_placed_beside_it() {
        let beside = read(OWN).unwrap().beside("drill", "creds", "run", "GRANT x;");
        assert_eq!(beside.len(), 1, "the owner's credentials are not placed: {beside:?}");
        assert_eq!(beside[0]["metadata"]["namespace"], "drill");
        assert_eq!(beside[0]["data"]["a.sql"], "SELECT 1;\nGRANT x;");
    }

    #[test]
    fn what_cannot_be_drilled_is_refused_at_once() {
        let refused = |from: &str, to: &str| read(&OWN.replace(from, to)).unwrap_err().to_string();
        assert!(
            refused("users: [{ name: app, databases: [shop],", "users: [{ name: app,").contains("spec.users")
        );
        assert!(refused("kind: ConfigMap", "kind: Deployment").contains("raise it as a layer"));
        assert!(refused("{ name: sql }", "{ name: other }").contains("not in this file"));
        assert!(refused("name: repo1, s3", "name: repo4, s3").contains("repos[0]"));
        assert!(refused("postgresVersion: 17", "standby: { enabled: true }").contains("standby"));
        assert!(refused("kind: PostgresCluster", "kind: ConfigMap").contains("one PostgresCluster"));
        let file = tempfile::tempdir().unwrap();
        assert!(Own::read(&file.path().join("none.yaml")).unwrap_err().to_string().contains("none.yaml"));
    }
}
