//! Where the repository lies: as the command line says, and what it does not say as `castle.toml` does.

use crate::{arguments::InspectArguments, castle_file::Castle};
use phoenix_core::Secret;
use phoenix_drill::{Error, Result};
use phoenix_inspection::{Bucket, Directory, ReadError, Source, source::NotABucket};
use phoenix_repository::ExternalStore;
use phoenix_store::{Credentials, Inspector, Target};

/// How many folders are named where a repository is looked for in vain.
const NAMED: usize = 8;

/// Where a repository lies.
pub(super) enum Place {
    Directory(String),
    Store(Bucket, Box<Target>),
}

impl Place {
    pub(super) fn of(asked: &InspectArguments, castle: &Castle) -> Result<Self> {
        let (store, section) = castle.store();
        match &asked.repository {
            Some(directory) if !directory.contains("://") => Ok(Self::Directory(directory.clone())),
            Some(address) => {
                let bucket: Bucket = address.parse().map_err(|error: NotABucket| {
                    let advice = "give a directory, or s3://BUCKET/PATH, where PATH is its repo1-path";
                    Error::usage(error.to_string(), advice)
                })?;
                // keys are never sent to another store than the one that they are for
                let store = store.filter(|store| store.bucket == bucket.bucket && is_at(store, asked));
                Self::in_store(bucket, asked, store)
            }
            None => {
                let store = store.ok_or_else(|| {
                    let what = format!("no repository is given, and castle.toml has no {section}");
                    Error::usage(what, "give a directory, or s3://BUCKET/PATH, where PATH is its repo1-path")
                })?;
                let path = store.prefix.trim_matches('/').to_owned();
                let bucket = Bucket { bucket: store.bucket.clone(), path };
                let store = Some(store).filter(|store| is_at(store, asked));
                Self::in_store(bucket, asked, store)
            }
        }
    }

    fn in_store(bucket: Bucket, asked: &InspectArguments, store: Option<&ExternalStore>) -> Result<Self> {
        let region = asked.region.clone().or(store.map(|store| store.region.clone()));
        let region = region.unwrap_or_else(|| "us-east-1".to_owned());
        let host = asked.endpoint.clone().or(store.map(|store| format!("{}:{}", store.host, store.port)));
        let host = host.unwrap_or_else(|| format!("s3.{region}.amazonaws.com"));
        let endpoint = if host.contains("://") { host } else { format!("https://{host}") };
        let credentials = match (&asked.access_key_variable, &asked.secret_key_variable, store) {
            (None, None, Some(store)) => {
                Credentials { access_key: store.access_key.clone(), secret_key: store.secret_key.clone() }
            }
            (access_key, secret_key, _) => Credentials {
                access_key: variable(access_key.as_deref().unwrap_or("AWS_ACCESS_KEY_ID"))?,
                secret_key: Secret::new(variable(secret_key.as_deref().unwrap_or("AWS_SECRET_ACCESS_KEY"))?),
            },
        };
        let ca_file = asked.ca_file.clone().or(store.map(|store| store.ca_file.clone()));
        let target = Target { endpoint, region, bucket: bucket.bucket.clone(), credentials, ca_file };
        Ok(Self::Store(bucket, Box::new(target)))
    }

    pub(super) fn source(&self) -> Result<Box<dyn Source>> {
        match self {
            Self::Directory(directory) => Ok(Box::new(Directory::new(directory))),
            Self::Store(bucket, target) => {
                let inspector = Inspector::new((**target).clone()).map_err(|error| {
                    let what = phoenix_drill::error::chain(&error);
                    Error::usage(what, "check --ca-file and --endpoint, or the store in castle.toml")
                })?;
                Ok(Box::new(bucket.through(inspector)))
            }
        }
    }

    /// What to do where nothing could be read.
    pub(super) fn unread(&self, error: ReadError) -> Error {
        let what = phoenix_drill::error::chain(&error);
        match (error, self) {
            (ReadError::NoStanza { stanzas, .. }, _) => {
                Error::usage(what, format!("there are {}", stanzas.join(", ")))
            }
            (ReadError::NoRepository { folders, .. }, _) if folders.is_empty() => {
                Error::missing(what, "give what repo1-path is set to; nothing is there at all")
            }
            (ReadError::NoRepository { folders, .. }, _) => {
                let named: Vec<_> = folders.iter().rev().take(NAMED).map(|name| self.below(name)).collect();
                let more = folders.len().saturating_sub(NAMED);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                let advice = format!("give what repo1-path is set to; there are {}{more}", named.join(", "));
                Error::missing(what, advice)
            }
            (ReadError::Source(_), Self::Store(..)) => Error::missing(
                what,
                "check --endpoint, --region, --ca-file, the bucket and the keys: they must be allowed to list and to read",
            ),
            (ReadError::Source(_), Self::Directory(_)) => {
                Error::missing(what, "run it as a user who may read the directory, such as postgres")
            }
        }
    }

    /// A folder right in it, as it would be asked for.
    fn below(&self, name: &str) -> String {
        match self {
            Self::Directory(directory) => format!("{}/{name}", directory.trim_end_matches('/')),
            Self::Store(Bucket { bucket, path }, _) if path.is_empty() => format!("s3://{bucket}/{name}"),
            Self::Store(Bucket { bucket, path }, _) => format!("s3://{bucket}/{path}/{name}"),
        }
    }
}

/// Whether what is asked for is this store, or none is named.
fn is_at(store: &ExternalStore, asked: &InspectArguments) -> bool {
    let own = format!("{}:{}", store.host, store.port);
    asked.endpoint.as_ref().is_none_or(|endpoint| {
        let host = endpoint.strip_prefix("https://").unwrap_or(endpoint).trim_end_matches('/');
        host == own || (store.port == 443 && host == store.host)
    })
}

fn variable(name: &str) -> Result<String> {
    std::env::var(name).map_err(|_| {
        let what =
            format!("the environment variable {name} is not set, and the store's key is taken from it");
        let advice =
            "export it, or name the variables that hold the keys: --access-key-variable, --secret-key-variable";
        Error::usage(what, advice)
    })
}
