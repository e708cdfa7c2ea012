//! Random lives of a store, held against a map of what should be in it.

use std::collections::BTreeMap;
use std::fs;

use proptest::prelude::*;
use uuid::Uuid;

use super::listing::{Query, page};
use super::*;

const BUCKET: &str = "bucket";

#[derive(Clone, Debug)]
enum Step {
    Put(String, Vec<u8>),
    Copy(String, String),
    Delete(String),
    RemoveOldest(String),
    Upload(String, Vec<u8>, Vec<u8>),
    AbandonedUpload(String),
    Reopen,
}

/// Versions of each key, oldest first; `None` is a delete marker.
type Model = BTreeMap<String, Vec<(Uuid, Option<Vec<u8>>)>>;

fn key() -> impl Strategy<Value = String> {
    prop_oneof!["[ab]/[cd]", "[a-c]", Just("ü/☃".to_owned()), Just("k".repeat(1024))]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..64);
    let step = prop_oneof![
        4 => (key(), bytes()).prop_map(|(key, bytes)| Step::Put(key, bytes)),
        1 => (key(), key()).prop_map(|(from, to)| Step::Copy(from, to)),
        2 => key().prop_map(Step::Delete),
        1 => key().prop_map(Step::RemoveOldest),
        1 => (key(), bytes(), bytes()).prop_map(|(key, first, second)| Step::Upload(key, first, second)),
        1 => key().prop_map(Step::AbandonedUpload),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..40)
}

fn write(store: &Storage, bytes: &[u8]) -> Written {
    let mut writer = store.write_blob().unwrap();
    writer.write(bytes).unwrap();
    writer.finish().unwrap()
}

fn content(store: &Storage, object: &Object) -> Vec<u8> {
    object.blobs.iter().flat_map(|blob| fs::read(store.blob_path(*blob)).unwrap()).collect()
}

fn run(store: &Storage, model: &mut Model, step: &Step) {
    match step {
        Step::Put(key, bytes) => {
            let put = store.put(BUCKET, key, write(store, bytes), Attributes::default()).unwrap();
            model.entry(key.clone()).or_default().push((put.id, Some(bytes.clone())));
        }
        Step::Copy(from, to) => {
            let Some((_, Some(bytes))) = model.get(from).and_then(|v| v.last()).cloned() else { return };
            let source =
                store.index().versions(BUCKET, from).unwrap().last().unwrap().object.clone().unwrap();
            let copy = store.copy(&source, BUCKET, to, Attributes::default()).unwrap();
            model.entry(to.clone()).or_default().push((copy.id, Some(bytes)));
        }
        Step::Delete(key) => {
            let marker = store.delete(BUCKET, key).unwrap();
            model.entry(key.clone()).or_default().push((marker, None));
        }
        Step::RemoveOldest(key) => {
            let Some(versions) = model.get_mut(key) else { return };
            store.remove_version(BUCKET, key, versions.remove(0).0).unwrap();
            if versions.is_empty() {
                model.remove(key);
            }
        }
        Step::Upload(key, replaced, bytes) => {
            let upload = store.begin_upload(BUCKET, key, Attributes::default()).unwrap();
            store.put_part(upload, 7, write(store, replaced)).unwrap();
            let written = write(store, bytes);
            store.put_part(upload, 7, written).unwrap();
            let parts = [(7, written.md5.hex())];
            let put = store.complete_upload(upload, BUCKET, key, &parts).unwrap();
            model.entry(key.clone()).or_default().push((put.id, Some(bytes.clone())));
        }
        Step::AbandonedUpload(key) => {
            let upload = store.begin_upload(BUCKET, key, Attributes::default()).unwrap();
            store.put_part(upload, 1, write(store, b"abandoned")).unwrap();
            store.abort_upload(upload).unwrap();
        }
        Step::Reopen => {}
    }
}

