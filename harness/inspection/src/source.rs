//! Where a repository is read from: a directory or an object store. Nothing here can write.

mod directory;
mod store;

pub use directory::Directory;
pub use store::{Bucket, NotABucket};

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;

/// A file of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its path within the repository, without a leading slash.
    pub key: String,
    /// Its size.
    pub bytes: u64,
    /// When it was written, by the store's clock.
    pub modified: DateTime<Utc>,
}

/// One level of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Level {
    /// The files right there.
    pub objects: Vec<Object>,
    /// The names of the folders right there, without slashes.
    pub folders: Vec<String>,
}

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It is not there.
    #[error("there is no {0}")]
    Absent(String),
    /// Anything else.
    #[error("{what} cannot be read")]
    Unreadable {
        /// What.
        what: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Reads a repository. Keys and folders are seen from its root; a folder ends with a slash, the root is
/// the empty text.
pub trait Source: Send + Sync {
    /// Where it is, for a person.
    fn place(&self) -> String;
    /// What lies right in a folder. A folder that is not there is empty.
    fn level<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Level, SourceError>>;
    /// Every file below a folder, in the order of keys.
    fn list<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<Object>, SourceError>>;
    /// The content of a file.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Vec<u8>, SourceError>>;
    /// A part of a file, from this byte on; shorter where the file ends before.
    fn part<'a>(&'a self, key: &'a str, from: u64, bytes: u64)
    -> BoxFuture<'a, Result<Vec<u8>, SourceError>>;
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
