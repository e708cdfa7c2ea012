//! The object store that a drill's backups live in: an embedded S3 server that keeps every version
//! and fails on command, a proxy that makes any other store fail the same way, and the client that
//! inspects any S3 store. Environments start the server or the proxy, drills arm the faults and prove
//! with the inspector that a wipe took nothing from the store. It may use `phoenix-core` and no other
//! crate of ours, starts no processes, and touches no files but its own directory, the CA's
//! certificate and the access log.

mod access_log;
mod auth;
mod certificates;
mod config;
mod connection;
mod digest;
mod error;
mod fault;
mod inspector;
mod listener;
mod percent;
mod proxy;
mod request_body;
mod server;
mod service;
mod storage;
mod tls;

pub use certificates::{Certificates, Validity};
pub use config::{Credentials, Durability, StoreConfig};
pub use error::StoreError;
pub use fault::{
    AnswerFault, Effect, Fault, FaultCount, FaultError, FaultPlan, Faults, Fired, KeyMatch, Occurrences,
    Operation, ResetMoment, StorageFault, WireFault,
};
pub use inspector::{
    Alteration, InspectError, Inspector, Level, ObjectInfo, ObjectVersion, StoreDifference, Target,
    VersionKind, Versioning, difference,
};
pub use proxy::{FaultProxy, ProxyConfig, Upstream};
pub use server::StoreServer;
