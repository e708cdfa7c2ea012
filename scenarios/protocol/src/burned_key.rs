//! The key burned too: the repository is whole, and nobody can read it.

use crate::{DATO_A, DATO_B};
use phoenix_core::{Fault, Promise, RecoveryTarget, Verdict};
use phoenix_drill::{
    BackupKind, CastlePlan, Drill, Encrypted, Environment, KeyAfterFire, RebirthPlan, Result, Scenario,
};

/// What it says of itself.
pub const ABOUT: Scenario = Scenario {
    name: "burned-key",
    family: "protocol",
    promise: "an encrypted repository whose key burned with the castle brings nothing back, and the finding says so",
    expected: Verdict::invalid(Fault::NotReborn),
    finding: Some("repository-key-missing"),
};

/// Plays it.
pub async fn play(drill: &mut Drill, place: &(impl Environment + ?Sized)) -> Result<Verdict> {
    drill.announce("ERROR: [", "the restore cannot read the repository without its key");
    let plan = CastlePlan { encrypted: Encrypted::Aes256, ..CastlePlan::default() };
    let castle = drill.birth_as(place, plan).await?;
    drill.workload(&*castle).await?;
    drill.insert(&*castle, DATO_A).await?;
    drill.backup(&*castle, BackupKind::Full).await?;
    drill.workload(&*castle).await?;
    drill.insert(&*castle, DATO_B).await?;
    drill.archive_everything(&*castle).await?;

    let ashes = drill.wipe(castle).await?;
    let plan = RebirthPlan { target: RecoveryTarget::Latest, key: KeyAfterFire::Burned };
    let castle = drill.rebirth_as(ashes, plan).await?;
    drill.judge(&*castle, Promise::EveryAcknowledgedRow).await
}
