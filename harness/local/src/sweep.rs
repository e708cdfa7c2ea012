//! Removes what drills left whose harness is gone.

use crate::{inventory::remove_marked, process, shared_memory};
use phoenix_drill::{Doing, Resource, Result, register};

/// What became of one orphaned run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swept {
    /// Everything it named is gone.
    Removed,
    /// It was kept on purpose, and left.
    Kept(String),
    /// Something stood in the way.
    Stuck(String),
}

/// Whether runs that were kept on purpose are removed too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Only what nobody meant to keep.
    Orphans,
    /// Kept ones too.
    KeptToo,
}

/// Removes what every orphaned run of this user named, and says what became of each run.
pub async fn sweep(reach: Reach) -> Result<Vec<(String, Swept)>> {
    let mut swept = Vec::new();
    for orphan in register::orphans()? {
        let run = orphan.run.clone();
        if let Some(why) = orphan.kept().filter(|_| reach == Reach::Orphans) {
            swept.push((run, Swept::Kept(why.to_owned())));
            continue;
        }
        let removed = remove(&run, &orphan.resources).await.and_then(|()| orphan.close());
        let became = removed.map_or_else(|error| Swept::Stuck(error.chain()), |()| Swept::Removed);
        swept.push((run, became));
    }
    Ok(swept)
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
