//! The environment in containers: PostgreSQL with pgBackRest in one, MinIO in another, on a network of
//! their own. The program and the scenarios' tests use it. It may touch only what it has entered in the
//! register and what bears the run's label, and it starts no process on this machine.

mod birth;
mod capabilities;
mod castle;
mod config;
mod detour;
mod engine;
mod image;
mod inventory;
mod names;
mod plant;
mod runbook;
mod server;
mod store;
mod sweep;
mod victim;

pub use birth::Containers;
pub use config::{ContainersConfig, Images};
pub use engine::Engine;
pub use sweep::Remover;
