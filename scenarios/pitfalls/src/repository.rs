//! The repository: another path, another bucket, another endpoint.

use phoenix_core::Verdict;
use phoenix_drill::{Drill, Misconfigure, Mistake, Result, Scenario};

/// What it says of itself.
pub const ABOUT: Scenario = Scenario {
    name: "pitfalls-repository",
    family: "pitfalls",
    promise: "a restore that looks in the wrong place says which, and from the right one every row comes back",
    expected: Verdict::Valid,
    finding: None,
};

/// Plays it.
pub async fn play(drill: &mut Drill, place: &(impl Misconfigure + ?Sized)) -> Result<Verdict> {
    let mistakes = [
        (Mistake::PathUnknown, "repository-path-wrong"),
        (Mistake::PathRelative, "option-invalid"),
        (Mistake::BucketMissing, "bucket-missing"),
        (Mistake::EndpointRefused, "store-unreachable"),
    ];
    crate::overcome(drill, place, &mistakes).await
}
