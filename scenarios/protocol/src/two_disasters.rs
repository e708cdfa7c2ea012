//! Two disasters: the castle burns again in the middle of its restore.

use crate::{DATO_A, DATO_B};
use phoenix_core::{Promise, RecoveryTarget, Verdict};
use phoenix_drill::{BackupKind, Drill, Result, Scenario, SlowStore};
use std::time::Duration;

/// What it says of itself.
pub const ABOUT: Scenario = Scenario {
    name: "two-disasters",
    family: "protocol",
    promise: "a fire in the middle of the restore costs time, and no row",
    expected: Verdict::Valid,
    finding: None,
};

/// Plays it.
pub async fn play(drill: &mut Drill, place: &(impl SlowStore + ?Sized)) -> Result<Verdict> {
    let castle = drill.birth(place).await?;
    drill.workload(&*castle).await?;
    drill.insert(&*castle, DATO_A).await?;
    let backup = drill.backup(&*castle, BackupKind::Full).await?;
    drill.workload(&*castle).await?;
    let b = drill.insert(&*castle, DATO_B).await?;
    drill.archive_everything(&*castle).await?;
    drill.require(b.committed_after(backup.interval), "B lives in WAL alone")?;

    let ashes = drill.wipe(castle).await?;
    place.slow_restores(Duration::from_millis(250)).await?; // so that there is a middle
    let rebirthing = drill.begin_rebirth(ashes, RecoveryTarget::Latest).await?;
    let ashes = drill.wipe_again(rebirthing).await?;
    let slowed = place.heal_store().await?;
    drill.require(!slowed.is_empty(), "the store really was slow")?;

    let castle = drill.rebirth(ashes, RecoveryTarget::Latest).await?;
    drill.judge(&*castle, Promise::EveryAcknowledgedRow).await
}
