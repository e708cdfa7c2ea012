//! Removes what a run of this environment named.

use crate::{inventory::remove_marked, process, shared_memory};
use phoenix_drill::{Doing, Resource, Result, Work, sweep};

/// Removes the directories and capsules that a run named.
#[derive(Debug, Clone, Copy)]
pub struct Remover;

impl sweep::Remover for Remover {
    fn remove<'a>(&'a self, run: &'a str, resources: &'a [Resource]) -> Work<'a, ()> {
        Box::pin(remove(run, resources))
    }
}

/// Removes what a run named, processes first.
pub(crate) async fn remove(run: &str, resources: &[Resource]) -> Result<()> {
    for resource in resources {
        if let Resource::Capsule { mark } = resource {
            process::extinguish(|| process::marked(mark)).await?;
        }
    }
    for resource in resources.iter().rev() {
        if let Resource::Directory { path } = resource {
            shared_memory::release(shared_memory::of(&path.join("victim/data"))).await?;
            let (run, path) = (run.to_owned(), path.clone());
            tokio::task::spawn_blocking(move || remove_marked(&path, &run, &path))
                .await
                .doing("removing a directory")??;
        }
    }
    Ok(())
}
