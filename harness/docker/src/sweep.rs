//! Removes what a run named in the register, if it bears the run's label.

use crate::{Engine, names::bears};
use futures::future::join_all;
use phoenix_drill::{Error, Resource, Result, Work, pause, sweep};
use std::{collections::HashMap, time::Duration};
use tokio::time::timeout;

/// An engine that has not answered by then will not: of what does not die it says so after ten seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// A request that was on its way when its harness was killed is carried out by the engine by then.
const SETTLE: Duration = Duration::from_secs(1);

/// Removes the containers, networks, volumes and unfinished images that a run named.
#[derive(Debug, Clone, Copy)]
pub struct Remover;

impl sweep::Remover for Remover {
    fn remove<'a>(&'a self, run: &'a str, resources: &'a [Resource]) -> Work<'a, ()> {
        Box::pin(async move {
            let Some(engine) = engine(resources).await? else { return Ok(()) };
            let removed = timeout(PATIENCE, async {
                remove(&engine, run, resources).await?;
                // what was named and not found may be on its way
                pause(SETTLE).await;
                remove(&engine, run, resources).await
            });
            let late = |_| {
                let what = format!("the engine to remove what {run} named");
                Err(Error::Timeout { what, last: "it has not answered".to_owned(), after: PATIENCE })
            };
            removed.await.unwrap_or_else(late)
        })
    }
}

/// The engine that a run named; `None` if it named none.
async fn engine(resources: &[Resource]) -> Result<Option<Engine>> {
    let named = resources.iter().find_map(|resource| match resource {
        Resource::Engine { id, endpoint } => Some((id, endpoint)),
        _ => None,
    });
    let Some((id, endpoint)) = named else { return Ok(None) };
    let engine = Engine::connect().await?;
    if engine.id == *id {
        return Ok(Some(engine));
    }
    let what = format!("its containers are in the engine {id} at {endpoint}, and this is {}", engine.id);
    Err(Error::missing(what, "set DOCKER_HOST as it was then, and sweep again"))
}

/// Removes what a run named, as far as it can; what does not bear its label is left, and is an error.
/// Containers go first: what they hold cannot be removed.
pub async fn remove(engine: &Engine, run: &str, resources: &[Resource]) -> Result<()> {
    let (containers, others): (Vec<_>, Vec<_>) =
        resources.iter().partition(|resource| matches!(resource, Resource::Container { .. }));
    let mut removed = join_all(containers.into_iter().map(|it| remove_one(engine, run, it))).await;
    removed.extend(join_all(others.into_iter().map(|it| remove_one(engine, run, it))).await);
    if resources.iter().any(|resource| matches!(resource, Resource::Image { .. })) {
        removed.push(engine.prune_build(run).await);
    }
    removed.into_iter().collect()
}

async fn remove_one(engine: &Engine, run: &str, resource: &Resource) -> Result<()> {
    let ours = |what: &str, name: &str, labels: Option<&HashMap<String, String>>| {
        let why = "it does not bear this run's label";
        let foreign = || Error::unverified(format!("the {what} {name} is not removed"), why);
        bears(labels, run).then_some(()).ok_or_else(foreign)
    };
    match resource {
        Resource::Container { name } => {
            let Some(found) = engine.container(name).await? else { return Ok(()) };
            ours("container", name, found.config.and_then(|config| config.labels).as_ref())?;
            engine.kill(name).await?;
            engine.remove_container(name).await
        }
        Resource::Network { name } => {
            let Some(found) = engine.network(name).await? else { return Ok(()) };
            ours("network", name, found.labels.as_ref())?;
            engine.remove_network(name).await
        }
        Resource::Volume { name } => {
            let Some(labels) = engine.volume(name).await? else { return Ok(()) };
            ours("volume", name, Some(&labels))?;
            engine.remove_volume(name).await
        }
        // its name holds the run's
        Resource::Image { reference } => engine.remove_image(reference).await,
        Resource::Engine { .. }
        | Resource::Directory { .. }
        | Resource::Capsule { .. }
        | Resource::KindCluster { .. }
        | Resource::Namespace { .. }
        | Resource::Kept { .. } => Ok(()),
    }
}
