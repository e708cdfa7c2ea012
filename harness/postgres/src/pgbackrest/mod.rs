//! pgBackRest: its configuration, its argument vectors, what it prints and what its exit codes mean.

pub mod archive;
mod command;
mod config;
mod info;

pub use command::{PgBackRest, seal_script, shell_line, target_options};
pub use config::{Config, Repository, S3};
pub use info::{InfoError, newest_backup};

/// Whether bytes begin like everything that pgBackRest encrypts (OpenSSL's salted format).
pub fn is_encrypted(bytes: &[u8]) -> bool {
    bytes.starts_with(b"Salted__")
}
