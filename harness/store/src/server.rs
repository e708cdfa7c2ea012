//! The embedded server: a directory behind a port.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::Request;
use http_body_util::BodyExt;
use s3s::Body;
use s3s::path::check_bucket_name;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::task::spawn_blocking;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::access_log::AccessLog;
use crate::auth::{OnePair, OneRegion};
use crate::certificates::{Certificates, Validity};
use crate::config::StoreConfig;
use crate::connection::{Backend, Handled, Handler, Shared};
use crate::error::StoreError;
use crate::fault::Faults;
use crate::fault::request::Target;
use crate::listener::{Bound, Listening};
use crate::request_body::RequestBody;
use crate::service::StoreService;
use crate::storage::{Refusal, Storage, StorageError};
use crate::tls::{self, write_ca};

/// pgBackRest 2.45 ignores IP addresses in a certificate, so the name comes first.
const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// An S3 store that listens over TLS. Dropped, it stops at once; what it acknowledged lasts.
#[derive(Debug)]
pub struct StoreServer {
    listening: Listening,
    ca_file: PathBuf,
    faults: Faults,
    storage: Arc<Storage>,
}

impl StoreServer {
    /// Opens the directory, writes the CA's certificate and listens.
    ///
    /// # Errors
    /// Says what is wrong with the directory, the address or the journal: see [`StoreError`].
    pub async fn start(config: StoreConfig) -> Result<Self, StoreError> {
        let ca_file = config.ca_file.clone().unwrap_or_else(|| config.directory.join("tls").join("ca.pem"));
        let bound = Bound::to(config.listen).await?;
        let failed = |source| StoreError::Listen { address: config.listen, source };
        let opened = config.clone();
        let open = spawn_blocking(move || open(&opened)).await;
        let storage = Arc::new(open.map_err(|error| failed(io::Error::other(error)))??);
        let certificates = Certificates::generate(&NAMES.map(str::to_owned), Validity::current())?;
        write_ca(&ca_file, &certificates.ca_pem)?;

        let faults = Faults::default();
        let service = StoreService {
            storage: Arc::clone(&storage),
            faults: faults.clone(),
            region: config.region.clone(),
        };
        let mut builder = S3ServiceBuilder::new(service);
        builder.set_auth(OnePair(config.credentials));
        builder.set_access(OneRegion(config.region));
        let shared = Shared {
            tls: TlsAcceptor::from(tls::server(&certificates)?),
            backend: Arc::new(Embedded(builder.build())),
            faults: faults.clone(),
            access_log: config.access_log.as_deref().map(AccessLog::open).transpose()?,
            stopping: CancellationToken::new(),
        };
        Ok(Self { listening: bound.accept(shared), ca_file, faults, storage })
    }

    /// Where clients find it, such as `https://localhost:40123`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        let address = self.listening.address();
        match address.ip() {
            IpAddr::V4(ip) if ip.is_loopback() => format!("https://localhost:{}", address.port()),
            _ => format!("https://{address}"),
        }
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.listening.address().port()
    }

    /// The certificate by which clients know it.
    #[must_use]
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// Arms faults and tells what they did.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Lets the requests under way end, then closes every connection and the directory.
    pub async fn shutdown(mut self) {
        self.listening.shutdown().await;
    }
}

impl Drop for StoreServer {
    fn drop(&mut self) {
        self.storage.close();
    }
}

/// S3 on our own storage, the same for every connection.
#[derive(Clone)]
struct Embedded(S3Service);

impl Backend for Embedded {
    fn connect(&self) -> Box<dyn Handler> {
        Box::new(self.clone())
    }
}

impl Handler for Embedded {
    fn handle<'a>(&'a self, _: &'a Target, request: Request<RequestBody>) -> Handled<'a> {
        Box::pin(async {
            let response = self.0.call(request.map(Body::http_body_unsync)).await?;
            Ok(response.map(BodyExt::boxed_unsync))
        })
    }
}

fn open(config: &StoreConfig) -> Result<Storage, StoreError> {
    if let Some(name) = config.buckets.iter().find(|name| !check_bucket_name(name)) {
        return Err(StoreError::BucketName { name: name.clone() });
    }
    let storage = Storage::open(&config.directory, config.durability)?;
    for bucket in &config.buckets {
        match storage.create_bucket(bucket) {
            Ok(()) | Err(StorageError::Refused(Refusal::BucketExists)) => {}
            Err(error) => {
                return Err(StoreError::file("create a bucket in", &config.directory)(io::Error::other(
                    error,
                )));
            }
        }
    }
    Ok(storage)
}
