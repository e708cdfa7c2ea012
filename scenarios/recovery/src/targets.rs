//! To a time, a position, a transaction, a restore point, or the backup's end: exactly the rows before it.

use crate::{DATO_A, DATO_B, DATO_Z};
use phoenix_core::{Promise, RecoveryTarget, Verdict};
use phoenix_drill::{BackupKind, Drill, Environment, Result};

/// Goes back to a moment between B and Z, marked as this kind of target.
async fn before_z(drill: &mut Drill, place: &(impl Environment + ?Sized), kind: &str) -> Result<Verdict> {
    let castle = drill.birth(place).await?;
    drill.workload(&*castle).await?;
    drill.insert(&*castle, DATO_A).await?;
    let backup = drill.backup(&*castle, BackupKind::Full).await?;
    drill.workload(&*castle).await?;
    let b = drill.insert(&*castle, DATO_B).await?;
    drill.require(b.committed_after(backup.interval), "B lives in WAL alone")?;

    let (target, lsn) = drill.point(&*castle, kind).await?; // nobody writes: a quiet gap
    drill.workload(&*castle).await?;
    let z = drill.insert(&*castle, DATO_Z).await?;
    drill.require(
        b.commit.lsn_after <= lsn && lsn <= z.commit.lsn_before,
        "the target lies between B and Z",
    )?;
    drill.archive_everything(&*castle).await?;

    let ashes = drill.wipe(castle).await?;
    let castle = drill.rebirth(ashes, target).await?;
    drill.judge(&*castle, Promise::RowsUntil { lsn }).await
}

/// Goes back to the backup's end: A comes back, B does not, and that is what was asked for.
async fn backups_end(drill: &mut Drill, place: &(impl Environment + ?Sized)) -> Result<Verdict> {
    let castle = drill.birth(place).await?;
    drill.workload(&*castle).await?;
    drill.insert(&*castle, DATO_A).await?;
    let backup = drill.backup(&*castle, BackupKind::Full).await?;
    drill.workload(&*castle).await?;
    let b = drill.insert(&*castle, DATO_B).await?;
    drill.require(b.committed_after(backup.interval), "B lives in WAL alone")?;
    drill.archive_everything(&*castle).await?;

    let ashes = drill.wipe(castle).await?;
    let castle = drill.rebirth(ashes, RecoveryTarget::Immediate).await?;
    drill.judge(&*castle, Promise::RowsUntil { lsn: backup.interval.stop }).await
}

/// One scenario for each kind of target.
macro_rules! target {
    ($module:ident, $name:literal, $promise:literal, |$drill:ident, $place:ident| $play:expr) => {
        #[doc = concat!("Recovery target `", $name, "`: ", $promise, ".")]
        pub mod $module {
            use phoenix_core::Verdict;
            use phoenix_drill::{Drill, Environment, Result, Scenario};

            /// What it says of itself.
            pub const ABOUT: Scenario = Scenario {
                name: $name,
                family: "recovery",
                promise: $promise,
                expected: Verdict::Valid,
                finding: None,
            };

            /// Plays it.
            pub async fn play($drill: &mut Drill, $place: &(impl Environment + ?Sized)) -> Result<Verdict> {
                $play.await
            }
        }
    };
}

target!(
    time,
    "target-time",
    "exactly the rows before a time on the server's clock come back",
    |drill, place| { super::before_z(drill, place, "time") }
);
target!(lsn, "target-lsn", "exactly the rows before a WAL position come back", |drill, place| {
    super::before_z(drill, place, "lsn")
});
target!(xid, "target-xid", "exactly the rows up to a transaction come back", |drill, place| {
    super::before_z(drill, place, "xid")
});
target!(name, "target-name", "exactly the rows before a restore point come back", |drill, place| {
    super::before_z(drill, place, "name")
});
target!(
    immediate,
    "target-immediate",
    "exactly the rows up to the backup's end come back",
    |drill, place| { super::backups_end(drill, place) }
);
