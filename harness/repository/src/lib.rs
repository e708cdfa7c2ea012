//! What every environment does with a pgBackRest repository in an object store: open it, back up into
//! it, look for rows and segments in it, and say why a restore from it failed. Environments use it and
//! say where the victim's commands run; it starts no process and knows no place.

mod external;
mod operations;
mod vault;
mod victim;

pub use external::{ExternalStore, inspect};
pub use operations::{Waldump, failed_restore, find_commits, take_backup};
pub use vault::{STANZA, Vault, segment_size_for};
pub use victim::{Ran, Victim, decisive, must};
