//! The proxy itself: what passes through it, and how, with no fault armed.

use std::time::Duration;

use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use futures::future::join_all;
use phoenix_store::{
    AnswerFault, Certificates, Fault, FaultProxy, InspectError, ProxyConfig, StoreError, StoreServer, Target,
    Upstream, Validity,
};
use rstest::rstest;
use rustls::version::TLS13;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;

use crate::common::{BUCKET, Front, Store, bytes, code, config, connect, names};
use crate::recorder::Recorder;

/// A proxy before something that is no store.
struct Bare {
    proxy: FaultProxy,
    home: TempDir,
}

impl Bare {
    async fn before(upstream: Upstream) -> Self {
        let home = tempfile::tempdir().unwrap();
        let certificates = Certificates::generate(&names(), Validity::current()).unwrap();
        std::fs::write(home.path().join("ca.pem"), &certificates.ca_pem).unwrap();
        let proxy = FaultProxy::start(ProxyConfig::new(certificates, upstream)).await.unwrap();
        Self { proxy, home }
    }

    async fn connect(&self) -> TlsStream<TcpStream> {
        let target = Target {
            endpoint: format!("https://localhost:{}", self.proxy.port()),
            region: String::new(),
            bucket: String::new(),
            credentials: phoenix_store::Credentials::generate(),
            ca_file: Some(self.home.path().join("ca.pem")),
        };
        connect(&target, &TLS13, "localhost").await
    }

    /// Sends a request as it is and gives the answer's head and body.
    async fn exchange(stream: &mut TlsStream<TcpStream>, request: &str) -> (String, String) {
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let mut answer = Vec::new();
        loop {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "the connection ended");
            let text = String::from_utf8_lossy(&answer).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() == length.parse::<usize>().unwrap() {
                return (head.to_owned(), body.to_owned());
            }
        }
    }
}

#[rstest]
#[case::a_key_of_many_signs("GET", "/castle/a%20b/%C3%BC+c%2Fd//../e?x-id=GetObject&versionId=", "")]
#[case::a_query_in_no_order("GET", "/castle?prefix=a%2Fb%20c&list-type=2&delimiter=%2F&empty=&+=%7E", "")]
#[case::what_nobody_encodes("GET", "/castle/(a)!*'$@:;=,~?a=b/c?d", "")]
#[case::a_body("PUT", "/castle/key", "the body")]
#[tokio::test]
async fn a_request_and_its_answer_pass_to_the_byte(
    #[case] method: &str,
    #[case] path: &str,
    #[case] body: &str,
) {
    let upstream = Recorder::start("<Answer>&amp;</Answer>").await;
    let bare = Bare::before(upstream.upstream()).await;
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: castle.example:9000\r\nx-amz-date: 20261121T000000Z\r\n\
         x-amz-meta-odd: a  \u{fc}\tb\r\nx-amz-meta-twice: 1\r\nx-amz-meta-twice: 2\r\n\
         authorization: AWS4-HMAC-SHA256 Credential=KEY/20261121/us-east-1/s3/aws4_request\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    let mut stream = bare.connect().await;
    let (head, answer) = Bare::exchange(&mut stream, &request).await;
    assert_eq!(upstream.requests()[0], request);
    assert_eq!(answer, "<Answer>&amp;</Answer>");
    assert!(head.contains("\r\nx-odd: a  b"), "{head}");
    let again = Bare::exchange(&mut stream, &request).await;
    assert_eq!(again.1, answer);
    assert_eq!(upstream.connections(), 1, "the connection is used again");
}

