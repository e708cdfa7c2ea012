//! Faults at three layers of a store, chosen by key, operation and count.
//!
//! [`plan`] says which fault and when, [`armed`] decides and keeps the evidence, [`answer`] and
//! [`wire`] carry it out on HTTP, and [`layer`] puts them around any HTTP service: nothing here
//! knows how the store keeps its objects, so a proxy before another store can use it as it is.

pub(crate) mod answer;
mod armed;
mod glob;
pub(crate) mod layer;
mod plan;
pub(crate) mod request;
pub(crate) mod wire;

pub use self::armed::{FaultCount, FaultError, Faults, Fired};
pub(crate) use self::armed::{Fit, StorageView};
pub use self::plan::{
    AnswerFault, Effect, Fault, FaultPlan, KeyMatch, Occurrences, Operation, ResetMoment, StorageFault,
    WireFault,
};
