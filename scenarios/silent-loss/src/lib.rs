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
    drill.workload(&*castle).await?;
    drill.archive_everything(&*castle).await?;

    drill.plant(place, &defect.writing, &marks).await?;
    drill.tail(&*castle, defect.tail, &mut marks).await?;
    let target = drill.target(&*castle).await?;
    drill.archive_tail(&*castle, defect.archiving).await?;
    drill.plant(place, &defect.before_fire, &marks).await?;
    drill.hear(place, Hearing::BeforeFire).await?;
    let ashes = drill.wipe(castle).await?;
    drill.heal(place).await?;

    let (castle, failure) = drill.rebirth_for(place, ashes, target, defect, &marks).await?;
    drill.plant(place, &defect.reborn, &marks).await?;
    drill.hear(place, Hearing::Reborn).await?;
    drill.judge_exactly(&*castle, failure, lost, &marks).await
}
