//! Removes what drills left whose harness is gone.

use crate::{Error, Resource, Result, Work, register};
use futures::future::join_all;
use std::{path::Path, time::Duration};
use tokio::time::timeout;

/// For how long a drill that is about to begin removes what others left: it needs none of that gone.
pub const BEFORE_A_DRILL: Duration = Duration::from_secs(20);
/// For how long somebody who asks for it waits: a namespace whose pods linger goes after their grace.
pub const BY_HAND: Duration = Duration::from_secs(240);

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

/// Removes what every orphaned run of this user named, all at once, and says what became of each. What is not
/// gone in time is left to the next sweep.
pub async fn sweep(
    reach: Reach,
    patience: Duration,
    removers: &[&dyn Remover],
) -> Result<Vec<(String, Swept)>> {
    sweep_in(&register::directory()?, reach, patience, removers).await
}

async fn sweep_in(
    registers: &Path,
    reach: Reach,
    patience: Duration,
    removers: &[&dyn Remover],
) -> Result<Vec<(String, Swept)>> {
    let orphans = register::orphans(registers)?;
    Ok(join_all(orphans.into_iter().map(|orphan| remove(orphan, reach, patience, removers))).await)
}

async fn remove(
    orphan: register::Orphan,
    reach: Reach,
    patience: Duration,
    removers: &[&dyn Remover],
) -> (String, Swept) {
    let run = orphan.run.clone();
    if let Some(why) = orphan.kept().filter(|_| reach == Reach::Orphans) {
        return (run, Swept::Kept(why.to_owned()));
    }
    let forget = format!("if it is gone for good: rm {}", orphan.path().display());
    let removed = timeout(patience, async {
        for remover in removers {
            remover.remove(&orphan.run, &orphan.resources).await?;
        }
        Ok(())
    });
    let late =
        || Error::unverified("removing what it named", format!("not all of it is gone after {patience:?}"));
    let removed = removed.await.unwrap_or_else(|_| Err(late())).and_then(|()| orphan.close());
    let stuck = |error: Error| Swept::Stuck(format!("{}; {forget}", error.chain()));
    (run, removed.map_or_else(stuck, |()| Swept::Removed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, time::Instant};

    /// An engine that cannot remove what one run named, and never says so.
    struct Mute;

    impl Remover for Mute {
        fn remove<'a>(&'a self, run: &'a str, _resources: &'a [Resource]) -> Work<'a, ()> {
            Box::pin(async move { if run == "STUCK" { std::future::pending().await } else { Ok(()) } })
        }
    }

    #[tokio::test]
    async fn what_cannot_be_removed_holds_up_nobody_for_long() {
        let registers = std::env::temp_dir().join(format!("phoenix-sweep-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&registers).unwrap();
        for run in ["A", "STUCK", "Z"] {
            fs::write(registers.join(format!("{run}.jsonl")), "").unwrap();
        }
        let (patience, began) = (Duration::from_millis(300), Instant::now());
        let mut swept = sweep_in(&registers, Reach::Orphans, patience, &[&Mute]).await.unwrap();
        assert!(began.elapsed() < patience * 10, "{:?}", began.elapsed());
        swept.sort_by(|(one, _), (other, _)| one.cmp(other));
        let [(_, first), (_, stuck), (_, last)] = swept.as_slice() else { panic!("{swept:?}") };
        assert_eq!((first, last), (&Swept::Removed, &Swept::Removed));
        let left = registers.join("STUCK.jsonl");
        let why = format!(
            "removing what it named: not all of it is gone after 300ms; if it is gone for good: rm {}",
            left.display()
        );
        assert_eq!(stuck, &Swept::Stuck(why));
        // the next sweep finds it, and nothing else
        let names: Vec<_> = fs::read_dir(&registers).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(names, [left]);
        fs::remove_dir_all(&registers).unwrap();
    }
}
