//! Objects over TLS, as a client library that was not written for this store sees them.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RequestChecksumCalculation, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_sdk_s3::types::{ChecksumAlgorithm, Delete, ObjectIdentifier};
use aws_smithy_types::base64;
use md5::{Digest as _, Md5};
use rstest::rstest;

use crate::common::{BUCKET, Front, Store, bytes, code};

fn md5(bytes: &[u8]) -> Vec<u8> {
    Md5::digest(bytes).to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[rstest]
#[case::nothing(0)]
#[case::a_byte(1)]
#[case::a_chunk(256 * 1024)]
#[case::more_than_fits_any_buffer(9 * 1024 * 1024 + 17)]
#[tokio::test]
async fn what_is_put_is_got_with_its_md5_as_etag(
    #[case] length: usize,
    #[values(Front::Store, Front::Proxy, Front::WatchfulProxy)] front: Front,
) {
    let store = Store::start_behind(front).await;
    let client = store.client();
    let content = bytes(length);
    let put = client.put_object().bucket(BUCKET).key("a/key").content_type("text/x").metadata("who", "me");
    let put = put.body(ByteStream::from(content.clone())).send().await.unwrap();
    let etag = format!("\"{}\"", hex(&md5(&content)));
    assert_eq!(put.e_tag(), Some(etag.as_str()));
    let head = client.head_object().bucket(BUCKET).key("a/key").send().await.unwrap();
    assert_eq!(head.content_length(), Some(i64::try_from(length).unwrap()));
    assert_eq!(head.content_type(), Some("text/x"));
    assert_eq!(head.metadata().unwrap()["who"], "me");
    assert_eq!((head.e_tag(), head.version_id()), (Some(etag.as_str()), put.version_id()));
    let got = client.get_object().bucket(BUCKET).key("a/key").send().await.unwrap();
    assert_eq!(got.e_tag(), Some(etag.as_str()));
    assert!(got.body.collect().await.unwrap().into_bytes() == content, "the bytes are others");
    store.shutdown().await;
}

#[tokio::test]
async fn a_part_is_read_to_where_the_object_ends() {
    let store = Store::start_behind(Front::Store).await;
    let inspector = store.inspector();
    inspector.put("key", "0123456789").await.unwrap();
    for (from, length, part) in [(0, 4, "0123"), (4, 6, "456789"), (8, 100, "89"), (10, 1, ""), (99, 5, "")] {
        assert_eq!(inspector.get_part("key", from, length).await.unwrap(), part, "{from} {length}");
    }
    let absent = inspector.get_part("none", 0, 1).await.unwrap_err();
    assert!(matches!(absent, phoenix_store::InspectError::NoSuchKey { .. }), "{absent:?}");
}

#[rstest]
#[case("bytes=0-0", Some(0..1))]
#[case("bytes=5-9", Some(5..10))]
#[case("bytes=300000-", Some(300_000..400_000))]
#[case("bytes=-7", Some(399_993..400_000))]
#[case("bytes=399999-500000", Some(399_999..400_000))]
#[case("bytes=400000-", None)]
#[tokio::test]
async fn ranges_are_what_was_asked(
    #[case] range: &str,
    #[case] expected: Option<std::ops::Range<usize>>,
    #[values(Front::Store, Front::Proxy, Front::WatchfulProxy)] front: Front,
) {
    let store = Store::start_behind(front).await;
    let client = store.client();
    let content = bytes(400_000);
    let put = client.put_object().bucket(BUCKET).key("key").body(ByteStream::from(content.clone()));
    put.send().await.unwrap();
    let got = client.get_object().bucket(BUCKET).key("key").range(range).send().await;
    let Some(expected) = expected else {
        assert_eq!(code(got.unwrap_err()), "InvalidRange");
        return;
    };
    let got = got.unwrap();
    let header = format!("bytes {}-{}/400000", expected.start, expected.end - 1);
    assert_eq!(got.content_range(), Some(header.as_str()));
    assert!(got.body.collect().await.unwrap().into_bytes() == content[expected], "the bytes are others");
}

#[rstest]
#[tokio::test]
async fn a_wrong_content_md5_is_refused_and_stores_nothing(
    #[values(Front::Store, Front::Proxy, Front::WatchfulProxy)] front: Front,
) {
    let store = Store::start_behind(front).await;
    let client = store.client();
    for (claimed, expected) in [("other", Some("BadDigest")), ("hello", None)] {
        let put = client.put_object().bucket(BUCKET).key("key").body(ByteStream::from_static(b"hello"));
        let put = put.content_md5(base64::encode(md5(claimed.as_bytes()))).send().await;
        assert_eq!(put.err().map(code).as_deref(), expected);
        let found = client.head_object().bucket(BUCKET).key("key").send().await.is_ok();
        assert_eq!(found, expected.is_none());
    }
}

#[rstest]
#[case(ChecksumAlgorithm::Crc32)]
#[case(ChecksumAlgorithm::Crc32C)]
#[case(ChecksumAlgorithm::Crc64Nvme)]
#[case(ChecksumAlgorithm::Sha1)]
#[case(ChecksumAlgorithm::Sha256)]
#[tokio::test]
async fn each_checksum_of_the_client_library_is_taken(
    #[case] algorithm: ChecksumAlgorithm,
    #[values(Front::Store, Front::Proxy, Front::WatchfulProxy)] front: Front,
) {
    let store = Store::start_behind(front).await;
    let client = store.client();
    let put = client.put_object().bucket(BUCKET).key("key").checksum_algorithm(algorithm);
    put.body(ByteStream::from(bytes(100_000))).send().await.unwrap();
    assert!(store.inspector().get("key").await.unwrap() == bytes(100_000));
}

#[rstest]
#[tokio::test]
async fn a_wrong_checksum_is_refused(
    #[values(Front::Store, Front::Proxy, Front::WatchfulProxy)] front: Front,
) {
    let store = Store::start_behind(front).await;
    let client = store.client();
    let put = client.put_object().bucket(BUCKET).key("key").body(ByteStream::from_static(b"hello"));
    let put = put.checksum_crc32(base64::encode([0; 4])).send().await;
    assert_eq!(code(put.unwrap_err()), "BadDigest");
}

/// Alters the body after it was signed, as a broken network would.
#[derive(Debug)]
struct Tampering;

impl Intercept for Tampering {
    fn name(&self) -> &'static str {
        "tampering"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        *context.request_mut().body_mut() = SdkBody::from("hullo");
        Ok(())
    }
}

