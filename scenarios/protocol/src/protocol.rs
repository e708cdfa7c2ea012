//! The Phoenix Protocol: one row in the backup, one in WAL alone, and a fire.

use crate::{DATO_A, DATO_B};
use phoenix_core::{Promise, Verdict};
use phoenix_drill::{BackupKind, Drill, Environment, Result, Scenario};

/// What it says of itself.
pub const ABOUT: Scenario = Scenario {
    name: "protocol",
    family: "protocol",
    promise: "a row in the backup and a row in WAL alone both come back from the store, with every other acknowledged row",
    expected: Verdict::Valid,
    finding: None,
};

/// Plays it.
pub async fn play(drill: &mut Drill, place: &(impl Environment + ?Sized)) -> Result<Verdict> {
    let castle = drill.birth(place).await?;

    drill.workload(&*castle).await?;
    let a = drill.insert(&*castle, DATO_A).await?;
    let backup = drill.backup(&*castle, BackupKind::Full).await?;
    drill.workload(&*castle).await?;
    let b = drill.insert(&*castle, DATO_B).await?;

    let target = drill.target(&*castle).await?; // latest, unless the settings ask for another
    drill.archive_everything(&*castle).await?; // switch WAL; the store holds every segment since the backup's start
    drill.require(a.committed_before(backup.interval), "A lies in the backup")?;
    drill.require(b.committed_after(backup.interval), "B lives in WAL alone")?;

    let ashes = drill.wipe(castle).await?; // an error if anything is left
    let castle = drill.rebirth(ashes, target).await?;

    drill.judge(&*castle, Promise::EveryAcknowledgedRow).await
}
