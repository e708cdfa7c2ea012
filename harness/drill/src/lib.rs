//! The stage on which drills are played: the [`Drill`] and its verbs, the traits that an environment
//! implements, spans, waiting, the register of resources, signals, and the evidence on disk.
//! Scenarios, environments and the program use it. It knows only `phoenix-core`: no PostgreSQL, no
//! store, no Docker.

pub mod capabilities;
pub mod defects;
pub mod drill;
pub mod environment;
pub mod error;
pub mod evidence;
pub mod ledger;
pub mod log_gate;
pub mod loss;
pub mod prover;
pub mod register;
pub mod sabotage;
pub mod scenario;
pub mod scene;
pub mod settings;
pub mod span;
pub mod stage;
pub mod sweep;
mod unverified;
pub mod wait;

pub use capabilities::{Casualty, Kill, Misconfigure, Mistake, Partition, Pause, RestoreInPlace, SlowStore};
pub use drill::{Drill, Writers};
pub use environment::{
    Archiver, Ashes, BackupKind, Castle, CastlePlan, Database, Encrypted, Environment, Identity, Inserted,
    KeyAfterFire, NewRow, Raised, RebirthPlan, Rebirthing, Repositories, Work, Workload, WorkloadDone,
};
pub use error::{Doing, Error, Result};
pub use evidence::{Command, Evidence};
pub use ledger::Ledger;
pub use log_gate::{Announced, LogLine};
pub use loss::Loss;
pub use prover::Prover;
pub use register::{Register, Resource};
pub use sabotage::Sabotage;
pub use scenario::Scenario;
pub use scene::Scene;
pub use settings::{Keep, Settings, Target, Witnesses};
pub use span::{Reporter, Span, Spans};
pub use wait::{Wait, pause, wait_for};