#[tokio::test]
async fn a_body_is_on_its_way_before_all_of_it_came() {
    const BODY_BYTES: usize = 1_000_000;
    let upstream = Recorder::start("").await;
    let bare = Bare::before(upstream.upstream()).await;
    let mut stream = bare.connect().await;
    let head = format!("PUT /b/k HTTP/1.1\r\nhost: b\r\ncontent-length: {BODY_BYTES}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b'x'; BODY_BYTES - 1]).await.unwrap();
    stream.flush().await.unwrap();
    while upstream.received_bytes() < head.len() + BODY_BYTES - 1 {
        tokio::task::yield_now().await;
    }
    let (head, _) = Bare::exchange(&mut stream, "x").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
}

#[tokio::test]
async fn a_chunked_body_stays_one() {
    let upstream = Recorder::start("").await;
    let bare = Bare::before(upstream.upstream()).await;
    let request = "PUT /b/k HTTP/1.1\r\nhost: b\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    Bare::exchange(&mut bare.connect().await, request).await;
    assert_eq!(upstream.requests(), [request]);
}

#[tokio::test]
async fn large_parts_and_reads_pass_side_by_side() {
    const PART_BYTES: usize = 8 * 1024 * 1024;
    const WRITERS: usize = 4;
    let store = Store::start_behind(Front::Proxy).await;
    let content = bytes(2 * PART_BYTES + 12_345);
    let upload = async |writer: usize| {
        let (client, key) = (store.client(), format!("large {writer}"));
        let begun = client.create_multipart_upload().bucket(BUCKET).key(&key).send().await.unwrap();
        let part = async |number: usize| {
            let body = content.chunks(PART_BYTES).nth(number - 1).unwrap().to_vec();
            let number = i32::try_from(number).unwrap();
            let part = client.upload_part().bucket(BUCKET).key(&key).upload_id(begun.upload_id().unwrap());
            let put = part.part_number(number).body(ByteStream::from(body)).send().await.unwrap();
            CompletedPart::builder().part_number(number).set_e_tag(put.e_tag).build()
        };
        let parts = join_all([part(1), part(2), part(3)]).await;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = client.complete_multipart_upload().bucket(BUCKET).key(&key);
        complete.set_upload_id(begun.upload_id).multipart_upload(parts).send().await.unwrap();
        for _ in 0..2 {
            assert!(store.inspector().get(&key).await.unwrap() == content, "the bytes are others");
        }
    };
    join_all((0..WRITERS).map(upload)).await;
    let listed = store.inspector().list("large").await.unwrap();
    assert!(listed.len() == WRITERS && listed.iter().all(|object| object.bytes == content.len() as u64));
    assert_eq!(store.faults().evidence(), []);
}

#[tokio::test]
async fn a_presigned_url_passes() {
    let store = Store::start_behind(Front::Proxy).await;
    store.inspector().put("a key", "hello").await.unwrap();
    let lifetime = PresigningConfig::expires_in(Duration::from_secs(60)).unwrap();
    let signed = store.client().get_object().bucket(BUCKET).key("a key").presigned(lifetime).await.unwrap();
    let (_, rest) = signed.uri().strip_prefix("https://").unwrap().split_once('/').unwrap();
    let host = store.target().endpoint.replace("https://", "");
    let mut stream = connect(&store.target(), &TLS13, "localhost").await;
    let request = format!("GET /{rest} HTTP/1.1\r\nhost: {host}\r\n\r\n");
    let (head, body) = Bare::exchange(&mut stream, &request).await;
    assert_eq!((head.split("\r\n").next().unwrap(), body.as_str()), ("HTTP/1.1 200 OK", "hello"));
}

#[tokio::test]
async fn an_upstream_that_is_down_is_a_bad_gateway_until_it_is_back() {
    let store = Store::start_behind(Front::Proxy).await;
    store.inspector().put("key", "kept").await.unwrap();
    let Store { server, proxy, credentials, home } = store;
    let port = server.port();
    let listen = ([127, 0, 0, 1], port).into();
    let client = Store { server, proxy, credentials: credentials.clone(), home };
    let kept = client.client();
    let Store { server, proxy, home, .. } = client;
    server.shutdown().await;
    let get = async || kept.get_object().bucket(BUCKET).key("key").send().await;
    let down = get().await.unwrap_err().into_service_error();
    assert_eq!(down.meta().code(), Some("BadGateway"));
    let told = down.meta().message().unwrap();
    let expected = format!("the proxy has no answer: no connection to 127.0.0.1:{port}: Connection refused");
    assert!(told.starts_with(&expected), "{told}");
    let put = kept.put_object().bucket(BUCKET).key("large").body(bytes(9_000_000).into()).send().await;
    assert_eq!(code(put.unwrap_err()), "BadGateway", "though the body was still being sent");

    let again = phoenix_store::StoreConfig { listen, ..config(home.path(), &credentials) };
    let server = StoreServer::start(again).await.unwrap();
    // Its certificate is another one, signed by a CA that the proxy was not told of.
    let told = get().await.unwrap_err().into_service_error();
    let told = told.meta().message().unwrap().to_owned();
    assert!(told.contains("invalid peer certificate"), "{told}");
    let store = Store { server, proxy: None, credentials, home };
    assert_eq!(store.inspector().get("key").await.unwrap(), "kept");
    drop(proxy);
}

#[tokio::test]
async fn a_lost_upstream_connection_is_made_again() {
    let upstream = Recorder::start("<A/>").await;
    let bare = Bare::before(upstream.upstream()).await;
    let mut stream = bare.connect().await;
    let request = "GET /b/k HTTP/1.1\r\nhost: b\r\n\r\n";
    Bare::exchange(&mut stream, request).await;
    upstream.hang_up().await;
    let (head, _) = Bare::exchange(&mut stream, request).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test]
async fn what_is_wrong_with_a_configuration_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = taken.local_addr().unwrap();
    let certificates = Certificates::generate(&names(), Validity::current()).unwrap();
    let upstream = Recorder::start("").await.upstream();
    let config = ProxyConfig::new(certificates, upstream.clone());
    let in_use = FaultProxy::start(ProxyConfig { listen, ..config.clone() }).await.unwrap_err();
    assert!(matches!(in_use, StoreError::AddressInUse { address } if address == listen), "{in_use:?}");
    let nameless = Upstream { tls_name: "no name".to_owned(), ..upstream.clone() };
    let nameless = FaultProxy::start(ProxyConfig { upstream: nameless, ..config.clone() }).await.unwrap_err();
    assert_eq!(nameless.to_string(), "\"no name\" is no name of a server");
    FaultProxy::start(ProxyConfig { upstream, ..config }).await.unwrap();
}