fn seen(store: &Storage) -> Model {
    let index = store.index();
    let keys = &index.bucket(BUCKET).unwrap().keys;
    let versions = |versions: &Vec<Version>| {
        versions.iter().map(|v| (v.id, v.object.as_deref().map(|object| content(store, object)))).collect()
    };
    keys.iter().map(|(key, all)| (key.clone(), versions(all))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_store_holds_what_it_was_given(steps in steps()) {
        let home = tempfile::tempdir().unwrap();
        let mut store = Storage::open(home.path(), Durability::Buffered).unwrap();
        store.create_bucket(BUCKET).unwrap();
        let mut model = Model::new();
        for step in &steps {
            if matches!(step, Step::Reopen) {
                drop(store);
                store = Storage::open(home.path(), Durability::Buffered).unwrap();
            }
            run(&store, &mut model, step);
            prop_assert_eq!(&seen(&store), &model);
        }
        let index = store.index();
        let current = |(key, versions): (&'_ String, &Vec<Version>)| {
            versions.last().is_some_and(|v| v.object.is_some()).then(|| key.clone())
        };
        let listed: Vec<String> = index.bucket(BUCKET).unwrap().keys.iter().filter_map(current).collect();
        let expected: Vec<String> =
            model.iter().filter(|(_, v)| v.last().unwrap().1.is_some()).map(|(key, _)| key.clone()).collect();
        prop_assert_eq!(&listed, &expected);
        let blobs = fs::read_dir(home.path().join("blobs")).unwrap().count();
        let needed = model.values().flatten().filter(|(_, bytes)| bytes.is_some()).count();
        prop_assert_eq!(blobs, needed, "no blob is left over");
        let whole = page(listed.iter().map(|key| (key.as_str(), ())), Query { limit: 1000, ..Query::default() });
        prop_assert_eq!(whole.items.len(), expected.len());
    }
}

#[test]
fn a_write_that_was_refused_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let store = Storage::open(home.path(), Durability::Fsync).unwrap();
    let refused = store.put("absent", "key", write(&store, b"x"), Attributes::default());
    assert!(matches!(refused, Err(StorageError::Refused(Refusal::NoSuchBucket))), "{refused:?}");
    assert_eq!(fs::read_dir(home.path().join("blobs")).unwrap().count(), 0);
}

#[test]
fn a_closed_store_takes_no_writes_and_frees_its_directory() {
    let home = tempfile::tempdir().unwrap();
    let store = Storage::open(home.path(), Durability::Fsync).unwrap();
    store.close();
    assert!(matches!(store.create_bucket(BUCKET), Err(StorageError::Closed)));
    let again = Storage::open(home.path(), Durability::Fsync).unwrap();
    again.create_bucket(BUCKET).unwrap();
}

#[test]
fn parts_must_ascend_be_known_and_be_large_enough() {
    let home = tempfile::tempdir().unwrap();
    let store = Storage::open(home.path(), Durability::Fsync).unwrap();
    store.create_bucket(BUCKET).unwrap();
    let upload = store.begin_upload(BUCKET, "key", Attributes::default()).unwrap();
    let small = write(&store, b"small");
    store.put_part(upload, 1, small).unwrap();
    store.put_part(upload, 2, write(&store, b"small")).unwrap();
    let part = |number: u16| (number, small.md5.hex());
    let complete = |parts: &[(u16, String)]| store.complete_upload(upload, BUCKET, "key", parts).unwrap_err();
    assert!(matches!(complete(&[part(2), part(1)]), StorageError::PartOrder));
    assert!(matches!(complete(&[part(1), part(2)]), StorageError::PartTooSmall));
    assert!(matches!(complete(&[part(3)]), StorageError::Refused(Refusal::InvalidPart)));
    assert!(matches!(complete(&[]), StorageError::Refused(Refusal::InvalidPart)));
    let other_key = store.complete_upload(upload, BUCKET, "other", &[part(1)]);
    assert!(matches!(other_key, Err(StorageError::Refused(Refusal::NoSuchUpload))), "{other_key:?}");
}
