//! Our errors and values in the words of S3.

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use s3s::dto::{ETag, Timestamp};
use s3s::{S3Error, S3ErrorCode, S3Result};
use tokio::task::JoinError;
use uuid::Uuid;

use crate::storage::{Refusal, StorageError};

/// What S3 answers to a write that was not done.
pub(super) fn refused(error: StorageError) -> S3Error {
    let code = match &error {
        StorageError::Refused(refusal) => return refusal_code(*refusal).into(),
        StorageError::PartOrder => S3ErrorCode::InvalidPartOrder,
        StorageError::PartTooSmall => S3ErrorCode::EntityTooSmall,
        StorageError::Closed => S3ErrorCode::ServiceUnavailable,
        StorageError::Io(_) => S3ErrorCode::InternalError,
    };
    S3Error::with_source(code, Box::new(error))
}

/// What S3 answers to a request for something that is not there.
pub(super) fn absent(refusal: Refusal) -> S3Error {
    refusal_code(refusal).into()
}

fn refusal_code(refusal: Refusal) -> S3ErrorCode {
    match refusal {
        Refusal::BucketExists => S3ErrorCode::BucketAlreadyOwnedByYou,
        Refusal::NoSuchBucket => S3ErrorCode::NoSuchBucket,
        Refusal::NoSuchVersion => S3ErrorCode::NoSuchVersion,
        Refusal::NoSuchUpload => S3ErrorCode::NoSuchUpload,
        Refusal::InvalidPart => S3ErrorCode::InvalidPart,
    }
}

/// The result of a blocking task, which fails only if it panics or the server stops.
pub(super) fn joined<T>(result: Result<T, JoinError>) -> S3Result<T> {
    result.map_err(S3Error::internal_error)
}

pub(super) fn timestamp(at: DateTime<Utc>) -> Timestamp {
    Timestamp::from(SystemTime::from(at))
}

pub(super) fn etag(etag: &str) -> ETag {
    ETag::Strong(etag.to_owned())
}

/// S3's sizes are signed.
pub(super) fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// The id as clients see it.
pub(super) fn id_text(id: Uuid) -> String {
    id.simple().to_string()
}

/// Reads the id of a version that a client names.
pub(super) fn version_id(text: &str) -> S3Result<Uuid> {
    Uuid::try_parse(text).map_err(|_| S3ErrorCode::NoSuchVersion.into())
}

/// Reads the id of an upload that a client names.
pub(super) fn upload_id(text: &str) -> S3Result<Uuid> {
    Uuid::try_parse(text).map_err(|_| S3ErrorCode::NoSuchUpload.into())
}
