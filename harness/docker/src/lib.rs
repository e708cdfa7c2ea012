//! What any environment does with a Docker engine: finding it, making things in it that bear the run's
//! label, entering them into the runbook, MinIO in a container, and removing all of it. Environments use
//! it and say what runs in their containers; it knows none of them, and it starts no process on this
//! machine.

mod engine;
mod image;
pub mod names;
pub mod ports;
mod proxy;
mod registry;
mod runbook;
mod store;
mod sweep;
mod yard;

pub use engine::Engine;
pub use image::generic;
pub use names::Role;
pub use ports::published;
pub use proxy::{Detour, Upheld};
pub use registry::{ImageName, REGISTRY_PORT, Registry};
pub use runbook::Deed;
pub use store::{MINIO_IMAGE, Minio, MinioPlan, certificates};
pub use sweep::{Remover, remove};
pub use yard::{Yard, keep_log};
