//! A repository in its store: healthy, and with one thing wrong.

use super::{
    Left, document, harm, middle,
    support::{phoenix, ran, run},
};
use phoenix_inspection::Grade;

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_is_inspected_in_its_store() {
    let left = Left::by_a_drill().await;
    let healthy = left.inspect(&["--json", "--checksums"]).await;
    assert_eq!(healthy.status, Some(0), "{}{}", healthy.out, healthy.err);
    let inspection = document(&healthy);
    assert_eq!((inspection.grade, harm(&inspection)), (Grade::Restorable, vec![]));
    let schema = run(left.folder.path(), ["schema", "inspection"]).await.out;
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    validator.validate(&serde_json::from_str(&healthy.out).unwrap()).map_err(|e| e.to_string()).unwrap();
    let archive = &inspection.stanzas[0].archives[0];
    assert_eq!((inspection.stanzas[0].name.as_str(), archive.segment_size.bytes()), ("castle", 1 << 20));
    assert!(archive.timelines.len() >= 2, "{:?}", archive.timelines);
    left.inspect(&[]).await.assert(0, "RESTORABLE · 2 of 2 backups restorable");

    // every row of the ledger came back, and lies within what recovery reaches
    let ledger = left.ledger.to_str().unwrap();
    let held = left.inspect(&["--reference", ledger]).await;
    held.assert(0, "acknowledged rows lie before");
    // one segment more was never archived
    let latest = inspection.stanzas[0].latest.clone().unwrap();
    left.inspect(&["--reference", &latest.to.unwrap().to_string()]).await.assert(0, "nothing is missing");
    let beyond = phoenix_core::Lsn(latest.to.unwrap().0 + 1).to_string();
    left.inspect(&["--reference", &beyond]).await.assert(1, "1 segment, is missing");

    // a segment from the middle is gone, and comes back
    let objects = left.objects().await;
    let name = middle(&objects, &inspection);
    let key = &objects.iter().find(|object| object.key.ends_with(&name)).unwrap().key;
    let bytes = left.inspector.get(key).await.unwrap();
    left.inspector.delete(key).await.unwrap();
    left.inspect(&[]).await.assert(1, &format!("segment {} is missing: recovery stops there", &name[..24]));
    let lossy = left.inspect(&["--json", "--reference", ledger]).await;
    let lossy_document = document(&lossy);
    assert_eq!((lossy.status, harm(&lossy_document)), (Some(1), vec!["wal-missing", "reference-beyond"]));
    assert!(lossy_document.reference.unwrap().rows_beyond.unwrap() > 0);
    // cut off, it has its name and not its content
    left.inspector.put(key, bytes.slice(..bytes.len() / 2)).await.unwrap();
    left.inspect(&[]).await.assert(0, "RESTORABLE");
    left.inspect(&["--checksums"]).await.assert(1, "is not what its name says");
    left.inspector.put(key, bytes).await.unwrap();
    left.inspect(&["--checksums"]).await.assert(0, "RESTORABLE");

    // a bit of a backup's file is another, and its size is the same
    let bundle = &objects.iter().find(|object| object.key.contains("/bundle/")).unwrap().key;
    let bytes = left.inspector.get(bundle).await.unwrap();
    let mut spoilt = bytes.to_vec();
    spoilt[bytes.len() / 2] ^= 1;
    left.inspector.put(bundle, spoilt).await.unwrap();
    left.inspect(&["--checksums=wal"]).await.assert(0, "RESTORABLE");
    let damaged = left.inspect(&["--checksums", "--json"]).await;
    assert!(harm(&document(&damaged)).contains(&"backup-damaged"), "{}", damaged.out);
    assert_eq!(damaged.status, Some(1));
    left.inspector.put(bundle, bytes).await.unwrap();
    left.inspect(&["--checksums"]).await.assert(0, "RESTORABLE");

    left.inspect(&["--stanza", "other"]).await.assert(2, "there is no stanza 'other'");
    let mut stranger = phoenix(left.folder.path());
    let (endpoint, ca_file) = (format!("localhost:{}", left.server.port()), "ca.pem");
    stranger.args(["inspect", "s3://vault/drills", "--endpoint", &endpoint, "--ca-file", ca_file]);
    stranger.env("AWS_ACCESS_KEY_ID", "nobody").env("AWS_SECRET_ACCESS_KEY", "canary-secret");
    let refused = ran(stranger.output().await.unwrap());
    refused.assert(3, "denied access");
    assert!(!format!("{}{}", refused.out, refused.err).contains("canary-secret"));
    left.server.shutdown().await;
}
