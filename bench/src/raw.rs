//! A bare S3 client on `hyper` and `rustls`: one connection, requests signed as pgBackRest signs them.
//! It does less than an SDK, so that the server's speed shows and not the client's.

use crate::house::Store;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use miette::{IntoDiagnostic, Result, bail, miette};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// One connection to the store.
pub struct Raw {
    send: SendRequest<Full<Bytes>>,
    host: String,
    bucket: String,
    region: String,
    access_key: String,
    secret_key: phoenix_core::Secret,
}

impl Raw {
    /// Connects, over TLS, trusting the store's own CA alone.
    pub async fn connect(store: &Store) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(&store.ca_file).into_diagnostic()? {
            roots.add(certificate.into_diagnostic()?).into_diagnostic()?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .into_diagnostic()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let tcp = TcpStream::connect(("127.0.0.1", store.port)).await.into_diagnostic()?;
        tcp.set_nodelay(true).into_diagnostic()?;
        let name = ServerName::try_from("localhost").into_diagnostic()?;
        let tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.into_diagnostic()?;
        let (send, connection) = handshake(TokioIo::new(tls)).await.into_diagnostic()?;
        tokio::spawn(connection);
        Ok(Self {
            send,
            host: format!("localhost:{}", store.port),
            bucket: store.bucket.clone(),
            region: store.region.clone(),
            access_key: store.credentials.access_key.clone(),
            secret_key: store.secret().clone(),
        })
    }

    /// The digest that a request with this body is signed with.
    pub fn digest(body: &[u8]) -> String {
        hex(&Sha256::digest(body))
    }

    /// Puts bytes under a key.
    pub async fn put(&mut self, key: &str, body: Bytes, digest: &str) -> Result<()> {
        self.ask(Method::PUT, key, body, digest).await.map(drop)
    }

    /// The bytes under a key.
    pub async fn get(&mut self, key: &str) -> Result<Bytes> {
        self.ask(Method::GET, key, Bytes::new(), &Self::digest(b"")).await
    }

    async fn ask(&mut self, method: Method, key: &str, body: Bytes, digest: &str) -> Result<Bytes> {
        let request = self.signed(method, key, body, digest)?;
        self.send.ready().await.into_diagnostic()?;
        let answer = self.send.send_request(request).await.into_diagnostic()?;
        let status = answer.status();
        let bytes = answer.into_body().collect().await.into_diagnostic()?.to_bytes();
        if !status.is_success() {
            bail!("the store answered {status}: {}", String::from_utf8_lossy(&bytes));
        }
        Ok(bytes)
    }

    /// AWS Signature Version 4, for a path-style request without a query.
    fn signed(&self, method: Method, key: &str, body: Bytes, digest: &str) -> Result<Request<Full<Bytes>>> {
        let time = chrono::Utc::now().format("%Y%m%dT%H%M%SZ").to_string();
        let (day, path) = (&time[..8], format!("/{}/{key}", self.bucket));
        let signed_headers = "host;x-amz-content-sha256;x-amz-date";
        let canonical = format!(
            "{method}\n{path}\n\nhost:{}\nx-amz-content-sha256:{digest}\nx-amz-date:{time}\n\n{signed_headers}\n{digest}",
            self.host
        );
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", Self::digest(canonical.as_bytes()));
        let mut key = format!("AWS4{}", self.secret_key.expose()).into_bytes();
        for part in [day, &self.region, "s3", "aws4_request"] {
            key = mac(&key, part)?;
        }
        let signature = hex(&mac(&key, &to_sign)?);
        let credential = format!("{}/{scope}", self.access_key);
        Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.host)
            .header("x-amz-date", time)
            .header("x-amz-content-sha256", digest)
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={signed_headers}, Signature={signature}"),
            )
            .body(Full::new(body))
            .into_diagnostic()
    }
}

fn mac(key: &[u8], message: &str) -> Result<Vec<u8>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| miette!("a key of no use"))?;
    mac.update(message.as_bytes());
    Ok(mac.finalize().into_bytes().to_vec())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
