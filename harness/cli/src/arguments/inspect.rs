//! The arguments of `phoenix inspect`.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Which repository is inspected, and how.
#[derive(Debug, Args)]
pub struct InspectArguments {
    /// The repository: a directory, or s3://BUCKET/PATH, where PATH is its repo1-path; without it the store
    /// that castle.toml names for its environment
    #[arg(value_name = "REPOSITORY")]
    pub repository: Option<String>,
    /// Only this stanza
    #[arg(long, value_name = "NAME")]
    pub stanza: Option<String>,
    /// The store, by the host's name in its certificate; without it castle.toml's if that has this bucket, or
    /// else Amazon's in the region
    #[arg(long, value_name = "HOST[:PORT]")]
    pub endpoint: Option<String>,
    /// The region that requests are signed for; without it castle.toml's, or us-east-1
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// The CA that signed the store's certificate; without it castle.toml's, or the system's are trusted
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// The environment variable that holds the access key; without it castle.toml's, or AWS_ACCESS_KEY_ID
    #[arg(long, value_name = "NAME")]
    pub access_key_variable: Option<String>,
    /// The environment variable that holds the secret key; without it castle.toml's, or
    /// AWS_SECRET_ACCESS_KEY
    #[arg(long, value_name = "NAME")]
    pub secret_key_variable: Option<String>,
    /// The environment variable that holds the passphrase of an encrypted repository
    #[arg(long, value_name = "NAME", default_value = "PGBACKREST_REPO1_CIPHER_PASS")]
    pub passphrase_variable: String,
    /// Read every segment, and hold it against the SHA-1 and the place in its name; and every file of
    /// backups, and hold it against the manifests, unless only the WAL is asked for
    #[arg(long, value_enum, value_name = "WHAT", num_args = 0..=1, require_equals = true, default_missing_value = "all")]
    pub checksums: Option<ChecksumsName>,
    /// What repo1-retention-archive is set to, such as 2 or 2:diff, or default: then what retention
    /// removed is told from what was lost
    #[arg(long, value_name = "COUNT[:TYPE]")]
    pub retention_archive: Option<phoenix_inspection::Retention>,
    /// What the store should hold: a ledger.jsonl, an LSN, or a segment's name
    #[arg(long, value_name = "REFERENCE")]
    pub reference: Option<String>,
    /// The size of WAL segments, such as 16MiB, where neither a backup nor a segment tells it
    #[arg(long, value_name = "SIZE", value_parser = crate::castle_file::parse_bytes)]
    pub segment_size: Option<u64>,
    /// Print the inspection as JSON: phoenix schema inspection
    #[arg(long)]
    pub json: bool,
}

/// Whose content is read.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ChecksumsName {
    /// Segments and the files of backups
    All,
    /// Segments alone
    Wal,
}
