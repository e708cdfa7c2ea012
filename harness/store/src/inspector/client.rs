//! Lists, reads and writes as an outsider: over TLS, with a signature, against any S3 store.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use aws_credential_types::Credentials as SdkCredentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Config, Region, RequestChecksumCalculation, ResponseChecksumValidation,
};
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::{ByteStream, DateTime as SdkDateTime};
use aws_sdk_s3::types::{
    BucketVersioningStatus, DeleteMarkerEntry, Object, ObjectVersion as SdkVersion, VersioningConfiguration,
};
use aws_smithy_http_client::{Builder, tls};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::difference::{ObjectVersion, VersionKind};
use super::error::{Asked, InspectError};
use crate::config::Credentials;

const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// For one attempt, until the answer begins.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);
/// An inspection should see what a client sees, not retry until it looks well.
const ATTEMPTS: u32 = 2;

/// Which store to look into.
#[derive(Clone, Debug)]
pub struct Target {
    /// Such as `https://localhost:9000`.
    pub endpoint: String,
    /// For the signature.
    pub region: String,
    /// The bucket that is looked into.
    pub bucket: String,
    /// The keys.
    pub credentials: Credentials,
    /// Trusted in place of the system's certificates.
    pub ca_file: Option<PathBuf>,
}

/// An object as a reader of its key gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectInfo {
    /// The key.
    pub key: String,
    /// Its size.
    pub bytes: u64,
    /// The digest of its bytes, without quotes.
    pub etag: String,
    /// `None` where the store does not say: a listing never does.
    pub version_id: Option<String>,
    /// When it was written, by the store's clock.
    pub modified: DateTime<Utc>,
}

/// What lies right under a prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// The objects.
    pub objects: Vec<ObjectInfo>,
    /// The beginnings that other keys share, up to and with their next slash.
    pub folders: Vec<String>,
}

/// Whether a bucket keeps the versions of its objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Versioning {
    /// Every version is kept.
    Enabled,
    /// Those that were kept stay, and new objects replace one another.
    Suspended,
    /// It was never asked to.
    Never,
}

/// Looks into one bucket.
#[derive(Clone, Debug)]
pub struct Inspector {
    pub(super) client: Client,
    pub(super) target: Target,
}

