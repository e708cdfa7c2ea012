//! The castle's manifests, built from what a drill was told: a namespace, a Secret with the store's
//! credentials, SQL that may run again, and the PostgresCluster. A rebirth is the same with a data source.

use crate::{
    own::Own,
    postgrescluster::{
        Backups, DataSource, DataSourceRepo, GROUP, Instance, KIND, KeyOf, Manual, Named, PgBackRestSpec,
        PgBouncer, Projection, Proxy, Repo, RepoVolume, S3Spec, Spec, UserSpec, VERSION, VolumeClaim, label,
    },
    site::Site,
};
use phoenix_core::RecoveryTarget;
use phoenix_drill::{Doing, KeyAfterFire, RebirthPlan, Result};
use phoenix_postgres::pgbackrest::{Repository, S3, target_options};
use phoenix_repository::Vault;
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt::Write};

/// The label that says which run made an object.
pub(crate) const RUN: &str = "phoenix.run";
/// The stanza, as the operator calls it.
pub(crate) const STANZA: &str = "db";
/// The CA's certificate within the Secret, and where pgBackRest finds it.
pub(crate) const CA_KEY: &str = "s3-ca.crt";
const CA_FILE: &str = "/etc/pgbackrest/conf.d/s3-ca.crt";
const INIT_SQL: &str = "init-sql";
/// Exit statuses up to 125 pass for the end of WAL: this makes every error of pgBackRest's fatal. The operator
/// refuses whatever holds the word `--stanza`, and pgBackRest quotes it without a look at quotes in it.
const SEALED: &str =
    "PGBACKREST_STANZA=db pgbackrest archive-get %f \"%p\"; s=$?; [ $s -le 1 ] && exit $s; exit 255";
/// Nobody waits longer than this for an answer of the store, in seconds: the restore is mute meanwhile.
const IO_TIMEOUT_S: &str = "20";

/// Builds the manifests of one castle.
pub(crate) struct Manifests<'a> {
    pub site: &'a Site,
    pub vault: &'a Vault,
    /// The CA of the store, in PEM.
    pub ca_pem: &'a str,
    /// The proxy before the store, if there is one.
    pub detour: Option<&'a (String, u16)>,
    /// What the castle's owner wrote, if it is not built from nothing.
    pub own: Option<&'a Own>,
}

