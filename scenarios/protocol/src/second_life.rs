//! The second life: reborn, it takes rows and a backup of its own, burns again, and is reborn again.

use crate::{DATO_A, DATO_B, DATO_C, DATO_D};
use phoenix_core::{Promise, RecoveryTarget, Timeline, Verdict};
use phoenix_drill::{BackupKind, Drill, Environment, Result, Scenario};

/// What it says of itself.
pub const ABOUT: Scenario = Scenario {
    name: "second-life",
    family: "protocol",
    promise: "two fires and two rebirths lose nothing: A to D come back, on timelines 1, 2 and 3, as one cluster",
    expected: Verdict::Valid,
    finding: None,
};

/// Plays it.
pub async fn play(drill: &mut Drill, place: &(impl Environment + ?Sized)) -> Result<Verdict> {
    let castle = drill.birth(place).await?;
    let born = castle.database().identity().await?;
    drill.workload(&*castle).await?;
    drill.insert(&*castle, DATO_A).await?;
    drill.backup(&*castle, BackupKind::Full).await?;
    drill.workload(&*castle).await?;
    drill.insert(&*castle, DATO_B).await?;
    drill.archive_everything(&*castle).await?;

    let ashes = drill.wipe(castle).await?;
    let castle = drill.rebirth(ashes, RecoveryTarget::Latest).await?;
    let second = castle.database().identity().await?;
    drill.workload(&*castle).await?;
    let c = drill.insert(&*castle, DATO_C).await?;
    let backup = drill.backup(&*castle, BackupKind::Full).await?;
    drill.workload(&*castle).await?;
    let d = drill.insert(&*castle, DATO_D).await?;
    drill.archive_everything(&*castle).await?;
    drill.require(c.committed_before(backup.interval), "C lies in the second life's backup")?;
    drill.require(d.committed_after(backup.interval), "D lives in WAL alone")?;

    let ashes = drill.wipe(castle).await?;
    let castle = drill.rebirth(ashes, RecoveryTarget::Latest).await?;
    let third = castle.database().identity().await?;
    let timelines = [born, second, third].map(|life| life.timeline);
    drill.require(timelines == [1, 2, 3].map(Timeline), "each life has a timeline of its own: 1, 2 and 3")?;

    drill.judge(&*castle, Promise::EveryAcknowledgedRow).await
}
