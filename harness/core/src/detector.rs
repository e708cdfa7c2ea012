//! Whether the detector itself can be believed, and what others say of the same castle.

use crate::{Finding, RunId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A loss that was planted in a drill of its own, to see whether it is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Proof {
    /// What was planted: a defect of the catalogue.
    pub defect: String,
    /// The run in which it was.
    pub run: RunId,
    /// How long that took, in seconds.
    #[serde(rename = "seconds", with = "crate::seconds")]
    #[schemars(with = "f64")]
    pub elapsed: Duration,
    /// Why it was not found as it must be; absent if it was.
    pub missed: Option<String>,
}

impl Proof {
    /// That the detector is blind, if it is.
    pub fn doubt(&self) -> Option<Finding> {
        let missed = self.missed.as_ref()?;
        let sentence = format!("{} was planted, and was not found as it must be: {missed}", self.defect);
        let fix = "believe no verdict from here until the planted loss is found; look at its own evidence";
        let evidence = [format!("run {}, in proof/ of this drill's evidence", self.run)];
        Some(Finding::certain("detector-blind", sentence, fix).with_evidence(evidence))
    }
}

/// What a check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Colour {
    /// All is well.
    Green,
    /// Something is wrong.
    Red,
}

/// What a check that people rely on said of the castle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Testimony {
    /// When it was asked.
    pub hearing: Hearing,
    /// Which check: `pg_isready`, `pgbackrest verify`.
    pub witness: String,
    /// What it says.
    pub colour: Colour,
    /// How it ended, and its decisive words.
    pub said: String,
}

/// When the others are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Hearing {
    /// Right before the fire: only those whose question alters nothing.
    BeforeFire,
    /// When the castle came back.
    Reborn,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_miss_is_a_doubt() {
        let proof = |missed: Option<&str>| Proof {
            defect: "silent-loss/tail-gone".into(),
            run: RunId::new(1, 1),
            elapsed: Duration::from_secs(5),
            missed: missed.map(str::to_owned),
        };
        assert_eq!(proof(None).doubt(), None);
        let doubt = proof(Some("it ended valid")).doubt().unwrap();
        assert_eq!(doubt.code, "detector-blind");
        assert!(doubt.sentence.contains("tail-gone") && doubt.sentence.ends_with("it ended valid"));
    }
}