#[rstest]
#[tokio::test]
async fn a_body_that_is_not_the_signed_one_is_refused(
    #[values(Front::Store, Front::Proxy, Front::WatchfulProxy)] front: Front,
) {
    let store = Store::start_behind(front).await;
    let plain = store.client().config().to_builder();
    let client = Client::from_conf(
        plain.request_checksum_calculation(RequestChecksumCalculation::WhenRequired).build(),
    );
    let put = || client.put_object().bucket(BUCKET).key("key").body(ByteStream::from_static(b"hello"));
    let tampered = put().customize().interceptor(Tampering).send().await;
    assert_eq!(code(tampered.unwrap_err()), "BadDigest");
    assert_eq!(store.inspector().list("").await.unwrap(), []);
    put().send().await.unwrap();
    assert_eq!(store.inspector().get("key").await.unwrap(), "hello");
}

#[rstest]
#[tokio::test]
async fn keys_are_any_text_of_up_to_1024_bytes(
    #[values(Front::Store, Front::Proxy, Front::WatchfulProxy)] front: Front,
) {
    let store = Store::start_behind(front).await;
    let inspector = store.inspector();
    let long = "k/".repeat(512);
    let keys = ["ü/☃/日本", " lead and trail ", "a+b%20c&d=e?f#g", "a//b/../c", ".", "<tag>&amp;", &long];
    for key in keys {
        inspector.put(key, key.to_owned()).await.unwrap();
    }
    for key in keys {
        assert_eq!(inspector.get(key).await.unwrap(), key.as_bytes(), "{key}");
    }
    let mut expected = keys.to_vec();
    expected.sort_unstable();
    let listed: Vec<String> =
        inspector.list("").await.unwrap().into_iter().map(|object| object.key).collect();
    assert_eq!(listed, expected);
    let too_long = store.client().put_object().bucket(BUCKET).key("k".repeat(1025)).send().await;
    assert_eq!(code(too_long.unwrap_err()), "KeyTooLongError");
    let control = store.client().put_object().bucket(BUCKET).key("a\u{1}b").send().await;
    assert_eq!(code(control.unwrap_err()), "InvalidArgument");
}

