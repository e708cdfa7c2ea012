//! Listings of keys and of versions.

use std::ops::Bound;

use s3s::dto::*;
use s3s::{S3ErrorCode, S3Request, S3Result};

use super::StoreService;
use super::convert::{absent, etag, id_text, size, timestamp};
use super::sight::{Seen, see};
use crate::fault::Operation;
use crate::fault::sight::is_emptied;
use crate::storage::listing::{Last, Page, Query, page};
use crate::storage::{Bucket, Version};

/// As many as S3 lists at once.
const PAGE_LIMIT: usize = 1000;

impl StoreService {
    pub(super) async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<ListObjectsV2Output> {
        let input = request.input;
        let after = match &input.continuation_token {
            Some(token) => After::from_token(token)?,
            None => After::Key(input.start_after.clone().unwrap_or_default()),
        };
        let prefix = input.prefix.clone().unwrap_or_default();
        let query = Query {
            prefix: &prefix,
            delimiter: input.delimiter.as_deref(),
            after_prefix: after.prefix(),
            limit: page_limit(input.max_keys),
        };
        let page = self.page_of_keys(&input.bucket, query, &after)?;
        let next = page.next.as_ref().map(|last| match last {
            Last::Prefix(prefix) => After::Prefix(prefix.clone()),
            Last::Item => After::Key(page.items.last().map(|(key, _)| key.clone()).unwrap_or_default()),
        });
        Ok(ListObjectsV2Output {
            key_count: i32::try_from(page.items.len() + page.prefixes.len()).ok(),
            contents: Some(page.items.iter().map(object).collect()),
            common_prefixes: Some(common_prefixes(page.prefixes)),
            is_truncated: Some(next.is_some()),
            next_continuation_token: next.map(|next| next.token()),
            continuation_token: input.continuation_token,
            max_keys: Some(input.max_keys.unwrap_or(1000)),
            name: Some(input.bucket),
            prefix: input.prefix,
            delimiter: input.delimiter,
            start_after: input.start_after,
            ..Default::default()
        })
    }

    fn page_of_keys(&self, bucket: &str, query: Query<'_>, after: &After) -> S3Result<Page<(String, Seen)>> {
        let index = self.storage.index();
        let bucket = index.bucket(bucket).map_err(absent)?;
        let mut view = self.faults.storage(Operation::List);
        let found = if is_emptied(&mut view, query.prefix) {
            page(std::iter::empty(), query)
        } else {
            let keys = keys_from(bucket, Bound::Excluded(after.key()), query.prefix);
            let seen = keys
                .filter_map(|(key, versions)| Some((key, (key.to_owned(), see(&mut view, key, versions)?))));
            page(seen, query)
        };
        view.finish();
        Ok(found)
    }

    pub(super) async fn list_object_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<ListObjectVersionsOutput> {
        let input = request.input;
        let prefix = input.prefix.clone().unwrap_or_default();
        let marker = input.key_marker.clone().unwrap_or_default();
        let delimiter = input.delimiter.as_deref();
        let folded = delimiter.is_some_and(|delimiter| !delimiter.is_empty() && marker.ends_with(delimiter));
        let after_prefix = Some(marker.as_str()).filter(|_| folded && input.version_id_marker.is_none());
        let query = Query { prefix: &prefix, delimiter, after_prefix, limit: page_limit(input.max_keys) };
        let page =
            self.page_of_versions(&input.bucket, query, &marker, input.version_id_marker.as_deref())?;
        let (next_key_marker, next_version_id_marker) = match (&page.next, page.items.last()) {
            (Some(Last::Prefix(prefix)), _) => (Some(prefix.clone()), None),
            (Some(Last::Item), Some(last)) => (Some(last.key.clone()), Some(id_text(last.version.id))),
            _ => (None, None),
        };
        let (versions, markers): (Vec<_>, Vec<_>) =
            page.items.iter().partition(|listed| listed.version.object.is_some());
        Ok(ListObjectVersionsOutput {
            versions: Some(versions.into_iter().filter_map(object_version).collect()),
            delete_markers: Some(markers.into_iter().map(delete_marker).collect()),
            common_prefixes: Some(common_prefixes(page.prefixes)),
            is_truncated: Some(next_key_marker.is_some()),
            next_key_marker,
            next_version_id_marker,
            key_marker: input.key_marker,
            version_id_marker: input.version_id_marker,
            max_keys: Some(input.max_keys.unwrap_or(1000)),
            name: Some(input.bucket),
            prefix: input.prefix,
            delimiter: input.delimiter,
            ..Default::default()
        })
    }

