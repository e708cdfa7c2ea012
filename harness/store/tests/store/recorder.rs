//! A server that is no store: it keeps what it was sent, to the byte, and answers what it was told.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use phoenix_store::{Certificates, Credentials, Upstream, Validity};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::common::names;

#[derive(Clone)]
pub struct Recorder {
    port: u16,
    certificates: Certificates,
    /// Head and body as they came so far.
    requests: Arc<Mutex<Vec<Vec<u8>>>>,
    connections: Arc<AtomicUsize>,
    hang_up: Arc<Notify>,
    hung_up: Arc<Notify>,
}

impl Recorder {
    /// Answers every request with `body`, once it has come whole.
    pub async fn start(body: &'static str) -> Self {
        Self::with(Certificates::generate(&names(), Validity::current()).unwrap(), body).await
    }

    pub async fn with(certificates: Certificates, body: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let recorder = Self {
            port,
            certificates,
            requests: Arc::default(),
            connections: Arc::default(),
            hang_up: Arc::default(),
            hung_up: Arc::default(),
        };
        tokio::spawn(recorder.clone().accept(listener, body));
        recorder
    }

    pub fn upstream(&self) -> Upstream {
        Upstream {
            host: "localhost".to_owned(),
            port: self.port,
            tls_name: "127.0.0.1".to_owned(),
            ca_pem: self.certificates.ca_pem.clone(),
            region: "us-east-1".to_owned(),
            credentials: Credentials::generate(),
        }
    }

    /// Closes a connection on which nothing is asked.
    pub async fn hang_up(&self) {
        self.hang_up.notify_one();
        self.hung_up.notified().await;
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub fn requests(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        let begun = requests.iter().filter(|request| !request.is_empty());
        begun.map(|request| String::from_utf8_lossy(request).into_owned()).collect()
    }

    /// How much has come of the last request.
    pub fn received_bytes(&self) -> usize {
        self.requests.lock().unwrap().last().map_or(0, Vec::len)
    }

    async fn accept(self, listener: TcpListener, body: &'static str) {
        let chain = CertificateDer::from_pem_slice(self.certificates.certificate_pem.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(self.certificates.key_pem.expose().as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        while let Ok((socket, _)) = listener.accept().await {
            let (recorder, acceptor) = (self.clone(), acceptor.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(socket).await else { return };
                recorder.connections.fetch_add(1, Ordering::SeqCst);
                recorder.serve(stream, body).await;
            });
        }
    }

    async fn serve(&self, mut stream: TlsStream<TcpStream>, body: &str) {
        loop {
            let mut request = Vec::new();
            let at = {
                let mut requests = self.requests.lock().unwrap();
                requests.push(Vec::new());
                requests.len() - 1
            };
            while !is_whole(&request) {
                let read = tokio::select! {
                    read = stream.read_buf(&mut request) => read,
                    () = self.hang_up.notified() => Ok(0),
                };
                match read {
                    Ok(0) | Err(_) => {
                        self.requests.lock().unwrap().truncate(at);
                        let _ = stream.shutdown().await;
                        self.hung_up.notify_one();
                        return;
                    }
                    Ok(_) => self.requests.lock().unwrap()[at].clone_from(&request),
                }
            }
            let length = body.len();
            let answer = format!("HTTP/1.1 200 OK\r\nx-odd: a  b\r\ncontent-length: {length}\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
        }
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    if head.contains("transfer-encoding: chunked") {
        return body.ends_with("0\r\n\r\n");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}
