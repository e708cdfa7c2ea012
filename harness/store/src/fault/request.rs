//! What an S3 request is about, read from its first line and headers alone.

use http::{HeaderMap, Method, Uri};

use super::plan::Operation;
use crate::percent::{Plus, decode};

/// What a request does and to what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) operation: Operation,
    /// Empty for requests about all buckets.
    pub(crate) bucket: String,
    /// The prefix for listings; empty for requests that have no key.
    pub(crate) key: String,
}

impl Target {
    /// Reads a request whose path is `/bucket/key`.
    pub(crate) fn of(method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let path = decode(uri.path(), Plus::IsPlus);
        let path = path.strip_prefix('/').unwrap_or(&path);
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let query = Query(uri.query().unwrap_or_default());
        if key.is_empty() {
            let (operation, prefix) = bucket_operation(method, bucket, query);
            return Self { operation, bucket: bucket.to_owned(), key: prefix };
        }
        let operation = object_operation(method, headers, query);
        Self { operation, bucket: bucket.to_owned(), key: key.to_owned() }
    }
}

/// What is asked of a bucket besides its keys.
const SETTINGS: [&str; 19] = [
    "accelerate",
    "acl",
    "cors",
    "encryption",
    "lifecycle",
    "location",
    "logging",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "tagging",
    "uploads",
    "versioning",
    "website",
];

fn bucket_operation(method: &Method, bucket: &str, query: Query<'_>) -> (Operation, String) {
    if *method == Method::POST && query.has("delete") {
        return (Operation::Delete, String::new());
    }
    if *method != Method::GET || bucket.is_empty() || SETTINGS.iter().any(|name| query.has(name)) {
        return (Operation::Bucket, String::new());
    }
    let operation = if query.has("versions") { Operation::ListVersions } else { Operation::List };
    (operation, query.value("prefix").unwrap_or_default())
}

fn object_operation(method: &Method, headers: &HeaderMap, query: Query<'_>) -> Operation {
    let in_upload = query.has("uploadId");
    match *method {
        Method::GET if in_upload => Operation::ListParts,
        Method::HEAD => Operation::Head,
        Method::PUT if in_upload => Operation::UploadPart,
        Method::PUT if headers.contains_key("x-amz-copy-source") => Operation::Copy,
        Method::PUT => Operation::Put,
        Method::POST if in_upload => Operation::CompleteUpload,
        Method::POST => Operation::CreateUpload,
        Method::DELETE if in_upload => Operation::AbortUpload,
        Method::DELETE => Operation::Delete,
        _ => Operation::Get,
    }
}

/// The part of a URL after the question mark, as it was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<'a>(pub(crate) &'a str);

impl<'a> Query<'a> {
    /// Names and values, not decoded.
    pub(crate) fn pairs(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }

    pub(crate) fn has(self, name: &str) -> bool {
        self.pairs().any(|(found, _)| found == name)
    }

    pub(crate) fn value(self, name: &str) -> Option<String> {
        self.pairs().find(|(found, _)| *found == name).map(|(_, value)| decode(value, Plus::IsSpace))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("GET", "/b/a/k", Operation::Get, "a/k")]
    #[case("GET", "/b/%C3%BC%2F%20+", Operation::Get, "ü/ +")]
    #[case("HEAD", "/b/k", Operation::Head, "k")]
    #[case("PUT", "/b/k", Operation::Put, "k")]
    #[case("DELETE", "/b/k?versionId=1", Operation::Delete, "k")]
    #[case("POST", "/b?delete", Operation::Delete, "")]
    #[case("POST", "/b/?delete=", Operation::Delete, "")]
    #[case("POST", "/b/k?uploads", Operation::CreateUpload, "k")]
    #[case("PUT", "/b/k?partNumber=1&uploadId=u", Operation::UploadPart, "k")]
    #[case("POST", "/b/k?uploadId=u", Operation::CompleteUpload, "k")]
    #[case("DELETE", "/b/k?uploadId=u", Operation::AbortUpload, "k")]
    #[case("GET", "/b/k?uploadId=u", Operation::ListParts, "k")]
    #[case("GET", "/b?list-type=2&prefix=a%2Fb&delimiter=%2F", Operation::List, "a/b")]
    #[case("GET", "/b/?prefix=a", Operation::List, "a")]
    #[case("GET", "/b?versions&prefix=a+b", Operation::ListVersions, "a b")]
    #[case("GET", "/b?location", Operation::Bucket, "")]
    #[case("GET", "/b?policy=", Operation::Bucket, "")]
    #[case("HEAD", "/b", Operation::Bucket, "")]
    #[case("PUT", "/b", Operation::Bucket, "")]
    #[case("GET", "/", Operation::Bucket, "")]
    fn a_request_is_recognised(
        #[case] method: Method,
        #[case] uri: Uri,
        #[case] operation: Operation,
        #[case] key: &str,
    ) {
        let target = Target::of(&method, &uri, &HeaderMap::new());
        assert_eq!((target.operation, target.key.as_str()), (operation, key));
    }

    #[test]
    fn a_copy_is_no_put() {
        let headers = HeaderMap::from_iter([("x-amz-copy-source".parse().unwrap(), "b/k".parse().unwrap())]);
        let target = Target::of(&Method::PUT, &Uri::from_static("/b/k2"), &headers);
        assert_eq!(target.operation, Operation::Copy);
    }
}
