//! An object store that is there already.

use phoenix_core::Secret;
use phoenix_drill::{Doing, Error, Result};
use phoenix_postgres::pgbackrest::S3;
use phoenix_store::{Credentials, Inspector, Target};
use std::path::{Path, PathBuf};

/// An object store that is there already, instead of one of the drill's own.
#[derive(Debug, Clone)]
pub struct ExternalStore {
    /// The host name in its certificate.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The bucket.
    pub bucket: String,
    /// The path in the bucket under which each drill makes its own; begins with `/`.
    pub prefix: String,
    /// The region.
    pub region: String,
    /// The CA that signed its certificate.
    pub ca_file: PathBuf,
    /// Who asks.
    pub access_key: String,
    /// With what.
    pub secret_key: Secret,
}

impl ExternalStore {
    /// A drill's own path in this store, for a victim that finds the CA's certificate at `ca_file`.
    pub fn repository(&self, slug: &str, ca_file: &Path) -> S3 {
        S3 {
            path: format!("{}/{slug}", self.prefix.trim_end_matches('/')),
            bucket: self.bucket.clone(),
            host: self.host.clone(),
            port: self.port,
            region: self.region.clone(),
            access_key: self.access_key.clone(),
            secret_key: self.secret_key.clone(),
            ca_file: ca_file.display().to_string(),
            connect_to: None,
        }
    }

    /// A client that looks into it, once it is known that the drill's path is empty. `section` is where
    /// `castle.toml` describes the store.
    pub async fn open(&self, repository: &S3, section: &str) -> Result<Inspector> {
        let inspector = inspect(repository, &format!("https://{}:{}", self.host, self.port), &self.ca_file)?;
        let prefix = format!("{}/", repository.path.trim_start_matches('/'));
        let held = inspector.list(&prefix).await.map_err(|error| {
            let why = phoenix_drill::error::chain(&error);
            Error::missing(
                format!("the store does not let itself be used: {why}"),
                format!("check {section} in castle.toml: endpoint, bucket, CA and credentials"),
            )
        })?;
        if let Some(object) = held.first() {
            let what =
                format!("the path {} in the store is not empty: it holds {}", repository.path, object.key);
            let advice = format!("give a prefix of the drills' own as prefix in {section} of castle.toml");
            return Err(Error::usage(what, advice));
        }
        Ok(inspector)
    }
}

/// A client that looks into the bucket of a repository from here.
pub fn inspect(repository: &S3, endpoint: &str, ca_file: &Path) -> Result<Inspector> {
    let target = Target {
        endpoint: endpoint.to_owned(),
        region: repository.region.clone(),
        bucket: repository.bucket.clone(),
        credentials: Credentials {
            access_key: repository.access_key.clone(),
            secret_key: repository.secret_key.clone(),
        },
        ca_file: Some(ca_file.to_owned()),
    };
    Inspector::new(target).doing("preparing to inspect the store")
}
