//! Timelines: a castle that was reborn once burns again, and what its second life wrote must come back along
//! the right branch. Twins, rivals and abandoned branches are planted.

use phoenix_core::{Defect, RecoveryTarget, Verdict, defect::Lost, detector::Hearing};
use phoenix_drill::{Drill, Result, Sabotage, defects};
use std::sync::LazyLock;

/// What can go wrong with timelines.
pub static DEFECTS: LazyLock<Vec<Defect>> =
    LazyLock::new(|| defects::family("timelines", include_str!("../../../fixtures/defects/timelines.toml")));

/// Plays two lives, with a defect in the second that is to cost these rows.
pub async fn play(
    drill: &mut Drill,
    place: &(impl Sabotage + ?Sized),
    defect: &Defect,
    lost: Lost,
) -> Result<Verdict> {
    let (castle, mut marks) = drill.birth_for(place, defect).await?;
    drill.workload(&*castle).await?;
    drill.archive_everything(&*castle).await?;
    let ashes = drill.wipe(castle).await?;
    let castle = drill.rebirth(ashes, RecoveryTarget::Latest).await?;

    marks = drill.marks(&*castle, marks.backup).await?;
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
