//! A castle as its owner wrote it: it rises as it is but for its store, and its users keep their passwords.

use crate::play;
use phoenix_cli::testing::assert_as_expected;
use phoenix_cluster::WipeKind;
use phoenix_core::Event;
use std::fs;

const CASTLE: &str = r#"
apiVersion: postgres-operator.crunchydata.com/v1beta1
kind: PostgresCluster
metadata: { name: shop, namespace: production, labels: { team: dba } }
spec:
  postgresVersion: 17
  users:
  - { name: till, databases: [orders] }
  instances:
  - name: one
    replicas: 1
    dataVolumeClaimSpec:
      accessModes: [ReadWriteOnce]
      resources: { requests: { storage: 1Gi } }
  patroni: { dynamicConfiguration: { postgresql: { parameters: { work_mem: 9MB } } } }
  databaseInitSQL: { name: shop-sql, key: home.sql }
  backups:
    pgbackrest:
      configuration:
      - secret: { name: production-s3 }
      global: { repo1-path: /production, repo1-retention-full: "7", repo1-cipher-type: aes-256-cbc, compress-type: gz }
      repos:
      - name: repo1
        schedules: { full: "0 1 * * 0" }
        s3: { bucket: production, endpoint: s3.eu-south-1.amazonaws.com, region: eu-south-1 }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: shop-sql }
data:
  home.sql: |
    \c orders
    CREATE SCHEMA IF NOT EXISTS stock;
"#;

/// Encrypted, without a pooler, and with nothing of the owner's store.
#[tokio::test(flavor = "multi_thread")]
async fn a_castle_of_ones_own_comes_back_and_its_users_keep_their_passwords() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("castle.yaml");
    fs::write(&file, CASTLE).unwrap();
    let played = play("protocol", |config| {
        (config.manifest, config.keep_passwords) = (Some(file), true);
        config.wipe = Some(WipeKind::Database);
    });
    let played = played.await.unwrap();
    assert_as_expected(&played);

    let applied = |name: &str| -> serde_json::Value {
        let text = fs::read_to_string(played.directory.join(format!("postgrescluster-{name}.json")));
        serde_json::from_str(&text.unwrap()).unwrap()
    };
    let (birth, mut rebirth) = (applied("birth"), applied("rebirth-1"));
    assert_eq!(
        birth["spec"]["patroni"]["dynamicConfiguration"]["postgresql"]["parameters"]["work_mem"],
        "9MB"
    );
    assert!(
        !birth.to_string().contains("amazonaws") && !birth.to_string().contains("/production"),
        "{birth}"
    );
    let source = rebirth["spec"].as_object_mut().unwrap().remove("dataSource").unwrap();
    assert_eq!(source["pgbackrest"]["global"]["repo1-cipher-type"], "aes-256-cbc");
    assert_eq!(birth, rebirth, "a rebirth is the same with a data source");

    let events = fs::read_to_string(played.directory.join("events.jsonl")).unwrap();
    let told: Vec<_> = events
        .lines()
        .filter_map(|line| match serde_json::from_str(line).unwrap() {
            Event::Notice { text } => Some(text),
            _ => None,
        })
        .collect();
    assert!(
        told[0].contains("-        bucket: production") || told[0].contains("bucket: production"),
        "{}",
        told[0]
    );
    assert!(told[1].contains("+  dataSource:") && told.len() == 2, "{told:?}");
}
