//! Silent losses: PostgreSQL comes up, every check is green, and rows are missing. One defect is planted, and
//! exactly the rows that it costs must be found. The look-alikes are played the same way, and cost none.

use phoenix_core::{Defect, Verdict, defect::Lost, detector::Hearing};
use phoenix_drill::{Drill, Result, Sabotage, defects};
use std::sync::LazyLock;

/// The silent losses.
pub static DEFECTS: LazyLock<Vec<Defect>> = LazyLock::new(|| {
    defects::family("silent-loss", include_str!("../../../fixtures/defects/silent-loss.toml"))
});

/// What looks like a defect and costs no row.
pub static LOOK_ALIKES: LazyLock<Vec<Defect>> = LazyLock::new(|| {
    defects::family("look-alike", include_str!("../../../fixtures/defects/look-alike.toml"))
});

/// Plays a defect that is to cost these rows.
pub async fn play(
    drill: &mut Drill,
    place: &(impl Sabotage + ?Sized),
    defect: &Defect,
    lost: Lost,
) -> Result<Verdict> {
    let (castle, mut marks) = drill.birth_for(place, defect).await?;
    let (ashes, target) = drill.live_and_burn(place, castle, defect, &mut marks).await?;

    let (castle, failure) = drill.rebirth_for(place, ashes, target, defect, &marks).await?;
    drill.plant(place, &defect.reborn, &marks).await?;
    drill.hear(place, Hearing::Reborn).await?;
    drill.judge_exactly(&*castle, failure, lost, &marks).await
}
