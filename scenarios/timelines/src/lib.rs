//! Timelines: a castle that was reborn burns again, and what each of its lives wrote must come back along the
//! right branch. Twins, rivals and abandoned branches are planted.

use phoenix_core::{Defect, RecoveryTarget, Verdict, defect::Lost, detector::Hearing};
use phoenix_drill::{Drill, Result, Sabotage, defects};
use std::sync::LazyLock;

/// What can go wrong with timelines.
pub static DEFECTS: LazyLock<Vec<Defect>> =
    LazyLock::new(|| defects::family("timelines", include_str!("../../../fixtures/defects/timelines.toml")));

/// Plays several lives, with a defect in the last or in an earlier one that is to cost these rows.
pub async fn play(
    drill: &mut Drill,
    place: &(impl Sabotage + ?Sized),
    defect: &Defect,
    lost: Lost,
) -> Result<Verdict> {
    let (mut castle, mut marks) = drill.birth_for(place, defect).await?;
    let mut earlier = None;
    for life in 1..defect.lives {
        drill.workload(&*castle).await?;
        drill.archive_everything(&*castle).await?;
        drill.tail(&*castle, 1, &mut marks).await?;
        drill.archive_everything(&*castle).await?;
        let ashes = drill.wipe(castle).await?;
        castle = drill.rebirth(ashes, RecoveryTarget::Latest).await?;
        let next = drill.marks(&*castle, marks.backup.clone()).await?;
        let lived = std::mem::replace(&mut marks, next);
        earlier = earlier.or((defect.life == Some(life)).then_some(lived));
    }
    let (ashes, target) = drill.live_and_burn(place, castle, defect, &mut marks).await?;

    let marks = earlier.unwrap_or(marks);
    let (castle, failure) = drill.rebirth_for(place, ashes, target, defect, &marks).await?;
    drill.plant(place, &defect.reborn, &marks).await?;
    drill.hear(place, Hearing::Reborn).await?;
    drill.judge_exactly(&*castle, failure, lost, &marks).await
}