impl Manifests<'_> {
    fn metadata(&self, name: &str) -> Value {
        json!({ "name": name, "namespace": self.site.namespace(), "labels": self.labels() })
    }

    fn labels(&self) -> Value {
        json!({ RUN: self.site.scene.run.as_str() })
    }

    /// The castle's namespace.
    pub fn namespace(&self) -> Value {
        let metadata = json!({ "name": self.site.namespace(), "labels": self.labels() });
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata })
    }

    /// The Secret with the store's credentials. A key that burned is not in it.
    pub fn secret(&self, key: KeyAfterFire) -> Value {
        let Repository::S3(store, cipher) = self.vault.repository(key) else { return Value::Null };
        let mut conf = format!(
            "[global]\nrepo1-s3-key={}\nrepo1-s3-key-secret={}\n",
            store.access_key,
            store.secret_key.expose()
        );
        if let Some(cipher) = cipher {
            let _ = writeln!(conf, "repo1-cipher-pass={}", cipher.expose());
        }
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": self.metadata(&self.site.config.names.secret),
            "stringData": { "s3.conf": conf, CA_KEY: self.ca_pem },
        })
    }

    /// What makes the application at home. It runs again at every rebirth.
    fn grants(&self) -> String {
        let mut sql = String::new();
        for user in &self.site.config.names.users {
            let _ = writeln!(sql, "\\c {}\nGRANT ALL ON SCHEMA public TO \"{}\";", user.database, user.name);
        }
        sql
    }

    /// The ConfigMaps and Secrets that the PostgresCluster needs besides the store's credentials.
    pub fn beside(&self) -> Vec<Value> {
        let init_sql = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": self.metadata(INIT_SQL),
            "data": { "init.sql": self.grants() },
        });
        let mut all = vec![init_sql];
        if let Some(own) = self.own {
            let (secret, run) = (&self.site.config.names.secret, self.site.scene.run.as_str());
            all.extend(own.beside(self.site.namespace(), secret, run, &self.grants()));
        }
        all
    }

    /// The Secret of a user with the password that it is to keep: the operator adopts it.
    pub fn password(&self, user: &str, password: &str) -> Value {
        let cluster = &self.site.config.names.cluster;
        let mut metadata = self.metadata(&format!("{cluster}-pguser-{user}"));
        for (name, value) in [("cluster", cluster.as_str()), ("pguser", user), ("role", "pguser")] {
            metadata["labels"][label(name)] = json!(value);
        }
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": { "password": password } })
    }

    /// The PostgresCluster as it is born.
    pub fn cluster(&self) -> Result<Value> {
        self.postgres_cluster(None)
    }

    /// The PostgresCluster as it is reborn: the same with a data source.
    pub fn reborn(&self, plan: &RebirthPlan) -> Result<Value> {
        let pgbackrest = DataSourceRepo {
            stanza: STANZA.to_owned(),
            configuration: self.configuration(),
            global: self.global(plan.key),
            repo: self.repo1(),
            options: restore_options(&plan.target),
        };
        self.postgres_cluster(Some(DataSource { pgbackrest }))
    }

    fn postgres_cluster(&self, data_source: Option<DataSource>) -> Result<Value> {
        let (config, names) = (&self.site.config, &self.site.config.names);
        let claim = || VolumeClaim::new(&config.volume_size, config.storage_class.as_deref());
        let mut repos = vec![self.repo1()];
        if self.vault.repositories() > 1 {
            let volume = Some(RepoVolume { volume_claim_spec: claim() });
            repos.push(Repo { name: "repo2".to_owned(), s3: None, volume });
        }
        let user = |user: &crate::config::User| UserSpec {
            name: user.name.clone(),
            databases: vec![user.database.clone()],
        };
        let spec = Spec {
            postgres_version: config.postgresql,
            image: config.images.postgres.clone(),
            instances: vec![Instance {
                name: "instance1".to_owned(),
                replicas: 1,
                data_volume_claim_spec: claim(),
            }],
            users: names.users.iter().map(user).collect(),
            database_init_sql: KeyOf { name: INIT_SQL.to_owned(), key: "init.sql".to_owned() },
            backups: Backups {
                pgbackrest: PgBackRestSpec {
                    image: config.images.pgbackrest.clone(),
                    configuration: self.configuration(),
                    global: self.global(KeyAfterFire::Kept),
                    repos,
                    manual: Manual { repo_name: "repo1".to_owned(), options: vec!["--type=full".to_owned()] },
                },
            },
            proxy: Proxy { pg_bouncer: PgBouncer { image: config.images.pgbouncer.clone(), replicas: 1 } },
            data_source,
        };
        let spec = serde_json::to_value(spec).doing("building the PostgresCluster")?;
        let built = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"), "kind": KIND,
            "metadata": self.metadata(&names.cluster), "spec": spec,
        });
        Ok(self.own.map_or_else(|| built.clone(), |own| own.fitted(&built)))
    }

    fn configuration(&self) -> Vec<Projection> {
        vec![Projection { secret: Named { name: self.site.config.names.secret.clone() } }]
    }

    fn repo1(&self) -> Repo {
        let S3 { bucket, host, port, region, .. } = &self.vault.store;
        let s3 =
            S3Spec { bucket: bucket.clone(), endpoint: format!("{host}:{port}"), region: region.clone() };
        Repo { name: "repo1".to_owned(), s3: Some(s3), volume: None }
    }

    /// pgBackRest's options that are no secret.
    fn global(&self, key: KeyAfterFire) -> BTreeMap<String, String> {
        let mut global = BTreeMap::from([
            ("repo1-path", self.vault.store.path.as_str()),
            ("repo1-s3-uri-style", "path"),
            ("repo1-storage-verify-tls", "y"),
            ("repo1-storage-ca-file", CA_FILE),
            ("io-timeout", IO_TIMEOUT_S),
            ("process-max", "2"),
            ("start-fast", "y"),
        ]);
        if let Repository::S3(_, Some(_)) = self.vault.repository(key) {
            global.insert("repo1-cipher-type", "aes-256-cbc");
        }
        let port = self.detour.map(|(_, port)| port.to_string()).unwrap_or_default();
        if let Some((host, _)) = self.detour {
            global.extend([("repo1-storage-host", host.as_str()), ("repo1-storage-port", port.as_str())]);
        }
        global.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

/// pgBackRest's options for a target. The operator joins them with blanks and has a shell read them; it
/// adds `--target-action=promote` by itself.
pub(crate) fn restore_options(target: &RecoveryTarget) -> Vec<String> {
    if *target == RecoveryTarget::Latest {
        return Vec::new();
    }
    let (kind, value) = target_options(target);
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let mut options = vec![format!("--type={kind}")];
    options.extend(value.map(|value| format!("--target={}", quoted(&value))));
    if let RecoveryTarget::Sealed(_) = target {
        options.push(format!("--recovery-option={}", quoted(&format!("restore_command={SEALED}"))));
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use phoenix_core::{Lsn, Xid};

    #[test]
    fn a_shell_reads_each_option_as_one_word() {
        assert!(restore_options(&RecoveryTarget::Latest).is_empty());
        assert_eq!(
            restore_options(&RecoveryTarget::Lsn(Lsn(0x3000148))),
            ["--type=lsn", "--target='0/3000148'"]
        );
        assert_eq!(
            restore_options(&RecoveryTarget::Xid(Xid(1 << 32 | 742))),
            ["--type=xid", "--target='742'"]
        );
        let time = RecoveryTarget::Time("2026-11-21T02:25:14.889174Z".parse().unwrap());
        assert_eq!(restore_options(&time)[1], "--target='2026-11-21 02:25:14.889174+00:00'");
        let sealed = restore_options(&RecoveryTarget::Sealed("p".into()));
        let command =
            "PGBACKREST_STANZA=db pgbackrest archive-get %f \"%p\"; s=$?; [ $s -le 1 ] && exit $s; exit 255";
        assert_eq!(sealed[2], format!("--recovery-option='restore_command={command}'"));
    }
}
