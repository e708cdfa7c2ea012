//! Why something failed, and what to change.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// The evidence admits nothing else.
    Certain,
    /// The evidence points there.
    Likely,
    /// The cause is not known; what is known is said.
    Unsure,
}

/// One finding: a stable code, one sentence, the evidence, and the fix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Stable and greppable: `cipher-key-missing`.
    pub code: String,
    /// One sentence.
    pub sentence: String,
    /// Log lines, object keys, exit statuses.
    pub evidence: Vec<String>,
    /// What to change.
    pub fix: String,
    /// How sure it is.
    pub certainty: Certainty,
}

impl Finding {
    /// A finding that admits nothing else; `likely` and `unsure` weaken it.
    pub fn certain(code: &str, sentence: impl Into<String>, fix: impl Into<String>) -> Self {
        let (sentence, fix) = (sentence.into(), fix.into());
        Self { code: code.to_owned(), sentence, evidence: Vec::new(), fix, certainty: Certainty::Certain }
    }

    /// The same, less sure.
    pub fn with_certainty(mut self, certainty: Certainty) -> Self {
        self.certainty = certainty;
        self
    }

    /// The same, with this line as evidence.
    pub fn with_evidence(mut self, lines: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.evidence.extend(lines.into_iter().map(Into::into));
        self
    }
}
