//! The proxy before the store, once faults are asked for: until then the victim speaks to the store
//! itself.

use crate::{
    Containers,
    plant::{PROXY_HOST, Plant},
    victim,
};
use phoenix_drill::{Doing, Error, Result, SlowStore, Work};
use phoenix_repository::{fired, slow_restore};
use phoenix_store::{Certificates, Credentials, FaultProxy, Faults, ProxyConfig, Upstream};
use std::{net::SocketAddr, time::Duration};

impl Containers {
    /// The faults that can be armed in the store's place. The first call puts the proxy before the store
    /// and tells the victim; what the proxy did is in `logs/proxy.jsonl`.
    pub async fn store_faults(&self) -> Result<Faults> {
        let plant = self.plant()?;
        let mut proxy = plant.proxy.lock().await;
        if let Some(proxy) = &*proxy {
            return Ok(proxy.faults().clone());
        }
        let started = start(plant).await?;
        let (port, faults) = (started.port(), started.faults().clone());
        *proxy = Some(started);
        drop(proxy);
        plant.detour.set((PROXY_HOST.to_owned(), port)).map_err(|_| Error::Demand("one proxy".into()))?;
        if let Some(container) = plant.victim.lock().await.clone() {
            victim::configure(plant, &container.name, container.furniture).await?;
        }
        plant.note(format!("the victim reaches the store by a proxy on port {port}"));
        Ok(faults)
    }

    /// What the faults in the store's place really did, one line each.
    pub(crate) async fn fired(&self) -> Vec<String> {
        let Ok(plant) = self.plant() else { return Vec::new() };
        let proxy = plant.proxy.lock().await;
        proxy.iter().flat_map(|proxy| fired(proxy.faults())).collect()
    }
}

async fn start(plant: &Plant) -> Result<FaultProxy> {
    let store = &plant.vault.store;
    let (host, port, tls_name) = match &plant.store {
        Some(own) => {
            let host = &plant.yard.engine.host;
            (host.clone(), own.port(&plant.yard.engine).await?, host.clone())
        }
        None => (store.host.clone(), store.port, store.host.clone()),
    };
    let upstream = Upstream {
        host,
        port,
        tls_name,
        ca_pem: plant.ca_pem.clone(),
        region: store.region.clone(),
        credentials: Credentials {
            access_key: store.access_key.clone(),
            secret_key: store.secret_key.clone(),
        },
    };
    let certificates: Certificates = plant.certificates.clone();
    let config = ProxyConfig {
        listen: SocketAddr::new(plant.proxy_reach.address(), 0),
        access_log: Some(plant.yard.scene.evidence.log("proxy.jsonl")),
        ..ProxyConfig::new(certificates, upstream)
    };
    FaultProxy::start(config).await.doing("putting a proxy before the store")
}

impl SlowStore for Containers {
    fn slow_restores(&self, delay: Duration) -> Work<'_, ()> {
        Box::pin(
            async move { self.store_faults().await?.arm(slow_restore(delay)).doing("making the store slow") },
        )
    }

    fn heal_store(&self) -> Work<'_, Vec<String>> {
        Box::pin(async {
            self.store_faults().await?.disarm_all();
            Ok(self.fired().await)
        })
    }
}
