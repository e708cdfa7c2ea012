//! Removes what a run of this environment named in the register, if it bears the run's label.

use crate::{
    engine::{Engine, bears},
    image,
};
use phoenix_drill::{Error, Resource, Result, Work, pause, sweep};
use std::time::Duration;

/// A request that was on its way when its harness was killed is carried out by the engine by then.
const SETTLE: Duration = Duration::from_secs(1);

/// Removes the containers, networks, volumes and unfinished images that a run named.
#[derive(Debug, Clone, Copy)]
pub struct Remover;

impl sweep::Remover for Remover {
    fn remove<'a>(&'a self, run: &'a str, resources: &'a [Resource]) -> Work<'a, ()> {
        Box::pin(async move {
            let Some(engine) = engine(resources).await? else { return Ok(()) };
            remove(&engine, run, resources).await?;
            // what was named and not found may be on its way
            pause(SETTLE).await;
            remove(&engine, run, resources).await
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

/// Removes what a run named; what does not bear its label is left, and is an error.
pub(crate) async fn remove(engine: &Engine, run: &str, resources: &[Resource]) -> Result<()> {
    let foreign = |what: &str, name: &str| {
        Error::unverified(format!("the {what} {name} is not removed"), "it does not bear this run's label")
    };
    let mut built = false;
    // containers first: what they hold cannot be removed
    for resource in resources {
        if let Resource::Container { name } = resource
            && let Some(found) = engine.container(name).await?
        {
            let labels = found.config.and_then(|config| config.labels);
            if !bears(labels.as_ref(), run) {
                return Err(foreign("container", name));
            }
            engine.kill(name).await?;
            engine.remove_container(name).await?;
        }
    }
    for resource in resources {
        match resource {
            Resource::Network { name } => {
                if let Some(network) = engine.network(name).await? {
                    if !bears(network.labels.as_ref(), run) {
                        return Err(foreign("network", name));
                    }
                    engine.remove_network(name).await?;
                }
            }
            Resource::Volume { name } => {
                if let Some(labels) = engine.volume(name).await? {
                    if !bears(Some(&labels), run) {
                        return Err(foreign("volume", name));
                    }
                    engine.remove_volume(name).await?;
                }
            }
            Resource::Image { reference } => {
                image::remove(engine, reference).await?;
                built = true;
            }
            Resource::Engine { .. }
            | Resource::Container { .. }
            | Resource::Directory { .. }
            | Resource::Capsule { .. }
            | Resource::Kept { .. } => {}
        }
    }
    if built { image::prune(engine).await } else { Ok(()) }
}
