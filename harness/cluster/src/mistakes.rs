//! Mistakes in the configuration of a rebirth, planted on purpose: each changes one thing of what is applied.

use crate::{birth::Cluster, manifests::CA_KEY, plant::Plant};
use phoenix_drill::{Error, Misconfigure, Mistake, Work};
use serde_json::{Value, json};

/// A StorageClass for which nobody provisions.
const NOBODY: &str = "phoenix-nobody";
/// A port at which no store listens.
const NOBODY_LISTENS: u16 = 9;
/// PostgreSQL takes 262143 at most.
const MORE_THAN_CAN_BE: u32 = 300_000;
const DATA_SOURCE: &str = "/spec/dataSource/pgbackrest";

impl Misconfigure for Cluster {
    fn misconfigure(&self, mistake: Mistake) -> Work<'_, String> {
        Box::pin(async move {
            let plant = self.plant()?;
            if mistake == Mistake::VolumeNeverReady && plant.platform.operator_is_given() {
                let what = "a StorageClass is cluster-wide, and a drill makes none in a cluster that stays";
                return Err(Error::usage(what, "play this scenario on kind"));
            }
            plant.make(Some(mistake));
            Ok(told(mistake).to_owned())
        })
    }

    fn correct(&self) -> Work<'_, ()> {
        Box::pin(async {
            self.plant()?.make(None);
            Ok(())
        })
    }
}

/// What is wrong, for a person.
fn told(mistake: Mistake) -> &'static str {
    match mistake {
        Mistake::CredentialsNotListed => "dataSource.pgbackrest.configuration does not list the Secret",
        Mistake::SecretMissing => "the Secret with the store's credentials was not created",
        Mistake::WrongKey => "repo1-s3-key-secret is another one",
        Mistake::WrongCa => "repo1-storage-ca-file is another CA's",
        Mistake::BucketMissing => "dataSource.pgbackrest.repo.s3.bucket names no bucket",
        Mistake::EndpointRefused => "nothing listens at dataSource.pgbackrest.repo.s3.endpoint",
        Mistake::PathUnknown => "repo1-path is not where the repository is",
        Mistake::PathRelative => "repo1-path lacks its leading slash",
        Mistake::OptionRefused => "dataSource.pgbackrest.options holds --repo=1",
        Mistake::UserName => "a user is called tazlab_admin",
        Mistake::UndeclaredField => "repos[0] has a field s3Credentials",
        Mistake::SettingImpossible => {
            "patroni.dynamicConfiguration asks for a max_connections that cannot be"
        }
        Mistake::VolumeClassMissing => "storageClassName names no StorageClass",
        Mistake::VolumeNeverReady => "nobody provisions for storageClassName",
        Mistake::NoDataSource => "there is no dataSource",
    }
}

/// The PostgresCluster of a rebirth, with a mistake in it.
pub(crate) fn in_cluster(mut manifest: Value, mistake: Mistake) -> Value {
    let text = |manifest: &Value, pointer: &str| {
        manifest.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let path = text(&manifest, &format!("{DATA_SOURCE}/global/repo1-path"));
    let endpoint = text(&manifest, &format!("{DATA_SOURCE}/repo/s3/endpoint"));
    let host = endpoint.rsplit_once(':').map_or(endpoint.as_str(), |(host, _)| host);
    let mut set = |pointer: &str, key: &str, value: Value| {
        if let Some(object) = manifest.pointer_mut(pointer) {
            object[key] = value;
        }
    };
    match mistake {
        Mistake::CredentialsNotListed => set(DATA_SOURCE, "configuration", json!([])),
        Mistake::BucketMissing => set(&format!("{DATA_SOURCE}/repo/s3"), "bucket", json!("no-such-bucket")),
        Mistake::EndpointRefused => {
            set(&format!("{DATA_SOURCE}/repo/s3"), "endpoint", json!(format!("{host}:{NOBODY_LISTENS}")));
        }
        Mistake::PathUnknown => {
            set(&format!("{DATA_SOURCE}/global"), "repo1-path", json!(format!("/nowhere{path}")));
        }
        Mistake::PathRelative => {
            set(&format!("{DATA_SOURCE}/global"), "repo1-path", json!(path.trim_start_matches('/')));
        }
        Mistake::OptionRefused => set(DATA_SOURCE, "options", json!(["--repo=1"])),
        Mistake::UserName => set("/spec/users/1", "name", json!("tazlab_admin")),
        Mistake::UndeclaredField => {
            set(
                "/spec/backups/pgbackrest/repos/0",
                "s3Credentials",
                json!({ "secretName": "s3-backrest-creds" }),
            );
        }
        // the restore starts with the backup's own, and Patroni with this one
        Mistake::SettingImpossible => {
            let parameters = json!({ "max_connections": MORE_THAN_CAN_BE });
            let dynamic = json!({ "postgresql": { "parameters": parameters } });
            set("/spec", "patroni", json!({ "dynamicConfiguration": dynamic }));
        }
        Mistake::VolumeClassMissing => {
            set("/spec/instances/0/dataVolumeClaimSpec", "storageClassName", json!("longhorn-nope"));
        }
        Mistake::VolumeNeverReady => {
            set("/spec/instances/0/dataVolumeClaimSpec", "storageClassName", json!(NOBODY));
        }
        Mistake::NoDataSource => {
            if let Some(spec) = manifest.pointer_mut("/spec").and_then(Value::as_object_mut) {
                spec.remove("dataSource");
            }
        }
        // these are in the Secret
        Mistake::SecretMissing | Mistake::WrongKey | Mistake::WrongCa => {}
    }
    manifest
}

/// The Secret of a rebirth, with a mistake in it; `None` if it is not to be there.
pub(crate) fn in_secret(mut secret: Value, mistake: Mistake, another_ca: &str) -> Option<Value> {
    let data = secret.pointer_mut("/stringData")?;
    match mistake {
        Mistake::SecretMissing => return None,
        Mistake::WrongKey => {
            let conf = data["s3.conf"].as_str()?.lines().map(|line| match line.split_once('=') {
                Some((key @ "repo1-s3-key-secret", _)) => format!("{key}=another-secret-key\n"),
                _ => format!("{line}\n"),
            });
            data["s3.conf"] = Value::String(conf.collect());
        }
        Mistake::WrongCa => data[CA_KEY] = json!(another_ca),
        _ => {}
    }
    Some(secret)
}

/// A StorageClass for which nobody provisions.
pub(crate) fn nobodys_class(plant: &Plant) -> Value {
    json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "phoenix.invalid/nobody",
        "metadata": { "name": NOBODY, "labels": { crate::manifests::RUN: plant.site.scene.run.as_str() } },
    })
}
