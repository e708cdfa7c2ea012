//! The logical error: somebody drops the table, and the castle goes back to just before, in place, from
//! its local repository. repo1 is for immortality, repo2 for speed.

use crate::{DATO_A, DATO_B};
use phoenix_core::{Deeds, Promise, Verdict};
use phoenix_drill::{BackupKind, CastlePlan, Drill, Repositories, RestoreInPlace, Result, Scenario};

/// What it says of itself.
pub const ABOUT: Scenario = Scenario {
    name: "logical-error",
    family: "recovery",
    promise: "after DROP TABLE, every row that was there just before comes back from the local repository",
    expected: Verdict::Valid,
    finding: None,
};

/// Plays it.
pub async fn play(drill: &mut Drill, place: &(impl RestoreInPlace + ?Sized)) -> Result<Verdict> {
    drill.demand(Deeds { wipes: 0, ..Deeds::PROTOCOL });
    let plan = CastlePlan { repositories: Repositories::StoreAndLocal, ..CastlePlan::default() };
    let castle = drill.birth_as(place, plan).await?;
    drill.workload(&*castle).await?;
    drill.insert(&*castle, DATO_A).await?;
    let backup = drill.backup(&*castle, BackupKind::Full).await?;
    drill.workload(&*castle).await?;
    let b = drill.insert(&*castle, DATO_B).await?;
    drill.require(b.committed_after(backup.interval), "B lives in WAL alone")?;

    let (target, lsn) = drill.point(&*castle, "lsn").await?;
    castle.database().drop_table().await?;
    drill.require(castle.database().memories(&[b.row]).await?.is_empty(), "the table is gone")?;
    drill.archive_everything(&*castle).await?;

    let castle = drill.restore_in_place(place, castle, target).await?;
    drill.judge(&*castle, Promise::RowsUntil { lsn }).await
}
