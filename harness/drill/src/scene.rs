//! What everybody on the stage shares during one drill.

use crate::{Database, Evidence, Ledger, Register, Result, Settings, Spans};
use phoenix_core::{Entry, LayerRecord, Moment, RunId};
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};

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
    pub(crate) layers: Mutex<Vec<LayerRecord>>,
}

impl Scene {
    /// Now, on the drill's clock.
    pub fn now(&self) -> Moment {
        self.spans.now()
    }

    /// Looks at what stands around the rows and writes it into the ledger.
    pub async fn look_around(&self, database: &dyn Database) -> Result<()> {
        let objects = database.objects().await?;
        let (lsn, life, at) = (database.insert_position().await?, self.life(), self.now());
        self.ledger.append(&[Entry::Objects { objects, lsn, life, at }])
    }

    /// Writes down how long a layer took to rise.
    pub fn note_layer(&self, layer: LayerRecord) {
        self.layers.lock().unwrap_or_else(PoisonError::into_inner).push(layer);
    }

    /// The layers that rose, in the order in which they were ready.
    pub fn layers(&self) -> Vec<LayerRecord> {
        self.layers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often the cluster has been reborn.
    pub fn life(&self) -> u32 {
        self.life.load(Ordering::Relaxed)
    }
}
