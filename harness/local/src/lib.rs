//! The environment on this machine: PostgreSQL and pgBackRest as processes in capsules that die with
//! the harness, against an embedded object store. The program and the scenarios' tests use it. It may
//! touch only what it has entered in the register, and destroys only directories that bear its mark.

mod birth;
mod castle;
mod config;
mod inventory;
mod plant;
pub mod process;
mod sabotage;
mod server;
mod shared_memory;
mod sweep;
mod template;
pub mod tools;

pub use birth::Local;
pub use config::{LocalConfig, Storage};
pub use process::CapsuleKind;
pub use sweep::Remover;
