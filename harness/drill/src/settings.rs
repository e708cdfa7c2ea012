//! What a drill is asked to do.

use crate::Prover;
use phoenix_core::{Budget, RecoveryTarget};
use std::{path::PathBuf, str::FromStr, sync::Arc};

/// When what a drill made is kept for a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keep {
    /// Never.
    Never,
    /// When the verdict is not the expected one.
    #[default]
    OnFailure,
    /// Always.
    Always,
}

/// Whether the checks that people rely on are asked what they see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Witnesses {
    /// They are not.
    #[default]
    Unheard,
    /// They are.
    Heard,
}

/// Where to a drill is told to go back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// To a target that is known beforehand: `latest`, `immediate`, `lsn:0/3000148` …
    Given(RecoveryTarget),
    /// To the moment right after the last row, as a target of this kind: `name`, `time`, `lsn`, `xid`.
    Here(&'static str),
    /// To a unique restore point that must be reached.
    Sealed,
}

impl FromStr for Target {
    type Err = phoenix_core::recovery::NotATarget;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match ["name", "time", "lsn", "xid"].into_iter().find(|kind| *kind == text) {
            Some(kind) => Ok(Self::Here(kind)),
            None if text == "sealed" => Ok(Self::Sealed),
            None => text.parse().map(Self::Given),
        }
    }
}

/// What a drill is asked to do.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Rows that the workload inserts before and after the backup, each.
    pub rows: u64,
    /// Writers that insert at the same time.
    pub writers: u32,
    /// Padding of each row, in bytes of random text.
    pub pad_bytes: usize,
    /// Bulk data put into the cluster before the backup, in bytes.
    pub size_bytes: u64,
    /// Everything random follows from it.
    pub seed: u64,
    /// Where to the protocol goes back.
    pub target: Target,
    /// The directory for evidence: one directory a run is made in it.
    pub evidence: PathBuf,
    /// When what it made is kept for a look.
    pub keep: Keep,
    /// What makes a valid drill too slow or too lossy.
    pub budget: Budget,
    /// Who proves the detector once the drill has begun, if anybody does.
    pub proof: Option<Arc<dyn Prover>>,
    /// Whether others are asked, too.
    pub witnesses: Witnesses,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rows: 1000,
            writers: 4,
            pad_bytes: 0,
            size_bytes: 0,
            seed: 0,
            target: Target::Given(RecoveryTarget::Latest),
            evidence: PathBuf::from("target/phoenix"),
            keep: Keep::default(),
            budget: Budget::default(),
            proof: None,
            witnesses: Witnesses::default(),
        }
    }
}
