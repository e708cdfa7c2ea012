//! What every environment does with a pgBackRest repository in an object store: raise a castle that backs
//! up into it and comes back from it, say what the victim is told of it, look for rows and segments in it,
//! and say why a restore from it failed. Environments use it and say where the victim's commands run; it
//! starts no process and knows no place.

mod alterations;
mod castle;
mod external;
mod faults;
mod loss;
mod objects;
mod operations;
mod sabotage;
mod start;
mod vault;
mod victim;
mod witnesses;

pub use castle::{Ground, Host, StartError, castle};
pub use external::{ExternalStore, inspect};
pub use faults::{fired, slow_restore};
pub use loss::explain;
pub(crate) use operations::failed_restore;
pub use operations::{find_commits, take_backup};
pub use sabotage::{heal, sabotage};
pub use start::until_primary;
pub use vault::{STANZA, Vault, segment_size_for};
pub use victim::{Ran, Victim, decisive, must};
pub use witnesses::witnesses;
