//! What the journal remembers. The journal's format is these types' JSON.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A file of bytes that never changes once it is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Blob {
    pub(crate) id: Uuid,
    pub(crate) bytes: u64,
}

/// What a client says about an object besides its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attributes {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_encoding: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metadata: BTreeMap<String, String>,
}

/// The content of one version: its bytes are its blobs', one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Object {
    pub(crate) bytes: u64,
    pub(crate) etag: String,
    pub(crate) blobs: Vec<Blob>,
    #[serde(default)]
    pub(crate) attributes: Attributes,
}

/// One step in the life of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub(crate) enum Record {
    /// A bucket was made.
    Bucket { bucket: String, at: DateTime<Utc> },
    /// A version was put; from `upload` if it came in parts.
    Object {
        bucket: String,
        key: String,
        version: Uuid,
        at: DateTime<Utc>,
        object: Object,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upload: Option<Uuid>,
    },
    /// The key was deleted: its versions stay.
    DeleteMarker { bucket: String, key: String, version: Uuid, at: DateTime<Utc> },
    /// One version was removed for good.
    Removed { bucket: String, key: String, version: Uuid },
    /// An upload in parts began.
    Upload { upload: Uuid, bucket: String, key: String, at: DateTime<Utc>, attributes: Attributes },
    /// A part came, in place of an earlier one of the same number.
    Part { upload: Uuid, part: u16, at: DateTime<Utc>, blob: Blob, md5: String },
    /// An upload was given up.
    UploadAborted { upload: Uuid },
}
