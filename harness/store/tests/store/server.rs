//! The server itself: who gets in, what it refuses to open, and what is left after it.

use std::fs;
use std::net::SocketAddr;

use phoenix_core::Secret;
use phoenix_store::{
    Credentials, Durability, InspectError, Inspector, StoreConfig, StoreError, StoreServer, Target,
};
use rstest::rstest;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::common::{BUCKET, Front, Store, config, connect, start};

fn denied(error: InspectError) -> String {
    match error {
        InspectError::Denied { code, .. } => code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn another_secret_or_access_key_is_denied() {
    let store = Store::start().await;
    store.inspector().list("").await.unwrap();
    let Credentials { access_key, secret_key } = store.credentials.clone();
    let wrong_secret = Credentials { access_key, secret_key: Secret::new("canary-secret") };
    let wrong_key = Credentials { access_key: "AKIAUNKNOWN".to_owned(), secret_key };
    for (credentials, expected) in
        [(wrong_secret, "SignatureDoesNotMatch"), (wrong_key, "InvalidAccessKeyId")]
    {
        let outsider = Inspector::new(Target { credentials, ..store.target() }).unwrap();
        let error = outsider.list("").await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary-secret"));
        assert_eq!(denied(error), expected);
        let large = vec![0; 20_000_000];
        assert_eq!(denied(outsider.put("key", large).await.unwrap_err()), expected, "after all was sent");
        assert!(matches!(outsider.head("key").await, Err(InspectError::Denied { .. })));
    }
    assert_eq!(store.inspector().list("").await.unwrap(), []);
}

#[tokio::test]
async fn a_signature_for_another_region_is_refused() {
    let store = Store::start().await;
    let elsewhere = Inspector::new(Target { region: "eu-west-1".to_owned(), ..store.target() }).unwrap();
    let error = elsewhere.list("").await.unwrap_err();
    let InspectError::Other { source, .. } = &error else { panic!("{error:?}") };
    assert!(format!("{source:?}").contains("expecting 'us-east-1'"), "{error:?}");
}

#[tokio::test]
async fn a_server_of_another_ca_is_not_trusted() {
    let (store, other) = (Store::start().await, Store::start().await);
    let target = Target { ca_file: Some(other.server.ca_file().to_owned()), ..store.target() };
    let error = Inspector::new(target).unwrap().list("").await.unwrap_err();
    assert!(matches!(error, InspectError::Tls { .. }), "{error:?}");
    let target = Target { ca_file: None, ..store.target() };
    let error = Inspector::new(target).unwrap().list("").await.unwrap_err();
    assert!(matches!(error, InspectError::Tls { .. }), "the system does not trust it: {error:?}");
    let target = Target { ca_file: Some(store.home.path().join("absent")), ..store.target() };
    assert!(matches!(Inspector::new(target), Err(InspectError::CaFile { .. })));
}

/// A connection that trusts the store's CA.
#[rstest]
#[tokio::test]
async fn a_client_that_sends_all_before_it_reads_gets_its_answer(
    #[values(Front::Store, Front::Proxy)] front: Front,
) {
    const BODY_BYTES: usize = 30_000_000;
    let store = Store::start_behind(front).await;
    let mut stream = connect(&store.target(), &TLS13, "localhost").await;
    let head = format!("PUT /castle/key HTTP/1.1\r\nhost: localhost\r\ncontent-length: {BODY_BYTES}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![0; BODY_BYTES]).await.unwrap();
    stream.flush().await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(String::from_utf8(answer).unwrap(), "HTTP/1.1 403", "it was not signed");
}

#[rstest]
#[tokio::test]
async fn both_versions_of_tls_and_both_names_are_served(
    #[values(Front::Store, Front::Proxy)] front: Front,
    #[values(&TLS12, &TLS13)] version: &'static SupportedProtocolVersion,
    #[values("localhost", "127.0.0.1")] name: &'static str,
) {
    let store = Store::start_behind(front).await;
    let stream = connect(&store.target(), version, name).await;
    assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
}

#[tokio::test]
async fn what_is_not_there_has_its_own_error() {
    let store = Store::start().await;
    let nowhere = Inspector::new(Target { bucket: "absent".to_owned(), ..store.target() }).unwrap();
    let is_bucket = |error| matches!(error, InspectError::NoSuchBucket { bucket, .. } if bucket == "absent");
    assert!(is_bucket(nowhere.list("").await.unwrap_err()));
    assert!(is_bucket(nowhere.versions("").await.unwrap_err()));
    assert!(is_bucket(nowhere.get("key").await.unwrap_err()));
    assert!(is_bucket(nowhere.put("key", "x").await.unwrap_err()));
    assert!(!nowhere.bucket_exists().await.unwrap());
    let is_key = |error| matches!(error, InspectError::NoSuchKey { key, .. } if key == "key");
    assert!(is_key(store.inspector().get("key").await.unwrap_err()));
    assert!(is_key(store.inspector().head("key").await.unwrap_err()));

    nowhere.create_bucket().await.unwrap();
    assert!(nowhere.bucket_exists().await.unwrap());
    assert_eq!(nowhere.list("").await.unwrap(), []);
}

#[tokio::test]
async fn after_shutdown_the_port_is_closed_and_the_directory_free() {
    let store = Store::start().await;
    let inspector = store.inspector();
    inspector.put("key", "kept").await.unwrap();
    store.server.shutdown().await;
    let error = inspector.list("").await.unwrap_err();
    assert!(matches!(error, InspectError::Refused { .. }), "{error:?}");
    let server = start(store.home.path(), &store.credentials).await.unwrap();
    let again = Store { server, ..store };
    assert_eq!(again.inspector().get("key").await.unwrap(), "kept");
}

#[tokio::test]
async fn a_directory_is_served_once_at_a_time() {
    let store = Store::start().await;
    let second = start(store.home.path(), &store.credentials).await;
    assert!(matches!(second, Err(StoreError::DirectoryInUse { .. })), "{second:?}");
}

#[tokio::test]
async fn a_directory_of_something_else_is_refused() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("store")).unwrap();
    fs::write(home.path().join("store/thesis.txt"), "mine").unwrap();
    let opened = start(home.path(), &Credentials::generate()).await;
    assert!(matches!(opened, Err(StoreError::ForeignDirectory { .. })), "{opened:?}");
}

#[tokio::test]
async fn a_port_in_use_and_an_impossible_bucket_are_named() {
    let home = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen: SocketAddr = taken.local_addr().unwrap();
    let config = config(home.path(), &Credentials::generate());
    let started = StoreServer::start(StoreConfig { listen, ..config.clone() }).await;
    let error = started.unwrap_err();
    assert!(matches!(error, StoreError::AddressInUse { address } if address == listen), "{error:?}");
    assert!(error.to_string().contains(&listen.port().to_string()));
    let named = StoreServer::start(StoreConfig { buckets: vec!["No Bucket".to_owned()], ..config }).await;
    assert!(matches!(named, Err(StoreError::BucketName { .. })), "{named:?}");
}

#[tokio::test]
async fn a_torn_journal_opens_and_a_damaged_one_does_not() {
    let store = Store::start().await;
    store.inspector().put("key", "kept").await.unwrap();
    let journal = store.home.path().join("store/journal.jsonl");
    let Store { server, credentials, home, .. } = store;
    server.shutdown().await;
    let whole = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, format!("{whole}{}", &whole[..40])).unwrap();
    let server = start(home.path(), &credentials).await.unwrap();
    let store = Store { server, proxy: None, credentials, home };
    assert_eq!(store.inspector().get("key").await.unwrap(), "kept");
    store.server.shutdown().await;

    fs::write(&journal, whole.replacen("castle", "casTle", 1)).unwrap();
    let damaged = start(store.home.path(), &store.credentials).await;
    assert!(matches!(damaged, Err(StoreError::DamagedJournal { line: 1, .. })), "{damaged:?}");
}

