//! The credentials: not told of, not there, or others.

use phoenix_core::Verdict;
use phoenix_drill::{Drill, Misconfigure, Mistake, Result, Scenario};

/// What it says of itself.
pub const ABOUT: Scenario = Scenario {
    name: "pitfalls-credentials",
    family: "pitfalls",
    promise: "a restore without its credentials says so within seconds, and with them every row comes back",
    expected: Verdict::Valid,
    finding: None,
};

/// Plays it.
pub async fn play(drill: &mut Drill, place: &(impl Misconfigure + ?Sized)) -> Result<Verdict> {
    let mistakes = [
        (Mistake::CredentialsNotListed, "option-missing"),
        (Mistake::SecretMissing, "secret-missing"),
        (Mistake::WrongKey, "store-denied"),
        (Mistake::WrongCa, "store-untrusted"),
    ];
    crate::overcome(drill, place, &mistakes).await
}
