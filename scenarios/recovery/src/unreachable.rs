//! A target that does not lie in the archive is never reached, loudly.

use crate::{DATO_A, DATO_B};
use phoenix_core::{Fault, Lsn, Promise, RecoveryTarget, Verdict};
use phoenix_drill::{BackupKind, Drill, Environment, Result, Scenario};

/// What it says of itself.
pub const ABOUT: Scenario = Scenario {
    name: "target-unreachable",
    family: "recovery",
    promise: "a recovery target beyond the archive ends in an error, never in a cluster with fewer rows",
    expected: Verdict::invalid(Fault::NotReborn),
    finding: Some("target-not-reached"),
};

/// Plays it.
pub async fn play(drill: &mut Drill, place: &(impl Environment + ?Sized)) -> Result<Verdict> {
    drill.announce(
        "recovery ended before configured recovery target was reached",
        "the target is out of reach",
    );
    let castle = drill.birth(place).await?;
    drill.workload(&*castle).await?;
    drill.insert(&*castle, DATO_A).await?;
    drill.backup(&*castle, BackupKind::Full).await?;
    drill.workload(&*castle).await?;
    let b = drill.insert(&*castle, DATO_B).await?;
    drill.archive_everything(&*castle).await?;

    let ashes = drill.wipe(castle).await?;
    let beyond = Lsn(b.commit.lsn_after.0 + (1 << 32)); // 4 GiB further than anything that was written
    let castle = drill.rebirth(ashes, RecoveryTarget::Lsn(beyond)).await?;
    drill.judge(&*castle, Promise::EveryAcknowledgedRow).await
}
