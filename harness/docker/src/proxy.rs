//! The proxy that is put before a store, so that faults can be armed there.

use crate::{Minio, Yard};
use phoenix_drill::{Doing, Error, Result};
use phoenix_postgres::pgbackrest::S3;
use phoenix_repository::fired;
use phoenix_store::{Certificates, Credentials, FaultProxy, Faults, ProxyConfig, Upstream};
use std::{
    net::{IpAddr, SocketAddr},
    sync::OnceLock,
};
use tokio::sync::Mutex;

/// The proxy before a drill's store, once faults are asked for, and where its victim reaches it.
#[derive(Default)]
pub struct Detour {
    proxy: Mutex<Option<FaultProxy>>,
    at: OnceLock<(String, u16)>,
}

impl Detour {
    /// The host and the port at which the victim reaches the proxy; `None` before there is one.
    pub fn at(&self) -> Option<&(String, u16)> {
        self.at.get()
    }

    /// The faults that can be armed in the store's place. The first call starts the proxy, which says as
    /// which host it is reached, and gives its port.
    pub async fn faults(
        &self,
        start: impl Future<Output = Result<(String, FaultProxy)>>,
    ) -> Result<(Faults, Option<u16>)> {
        let mut proxy = self.proxy.lock().await;
        if let Some(proxy) = &*proxy {
            return Ok((proxy.faults().clone(), None));
        }
        let (host, started) = start.await?;
        let (port, faults) = (started.port(), started.faults().clone());
        self.at.set((host, port)).map_err(|_| Error::Demand("one proxy".into()))?;
        *proxy = Some(started);
        Ok((faults, Some(port)))
    }

    /// The faults, if the proxy was started.
    pub async fn armed(&self) -> Option<Faults> {
        self.proxy.lock().await.as_ref().map(|proxy| proxy.faults().clone())
    }

    /// What the faults really did, one line each.
    pub async fn fired(&self) -> Vec<String> {
        self.proxy.lock().await.iter().flat_map(|proxy| fired(proxy.faults())).collect()
    }

    /// The proxy, for whoever ends it.
    pub async fn take(&self) -> Option<FaultProxy> {
        self.proxy.lock().await.take()
    }
}

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
