//! What the store behind the proxy really holds: asked with keys of the proxy's own.

use std::collections::BTreeMap;

use http::header::HeaderMap;
use http::{Method, Response, StatusCode};
use http_body_util::BodyExt;

use super::error::ProxyError;
use super::signer::Signer;
use super::upstream::Line;
use super::xml::{Document, Element};
use crate::fault::layer::AnswerBody;
use crate::fault::sight::Held;
use crate::percent::encode;

/// A version of a key, in the words of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) version_id: String,
    pub(super) modified: String,
    pub(super) etag: String,
    pub(super) bytes: String,
    pub(super) storage_class: String,
}

/// Keys in S3's order, each with what matters of its versions.
pub(super) type Keys = BTreeMap<String, Held<Entry>>;

/// Which keys are asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) bucket: &'a str,
    pub(super) prefix: &'a str,
    /// Only keys after this one are.
    pub(super) after: &'a str,
}

/// Asks the store on a connection of its own, while another holds the answer for the client.
pub(super) struct Versions<'a> {
    pub(super) line: &'a Line,
    pub(super) signer: &'a Signer,
}

impl Versions<'_> {
    /// What is under one key; `None` if there is no such bucket.
    pub(super) async fn of(&self, bucket: &str, key: &str) -> Result<Option<Held<Entry>>, ProxyError> {
        let wanted = Wanted { bucket, prefix: key, after: "" };
        // Keys that are longer come later.
        let keys = self.list(wanted, |found| found.len() > 1).await?;
        let nothing = Held { latest: None, before: None };
        Ok(keys.map(|mut keys| keys.remove(key).unwrap_or(nothing)))
    }

    /// Keys page by page until `enough` has been seen or there are no more; `None` if there is no such
    /// bucket. The last key may lack versions if there are more.
    pub(super) async fn list(
        &self,
        wanted: Wanted<'_>,
        enough: impl Fn(&Keys) -> bool,
    ) -> Result<Option<Keys>, ProxyError> {
        let mut keys = Keys::new();
        let mut markers = marker("key-marker", wanted.after);
        loop {
            let query = format!("encoding-type=url{markers}{}&versions=", marker("prefix", wanted.prefix));
            let request = self.signer.request(Method::GET, wanted.bucket, "", &query, HeaderMap::new())?;
            let response = self.line.send(request).await?;
            match response.status() {
                StatusCode::OK => {}
                StatusCode::NOT_FOUND => return Ok(None),
                status => return Err(ProxyError::Versions { status }),
            }
            let text = text(response).await?;
            let page = Document::parse(&text)?;
            add(&mut keys, &page);
            let next = page.coding().read(page.text("NextKeyMarker"));
            if page.text("IsTruncated") != "true" || next.is_empty() || enough(&keys) {
                return Ok(Some(keys));
            }
            let version = marker("version-id-marker", page.text("NextVersionIdMarker"));
            markers = format!("{}{version}", marker("key-marker", &next));
        }
    }
}

/// A part of a query, if there is a value.
fn marker(name: &str, value: &str) -> String {
    if value.is_empty() { String::new() } else { format!("&{name}={}", encode(value)) }
}

fn add(keys: &mut Keys, page: &Document<'_>) {
    let coding = page.coding();
    let is_version = |element: &&Element<'_>| matches!(element.name.as_str(), "Version" | "DeleteMarker");
    for element in page.children.iter().filter(is_version) {
        let held =
            keys.entry(coding.read(element.field("Key"))).or_insert(Held { latest: None, before: None });
        if element.name == "DeleteMarker" {
            continue;
        }
        // The versions of a key are listed from the newest.
        if element.field("IsLatest") == "true" {
            held.latest = Some(entry(element));
        } else if held.before.is_none() {
            held.before = Some(entry(element));
        }
    }
}

fn entry(element: &Element<'_>) -> Entry {
    let field = |name| element.field(name).to_owned();
    Entry {
        version_id: field("VersionId"),
        modified: field("LastModified"),
        etag: field("ETag"),
        bytes: field("Size"),
        storage_class: field("StorageClass"),
    }
}

/// All of an answer that is a text.
pub(super) async fn text(response: Response<AnswerBody>) -> Result<String, ProxyError> {
    let body = response.into_body().collect().await.map_err(ProxyError::BrokeOff)?;
    String::from_utf8(body.to_bytes().into())
        .map_err(|error| ProxyError::Unreadable { reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_and_the_object_before_it_are_found() {
        let version = |key: &str, id: &str, latest: bool| {
            format!(
                "<Version><Key>{key}</Key><VersionId>{id}</VersionId><IsLatest>{latest}</IsLatest></Version>"
            )
        };
        let marker =
            |key: &str| format!("<DeleteMarker><Key>{key}</Key><IsLatest>true</IsLatest></DeleteMarker>");
        let children = [
            version("deleted", "d2", false),
            version("deleted", "d1", false),
            version("one", "o1", true),
            version("two", "t3", true),
            version("two", "t2", false),
            version("two", "t1", false),
            // Some stores list the delete markers last.
            marker("deleted"),
            marker("nothing else"),
        ];
        let text = format!("<ListVersionsResult>{}</ListVersionsResult>", children.concat());
        let mut keys = Keys::new();
        add(&mut keys, &Document::parse(&text).unwrap());
        let id = |entry: &Option<Entry>| entry.as_ref().map(|entry| entry.version_id.clone());
        let found: Vec<_> =
            keys.iter().map(|(key, held)| (key.as_str(), id(&held.latest), id(&held.before))).collect();
        let some = |id: &str| Some(id.to_owned());
        let expected = [
            ("deleted", None, some("d2")),
            ("nothing else", None, None),
            ("one", some("o1"), None),
            ("two", some("t3"), some("t2")),
        ];
        assert_eq!(found, expected);
    }
}
