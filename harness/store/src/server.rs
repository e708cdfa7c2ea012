//! The embedded server: starts, accepts, stops.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use s3s::path::check_bucket_name;
use s3s::service::S3ServiceBuilder;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinHandle, JoinSet, spawn_blocking};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::access_log::AccessLog;
use crate::auth::{OnePair, OneRegion};
use crate::certificates::{Certificates, Validity};
use crate::config::StoreConfig;
use crate::connection::{Shared, serve};
use crate::error::StoreError;
use crate::fault::Faults;
use crate::service::StoreService;
use crate::storage::{Refusal, Storage, StorageError};
use crate::tls::{self, write_ca};

/// pgBackRest 2.45 ignores IP addresses in a certificate, so the name comes first.
const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];
/// How long a request under way may take to end once the server stops.
const STOP_DEADLINE: Duration = Duration::from_secs(2);
/// Before connections are accepted again after the system refused one.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// An S3 store that listens over TLS. Dropped, it stops at once; what it acknowledged lasts.
#[derive(Debug)]
pub struct StoreServer {
    address: SocketAddr,
    ca_file: PathBuf,
    faults: Faults,
    storage: Arc<Storage>,
    stopping: CancellationToken,
    accepting: Option<JoinHandle<()>>,
    abort: AbortHandle,
}

impl StoreServer {
    /// Opens the directory, writes the CA's certificate and listens.
    ///
    /// # Errors
    /// Says what is wrong with the directory, the address or the journal: see [`StoreError`].
    pub async fn start(config: StoreConfig) -> Result<Self, StoreError> {
        let ca_file = config.ca_file.clone().unwrap_or_else(|| config.directory.join("tls").join("ca.pem"));
        let listener = listen(config.listen).await?;
        let failed = |source| StoreError::Listen { address: config.listen, source };
        let address = listener.local_addr().map_err(failed)?;
        let opened = config.clone();
        let open = spawn_blocking(move || open(&opened)).await;
        let storage = Arc::new(open.map_err(|error| failed(io::Error::other(error)))??);
        let certificates = Certificates::generate(&NAMES.map(str::to_owned), Validity::current())?;
        write_ca(&ca_file, &certificates.ca_pem)?;

        let faults = Faults::default();
        let stopping = CancellationToken::new();
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
            store: builder.build(),
            faults: faults.clone(),
            access_log: config.access_log.as_deref().map(AccessLog::open).transpose()?,
            stopping: stopping.clone(),
        };
        let accepting = tokio::spawn(accept(listener, shared));
        let abort = accepting.abort_handle();
        Ok(Self { address, ca_file, faults, storage, stopping, accepting: Some(accepting), abort })
    }

    /// Where clients find it, such as `https://localhost:40123`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        match self.address.ip() {
            IpAddr::V4(ip) if ip.is_loopback() => format!("https://localhost:{}", self.port()),
            _ => format!("https://{}", self.address),
        }
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
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
        self.stopping.cancel();
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.await;
        }
    }
}

impl Drop for StoreServer {
    fn drop(&mut self) {
        self.stopping.cancel();
        self.abort.abort();
        self.storage.close();
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

async fn listen(address: SocketAddr) -> Result<TcpListener, StoreError> {
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => StoreError::AddressInUse { address },
        _ => StoreError::Listen { address, source },
    })
}

/// Owns the connections, which end with it.
async fn accept(listener: TcpListener, shared: Shared) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    connections.spawn(serve(shared.clone(), socket));
                }
                // Out of file descriptors, say: those that are open will be closed.
                Err(_) => drop(timeout(ACCEPT_PAUSE, shared.stopping.cancelled()).await),
            },
            Some(_) = connections.join_next() => {}
            () = shared.stopping.cancelled() => break,
        }
    }
    drop(listener);
    let _ = timeout(STOP_DEADLINE, async { while connections.join_next().await.is_some() {} }).await;
}
