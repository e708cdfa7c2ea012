//! Removes what drills left whose harness is gone.

use crate::{Resource, Result, Work, register};

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

/// Removes one environment's kinds of resources.
pub trait Remover: Sync {
    /// Removes what a run named, if it bears the run's mark. What is gone already is no error, and other
    /// environments' resources are none of its business.
    fn remove<'a>(&'a self, run: &'a str, resources: &'a [Resource]) -> Work<'a, ()>;
}

/// Removes what every orphaned run of this user named, and says what became of each run.
pub async fn sweep(reach: Reach, removers: &[&dyn Remover]) -> Result<Vec<(String, Swept)>> {
    let mut swept = Vec::new();
    for orphan in register::orphans()? {
        let run = orphan.run.clone();
        if let Some(why) = orphan.kept().filter(|_| reach == Reach::Orphans) {
            swept.push((run, Swept::Kept(why.to_owned())));
            continue;
        }
        let forget = format!("if it is gone for good: rm {}", orphan.path().display());
        let removed = remove(&orphan, removers).await.and_then(|()| orphan.close());
        let stuck = |error: crate::Error| Swept::Stuck(format!("{}; {forget}", error.chain()));
        let became = removed.map_or_else(stuck, |()| Swept::Removed);
        swept.push((run, became));
    }
    Ok(swept)
}

async fn remove(orphan: &register::Orphan, removers: &[&dyn Remover]) -> Result<()> {
    for remover in removers {
        remover.remove(&orphan.run, &orphan.resources).await?;
    }
    Ok(())
}
