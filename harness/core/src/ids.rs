//! Identities: of a run, a row, a transaction, a cluster, and of a row's content.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// One drill: a ULID, so that runs sort by the time they began.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct RunId(String);

/// The text is not a ULID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a run id (26 letters and digits)")]
pub struct NotARunId(String);

impl RunId {
    /// A run that begins at this Unix time, told apart from others by 80 random bits.
    pub fn new(unix_ms: u64, random: u128) -> Self {
        Self(ulid::Ulid::from_parts(unix_ms, random).to_string())
    }

    /// The ULID's 26 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The lower-case form, fit for a path in a store, a host name or a directory.
    pub fn slug(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl FromStr for RunId {
    type Err = NotARunId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let upper = text.to_ascii_uppercase();
        upper.parse::<ulid::Ulid>().map(|_| Self(upper)).map_err(|_| NotARunId(text.to_owned()))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A row's identity: chosen by the client, because sequences jump after recovery and identify nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct RowId(pub Uuid);

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A transaction id with its epoch, as `pg_current_xact_id()` gives it (PostgreSQL 13 and later).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Xid(pub u64);

impl fmt::Display for Xid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A cluster's identity from `initdb` on: `pg_control_system()` and `pgbackrest info` both name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct SystemIdentifier(pub u64);

impl fmt::Display for SystemIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// SHA-256 of a row's content and of the run it belongs to, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// The digest of a row: yesterday's row with today's content has another one.
    pub fn of(run: &str, content: &str) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(run.as_bytes());
        hasher.update([0]);
        hasher.update(content.as_bytes());
        Self(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_sort_by_time_and_read_back() {
        let (early, late) = (RunId::new(1_000, u128::MAX >> 48), RunId::new(2_000, 0));
        assert!(early < late);
        assert_eq!(early.slug().parse::<RunId>().unwrap(), early);
        assert_eq!("x".parse::<RunId>(), Err(NotARunId("x".into())));
    }

    #[test]
    fn the_same_content_of_another_run_is_another_row() {
        assert_ne!(Digest::of("a", "DATO_A"), Digest::of("b", "DATO_A"));
        assert_ne!(Digest::of("a", "bc"), Digest::of("ab", "c"));
    }
}