impl Inspector {
    /// Prepares to look; nothing is asked of the store yet.
    ///
    /// # Errors
    /// If the CA's certificate cannot be read, or has expired.
    pub fn new(target: Target) -> Result<Self, InspectError> {
        let mut trusted = tls::TrustStore::default();
        if let Some(path) = &target.ca_file {
            let (endpoint, path) = (target.endpoint.clone(), path.clone());
            let pem = match fs::read(&path) {
                Ok(pem) => pem,
                Err(source) => return Err(InspectError::CaFile { endpoint, path, source }),
            };
            if let Some(expired) = expired(&pem) {
                return Err(InspectError::ExpiredCa { endpoint, path, expired });
            }
            trusted = tls::TrustStore::empty().with_pem_certificate(pem);
        }
        let asked = Asked { target: &target, action: "accept a tls configuration", key: None };
        let context = tls::TlsContext::builder().with_trust_store(trusted).build();
        let http = Builder::new()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .tls_context(context.map_err(|error| asked.broke_off(error))?)
            .build_https();
        let Credentials { access_key, secret_key } = &target.credentials;
        let keys = SdkCredentials::new(access_key, secret_key.expose(), None, None, "phoenix");
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http)
            .endpoint_url(&target.endpoint)
            .region(Region::new(target.region.clone()))
            .credentials_provider(keys)
            .force_path_style(true)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_DEADLINE)
                    .operation_attempt_timeout(ANSWER_DEADLINE)
                    .build(),
            )
            // Stores that are not Amazon's do not all know the newer checksums.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        Ok(Self { client: Client::from_conf(config), target })
    }

    /// The store and bucket that this looks into.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Every object whose key starts with `prefix`, in the order of keys, to the last page.
    ///
    /// # Errors
    /// See [`InspectError`].
    pub async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, InspectError> {
        let request = self.client.list_objects_v2().bucket(&self.target.bucket).prefix(prefix);
        let mut pages = request.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.asked("list keys").failed(error))?;
            found.extend(page.contents.into_iter().flatten().map(object_info));
        }
        Ok(found)
    }

    /// One level: the objects whose key starts with `prefix` and has no slash after it, and the folders
    /// that the others lie in; both to the last page, in the order of keys.
    ///
    /// # Errors
    /// See [`InspectError`].
    pub async fn level(&self, prefix: &str) -> Result<Level, InspectError> {
        let request = self.client.list_objects_v2().bucket(&self.target.bucket).prefix(prefix).delimiter("/");
        let mut pages = request.into_paginator().send();
        let mut level = Level::default();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.asked("list keys").failed(error))?;
            level.objects.extend(page.contents.into_iter().flatten().map(object_info));
            level
                .folders
                .extend(page.common_prefixes.into_iter().flatten().filter_map(|folder| folder.prefix));
        }
        Ok(level)
    }

    /// Every version of every key that starts with `prefix`, delete markers too, to the last page,
    /// in the order of keys.
    ///
    /// # Errors
    /// See [`InspectError`].
    pub async fn versions(&self, prefix: &str) -> Result<Vec<ObjectVersion>, InspectError> {
        let mut found = Vec::new();
        let (mut key_marker, mut version_marker) = (None, None);
        loop {
            let request = self.client.list_object_versions().bucket(&self.target.bucket).prefix(prefix);
            let request = request.set_key_marker(key_marker).set_version_id_marker(version_marker);
            let page = request.send().await.map_err(|error| self.asked("list versions").failed(error))?;
            found.extend(page.versions.into_iter().flatten().map(object_version));
            found.extend(page.delete_markers.into_iter().flatten().map(delete_marker));
            (key_marker, version_marker) = (page.next_key_marker, page.next_version_id_marker);
            if page.is_truncated != Some(true) || key_marker.is_none() {
                break;
            }
        }
        found.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }

    /// What is under a key, without its bytes.
    ///
    /// # Errors
    /// See [`InspectError`].
    pub async fn head(&self, key: &str) -> Result<ObjectInfo, InspectError> {
        let request = self.client.head_object().bucket(&self.target.bucket).key(key);
        let answer = request.send().await;
        let answer = answer.map_err(|error| self.asked_for("describe an object", key).failed(error))?;
        Ok(ObjectInfo {
            key: key.to_owned(),
            bytes: bytes(answer.content_length),
            etag: unquoted(answer.e_tag),
            version_id: answer.version_id,
            modified: modified(answer.last_modified),
        })
    }

    /// Puts bytes under a key.
    ///
    /// # Errors
    /// See [`InspectError`].
    pub async fn put(&self, key: &str, body: impl Into<Bytes>) -> Result<(), InspectError> {
        let request = self.client.put_object().bucket(&self.target.bucket).key(key);
        let answer = request.body(ByteStream::from(body.into())).send().await;
        answer.map(drop).map_err(|error| self.asked("take an object").failed(error))
    }

    /// Deletes a key; where versions are kept, they stay under a delete marker.
    ///
    /// # Errors
    /// See [`InspectError`]. A key that is not there is no error.
    pub async fn delete(&self, key: &str) -> Result<(), InspectError> {
        let answer = self.client.delete_object().bucket(&self.target.bucket).key(key).send().await;
        answer.map(drop).map_err(|error| self.asked("delete an object").failed(error))
    }

    /// Makes the bucket.
    ///
    /// # Errors
    /// See [`InspectError`]. A bucket that is there already is one.
    pub async fn create_bucket(&self) -> Result<(), InspectError> {
        let answer = self.client.create_bucket().bucket(&self.target.bucket).send().await;
        answer.map(drop).map_err(|error| self.asked("make a bucket").failed(error))
    }

    /// Asks the store for anything at all, once and without trying again: for whoever waits for it.
    ///
    /// # Errors
    /// If it does not answer as an S3 server. A refusal is an answer; that it is not ready yet (5xx) is none.
    pub async fn probe(&self) -> Result<(), InspectError> {
        let once = aws_sdk_s3::config::Builder::default().retry_config(RetryConfig::disabled());
        let request = self.client.head_bucket().bucket(&self.target.bucket).customize().config_override(once);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(refused)) if !refused.raw().status().is_server_error() => Ok(()),
            Err(error) => Err(self.asked("answer").failed(error)),
        }
    }

    /// Whether the bucket is there.
    ///
    /// # Errors
    /// See [`InspectError`].
    pub async fn bucket_exists(&self) -> Result<bool, InspectError> {
        let answer = self.client.head_bucket().bucket(&self.target.bucket).send().await;
        match answer.map_err(|error| self.asked("describe a bucket").failed(error)) {
            Ok(_) => Ok(true),
            Err(InspectError::NoSuchBucket { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Has the bucket keep every version from now on.
    ///
    /// # Errors
    /// See [`InspectError`].
    pub async fn enable_versioning(&self) -> Result<(), InspectError> {
        let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        let request = self.client.put_bucket_versioning().bucket(&self.target.bucket);
        let answer = request.versioning_configuration(enabled).send().await;
        answer.map(drop).map_err(|error| self.asked("keep versions").failed(error))
    }

    /// Whether the bucket keeps versions.
    ///
    /// # Errors
    /// See [`InspectError`].
    pub async fn versioning(&self) -> Result<Versioning, InspectError> {
        let answer = self.client.get_bucket_versioning().bucket(&self.target.bucket).send().await;
        let answer = answer.map_err(|error| self.asked("say whether it keeps versions").failed(error))?;
        Ok(match answer.status {
            Some(BucketVersioningStatus::Enabled) => Versioning::Enabled,
            Some(_) => Versioning::Suspended,
            None => Versioning::Never,
        })
    }

    fn asked(&self, action: &'static str) -> Asked<'_> {
        Asked { target: &self.target, action, key: None }
    }

    pub(super) fn asked_for<'a>(&'a self, action: &'static str, key: &'a str) -> Asked<'a> {
        Asked { target: &self.target, action, key: Some(key) }
    }
}

/// When the first of these certificates that has expired did. The TLS library never looks at the
/// dates of what it trusts; OpenSSL does, and an inspection should see what pgBackRest sees.
fn expired(pem: &[u8]) -> Option<DateTime<Utc>> {
    let ended = |der: CertificateDer<'_>| {
        let (_, certificate) = X509Certificate::from_der(&der).ok()?;
        DateTime::from_timestamp(certificate.validity().not_after.timestamp(), 0)
    };
    let ends = CertificateDer::pem_slice_iter(pem).filter_map(|der| ended(der.ok()?));
    ends.filter(|end| *end < Utc::now()).min()
}

fn object_info(object: Object) -> ObjectInfo {
    ObjectInfo {
        bytes: bytes(object.size),
        key: object.key.unwrap_or_default(),
        etag: unquoted(object.e_tag),
        version_id: None,
        modified: modified(object.last_modified),
    }
}

fn object_version(version: SdkVersion) -> ObjectVersion {
    ObjectVersion {
        key: version.key.unwrap_or_default(),
        version_id: version.version_id.unwrap_or_default(),
        etag: unquoted(version.e_tag),
        bytes: bytes(version.size),
        is_latest: version.is_latest == Some(true),
        kind: VersionKind::Object,
        modified: modified(version.last_modified),
    }
}

fn delete_marker(marker: DeleteMarkerEntry) -> ObjectVersion {
    ObjectVersion {
        key: marker.key.unwrap_or_default(),
        version_id: marker.version_id.unwrap_or_default(),
        etag: String::new(),
        bytes: 0,
        is_latest: marker.is_latest == Some(true),
        kind: VersionKind::DeleteMarker,
        modified: modified(marker.last_modified),
    }
}

fn bytes(size: Option<i64>) -> u64 {
    size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0)
}

fn unquoted(etag: Option<String>) -> String {
    etag.unwrap_or_default().trim_matches('"').to_owned()
}

/// A store that does not say when gets the epoch.
fn modified(at: Option<SdkDateTime>) -> DateTime<Utc> {
    at.and_then(|at| DateTime::from_timestamp(at.secs(), at.subsec_nanos())).unwrap_or(DateTime::UNIX_EPOCH)
}