#[rstest]
#[tokio::test]
async fn every_version_stays_under_overwrites_and_deletes(
    #[values(Front::Store, Front::Proxy, Front::WatchfulProxy)] front: Front,
) {
    let store = Store::start_behind(front).await;
    let client = store.client();
    let put = async |text: &'static str| {
        let put =
            client.put_object().bucket(BUCKET).key("key").body(ByteStream::from_static(text.as_bytes()));
        put.send().await.unwrap().version_id.unwrap()
    };
    let get = async |version: &str| {
        let get = client.get_object().bucket(BUCKET).key("key").version_id(version).send().await.unwrap();
        get.body.collect().await.unwrap().into_bytes()
    };
    let (one, two) = (put("one").await, put("two").await);
    let marker = client.delete_object().bucket(BUCKET).key("key").send().await.unwrap();
    assert_eq!(marker.delete_marker(), Some(true));
    let gone = client.get_object().bucket(BUCKET).key("key").send().await;
    assert_eq!(code(gone.unwrap_err()), "NoSuchKey");
    assert_eq!((get(&one).await, get(&two).await), ("one".into(), "two".into()));
    let marker = marker.version_id().unwrap();
    let read = client.get_object().bucket(BUCKET).key("key").version_id(marker).send().await;
    assert_eq!(code(read.unwrap_err()), "MethodNotAllowed");

    client.delete_object().bucket(BUCKET).key("key").version_id(marker).send().await.unwrap();
    assert_eq!(store.inspector().get("key").await.unwrap(), "two", "without its marker, the key is back");
    client.delete_object().bucket(BUCKET).key("key").version_id(&one).send().await.unwrap();
    let removed = client.get_object().bucket(BUCKET).key("key").version_id(&one).send().await;
    assert_eq!(code(removed.unwrap_err()), "NoSuchVersion");
}

#[rstest]
#[tokio::test]
async fn many_keys_are_deleted_in_one_request(
    #[values(Front::Store, Front::Proxy, Front::WatchfulProxy)] front: Front,
) {
    let store = Store::start_behind(front).await;
    let (client, inspector) = (store.client(), store.inspector());
    for key in ["a", "b", "c"] {
        inspector.put(key, "x").await.unwrap();
    }
    let object = |key: &str| ObjectIdentifier::builder().key(key).build().unwrap();
    let delete = Delete::builder().objects(object("a")).objects(object("b")).objects(object("never there"));
    let deleted =
        client.delete_objects().bucket(BUCKET).delete(delete.build().unwrap()).send().await.unwrap();
    assert_eq!(deleted.deleted().len(), 3);
    assert_eq!(deleted.errors(), []);
    let left: Vec<String> = inspector.list("").await.unwrap().into_iter().map(|object| object.key).collect();
    assert_eq!(left, ["c"]);
}

#[rstest]
#[tokio::test]
async fn a_copy_is_an_object_of_its_own(
    #[values(Front::Store, Front::Proxy, Front::WatchfulProxy)] front: Front,
) {
    let store = Store::start_behind(front).await;
    let (client, inspector) = (store.client(), store.inspector());
    inspector.put("ü source", "bytes").await.unwrap();
    let copy = client.copy_object().bucket(BUCKET).key("copy").copy_source("castle/%C3%BC%20source");
    copy.send().await.unwrap();
    let source = inspector.head("ü source").await.unwrap();
    let source_version = source.version_id.unwrap();
    client.delete_object().bucket(BUCKET).key("ü source").version_id(source_version).send().await.unwrap();
    assert_eq!(inspector.get("copy").await.unwrap(), "bytes");
    let absent = client.copy_object().bucket(BUCKET).key("copy").copy_source("castle/absent").send().await;
    assert_eq!(code(absent.unwrap_err()), "NoSuchKey");
}

#[rstest]
#[tokio::test]
async fn a_conditional_write_is_refused_rather_than_ignored(
    #[values(Front::Store, Front::Proxy, Front::WatchfulProxy)] front: Front,
) {
    let store = Store::start_behind(front).await;
    let put = store.client().put_object().bucket(BUCKET).key("key").if_none_match("*").send().await;
    assert_eq!(code(put.unwrap_err()), "NotImplemented");
}
