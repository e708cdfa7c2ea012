//! The volume that never becomes ready.

use phoenix_core::Verdict;
use phoenix_drill::{Drill, Misconfigure, Mistake, Result, Scenario};

/// What it says of itself.
pub const ABOUT: Scenario = Scenario {
    name: "pitfalls-volume",
    family: "pitfalls",
    promise: "a volume that is never provisioned is named, and with one that is every row comes back",
    expected: Verdict::Valid,
    finding: None,
};

/// Plays it.
pub async fn play(drill: &mut Drill, place: &(impl Misconfigure + ?Sized)) -> Result<Verdict> {
    let mistakes = [
        (Mistake::VolumeClassMissing, "volume-not-provisioned"),
        (Mistake::VolumeNeverReady, "volume-not-provisioned"),
    ];
    crate::overcome(drill, place, &mistakes).await
}
