//! The proxy that is put before a store, so that faults can be armed there.

use crate::{Minio, Yard};
use phoenix_drill::{Doing, Result};
use phoenix_postgres::pgbackrest::S3;
use phoenix_store::{Certificates, Credentials, FaultProxy, ProxyConfig, Upstream};
use std::net::{IpAddr, SocketAddr};

/// A store that a proxy is put before.
pub struct Upheld<'a> {
    /// As the victim knows it.
    pub store: &'a S3,
    /// The drill's own container, if it runs in one.
    pub minio: Option<&'a Minio>,
    /// The CA of the store, in PEM.
    pub ca_pem: &'a str,
    /// What the proxy presents.
    pub certificates: &'a Certificates,
}

impl Upheld<'_> {
    /// Starts the proxy at this address of the machine. What it does is in `logs/proxy.jsonl`.
    pub async fn proxy(self, yard: &Yard, listen: IpAddr) -> Result<FaultProxy> {
        let Self { store, minio, ca_pem, certificates } = self;
        let (host, port) = match minio {
            Some(minio) => (yard.engine.host.clone(), minio.port(&yard.engine).await?),
            None => (store.host.clone(), store.port),
        };
        let upstream = Upstream {
            tls_name: host.clone(),
            host,
            port,
            ca_pem: ca_pem.to_owned(),
            region: store.region.clone(),
            credentials: Credentials {
                access_key: store.access_key.clone(),
                secret_key: store.secret_key.clone(),
            },
        };
        let config = ProxyConfig {
            listen: SocketAddr::new(listen, 0),
            access_log: Some(yard.scene.evidence.log("proxy.jsonl")),
            ..ProxyConfig::new(certificates.clone(), upstream)
        };
        FaultProxy::start(config).await.doing("putting a proxy before the store")
    }
}
