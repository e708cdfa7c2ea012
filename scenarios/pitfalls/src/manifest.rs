//! The manifest: what the cluster, its operator or PostgreSQL refuses, loudly, in an event or in a log alone.

use phoenix_core::Verdict;
use phoenix_drill::{Drill, Misconfigure, Mistake, Result, Scenario};

/// What it says of itself.
pub const ABOUT: Scenario = Scenario {
    name: "pitfalls-manifest",
    family: "pitfalls",
    promise: "a manifest that is refused is named with its line, and the corrected one brings every row back",
    expected: Verdict::Valid,
    finding: None,
};

/// Plays it.
pub async fn play(drill: &mut Drill, place: &(impl Misconfigure + ?Sized)) -> Result<Verdict> {
    let mistakes = [
        (Mistake::UserName, "manifest-refused"),
        (Mistake::UndeclaredField, "manifest-refused"),
        (Mistake::OptionRefused, "option-refused"),
        (Mistake::SettingImpossible, "primary-not-started"),
    ];
    drill.announce("is outside the valid range", "PostgreSQL is asked for what it cannot be, on purpose");
    crate::overcome(drill, place, &mistakes).await
}
