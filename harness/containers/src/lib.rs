//! The environment in containers: PostgreSQL with pgBackRest in one, MinIO in another, on a network of
//! their own. The program and the scenarios' tests use it. It may touch only what it has entered in the
//! register and what bears the run's label, and it starts no process on this machine.

mod birth;
mod capabilities;
mod castle;
mod config;
mod detour;
mod image;
mod inventory;
mod plant;
mod sabotage;
mod server;
mod store;
mod victim;

pub use birth::Containers;
pub use config::{ContainersConfig, Images};
