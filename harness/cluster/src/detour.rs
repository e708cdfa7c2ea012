//! The proxy before the store, once faults are asked for: until then pods speak to the store itself. It listens
//! on the gateway of the nodes' network, which pods reach through their nodes.

use crate::{birth::Cluster, plant::Plant, site::Beside};
use phoenix_docker::Upheld;
use phoenix_drill::{Doing, Error, Result, SlowStore, Work};
use phoenix_repository::slow_restore;
use phoenix_store::{FaultProxy, Faults};
use std::time::Duration;

impl Cluster {
    /// The faults that can be armed in the store's place. The first call starts the proxy, and whatever is
    /// applied from then on names it; what it did is in `logs/proxy.jsonl`.
    pub async fn store_faults(&self) -> Result<Faults> {
        let plant = self.plant()?;
        plant.detour.faults(start(plant)).await.map(|(faults, _)| faults)
    }

    /// What the faults in the store's place really did, one line each.
    pub(crate) async fn fired(&self) -> Vec<String> {
        let Ok(plant) = self.plant() else { return Vec::new() };
        plant.detour.fired().await
    }
}

async fn start(plant: &Plant) -> Result<(String, FaultProxy)> {
    let (Some(Beside { yard, store: Some(minio), .. }), Some(gateway)) =
        (plant.beside.as_deref(), plant.gateway)
    else {
        let advice = "drill on kind with the drill's own store, in an engine on this machine";
        return Err(Error::usage("pods do not reach a proxy of the harness's here", advice));
    };
    let store = Upheld {
        store: &plant.vault.store,
        minio: Some(minio),
        ca_pem: &plant.ca_pem,
        certificates: &minio.certificates,
    };
    Ok((gateway.to_string(), store.proxy(yard, gateway).await?))
}

impl SlowStore for Cluster {
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
