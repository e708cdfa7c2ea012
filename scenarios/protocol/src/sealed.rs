//! The protocol with a sealed recovery: to a restore point that must be reached, archive errors fatal.

use crate::{DATO_A, DATO_B};
use phoenix_core::{Promise, Verdict};
use phoenix_drill::{BackupKind, Drill, Environment, Result, Scenario};

/// What it says of itself.
pub const ABOUT: Scenario = Scenario {
    name: "sealed",
    family: "protocol",
    promise: "a recovery that may not take an archive error for the end of WAL brings every acknowledged row back",
    expected: Verdict::Valid,
    finding: None,
};

/// Plays it.
pub async fn play(drill: &mut Drill, place: &(impl Environment + ?Sized)) -> Result<Verdict> {
    let castle = drill.birth(place).await?;

    drill.workload(&*castle).await?;
    drill.insert(&*castle, DATO_A).await?;
    let backup = drill.backup(&*castle, BackupKind::Full).await?;
    drill.workload(&*castle).await?;
    let b = drill.insert(&*castle, DATO_B).await?;
    let sealed = drill.seal(&*castle).await?; // a unique restore point after the last row

    drill.archive_everything(&*castle).await?;
    drill.require(b.committed_after(backup.interval), "B lives in WAL alone")?;

    let ashes = drill.wipe(castle).await?;
    let castle = drill.rebirth(ashes, sealed).await?;

    drill.judge(&*castle, Promise::EveryAcknowledgedRow).await
}
