//! Faults at three layers of a store, chosen by key, operation and count.
//!
//! [`plan`] says which fault and when, [`armed`] decides and keeps the evidence, [`answer`] and
//! [`wire`] carry it out on HTTP, [`sight`] says what a request seems to find, and [`layer`] puts
//! faults around any HTTP service: nothing here knows how a store keeps its objects, so that a proxy
//! before another store uses it as it is.

pub(crate) mod answer;
mod armed;
mod describe;
mod glob;
pub(crate) mod layer;
mod plan;
pub(crate) mod request;
pub(crate) mod sight;
pub(crate) mod wire;

pub(crate) use self::armed::StorageView;
pub use self::armed::{FaultCount, FaultError, Faults, Fired};
pub use self::plan::{
    AnswerFault, Effect, Fault, FaultPlan, KeyMatch, Occurrences, Operation, ResetMoment, StorageFault,
    WireFault,
};
