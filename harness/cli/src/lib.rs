//! Wires scenarios, environments and reports together, for the program `phoenix` and for the
//! scenarios' tests. It may use every other crate; none but those tests may use it.

pub mod arguments;
pub mod castle_file;
pub mod catalogue;
pub mod commands;
pub mod detach;
pub mod doctor;
pub mod follow;
pub mod life;
pub mod proof;
pub mod run;
pub mod runs;
pub mod testing;

pub use run::{Production, produce};
