//! Several pages of segments in the embedded store, over TLS. No test depends on a time: it is printed, and
//! `just bench --only inspect` measures ten thousand.

use super::{
    harm, look,
    written::{key, name, repository},
};
use futures::{StreamExt, TryStreamExt, stream};
use phoenix_inspection::{Bucket, Grade};
use phoenix_store::{Credentials, Durability, Inspector, StoreConfig, StoreServer, Target};
use std::time::Instant;

const SEGMENTS: u64 = 2_500;

#[tokio::test(flavor = "multi_thread")]
async fn several_pages_of_segments_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let credentials = Credentials::generate();
    let config = StoreConfig::new(folder.path().join("store"), "vault", credentials.clone());
    let server =
        StoreServer::start(StoreConfig { durability: Durability::Buffered, ..config }).await.unwrap();
    let target = Target {
        endpoint: server.endpoint(),
        region: "us-east-1".into(),
        bucket: "vault".into(),
        credentials,
        ca_file: Some(server.ca_file().to_owned()),
    };
    let inspector = Inspector::new(target).unwrap();
    let began = Instant::now();
    let puts = repository(1..=SEGMENTS).into_iter().map(|(key, bytes)| {
        let inspector = inspector.clone();
        async move { inspector.put(&format!("repo/{key}"), bytes).await }
    });
    stream::iter(puts).buffer_unordered(16).try_collect::<()>().await.unwrap();
    let filled = began.elapsed();

    let source = "s3://vault/repo".parse::<Bucket>().unwrap().through(inspector.clone());
    let began = Instant::now();
    let inspection = look(&source).await;
    println!("{SEGMENTS} segments: put in {filled:?}, inspected in {:?}", began.elapsed());
    assert_eq!((inspection.grade, harm(&inspection)), (Grade::Restorable, vec![]));
    assert_eq!(inspection.stanzas[0].archives[0].timelines[0].segments, SEGMENTS);

    inspector.delete(&format!("repo/{}", key(2_222))).await.unwrap();
    let began = Instant::now();
    let inspection = look(&source).await;
    println!("with one of them missing, looked at twice, in {:?}", began.elapsed());
    let gone = format!("segment {} is missing: recovery stops there without an error", name(2_222));
    assert_eq!(harm(&inspection), [gone]);
    server.shutdown().await;
}
