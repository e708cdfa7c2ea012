//! Listings of keys and versions, page by page.

use aws_sdk_s3::primitives::ByteStream;
use phoenix_store::VersionKind;
use rstest::rstest;

use crate::common::{BUCKET, Front, Store, code};

const KEYS: [&str; 7] = ["a", "b/1", "b/2", "b/c/3", "b/c/4", "d/5", "e"];

async fn filled(front: Front) -> Store {
    let store = Store::start_behind(front).await;
    let inspector = store.inspector();
    for key in KEYS {
        inspector.put(key, key).await.unwrap();
    }
    inspector.put("deleted", "x").await.unwrap();
    inspector.delete("deleted").await.unwrap();
    store
}

#[rstest]
#[tokio::test]
async fn a_listing_shows_what_is_there_with_size_and_etag(
    #[values(Front::Store, Front::Proxy, Front::WatchfulProxy)] front: Front,
) {
    let store = filled(front).await;
    let listed = store.inspector().list("b/").await.unwrap();
    let keys: Vec<&str> = listed.iter().map(|object| object.key.as_str()).collect();
    assert_eq!(keys, ["b/1", "b/2", "b/c/3", "b/c/4"]);
    assert_eq!(listed[0].bytes, 3);
    assert_eq!(listed[0].etag, store.inspector().head("b/1").await.unwrap().etag);
}

#[rstest]
#[tokio::test]
async fn pages_of_any_size_add_up_with_and_without_delimiter(
    #[values(Front::Store, Front::Proxy, Front::WatchfulProxy)] front: Front,
) {
    let store = filled(front).await;
    let client = store.client();
    for (delimiter, keys, prefixes) in
        [(None, KEYS.to_vec(), vec![]), (Some("/"), vec!["a", "e"], vec!["b/", "d/"])]
    {
        for max_keys in 1..=8 {
            let request = client.list_objects_v2().bucket(BUCKET).max_keys(max_keys);
            let request = request.set_delimiter(delimiter.map(str::to_owned));
            let mut pages = request.into_paginator().send();
            let (mut found_keys, mut found_prefixes) = (Vec::new(), Vec::new());
            while let Some(page) = pages.next().await {
                let page = page.unwrap();
                assert!(page.key_count().unwrap() <= max_keys);
                found_keys.extend(page.contents().iter().map(|object| object.key().unwrap().to_owned()));
                found_prefixes.extend(page.common_prefixes().iter().map(|p| p.prefix().unwrap().to_owned()));
            }
            assert_eq!((&found_keys[..], &found_prefixes[..]), (&owned(&keys)[..], &owned(&prefixes)[..]));
        }
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[rstest]
#[tokio::test]
async fn a_listing_starts_after_a_key_that_need_not_exist(
    #[values(Front::Store, Front::Proxy, Front::WatchfulProxy)] front: Front,
) {
    let store = filled(front).await;
    let client = store.client();
    for (after, expected) in [("b/2", 4), ("b/20", 4), ("zzz", 0)] {
        let listed = client.list_objects_v2().bucket(BUCKET).start_after(after).send().await.unwrap();
        assert_eq!(listed.contents().len(), expected, "{after}");
    }
    let forged = client.list_objects_v2().bucket(BUCKET).continuation_token("forged").send().await;
    assert_eq!(code(forged.unwrap_err()), "InvalidToken");
}

#[rstest]
#[tokio::test]
async fn versions_are_listed_newest_first_with_their_markers(
    #[values(Front::Store, Front::Proxy, Front::WatchfulProxy)] front: Front,
) {
    let store = filled(front).await;
    let inspector = store.inspector();
    inspector.put("a", "newer").await.unwrap();
    let versions = inspector.versions("a").await.unwrap();
    let seen: Vec<(u64, bool)> = versions.iter().map(|v| (v.bytes, v.is_latest)).collect();
    assert_eq!(seen, [(5, true), (1, false)]);
    let deleted = inspector.versions("deleted").await.unwrap();
    let seen: Vec<(VersionKind, bool)> = deleted.iter().map(|v| (v.kind, v.is_latest)).collect();
    assert_eq!(seen.len(), 2);
    assert!(seen.contains(&(VersionKind::DeleteMarker, true)));
    assert!(seen.contains(&(VersionKind::Object, false)));
}

#[rstest]
#[tokio::test]
async fn pages_of_versions_add_up(#[values(Front::Store, Front::Proxy, Front::WatchfulProxy)] front: Front) {
    let store = filled(front).await;
    let client = store.client();
    for _ in 0..3 {
        let put = client.put_object().bucket(BUCKET).key("b/1").body(ByteStream::from_static(b"again"));
        put.send().await.unwrap();
    }
    let expected = store.inspector().versions("").await.unwrap().len();
    assert_eq!(expected, KEYS.len() + 2 + 3);
    for max_keys in 1..=4 {
        let (mut key, mut version, mut found) = (None, None, Vec::new());
        loop {
            let request = client.list_object_versions().bucket(BUCKET).max_keys(max_keys);
            let page = request.set_key_marker(key).set_version_id_marker(version).send().await.unwrap();
            found.extend(page.versions().iter().map(|v| v.version_id().unwrap().to_owned()));
            found.extend(page.delete_markers().iter().map(|v| v.version_id().unwrap().to_owned()));
            (key, version) = (page.next_key_marker.clone(), page.next_version_id_marker.clone());
            if page.is_truncated() != Some(true) {
                break;
            }
        }
        found.sort();
        found.dedup();
        assert_eq!(found.len(), expected, "{max_keys} a page");
    }
}

#[rstest]
#[tokio::test]
async fn more_keys_than_a_page_holds_are_all_listed(
    #[values(Front::Store, Front::Proxy, Front::WatchfulProxy)] front: Front,
) {
    let store = Store::start_behind(front).await;
    let inspector = store.inspector();
    for number in 0..1003 {
        inspector.put(&format!("{number:04}"), "").await.unwrap();
    }
    assert_eq!(inspector.list("").await.unwrap().len(), 1003);
    assert_eq!(inspector.versions("").await.unwrap().len(), 1003);
}
