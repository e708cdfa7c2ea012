//! A repository in an object store.

use super::{Level, Object, Source, SourceError};
use futures::future::BoxFuture;
use phoenix_store::{InspectError, Inspector, ObjectInfo};
use std::str::FromStr;

/// Where a repository lies in an object store: `s3://bucket/path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// The bucket.
    pub bucket: String,
    /// `repo1-path` without its slashes; empty for the bucket's root.
    pub path: String,
}

/// The text does not name a bucket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' names no bucket (expected something like s3://bucket/path)")]
pub struct NotABucket(String);

impl FromStr for Bucket {
    type Err = NotABucket;
    fn from_str(text: &str) -> Result<Self, NotABucket> {
        let rest = text.strip_prefix("s3://").ok_or_else(|| NotABucket(text.to_owned()))?;
        let (bucket, path) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(NotABucket(text.to_owned()));
        }
        Ok(Self { bucket: bucket.to_owned(), path: path.trim_matches('/').to_owned() })
    }
}

/// A path in a bucket.
#[derive(Debug, Clone)]
pub struct Store {
    inspector: Inspector,
    /// Empty, or with a slash at its end.
    prefix: String,
}

impl Bucket {
    /// Reads it through this client, which looks into the same bucket.
    pub fn through(&self, inspector: Inspector) -> Store {
        let prefix = if self.path.is_empty() { String::new() } else { format!("{}/", self.path) };
        Store { inspector, prefix }
    }
}

impl Store {
    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn object(&self, info: ObjectInfo) -> Option<Object> {
        let key = info.key.strip_prefix(&self.prefix)?.to_owned();
        Some(Object { key, bytes: info.bytes, modified: info.modified })
    }
}

impl Source for Store {
    fn place(&self) -> String {
        let target = self.inspector.target();
        format!("s3://{}/{} at {}", target.bucket, self.prefix.trim_end_matches('/'), target.endpoint)
    }

    fn level<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Level, SourceError>> {
        Box::pin(async move {
            let prefix = self.full(folder);
            let level = self.inspector.level(&prefix).await.map_err(error)?;
            let name = |folder: String| Some(folder.strip_prefix(&prefix)?.trim_end_matches('/').to_owned());
            Ok(Level {
                objects: level.objects.into_iter().filter_map(|info| self.object(info)).collect(),
                folders: level.folders.into_iter().filter_map(name).collect(),
            })
        })
    }

    fn list<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<Object>, SourceError>> {
        Box::pin(async move {
            let listed = self.inspector.list(&self.full(folder)).await.map_err(error)?;
            Ok(listed.into_iter().filter_map(|info| self.object(info)).collect())
        })
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Vec<u8>, SourceError>> {
        Box::pin(async move { self.inspector.get(&self.full(key)).await.map(Into::into).map_err(error) })
    }

    fn part<'a>(
        &'a self,
        key: &'a str,
        from: u64,
        bytes: u64,
    ) -> BoxFuture<'a, Result<Vec<u8>, SourceError>> {
        Box::pin(async move {
            let part = self.inspector.get_part(&self.full(key), from, bytes).await;
            part.map(Into::into).map_err(error)
        })
    }
}

fn error(source: InspectError) -> SourceError {
    match source {
        InspectError::NoSuchKey { key, .. } => SourceError::Absent(key),
        other => SourceError::Unreadable { what: "the store".to_owned(), source: other.into() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phoenix_store::{Credentials, StoreConfig, StoreServer, Target};

    #[test]
    fn a_bucket_is_named_by_its_address() {
        let parse = |text: &str| text.parse::<Bucket>().map(|place| (place.bucket, place.path));
        let is = |bucket: &str, path: &str| Ok((bucket.to_owned(), path.to_owned()));
        assert_eq!(parse("s3://vault/pgbackrest/repo1/"), is("vault", "pgbackrest/repo1"));
        assert_eq!([parse("s3://vault"), parse("s3://vault/")], [is("vault", ""), is("vault", "")]);
        for text in ["s3://", "s3:///path", "/path", "https://vault"] {
            assert_eq!(parse(text), Err(NotABucket(text.into())));
        }
    }

    #[tokio::test]
    async fn a_store_is_seen_from_the_repositorys_root() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = Credentials::generate();
        let config = StoreConfig::new(folder.path().join("store"), "vault", credentials.clone());
        let server = StoreServer::start(config).await.unwrap();
        let target = Target {
            endpoint: server.endpoint(),
            region: "us-east-1".into(),
            bucket: "vault".into(),
            credentials,
            ca_file: Some(server.ca_file().to_owned()),
        };
        let inspector = Inspector::new(target).unwrap();
        for key in ["r/archive/a/15-1/x", "r/archive/a/archive.info", "r2/archive/b/x"] {
            inspector.put(key, key).await.unwrap();
        }
        let source = "s3://vault/r".parse::<Bucket>().unwrap().through(inspector.clone());
        let level = source.level("archive/a/").await.unwrap();
        assert_eq!(level.folders, ["15-1"]);
        assert_eq!(level.objects[0].key, "archive/a/archive.info");
        let keys: Vec<_> = source.list("").await.unwrap().into_iter().map(|object| object.key).collect();
        assert_eq!(keys, ["archive/a/15-1/x", "archive/a/archive.info"]);
        assert_eq!(source.get("archive/a/15-1/x").await.unwrap(), b"r/archive/a/15-1/x");
        assert_eq!(source.part("archive/a/15-1/x", 2, 7).await.unwrap(), b"archive");
        assert!(matches!(source.get("archive/none").await, Err(SourceError::Absent(_))));
        let root = "s3://vault".parse::<Bucket>().unwrap().through(inspector);
        assert_eq!(root.level("").await.unwrap().folders, ["r", "r2"]);
        server.shutdown().await;
    }
}
