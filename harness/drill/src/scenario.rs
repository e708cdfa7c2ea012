//! What a scenario says of itself.

use phoenix_core::Verdict;

/// What a scenario says of itself.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its name on the command line: `protocol`, `target-time`.
    pub name: &'static str,
    /// The family it belongs to: `protocol`, `recovery`.
    pub family: &'static str,
    /// What it promises, as a sentence.
    pub promise: &'static str,
    /// The verdict that it must reach.
    pub expected: Verdict,
    /// The code of the finding that it must end with, where failing for another reason proves nothing.
    pub finding: Option<&'static str>,
}
