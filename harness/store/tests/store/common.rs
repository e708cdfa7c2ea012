//! A store of its own for each test, and the clients to talk to it.

use std::path::Path;

use aws_credential_types::Credentials as SdkCredentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Config, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::{Builder, tls};
use phoenix_store::{Credentials, Durability, Inspector, StoreConfig, StoreError, StoreServer, Target};
use tempfile::TempDir;

pub const BUCKET: &str = "castle";

/// A server on a directory that goes with it.
pub struct Store {
    pub server: StoreServer,
    pub credentials: Credentials,
    pub home: TempDir,
}

impl Store {
    pub async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let credentials = Credentials::generate();
        let server = start(home.path(), &credentials).await.unwrap();
        Self { server, credentials, home }
    }

    /// Stops the server without warning and starts another on the same directory.
    pub async fn reopen(self) -> Self {
        let Self { server, credentials, home } = self;
        drop(server);
        let server = start(home.path(), &credentials).await.unwrap();
        Self { server, credentials, home }
    }

    pub fn target(&self) -> Target {
        Target {
            endpoint: self.server.endpoint(),
            region: "us-east-1".to_owned(),
            bucket: BUCKET.to_owned(),
            credentials: self.credentials.clone(),
            ca_file: Some(self.server.ca_file().to_owned()),
        }
    }

    pub fn inspector(&self) -> Inspector {
        Inspector::new(self.target()).unwrap()
    }

    /// The client library as it comes, but for retries, which would hide what is tested.
    pub fn client(&self) -> Client {
        let pem = std::fs::read(self.server.ca_file()).unwrap();
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
            .endpoint_url(self.server.endpoint())
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
