//! What a server needs to know before it starts.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use phoenix_core::Secret;
use uuid::Uuid;

/// An access key and its secret. The secret is never shown.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Names the holder; not a secret.
    pub access_key: String,
    /// Signs the requests.
    pub secret_key: Secret,
}

impl Credentials {
    /// A pair that nobody had before: 20 and 40 characters, the lengths that AWS uses.
    #[must_use]
    pub fn generate() -> Self {
        let name = Uuid::new_v4().simple().to_string().to_uppercase();
        let secret = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        Self { access_key: format!("PHX{}", &name[..17]), secret_key: Secret::new(secret[..40].to_owned()) }
    }
}

/// What an acknowledged write survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Durability {
    /// A power cut: files and directories are synchronised before the answer.
    #[default]
    Fsync,
    /// The death of the process, not of the machine: the kernel writes when it likes.
    Buffered,
}

/// How to start a [`StoreServer`](crate::StoreServer).
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// Holds everything. Must be absent, empty or a store's own.
    pub directory: PathBuf,
    /// Made at the start if absent.
    pub buckets: Vec<String>,
    /// What requests must be signed for.
    pub region: String,
    /// The one pair that may sign requests.
    pub credentials: Credentials,
    /// Port 0 asks the kernel for a free one.
    pub listen: SocketAddr,
    /// Where the CA's certificate is written for clients; `<directory>/tls/ca.pem` if `None`.
    pub ca_file: Option<PathBuf>,
    /// What an acknowledged write survives.
    pub durability: Durability,
    /// One JSON line for each request is appended here.
    pub access_log: Option<PathBuf>,
}

impl StoreConfig {
    /// A durable store on a free port of 127.0.0.1 with one bucket, in the region `us-east-1`.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>, bucket: impl Into<String>, credentials: Credentials) -> Self {
        Self {
            directory: directory.into(),
            buckets: vec![bucket.into()],
            region: "us-east-1".to_owned(),
            credentials,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            ca_file: None,
            durability: Durability::default(),
            access_log: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_credentials_are_unique_and_of_the_usual_length() {
        let (one, two) = (Credentials::generate(), Credentials::generate());
        assert_eq!((one.access_key.len(), one.secret_key.expose().len()), (20, 40));
        assert_ne!(one.access_key, two.access_key);
        assert_ne!(one.secret_key.expose(), two.secret_key.expose());
    }

    #[test]
    fn a_configuration_shows_no_secret() {
        let credentials = Credentials::generate();
        let config = StoreConfig::new("/nowhere", "bucket", credentials.clone());
        assert!(!format!("{config:?}").contains(credentials.secret_key.expose()));
    }
}
