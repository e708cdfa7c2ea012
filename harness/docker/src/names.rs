//! What a run's containers, networks and volumes are called, and how they are marked.

use phoenix_core::RunId;
use std::collections::HashMap;

/// The label that holds the run's id.
pub const RUN: &str = "phoenix.run";
/// The label that says what a thing is to the drill: `victim` or `store`.
pub const ROLE: &str = "phoenix.role";

/// What a thing is to the drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It burns.
    Victim,
    /// It survives the fire.
    Store,
}

impl Role {
    /// The label's value.
    pub fn word(self) -> &'static str {
        match self {
            Self::Victim => "victim",
            Self::Store => "store",
        }
    }
}

/// The name of a run's thing: `phoenix-<run>-<what>`.
pub fn name(run: &RunId, what: &str) -> String {
    format!("phoenix-{}-{what}", run.slug())
}

/// The labels of a run's thing.
pub fn labels(run: &RunId, role: Role) -> HashMap<String, String> {
    [(RUN, run.as_str()), (ROLE, role.word())].map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

/// Whether something bears a run's label.
pub(crate) fn bears(labels: Option<&HashMap<String, String>>, run: &str) -> bool {
    labels.and_then(|labels| labels.get(RUN)).is_some_and(|label| label == run)
}
