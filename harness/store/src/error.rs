//! Why a store did not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

/// Why a store could not be opened or served.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file or directory of the store could not be used.
    #[error("{action} {path}")]
    File {
        /// What was being done, such as "read".
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The directory belongs to something else.
    #[error("{path} is not empty and is no store: it holds no phoenix-store.json")]
    ForeignDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// The directory's mark is unreadable or of another format.
    #[error("{path} does not mark a store of format {expected}: {found}")]
    UnknownFormat {
        /// The mark.
        path: PathBuf,
        /// The format that this version reads and writes.
        expected: u32,
        /// What the mark says instead.
        found: String,
    },
    /// Another server has the directory open.
    #[error("{path} is open in another server")]
    DirectoryInUse {
        /// The directory.
        path: PathBuf,
    },
    /// The journal holds something that no interrupted write leaves behind.
    #[error("{path} is damaged in line {line}: {reason}")]
    DamagedJournal {
        /// The journal.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// An acknowledged object's bytes are gone.
    #[error("{path} should hold {expected_bytes} bytes: {found}")]
    DamagedBlob {
        /// The blob.
        path: PathBuf,
        /// What the journal says.
        expected_bytes: u64,
        /// What was found instead.
        found: String,
    },
    /// The configured name is none that S3 allows.
    #[error("{name:?} is no bucket name")]
    BucketName {
        /// The name.
        name: String,
    },
    /// Another program listens there.
    #[error("{address} is in use by another program")]
    AddressInUse {
        /// The configured address.
        address: SocketAddr,
    },
    /// The address could not be listened on for another reason.
    #[error("listen on {address}")]
    Listen {
        /// The configured address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// No certificate can be for that name.
    #[error("{name:?} is no name of a server")]
    ServerName {
        /// The name.
        name: String,
        /// Why.
        source: rustls::pki_types::InvalidDnsNameError,
    },
    /// The certificates could not be made.
    #[error("make the certificates")]
    Certificate(#[from] rcgen::Error),
    /// A certificate or key is not what its PEM says.
    #[error("read a certificate or key")]
    Pem(#[source] rustls::pki_types::pem::Error),
    /// The certificates were refused by the TLS library.
    #[error("configure tls")]
    Tls(#[from] rustls::Error),
}

impl StoreError {
    /// For `map_err`: says what was being done to `path`.
    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}