    fn page_of_versions(
        &self,
        bucket: &str,
        query: Query<'_>,
        key_marker: &str,
        version_marker: Option<&str>,
    ) -> S3Result<Page<ListedVersion>> {
        let index = self.storage.index();
        let bucket = index.bucket(bucket).map_err(absent)?;
        let mut view = self.faults.storage(Operation::ListVersions);
        let from =
            if version_marker.is_some() { Bound::Included(key_marker) } else { Bound::Excluded(key_marker) };
        if is_emptied(&mut view, query.prefix) {
            view.finish();
            return Ok(page(std::iter::empty(), query));
        }
        let keys = keys_from(bucket, from, query.prefix);
        let seen =
            keys.filter(|(key, versions)| see(&mut view, key, versions).is_some() || is_deleted(versions));
        let listed = seen.flat_map(|(key, versions)| {
            let marker = version_marker.filter(|_| key == key_marker);
            newest_first(key, versions, marker).map(move |listed| (key, listed))
        });
        let found = page(listed, query);
        view.finish();
        Ok(found)
    }
}

/// Where a page goes on.
enum After {
    Key(String),
    Prefix(String),
}

impl After {
    fn from_token(token: &str) -> S3Result<Self> {
        let read = |hex: &str| -> Option<String> {
            let bytes =
                hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok());
            String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok()
        };
        let parsed = match token.split_at_checked(1) {
            Some(("k", hex)) => read(hex).map(Self::Key),
            Some(("p", hex)) => read(hex).map(Self::Prefix),
            _ => None,
        };
        parsed.ok_or_else(|| S3ErrorCode::InvalidToken.into())
    }

    fn token(&self) -> String {
        match self {
            Self::Key(key) => format!("k{}", crate::digest::hex(key.as_bytes())),
            Self::Prefix(prefix) => format!("p{}", crate::digest::hex(prefix.as_bytes())),
        }
    }

    /// Keys up to this one are behind us.
    fn key(&self) -> &str {
        match self {
            Self::Key(text) | Self::Prefix(text) => text,
        }
    }

    fn prefix(&self) -> Option<&str> {
        match self {
            Self::Prefix(prefix) => Some(prefix),
            Self::Key(_) => None,
        }
    }
}

struct ListedVersion {
    key: String,
    version: Version,
    is_latest: bool,
}

/// The keys after `after` that start with `prefix`, in order.
fn keys_from<'a>(
    bucket: &'a Bucket,
    after: Bound<&str>,
    prefix: &str,
) -> impl Iterator<Item = (&'a str, &'a [Version])> {
    let start = match after {
        Bound::Excluded(key) | Bound::Included(key) if key < prefix => Bound::Included(prefix),
        other => other,
    };
    let keys = bucket.keys.range::<str, _>((start, Bound::Unbounded));
    let keys = keys.map(|(key, versions)| (key.as_str(), versions.as_slice()));
    keys.take_while(move |(key, _)| key.starts_with(prefix))
}

fn is_deleted(versions: &[Version]) -> bool {
    versions.last().is_some_and(|version| version.object.is_none())
}

/// The versions of a key older than the marker, or all of them.
fn newest_first(
    key: &str,
    versions: &[Version],
    marker: Option<&str>,
) -> impl Iterator<Item = ListedVersion> {
    let listed = versions.iter().enumerate().rev().map(move |(at, version)| ListedVersion {
        key: key.to_owned(),
        version: version.clone(),
        is_latest: at + 1 == versions.len(),
    });
    let marked = marker.and_then(|marker| versions.iter().rev().position(|v| id_text(v.id) == marker));
    listed.skip(marked.map_or(0, |at| at + 1))
}

fn page_limit(max_keys: Option<i32>) -> usize {
    max_keys.map_or(PAGE_LIMIT, |max| usize::try_from(max).unwrap_or(0).min(PAGE_LIMIT))
}

fn common_prefixes(prefixes: Vec<String>) -> Vec<CommonPrefix> {
    prefixes.into_iter().map(|prefix| CommonPrefix { prefix: Some(prefix) }).collect()
}

fn object((key, seen): &(String, Seen)) -> Object {
    Object {
        key: Some(key.clone()),
        size: Some(size(seen.object.bytes)),
        e_tag: Some(etag(&seen.object.etag)),
        last_modified: Some(timestamp(seen.version.at)),
        ..Default::default()
    }
}

fn object_version(listed: &ListedVersion) -> Option<ObjectVersion> {
    let object = listed.version.object.as_deref()?;
    Some(ObjectVersion {
        key: Some(listed.key.clone()),
        version_id: Some(id_text(listed.version.id)),
        is_latest: Some(listed.is_latest),
        size: Some(size(object.bytes)),
        e_tag: Some(etag(&object.etag)),
        last_modified: Some(timestamp(listed.version.at)),
        ..Default::default()
    })
}

fn delete_marker(listed: &ListedVersion) -> DeleteMarkerEntry {
    DeleteMarkerEntry {
        key: Some(listed.key.clone()),
        version_id: Some(id_text(listed.version.id)),
        is_latest: Some(listed.is_latest),
        last_modified: Some(timestamp(listed.version.at)),
        ..Default::default()
    }
}
