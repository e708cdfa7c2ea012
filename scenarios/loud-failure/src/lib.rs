//! Loud failures: nothing comes back, and the reason must be named. What a castle that is not there has lost
//! is everything, so no row is counted.

use phoenix_core::{
    Defect, Verdict,
    defect::{Choice, Lost},
};
use phoenix_drill::{CastlePlan, Drill, Encrypted, Result, Sabotage, defects};
use std::sync::LazyLock;

/// The loud failures.
pub static DEFECTS: LazyLock<Vec<Defect>> = LazyLock::new(|| {
    defects::family("loud-failure", include_str!("../../../fixtures/defects/loud-failure.toml"))
});

/// Plays a defect that must keep the castle from coming back.
pub async fn play(
    drill: &mut Drill,
    place: &(impl Sabotage + ?Sized),
    defect: &Defect,
    lost: Lost,
) -> Result<Verdict> {
    drill.announce_defect(defect);
    let encrypted = if defect.encrypted == Choice::Yes { Encrypted::Aes256 } else { Encrypted::No };
    let plan = CastlePlan { encrypted, ..CastlePlan::default() };
    let (castle, backup) = drill.birth_with_backup(place, plan).await?;
    let mut marks = drill.marks(&*castle, backup).await?;
    drill.plant(place, &defect.born, &marks).await?;
    drill.workload(&*castle).await?;
    drill.archive_everything(&*castle).await?;
    drill.tail(&*castle, defect.tail, &mut marks).await?;
    let target = drill.target(&*castle).await?;
    drill.archive_everything(&*castle).await?;
    let ashes = drill.wipe(castle).await?;

    drill.plant(place, &defect.after_fire, &marks).await?;
    let reborn = drill.rebirth_or_naive(ashes, target).await;
    drill.plant(place, &defect.proof, &marks).await?;
    drill.heal(place).await?;
    let (castle, failure) = reborn?;
    drill.judge_exactly(&*castle, failure, lost, &marks).await
}
