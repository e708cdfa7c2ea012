//! Removes what a run of this environment named in the register.

use crate::platform::LABEL;
use futures::future::join_all;
use phoenix_docker::Engine;
use phoenix_drill::{Error, Resource, Result, Work, pause, sweep};
use std::{collections::BTreeSet, time::Duration};

const SETTLE: Duration = Duration::from_secs(1);

/// Removes the kind clusters that a run named.
#[derive(Debug, Clone, Copy)]
pub struct Remover;

impl sweep::Remover for Remover {
    fn remove<'a>(&'a self, run: &'a str, resources: &'a [Resource]) -> Work<'a, ()> {
        Box::pin(async move {
            if !resources.iter().any(|resource| matches!(resource, Resource::KindCluster { .. })) {
                return Ok(());
            }
            let engine = Engine::connect().await?;
            remove(&engine, run, resources).await?;
            // what was asked for when the harness was killed may be on its way
            pause(SETTLE).await;
            remove(&engine, run, resources).await
        })
    }
}

/// Removes the kind clusters that a run named, if their names hold the run's.
pub(crate) async fn remove(engine: &Engine, run: &str, resources: &[Resource]) -> Result<()> {
    for resource in resources {
        let Resource::KindCluster { name } = resource else { continue };
        if !run.to_ascii_lowercase().contains(name.trim_start_matches("phoenix-")) {
            let why = "its name does not hold this run's";
            return Err(Error::unverified(format!("the cluster {name} is not removed"), why));
        }
        let nodes = nodes(engine, name).await?;
        let removed = join_all(nodes.iter().map(|node| async {
            engine.kill(node).await?;
            engine.remove_container(node).await
        }));
        removed.await.into_iter().collect::<Result<()>>()?;
    }
    Ok(())
}

/// SIGKILL for every node of a cluster.
pub(crate) async fn kill_nodes(engine: &Engine, cluster: &str) -> Result<()> {
    let nodes = nodes(engine, cluster).await?;
    join_all(nodes.iter().map(|node| engine.kill(node))).await.into_iter().collect()
}

async fn nodes(engine: &Engine, cluster: &str) -> Result<BTreeSet<String>> {
    engine.containers_with(&[format!("{LABEL}={cluster}")]).await
}
