//! Whether a store keeps versions, asked and told.

use phoenix_store::{Inspector, Target, Versioning};
use rstest::rstest;

use crate::common::{Front, Store};
use crate::recorder::Recorder;

#[rstest]
#[case("<VersioningConfiguration/>", Versioning::Never)]
#[case(
    "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>",
    Versioning::Suspended
)]
#[case("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>", Versioning::Enabled)]
#[tokio::test]
async fn what_a_store_says_is_understood(#[case] answer: &'static str, #[case] expected: Versioning) {
    let recorder = Recorder::start(answer).await;
    let home = tempfile::tempdir().unwrap();
    let ca_file = home.path().join("ca.pem");
    let upstream = recorder.upstream();
    std::fs::write(&ca_file, &upstream.ca_pem).unwrap();
    let inspector = Inspector::new(Target {
        endpoint: format!("https://localhost:{}", upstream.port),
        region: upstream.region,
        bucket: "castle".to_owned(),
        credentials: upstream.credentials,
        ca_file: Some(ca_file),
    })
    .unwrap();
    assert_eq!(inspector.versioning().await.unwrap(), expected);
    inspector.enable_versioning().await.unwrap();
    let asked = recorder.requests().pop().unwrap();
    assert!(asked.starts_with("PUT /castle/?versioning HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("<Status>Enabled</Status>"), "{asked}");
}

#[rstest]
#[tokio::test]
async fn every_version_can_be_read(#[values(Front::Store, Front::Proxy)] front: Front) {
    let store = Store::start_behind(front).await;
    let inspector = store.inspector();
    inspector.enable_versioning().await.unwrap();
    assert_eq!(inspector.versioning().await.unwrap(), Versioning::Enabled);
    for content in ["one", "two"] {
        inspector.put("key", content).await.unwrap();
    }
    inspector.delete("key").await.unwrap();
    let mut contents = Vec::new();
    for version in inspector.versions("key").await.unwrap() {
        contents.push(inspector.get_version("key", &version.version_id).await.ok());
    }
    contents.sort();
    assert_eq!(contents, [None, Some("one".into()), Some("two".into())]);
}