#[tokio::test]
async fn after_shutdown_nobody_listens_and_the_log_tells_each_request_and_no_secret() {
    let store = Store::start().await;
    let certificates = Certificates::generate(&names(), Validity::current()).unwrap();
    std::fs::write(store.proxy_ca_file(), &certificates.ca_pem).unwrap();
    let log = store.home.path().join("access.jsonl");
    let config =
        ProxyConfig { access_log: Some(log.clone()), ..ProxyConfig::new(certificates, store.upstream()) };
    let proxy = FaultProxy::start(config).await.unwrap();
    proxy.faults().arm(Fault::new("busy", AnswerFault::SlowDown).after(1).times(1)).unwrap();
    let mut store = Store { proxy: Some(proxy), ..store };
    let inspector = store.inspector();
    inspector.put("key", "hello").await.unwrap();
    assert_eq!(inspector.get("key").await.unwrap(), "hello", "after one retry");
    store.proxy.take().unwrap().shutdown().await;
    assert!(matches!(inspector.list("").await, Err(InspectError::Refused { .. })));
    let text = std::fs::read_to_string(&log).unwrap();
    let told: Vec<(String, u64)> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| (line["operation"].as_str().unwrap().to_owned(), line["status"].as_u64().unwrap()))
        .collect();
    assert_eq!(told, [("put".to_owned(), 200), ("get".to_owned(), 503), ("get".to_owned(), 200)]);
    assert!(!text.contains(store.credentials.secret_key.expose()) && !text.contains("Signature"));
}
