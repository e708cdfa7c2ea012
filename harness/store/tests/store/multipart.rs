//! Uploads in parts, which is how pgBackRest writes what is larger than one part.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_smithy_types::base64;
use md5::{Digest as _, Md5};
use rstest::rstest;

use crate::common::{BUCKET, Front, Store, bytes, code};

const PART_BYTES: usize = 5 * 1024 * 1024;

async fn begin(client: &Client, key: &str) -> String {
    let begun = client.create_multipart_upload().bucket(BUCKET).key(key).content_type("text/x");
    begun.send().await.unwrap().upload_id.unwrap()
}

async fn part(client: &Client, key: &str, upload: &str, number: i32, content: &[u8]) -> CompletedPart {
    let part = client.upload_part().bucket(BUCKET).key(key).upload_id(upload).part_number(number);
    let put = part.body(ByteStream::from(content.to_vec())).send().await.unwrap();
    CompletedPart::builder().part_number(number).set_e_tag(put.e_tag).build()
}

fn completed(parts: Vec<CompletedPart>) -> CompletedMultipartUpload {
    CompletedMultipartUpload::builder().set_parts(Some(parts)).build()
}

#[rstest]
#[tokio::test]
async fn parts_become_one_object_that_outlives_the_server(
    #[values(Front::Store, Front::Proxy, Front::WatchfulProxy)] front: Front,
) {
    let store = Store::start_behind(front).await;
    let client = store.client();
    let content = bytes(2 * PART_BYTES + 1000);
    let upload = begin(&client, "key").await;
    let mut parts = Vec::new();
    // Out of order, and the first of them twice.
    part(&client, "key", &upload, 1, b"replaced").await;
    for number in [3, 1, 2] {
        let start = (usize::try_from(number).unwrap() - 1) * PART_BYTES;
        let end = content.len().min(start + PART_BYTES);
        parts.push(part(&client, "key", &upload, number, &content[start..end]).await);
    }
    parts.sort_by_key(CompletedPart::part_number);
    let listed = client.list_parts().bucket(BUCKET).key("key").upload_id(&upload).max_parts(2).send().await;
    let listed = listed.unwrap();
    assert_eq!((listed.parts().len(), listed.is_truncated()), (2, Some(true)));
    assert_eq!(listed.next_part_number_marker(), Some("2"));

    let store = store.reopen().await;
    let client = store.client();
    let complete = client.complete_multipart_upload().bucket(BUCKET).key("key").upload_id(&upload);
    let put = complete.multipart_upload(completed(parts)).send().await.unwrap();
    let digests: Vec<u8> = content.chunks(PART_BYTES).flat_map(|part| Md5::digest(part).to_vec()).collect();
    let digest: String = Md5::digest(&digests).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(put.e_tag(), Some(format!("\"{digest}-3\"").as_str()));

    let store = store.reopen().await;
    let client = store.client();
    assert!(store.inspector().get("key").await.unwrap() == content, "the bytes are others");
    let across = format!("bytes={}-{}", PART_BYTES - 2, 2 * PART_BYTES + 1);
    let got = client.get_object().bucket(BUCKET).key("key").range(across).send().await.unwrap();
    assert_eq!(got.content_type(), Some("text/x"));
    let got = got.body.collect().await.unwrap().into_bytes();
    assert!(got == content[PART_BYTES - 2..=2 * PART_BYTES + 1], "a range across parts");
}

#[rstest]
#[tokio::test]
async fn a_wrong_content_md5_of_a_part_is_refused(
    #[values(Front::Store, Front::Proxy, Front::WatchfulProxy)] front: Front,
) {
    let store = Store::start_behind(front).await;
    let client = store.client();
    let upload = begin(&client, "key").await;
    for (claimed, expected) in [(b"other", Some("BadDigest")), (b"hello", None)] {
        let part = client.upload_part().bucket(BUCKET).key("key").upload_id(&upload).part_number(1);
        let part = part.body(ByteStream::from_static(b"hello"));
        let sent = part.content_md5(base64::encode(Md5::digest(claimed))).send().await;
        assert_eq!(sent.err().map(code).as_deref(), expected);
    }
    let parts = client.list_parts().bucket(BUCKET).key("key").upload_id(&upload).send().await.unwrap();
    assert_eq!(parts.parts().len(), 1);
}

#[rstest]
#[tokio::test]
async fn what_does_not_add_up_is_refused_and_the_upload_stays(
    #[values(Front::Store, Front::Proxy, Front::WatchfulProxy)] front: Front,
) {
    let store = Store::start_behind(front).await;
    let client = store.client();
    let upload = begin(&client, "key").await;
    let one = part(&client, "key", &upload, 1, b"small").await;
    let two = part(&client, "key", &upload, 2, b"last").await;
    let unknown = CompletedPart::builder().part_number(3).e_tag("\"0\"").build();
    let complete = async |parts: Vec<CompletedPart>| {
        let complete = client.complete_multipart_upload().bucket(BUCKET).key("key").upload_id(&upload);
        complete.multipart_upload(completed(parts)).send().await
    };
    assert_eq!(code(complete(vec![two.clone(), one.clone()]).await.unwrap_err()), "InvalidPartOrder");
    assert_eq!(code(complete(vec![one.clone(), two.clone()]).await.unwrap_err()), "EntityTooSmall");
    assert_eq!(code(complete(vec![unknown]).await.unwrap_err()), "InvalidPart");
    complete(vec![two]).await.unwrap();
    assert_eq!(store.inspector().get("key").await.unwrap(), "last");
}

#[rstest]
#[tokio::test]
async fn an_aborted_upload_is_no_more_and_never_was_an_object(
    #[values(Front::Store, Front::Proxy, Front::WatchfulProxy)] front: Front,
) {
    let store = Store::start_behind(front).await;
    let client = store.client();
    let upload = begin(&client, "key").await;
    let one = part(&client, "key", &upload, 1, b"part").await;
    client.abort_multipart_upload().bucket(BUCKET).key("key").upload_id(&upload).send().await.unwrap();
    let complete = client.complete_multipart_upload().bucket(BUCKET).key("key").upload_id(&upload);
    let late = complete.multipart_upload(completed(vec![one])).send().await;
    assert_eq!(code(late.unwrap_err()), "NoSuchUpload");
    assert_eq!(store.inspector().list("").await.unwrap(), []);
    let blobs = std::fs::read_dir(store.home.path().join("store/blobs")).unwrap().count();
    assert_eq!(blobs, 0, "its parts are gone");
}
