//! How the local environment is set up.

use phoenix_core::SegmentSize;
use phoenix_postgres::settings::Shipped;
use phoenix_repository::ExternalStore;
use std::path::PathBuf;

/// Where the victim and the store live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Storage {
    /// In memory: `/dev/shm`.
    #[default]
    Tmpfs,
    /// On disk: `/var/tmp`.
    Disk,
}

impl Storage {
    /// Its name on the command line and in the report.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tmpfs => "tmpfs",
            Self::Disk => "disk",
        }
    }
}

/// How the local environment is set up.
#[derive(Debug, Clone, Default)]
pub struct LocalConfig {
    /// Where the victim and the store live.
    pub storage: Storage,
    /// The directory with `postgres` and `initdb`; the newest found, if absent.
    pub postgres_bin: Option<PathBuf>,
    /// The program `pgbackrest`; the one in PATH, if absent.
    pub pgbackrest: Option<PathBuf>,
    /// The configuration that is shipped; without any, a drill's own, made for speed.
    pub shipped: Shipped,
    /// The size of WAL segments; if absent 1 MiB, so that few rows fill several, or PostgreSQL's 16 MiB
    /// for bulk data of 64 MiB or more.
    pub segment_size: Option<SegmentSize>,
    /// `archive_timeout` in seconds; 0 is PostgreSQL's default.
    pub archive_timeout_s: u32,
    /// The user that the victim runs as when the harness is root; `postgres` or `nobody`, if absent.
    pub victim_user: Option<String>,
    /// The port of the embedded store on 127.0.0.1; any free one, if absent.
    pub store_port: Option<u16>,
    /// A store that is there already, instead of the embedded one.
    pub store: Option<ExternalStore>,
    /// A directory for templates, from which a castle with its first backup is copied; without it each drill
    /// makes its own.
    pub template: Option<PathBuf>,
}
