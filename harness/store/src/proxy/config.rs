//! What a proxy needs to know before it starts.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::certificates::Certificates;
use crate::config::Credentials;

/// The store behind a proxy.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// A name or an IP address, looked up for every connection.
    pub host: String,
    /// Where it listens.
    pub port: u16,
    /// A name in its certificate, which need not be the host.
    pub tls_name: String,
    /// What is trusted, and nothing else.
    pub ca_pem: String,
    /// What requests must be signed for.
    pub region: String,
    /// With what the proxy asks for versions, to make storage seem to hold something else. May be other
    /// than the clients'. Not used while no fault of storage is armed.
    pub credentials: Credentials,
}

/// How to start a [`FaultProxy`](crate::FaultProxy).
#[derive(Clone, Debug)]
pub struct ProxyConfig {
    /// Port 0 asks the kernel for a free one.
    pub listen: SocketAddr,
    /// What clients see.
    pub certificates: Certificates,
    /// What is behind.
    pub upstream: Upstream,
    /// One JSON line for each request is appended here.
    pub access_log: Option<PathBuf>,
}

impl ProxyConfig {
    /// A proxy on a free port of 127.0.0.1.
    #[must_use]
    pub fn new(certificates: Certificates, upstream: Upstream) -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), certificates, upstream, access_log: None }
    }
}
