//! Loud failures: nothing comes back, and the reason must be named. What a castle that is not there has lost
//! is everything, so no row is counted.

use phoenix_core::{Defect, Verdict, defect::Lost};
use phoenix_drill::{Drill, Result, Sabotage, defects};
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
    let (castle, mut marks) = drill.birth_for(place, defect).await?;
    let (ashes, target) = drill.live_and_burn(place, castle, defect, &mut marks).await?;

    let (castle, failure) = drill.rebirth_for(place, ashes, target, defect, &marks).await?;
    drill.judge_exactly(&*castle, failure, lost, &marks).await
}
