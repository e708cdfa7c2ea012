//! Why a store could not be inspected.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_types::error::metadata::ErrorMetadata;
use chrono::{DateTime, Utc};
use thiserror::Error;

use super::client::Target;

type Source = Box<dyn StdError + Send + Sync>;

/// Why a store could not be inspected. Says where, and never the secret.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InspectError {
    /// Nobody listens there.
    #[error("{endpoint} refused the connection")]
    Refused {
        /// The store.
        endpoint: String,
        /// What the client library said.
        source: Source,
    },
    /// The store does not accept the keys, or not for this.
    #[error("{endpoint} denied access: {code}")]
    Denied {
        /// The store.
        endpoint: String,
        /// The store's word for it, such as `SignatureDoesNotMatch`.
        code: String,
    },
    /// The bucket is not there.
    #[error("{endpoint} has no bucket {bucket}")]
    NoSuchBucket {
        /// The store.
        endpoint: String,
        /// The bucket.
        bucket: String,
    },
    /// The key is not there.
    #[error("bucket {bucket} at {endpoint} has no key {key}")]
    NoSuchKey {
        /// The store.
        endpoint: String,
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
    /// The store's certificate is not trusted, or it does not speak TLS.
    #[error("no tls with {endpoint}")]
    Tls {
        /// The store.
        endpoint: String,
        /// What the TLS library said.
        source: Source,
    },
    /// The CA's certificate could not be read.
    #[error("read the ca of {endpoint} from {path}")]
    CaFile {
        /// The store.
        endpoint: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The CA's certificate is no longer valid: no client of OpenSSL's would trust it.
    #[error("the ca of {endpoint} in {path} expired at {expired}")]
    ExpiredCa {
        /// The store.
        endpoint: String,
        /// The file.
        path: PathBuf,
        /// When.
        expired: DateTime<Utc>,
    },
    /// Anything else.
    #[error("{endpoint} did not {action}")]
    Other {
        /// The store.
        endpoint: String,
        /// What it was asked.
        action: &'static str,
        /// What the client library said.
        source: Source,
    },
}

/// What was asked, for the error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) target: &'a Target,
    /// Continues "the store did not".
    pub(super) action: &'static str,
    pub(super) key: Option<&'a str>,
}

impl Asked<'_> {
    /// Sorts an error of the client library.
    pub(super) fn failed<E>(self, error: SdkError<E, HttpResponse>) -> InspectError
    where
        E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let endpoint = self.target.endpoint.clone();
        match &error {
            SdkError::ServiceError(answer) => {
                let meta = answer.err().meta();
                if let Some(sorted) = self.answered(answer.raw().status().as_u16(), meta) {
                    return sorted;
                }
                InspectError::Other { endpoint, action: self.action, source: Box::new(error) }
            }
            SdkError::DispatchFailure(_) => match root_cause(&error) {
                Cause::Tls => InspectError::Tls { endpoint, source: Box::new(error) },
                Cause::Refused => InspectError::Refused { endpoint, source: Box::new(error) },
                Cause::Other => {
                    InspectError::Other { endpoint, action: self.action, source: Box::new(error) }
                }
            },
            _ => InspectError::Other { endpoint, action: self.action, source: Box::new(error) },
        }
    }

    /// An error of reading a body that had begun to come.
    pub(super) fn broke_off(self, error: impl StdError + Send + Sync + 'static) -> InspectError {
        let endpoint = self.target.endpoint.clone();
        InspectError::Other { endpoint, action: self.action, source: Box::new(error) }
    }

    fn answered(self, status: u16, meta: &ErrorMetadata) -> Option<InspectError> {
        let endpoint = self.target.endpoint.clone();
        let bucket = self.target.bucket.clone();
        // The answer to HEAD has no body and therefore no code.
        match (status, meta.code(), self.key) {
            (403, code, _) => {
                Some(InspectError::Denied { endpoint, code: code.unwrap_or("AccessDenied").to_owned() })
            }
            (404, Some("NoSuchBucket"), _) | (404, _, None) => {
                Some(InspectError::NoSuchBucket { endpoint, bucket })
            }
            (404, _, Some(key)) => Some(InspectError::NoSuchKey { endpoint, bucket, key: key.to_owned() }),
            _ => None,
        }
    }
}

enum Cause {
    Tls,
    Refused,
    Other,
}

/// Looks down the chain of causes, and into the errors that `io::Error` wraps and does not chain.
fn root_cause(error: &(dyn StdError + 'static)) -> Cause {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<rustls::Error>() {
            return Cause::Tls;
        }
        next = match error.downcast_ref::<io::Error>() {
            Some(io) if io.kind() == io::ErrorKind::ConnectionRefused => return Cause::Refused,
            Some(io) => io.get_ref().map(|inner| inner as &(dyn StdError + 'static)),
            None => error.source(),
        };
    }
    Cause::Other
}