#[tokio::test]
async fn a_durable_store_works_like_any_other() {
    let home = tempfile::tempdir().unwrap();
    let credentials = Credentials::generate();
    let config = StoreConfig { durability: Durability::Fsync, ..config(home.path(), &credentials) };
    let server = StoreServer::start(config).await.unwrap();
    let store = Store { server, proxy: None, credentials, home };
    store.inspector().put("key", "kept").await.unwrap();
    assert_eq!(store.reopen().await.inspector().get("key").await.unwrap(), "kept");
}

#[tokio::test]
async fn the_access_log_tells_each_request_and_no_secret() {
    let home = tempfile::tempdir().unwrap();
    let credentials = Credentials::generate();
    let log = home.path().join("access.jsonl");
    let config = StoreConfig { access_log: Some(log.clone()), ..config(home.path(), &credentials) };
    let server = StoreServer::start(config).await.unwrap();
    let store = Store { server, proxy: None, credentials, home };
    store.inspector().put("a/key", "hello").await.unwrap();
    store.inspector().get("a/key").await.unwrap();
    store.inspector().get("absent").await.unwrap_err();
    store.inspector().list("a/").await.unwrap();
    store.server.shutdown().await;
    let text = fs::read_to_string(&log).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut told: Vec<(String, String, u64, u64)> = lines
        .iter()
        .map(|line| {
            assert_eq!(line["bucket"], BUCKET);
            let text = |name: &str| line[name].as_str().unwrap().to_owned();
            (
                text("operation"),
                text("key"),
                line["status"].as_u64().unwrap(),
                line["sent_bytes"].as_u64().unwrap(),
            )
        })
        .collect();
    told.iter_mut().filter(|line| line.2 == 404 || line.0 == "list").for_each(|line| line.3 = 0);
    let expected = [
        ("put", "a/key", 200, 0),
        ("get", "a/key", 200, 5),
        ("get", "absent", 404, 0),
        ("list", "a/", 200, 0),
    ];
    let expected =
        expected.map(|(operation, key, status, sent)| (operation.to_owned(), key.to_owned(), status, sent));
    assert_eq!(told, expected);
    assert!(!text.contains(store.credentials.secret_key.expose()) && !text.contains("Signature"));
}
