//! What storage seems to hold is the same in the embedded store and behind a proxy, to the details.

use aws_sdk_s3::types::EncodingType;
use phoenix_core::Secret;
use phoenix_store::{Credentials, Fault, InspectError, Inspector, KeyMatch, Operation, StorageFault, Target};
use rstest::rstest;

use crate::common::{BUCKET, Front, Store, code};

/// In the order of a listing.
const KEYS: [&str; 8] = ["a", "b+c d/1", "b+c d/2", "d/4&", "d/<3>", "e/5", "\u{fc}", "\u{fc}/6"];

async fn filled(front: Front) -> Store {
    let store = Store::start_behind(front).await;
    for key in KEYS {
        store.inspector().put(key, key).await.unwrap();
    }
    store
}

fn exactly(key: &str) -> KeyMatch {
    KeyMatch::Exact(key.to_owned())
}

/// Keys and common prefixes of all pages, each once.
async fn pages(store: &Store, max_keys: i32, delimiter: Option<&str>) -> (Vec<String>, Vec<String>) {
    let client = store.client();
    let (mut keys, mut prefixes, mut token) = (Vec::new(), Vec::new(), None);
    loop {
        let request = client.list_objects_v2().bucket(BUCKET).max_keys(max_keys);
        let request = request.set_delimiter(delimiter.map(str::to_owned)).set_continuation_token(token);
        let page = request.send().await.unwrap();
        let found = page.contents().len() + page.common_prefixes().len();
        assert_eq!(page.key_count(), i32::try_from(found).ok());
        keys.extend(page.contents().iter().map(|object| object.key().unwrap().to_owned()));
        prefixes.extend(page.common_prefixes().iter().map(|prefix| prefix.prefix().unwrap().to_owned()));
        token = page.next_continuation_token;
        if token.is_none() {
            return (keys, prefixes);
        }
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[rstest]
#[tokio::test]
async fn lost_keys_and_prefixes_without_others_are_on_no_page(
    #[values(Front::Store, Front::Proxy)] front: Front,
    #[values(1, 2, 3, 1000)] max_keys: i32,
) {
    let store = filled(front).await;
    let lost = ["b+c d/1", "b+c d/2", "d/<3>", "\u{fc}"];
    for key in lost {
        store.faults().arm(Fault::new(key, StorageFault::Lost).on_keys(exactly(key))).unwrap();
    }
    let left = ["a", "d/4&", "e/5", "\u{fc}/6"];
    assert_eq!(pages(&store, max_keys, None).await, (owned(&left), vec![]));
    let folded = (owned(&["a"]), owned(&["d/", "e/", "\u{fc}/"]));
    assert_eq!(pages(&store, max_keys, Some("/")).await, folded);
    assert_eq!(store.faults().unfired(), []);
    store.faults().disarm_all();
    assert_eq!(pages(&store, max_keys, None).await, (owned(&KEYS), vec![]));
    let folded = (owned(&["a", "\u{fc}"]), owned(&["b+c d/", "d/", "e/", "\u{fc}/"]));
    assert_eq!(pages(&store, max_keys, Some("/")).await, folded);
}

#[rstest]
#[tokio::test]
async fn deleted_keys_are_back_if_storage_is_old(
    #[values(Front::Store, Front::Proxy)] front: Front,
    #[values(1, 2, 3, 1000)] max_keys: i32,
) {
    let store = filled(front).await;
    for key in ["b+c d/1", "b+c d/2", "d/<3>", "\u{fc}/6"] {
        store.inspector().delete(key).await.unwrap();
    }
    store.inspector().put("a", "a longer one").await.unwrap();
    let truth = (owned(&["a", "\u{fc}"]), owned(&["d/", "e/"]));
    assert_eq!(pages(&store, max_keys, Some("/")).await, truth);
    store.faults().arm(Fault::new("old", StorageFault::Old)).unwrap();
    assert_eq!(pages(&store, max_keys, None).await, (owned(&KEYS), vec![]));
    let folded = (owned(&["a", "\u{fc}"]), owned(&["b+c d/", "d/", "e/", "\u{fc}/"]));
    assert_eq!(pages(&store, max_keys, Some("/")).await, folded);
    let listed = store.inspector().list("").await.unwrap();
    let sizes: Vec<u64> = listed.iter().map(|object| object.bytes).collect();
    assert_eq!(sizes, KEYS.map(|key| key.len() as u64), "as they were");
    assert_eq!(store.inspector().get("d/<3>").await.unwrap(), "d/<3>");
    store.faults().disarm("old");
    assert_eq!(pages(&store, max_keys, Some("/")).await, truth);
}

#[rstest]
#[tokio::test]
async fn an_encoded_listing_loses_the_right_key(#[values(Front::Store, Front::Proxy)] front: Front) {
    let store = filled(front).await;
    store.faults().arm(Fault::new("lost", StorageFault::Lost).on_keys(exactly("d/<3>"))).unwrap();
    let listed = store.client().list_objects_v2().bucket(BUCKET).encoding_type(EncodingType::Url);
    let listed = listed.prefix("d/").start_after("d/").send().await.unwrap();
    assert_eq!(listed.key_count(), Some(1));
    assert!(["d/4&", "d/4%26"].contains(&listed.contents()[0].key().unwrap()));
    assert_eq!(store.faults().evidence()[0].key, "d/<3>");
    assert_eq!(store.faults().evidence()[0].detail, "not there, 1 key(s)");
}

#[rstest]
#[tokio::test]
async fn versions_of_lost_keys_are_on_no_page(
    #[values(Front::Store, Front::Proxy)] front: Front,
    #[values(1, 2, 1000)] max_keys: i32,
) {
    let store = filled(front).await;
    store.inspector().put("a", "again").await.unwrap();
    store.inspector().put("e/5", "again").await.unwrap();
    store.inspector().delete("d/4&").await.unwrap();
    for key in ["a", "d/<3>", "d/4&", "\u{fc}"] {
        store.faults().arm(Fault::new(key, StorageFault::Lost).on_keys(exactly(key))).unwrap();
    }
    let client = store.client();
    let (mut key, mut version, mut found) = (None, None, Vec::new());
    loop {
        let request = client.list_object_versions().bucket(BUCKET).max_keys(max_keys);
        let page = request.set_key_marker(key).set_version_id_marker(version).send().await.unwrap();
        found.extend(page.versions().iter().map(|version| version.key().unwrap().to_owned()));
        found.extend(page.delete_markers().iter().map(|marker| marker.key().unwrap().to_owned()));
        (key, version) = (page.next_key_marker.clone(), page.next_version_id_marker.clone());
        if page.is_truncated() != Some(true) {
            break;
        }
    }
    found.sort();
    // What is deleted is not lost.
    let expected = ["b+c d/1", "b+c d/2", "d/4&", "d/4&", "e/5", "e/5", "\u{fc}/6"];
    assert_eq!(found, owned(&expected));
    let unfired: Vec<String> = store.faults().unfired().into_iter().map(|fault| fault.label).collect();
    assert_eq!(unfired, ["d/4&"]);
}

#[rstest]
#[case(StorageFault::Lost, Err("NoSuchKey"))]
#[case(StorageFault::Empty, Err("InvalidRange"))]
#[case(StorageFault::Old, Ok("irst"))]
#[tokio::test]
async fn a_range_is_one_of_what_is_seen(
    #[case] fault: StorageFault,
    #[case] expected: Result<&str, &str>,
    #[values(Front::Store, Front::Proxy)] front: Front,
) {
    let store = Store::start_behind(front).await;
    for content in ["first", "the second"] {
        store.inspector().put("a key", content).await.unwrap();
    }
    let get = async |range: &str| {
        let got = store.client().get_object().bucket(BUCKET).key("a key").range(range).send().await;
        let body = got.map_err(code)?.body.collect().await.unwrap();
        Ok::<_, String>(String::from_utf8(body.to_vec()).unwrap())
    };
    assert_eq!(get("bytes=1-4").await.unwrap(), "he s");
    store.faults().arm(Fault::new("fault", fault)).unwrap();
    let expected = expected.map(str::to_owned).map_err(str::to_owned);
    assert_eq!(get("bytes=1-4").await, expected);
    // Beyond the truth, or beyond what is seen.
    let far = get("bytes=7-").await.unwrap_err();
    assert_eq!(far, if fault == StorageFault::Lost { "NoSuchKey" } else { "InvalidRange" });
    assert_eq!(store.faults().evidence().len(), 2);
    store.faults().disarm_all();
    assert_eq!(get("bytes=7-").await.unwrap(), "ond");
}

#[rstest]
#[case(StorageFault::Lost, Err("NoSuchKey"))]
#[case(StorageFault::Old, Ok("first"))]
#[case(StorageFault::Empty, Ok(""))]
#[tokio::test]
async fn a_copy_is_of_what_is_seen(
    #[case] fault: StorageFault,
    #[case] expected: Result<&str, &str>,
    #[values(Front::Store, Front::Proxy)] front: Front,
) {
    let store = Store::start_behind(front).await;
    for content in ["first", "the second"] {
        store.inspector().put("\u{fc} +", content).await.unwrap();
    }
    let copy = async |key: &str| {
        let copy = store.client().copy_object().bucket(BUCKET).key(key).copy_source("castle/%C3%BC%20%2B");
        copy.send().await.map(|copy| copy.copy_object_result.unwrap().e_tag.unwrap()).map_err(code)
    };
    store.faults().arm(Fault::new("fault", fault).on(Operation::Copy)).unwrap();
    let copied = copy("copy").await;
    let fired = store.faults().evidence();
    assert_eq!((fired.len(), fired[0].key.as_str()), (1, "\u{fc} +"));
    match expected {
        Ok(content) => {
            assert_eq!(store.inspector().get("copy").await.unwrap(), content);
            assert_eq!(copied.unwrap().trim_matches('"'), store.inspector().head("copy").await.unwrap().etag);
        }
        Err(expected) => {
            assert_eq!(copied.unwrap_err(), expected);
            assert!(store.inspector().head("copy").await.is_err(), "nothing was written");
        }
    }
    store.faults().disarm_all();
    copy("control").await.unwrap();
    assert_eq!(store.inspector().get("control").await.unwrap(), "the second");
}

#[rstest]
#[tokio::test]
async fn a_version_by_its_id_and_a_request_that_is_refused_are_none_of_a_faults_business(
    #[values(Front::Store, Front::Proxy)] front: Front,
) {
    let store = Store::start_behind(front).await;
    let inspector = store.inspector();
    inspector.put("key", "kept").await.unwrap();
    let version = inspector.head("key").await.unwrap().version_id.unwrap();
    store.faults().arm(Fault::new("lost", StorageFault::Lost)).unwrap();
    assert_eq!(inspector.get_version("key", &version).await.unwrap(), "kept");
    let secret_key = Secret::new("another");
    let credentials = Credentials { secret_key, ..store.credentials.clone() };
    let stranger = Inspector::new(Target { credentials, ..store.target() }).unwrap();
    for denied in [stranger.get("key").await.unwrap_err(), stranger.list("").await.unwrap_err()] {
        assert!(matches!(denied, InspectError::Denied { .. }), "{denied:?}");
    }
    assert_eq!(store.faults().evidence(), []);
    assert!(matches!(inspector.get("key").await, Err(InspectError::NoSuchKey { .. })));
    assert_eq!(store.faults().evidence().len(), 1);
}

#[rstest]
#[tokio::test]
async fn a_bucket_that_is_not_there_is_not_a_lost_key(#[values(Front::Store, Front::Proxy)] front: Front) {
    let store = Store::start_behind(front).await;
    store.faults().arm(Fault::new("lost", StorageFault::Lost)).unwrap();
    let nowhere = Inspector::new(Target { bucket: "absent".to_owned(), ..store.target() }).unwrap();
    assert!(matches!(nowhere.get("key").await, Err(InspectError::NoSuchBucket { .. })));
    assert!(matches!(nowhere.list("").await, Err(InspectError::NoSuchBucket { .. })));
    assert_eq!(store.faults().counts()[0].matched, 0);
}
