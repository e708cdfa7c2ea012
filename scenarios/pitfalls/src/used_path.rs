//! The used path: the data source is forgotten, and a new castle is born on the path of the old one. All is
//! green: the operator upgrades the stanza, takes a backup of nothing, and lets the old backups expire.

use crate::{DATO_A, DATO_B};
use phoenix_core::{Fault, Promise, RecoveryTarget, Verdict};
use phoenix_drill::{BackupKind, Drill, Misconfigure, Mistake, Result, Scenario};

/// What it says of itself.
pub const ABOUT: Scenario = Scenario {
    name: "used-path",
    family: "pitfalls",
    promise: "a new castle that answers on the path of the old one does not pass for it",
    expected: Verdict::invalid(Fault::NotReborn),
    finding: Some("foreign-cluster"),
};

/// Plays it.
pub async fn play(drill: &mut Drill, place: &(impl Misconfigure + ?Sized)) -> Result<Verdict> {
    let castle = drill.birth(place).await?;
    drill.workload(&*castle).await?;
    drill.insert(&*castle, DATO_A).await?;
    drill.backup(&*castle, BackupKind::Full).await?;
    drill.workload(&*castle).await?;
    drill.insert(&*castle, DATO_B).await?;
    drill.archive_everything(&*castle).await?;

    let ashes = drill.wipe(castle).await?;
    drill.announce(
        "ERROR: [",
        "the new castle archives before its operator has upgraded the old one's stanza",
    );
    place.misconfigure(Mistake::NoDataSource).await?;
    let castle = drill.rebirth(ashes, RecoveryTarget::Latest).await?;
    drill.judge(&*castle, Promise::EveryAcknowledgedRow).await
}
