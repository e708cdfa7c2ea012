//! Unassisted: nobody switches the WAL, and the disaster comes while writers are at work.

use crate::DATO_A;
use phoenix_core::{Deeds, Promise, RecoveryTarget, Verdict};
use phoenix_drill::{BackupKind, Drill, Environment, Result, Scenario};

/// What it says of itself.
pub const ABOUT: Scenario = Scenario {
    name: "unassisted",
    family: "protocol",
    promise: "killed under load, every row in a segment that the store held comes back; the tail is the real RPO",
    expected: Verdict::Valid,
    finding: None,
};

/// Plays it.
pub async fn play(drill: &mut Drill, place: &(impl Environment + ?Sized)) -> Result<Verdict> {
    drill.demand(Deeds { segments_after_backup: 1, ..Deeds::PROTOCOL });
    let castle = drill.birth(place).await?;
    drill.workload(&*castle).await?;
    drill.insert(&*castle, DATO_A).await?;
    drill.backup(&*castle, BackupKind::Full).await?;

    let writers = drill.write_until_the_end(&*castle);
    drill.first_segment_after_backup(&*castle).await?;
    let ashes = drill.wipe(castle).await?;
    let written = writers.end().await?;
    drill.require(written.indeterminate > 0, "a writer was at work when disaster struck")?;

    let lsn = drill.end_of_store(&*ashes).await?;
    let castle = drill.rebirth(ashes, RecoveryTarget::Latest).await?;
    drill.judge(&*castle, Promise::RowsInStore { lsn }).await
}
