//! What a drill left behind, told to people and to machines: lines on a terminal, JUnit, one joint
//! report of many test processes, JSON schemas. The program and the drill's stage call it. It reads
//! evidence (types of `phoenix-core`, and `report.json` on disk) and writes only the files it is told
//! to; it never touches an environment, a store or a database, and it never judges: verdicts, budgets
//! and findings are shown as the evidence has them.

pub mod format;
pub mod joint;
pub mod junit;
pub mod read;
pub mod schema;
pub mod terminal;

mod file;
mod lineage;
mod losses;
mod rise;
mod words;

#[cfg(test)]
mod sample;

pub use file::WriteError;
pub use joint::Joint;
pub use read::{ReadError, read, render};
pub use terminal::{Detail, Style, Terminal};
