//! What went wrong, from what pgBackRest, PostgreSQL and the store say: why a cluster did not come back, or
//! never will, and why rows did not.

mod causes;
mod loss;
mod rebirth;
mod recovery;
pub mod standing;

pub use loss::{LossScene, Record, Table, lost};
pub use rebirth::{Encryption, Symptoms, TARGET_MISSED, not_reborn};
pub use standing::{Address, Postmaster};
