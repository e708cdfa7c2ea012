//! What everybody on the stage shares during one drill.

use crate::{Evidence, Ledger, Register, Settings, Spans};
use phoenix_core::{Moment, RunId};
use std::sync::atomic::{AtomicU32, Ordering};

/// What everybody on the stage shares during one drill.
pub struct Scene {
    /// The run.
    pub run: RunId,
    /// What is asked for.
    pub settings: Settings,
    /// The evidence on disk.
    pub evidence: Evidence,
    /// The ledger on disk.
    pub ledger: Ledger,
    /// The register of resources.
    pub register: Register,
    /// The clock.
    pub spans: Spans,
    pub(crate) life: AtomicU32,
}

impl Scene {
    /// Now, on the drill's clock.
    pub fn now(&self) -> Moment {
        self.spans.now()
    }

    /// How often the cluster has been reborn.
    pub fn life(&self) -> u32 {
        self.life.load(Ordering::Relaxed)
    }
}
