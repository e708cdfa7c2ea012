//! A store of its own for each test, and the clients to talk to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_credential_types::Credentials as SdkCredentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Config, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::{Builder, tls};
use phoenix_store::{
    Certificates, Credentials, Durability, Fault, FaultProxy, Faults, Inspector, KeyMatch, Operation,
    ProxyConfig, StorageFault, StoreConfig, StoreError, StoreServer, Target, Upstream, Validity,
};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub const BUCKET: &str = "castle";
const NEVER_THERE: &str = "never/there";

pub fn names() -> Vec<String> {
    ["localhost", "127.0.0.1"].map(str::to_owned).to_vec()
}

/// What a test's clients talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    /// The embedded store.
    Store,
    /// A proxy before it.
    Proxy,
    /// A proxy in which faults are armed for keys that are never there, so that it looks at every
    /// answer and makes its listings itself, and none of them may differ.
    WatchfulProxy,
}

/// A server on a directory that goes with it.
pub struct Store {
    pub server: StoreServer,
    pub proxy: Option<FaultProxy>,
    pub credentials: Credentials,
    pub home: TempDir,
}

impl Store {
    pub async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let credentials = Credentials::generate();
        let server = start(home.path(), &credentials).await.unwrap();
        Self { server, proxy: None, credentials, home }
    }

    pub async fn start_behind(front: Front) -> Self {
        Self::start().await.behind(front).await
    }

    async fn behind(self, front: Front) -> Self {
        if front == Front::Store {
            return self;
        }
        let certificates = Certificates::generate(&names(), Validity::current()).unwrap();
        let proxy = self.proxy(certificates).await;
        if front == Front::WatchfulProxy {
            let never = KeyMatch::Exact(NEVER_THERE.to_owned());
            for (label, fault) in [("lost", StorageFault::Lost), ("old", StorageFault::Old)] {
                proxy.faults().arm(Fault::new(label, fault).on_keys(never.clone())).unwrap();
            }
            // For reads, only a fault that matches is looked into.
            for (label, operation) in
                [("get", Operation::Get), ("head", Operation::Head), ("copy", Operation::Copy)]
            {
                let far_away = Fault::new(label, StorageFault::Old).on(operation).after(u64::MAX);
                proxy.faults().arm(far_away).unwrap();
            }
        }
        Self { proxy: Some(proxy), ..self }
    }

    /// A proxy before this store. Its CA is written beside this store's.
    pub async fn proxy(&self, certificates: Certificates) -> FaultProxy {
        let upstream = self.upstream();
        fs::write(self.proxy_ca_file(), &certificates.ca_pem).unwrap();
        FaultProxy::start(ProxyConfig::new(certificates, upstream)).await.unwrap()
    }

    pub fn upstream(&self) -> Upstream {
        Upstream {
            host: "127.0.0.1".to_owned(),
            port: self.server.port(),
            tls_name: "localhost".to_owned(),
            ca_pem: fs::read_to_string(self.server.ca_file()).unwrap(),
            region: "us-east-1".to_owned(),
            credentials: self.credentials.clone(),
        }
    }

    pub fn proxy_ca_file(&self) -> PathBuf {
        self.home.path().join("proxy-ca.pem")
    }

    /// Stops the server without warning and starts another on the same directory.
    pub async fn reopen(self) -> Self {
        let Self { server, proxy, credentials, home } = self;
        drop(server);
        let server = start(home.path(), &credentials).await.unwrap();
        let front = if proxy.is_some() { Front::Proxy } else { Front::Store };
        Self { server, proxy: None, credentials, home }.behind(front).await
    }

    pub async fn shutdown(self) {
        if let Some(proxy) = self.proxy {
            proxy.shutdown().await;
        }
        self.server.shutdown().await;
    }

    /// Of what the clients talk to.
    pub fn faults(&self) -> &Faults {
        self.proxy.as_ref().map_or_else(|| self.server.faults(), FaultProxy::faults)
    }

    pub fn target(&self) -> Target {
        let (endpoint, ca_file) = match &self.proxy {
            None => (self.server.endpoint(), self.server.ca_file().to_owned()),
            Some(proxy) => (format!("https://localhost:{}", proxy.port()), self.proxy_ca_file()),
        };
        Target {
            endpoint,
            region: "us-east-1".to_owned(),
            bucket: BUCKET.to_owned(),
            credentials: self.credentials.clone(),
            ca_file: Some(ca_file),
        }
    }

    pub fn inspector(&self) -> Inspector {
        Inspector::new(self.target()).unwrap()
    }

    /// The client library as it comes, but for retries, which would hide what is tested.
    pub fn client(&self) -> Client {
        let Target { endpoint, ca_file, .. } = self.target();
        let pem = fs::read(ca_file.unwrap()).unwrap();
        let trusted = tls::TrustStore::empty().with_pem_certificate(pem);
        let context = tls::TlsContext::builder().with_trust_store(trusted).build().unwrap();
        let http = Builder::new()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .tls_context(context)
            .build_https();
        let keys = SdkCredentials::new(
            &self.credentials.access_key,
            self.credentials.secret_key.expose(),
            None,
            None,
            "test",
        );
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http)
            .endpoint_url(endpoint)
            .region(Region::new("us-east-1"))
            .credentials_provider(keys)
            .force_path_style(true)
            .retry_config(RetryConfig::disabled())
            .build();
        Client::from_conf(config)
    }
}

pub fn config(directory: &Path, credentials: &Credentials) -> StoreConfig {
    let config = StoreConfig::new(directory.join("store"), BUCKET, credentials.clone());
    StoreConfig { durability: Durability::Buffered, ca_file: Some(directory.join("ca.pem")), ..config }
}

pub async fn start(directory: &Path, credentials: &Credentials) -> Result<StoreServer, StoreError> {
    StoreServer::start(config(directory, credentials)).await
}

/// Reproducible bytes that do not repeat soon.
pub fn bytes(length: usize) -> Vec<u8> {
    let next = |state: &u32| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    std::iter::successors(Some(7_u32), next).map(|state| state.to_be_bytes()[0]).take(length).collect()
}

/// The code that the store answered with.
pub fn code<E: ProvideErrorMetadata, R>(error: SdkError<E, R>) -> String {
    match error {
        SdkError::ServiceError(answer) => answer.err().code().unwrap_or("none").to_owned(),
        _ => panic!("the store did not answer"),
    }
}

/// TLS with whoever is at this endpoint, under another of its names if need be.
pub async fn connect(
    target: &Target,
    version: &'static SupportedProtocolVersion,
    name: &'static str,
) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(target.ca_file.as_ref().unwrap()).unwrap()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let socket = TcpStream::connect(target.endpoint.strip_prefix("https://").unwrap()).await.unwrap();
    let connector = TlsConnector::from(Arc::new(client));
    connector.connect(ServerName::try_from(name).unwrap(), socket).await.unwrap()
}

/// An error with all of its causes.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
