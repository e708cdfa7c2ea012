//! A proxy before any S3 store that does to its answers what the embedded store does to its own.
//!
//! [`forward`] sends each request on as it came and [`upstream`] holds the connections for it. Where
//! a fault of storage is armed, [`versions`] asks the store what it holds, with requests that
//! [`signer`] signs, and [`read`], [`copy`] and [`listing`] make another answer of it.

mod config;
mod copy;
mod error;
mod forward;
mod listing;
mod page;
mod read;
mod signer;
mod span;
mod upstream;
mod versions;
mod xml;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

pub use self::config::{ProxyConfig, Upstream};
use self::forward::Forward;
use self::signer::Signer;
use self::upstream::Route;
use crate::access_log::AccessLog;
use crate::connection::Shared;
use crate::error::StoreError;
use crate::fault::Faults;
use crate::listener::{Bound, Listening};
use crate::tls;

/// A reverse proxy that listens over TLS and fails on command. Dropped, it stops at once.
///
/// Without faults each request and each answer passes as it is. A plan of faults does to the store
/// behind it what it does to a [`StoreServer`](crate::StoreServer), as far as the store keeps
/// versions: where it does not, no version is before the latest.
#[derive(Debug)]
pub struct FaultProxy {
    listening: Listening,
    faults: Faults,
}

impl FaultProxy {
    /// Listens. Whether the store behind it is there shows with the first request.
    ///
    /// # Errors
    /// Says what is wrong with the address, the certificates or the upstream's name: see
    /// [`StoreError`].
    pub async fn start(config: ProxyConfig) -> Result<Self, StoreError> {
        let tls = TlsAcceptor::from(tls::server(&config.certificates)?);
        let faults = Faults::default();
        let backend = Forward {
            route: Arc::new(Route::to(&config.upstream)?),
            signer: Arc::new(Signer::of(&config.upstream)),
            faults: faults.clone(),
        };
        let shared = Shared {
            tls,
            backend: Arc::new(backend),
            faults: faults.clone(),
            access_log: config.access_log.as_deref().map(AccessLog::open).transpose()?,
            stopping: CancellationToken::new(),
        };
        Ok(Self { listening: Bound::to(config.listen).await?.accept(shared), faults })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listening.address()
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address().port()
    }

    /// Arms faults and tells what they did.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Lets the requests under way end, then closes every connection.
    pub async fn shutdown(mut self) {
        self.listening.shutdown().await;
    }
}
