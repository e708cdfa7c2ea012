//! The encrypted repository: the store holds nothing that can be read without the key, which is kept
//! outside the fire.

use crate::{DATO_A, DATO_B};
use phoenix_core::{Promise, RecoveryTarget, Verdict};
use phoenix_drill::{BackupKind, CastlePlan, Drill, Encrypted, Environment, Result, Scenario};

/// What it says of itself.
pub const ABOUT: Scenario = Scenario {
    name: "encrypted",
    family: "protocol",
    promise: "an encrypted repository and a key kept outside the fire bring every acknowledged row back",
    expected: Verdict::Valid,
    finding: None,
};

/// Plays it.
pub async fn play(drill: &mut Drill, place: &(impl Environment + ?Sized)) -> Result<Verdict> {
    let plan = CastlePlan { encrypted: Encrypted::Aes256, ..CastlePlan::default() };
    let castle = drill.birth_as(place, plan).await?;
    drill.workload(&*castle).await?;
    drill.insert(&*castle, DATO_A).await?;
    let backup = drill.backup(&*castle, BackupKind::Full).await?;
    drill.require(backup.cipher == "aes-256-cbc", "the repository is encrypted")?;
    drill.workload(&*castle).await?;
    let b = drill.insert(&*castle, DATO_B).await?;
    drill.archive_everything(&*castle).await?;
    drill.require(b.committed_after(backup.interval), "B lives in WAL alone")?;

    let ashes = drill.wipe(castle).await?;
    let castle = drill.rebirth(ashes, RecoveryTarget::Latest).await?;
    drill.judge(&*castle, Promise::EveryAcknowledgedRow).await
}
