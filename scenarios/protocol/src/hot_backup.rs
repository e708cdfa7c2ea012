//! The hot backup: writers are at work while it is taken. What they committed meanwhile comes back from
//! the WAL that the backup needs, and the commit records tell where each row came from.

use crate::{DATO_A, DATO_B};
use phoenix_core::{Promise, RecoveryTarget, Verdict};
use phoenix_drill::{BackupKind, Drill, Environment, Result, Scenario};

/// What it says of itself.
pub const ABOUT: Scenario = Scenario {
    name: "hot-backup",
    family: "protocol",
    promise: "a backup taken under load brings every acknowledged row back, those committed meanwhile too",
    expected: Verdict::Valid,
    finding: None,
};

/// Plays it.
pub async fn play(drill: &mut Drill, place: &(impl Environment + ?Sized)) -> Result<Verdict> {
    let castle = drill.birth(place).await?;
    drill.workload(&*castle).await?;
    let a = drill.insert(&*castle, DATO_A).await?;
    let (backup, meanwhile) = drill.backup_under_load(&*castle, BackupKind::Full).await?;
    drill.require(meanwhile.acknowledged > 0, "rows were committed while the backup was taken")?;
    drill.workload(&*castle).await?;
    let b = drill.insert(&*castle, DATO_B).await?;
    drill.archive_everything(&*castle).await?;
    drill.require(a.committed_before(backup.interval), "A lies in the backup")?;
    drill.require(b.committed_after(backup.interval), "B lives in WAL alone")?;

    let ashes = drill.wipe(castle).await?;
    let castle = drill.rebirth(ashes, RecoveryTarget::Latest).await?;
    drill.judge(&*castle, Promise::EveryAcknowledgedRow).await
}
