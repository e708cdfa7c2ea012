//! The proxy before the store, once faults are asked for: until then the victim speaks to the store
//! itself.

use crate::{
    Containers,
    plant::{PROXY_HOST, Plant},
    victim,
};
use phoenix_docker::Upheld;
use phoenix_drill::{Doing, Result, SlowStore, Work};
use phoenix_repository::slow_restore;
use phoenix_store::{FaultProxy, Faults};
use std::time::Duration;

impl Containers {
    /// The faults that can be armed in the store's place. The first call puts the proxy before the store
    /// and tells the victim; what the proxy did is in `logs/proxy.jsonl`.
    pub async fn store_faults(&self) -> Result<Faults> {
        let plant = self.plant()?;
        let (faults, started) = plant.detour.faults(start(plant)).await?;
        let Some(port) = started else { return Ok(faults) };
        if let Some(container) = plant.victim.lock().await.clone() {
            victim::configure(plant, &container.name, container.furniture).await?;
        }
        plant.note(format!("the victim reaches the store by a proxy on port {port}"));
        Ok(faults)
    }

    /// The faults that can be armed, if the proxy is before the store.
    pub(crate) async fn armed(&self) -> Option<Faults> {
        self.plant().ok()?.detour.armed().await
    }

    /// What the faults in the store's place really did, one line each.
    pub(crate) async fn fired(&self) -> Vec<String> {
        let Ok(plant) = self.plant() else { return Vec::new() };
        plant.detour.fired().await
    }
}

async fn start(plant: &Plant) -> Result<(String, FaultProxy)> {
    let store = Upheld {
        store: &plant.vault.store,
        minio: plant.store.as_ref(),
        ca_pem: &plant.ca_pem,
        certificates: &plant.certificates,
    };
    Ok((PROXY_HOST.to_owned(), store.proxy(&plant.yard, plant.proxy_reach.address()).await?))
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
