//! A page of a listing, written again as the armed faults want it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use quick_xml::escape::escape;

use super::span::{Span, listed};
use super::versions::{Entry, Keys};
use super::xml::{Document, Element};
use crate::fault::sight::{Seen, is_emptied, see};
use crate::fault::{Faults, Operation};
use crate::storage::listing::{Page, page};

/// What a page shows under a key.
enum Shown<'k> {
    AsItIs,
    Before(&'k Entry),
}

/// A page of keys.
pub(super) fn keys_page(document: &Document<'_>, span: &Span<'_>, keys: &Keys, faults: &Faults) -> String {
    let mut view = faults.storage(Operation::List);
    if is_emptied(&mut view, span.query.prefix) {
        view.finish();
        return write(document, &[], Pages::TheLast);
    }
    let seen = span.keys(keys).filter_map(|(key, held)| match see(&mut view, key, held.as_ref()) {
        Seen::Latest(Some(_)) | Seen::Emptied(_) => Some((key, (key, Shown::AsItIs))),
        Seen::Before(entry) => Some((key, (key, Shown::Before(entry)))),
        Seen::Latest(None) | Seen::Lost => None,
    });
    let found = page(seen, span.query);
    view.finish();
    let mut entries = contents(document, &found);
    entries.extend(found.prefixes.iter().map(|prefix| common_prefix(document, prefix)));
    write(document, &entries, Pages::AsTheyAre)
}

/// A page of versions, of which those of lost keys are missing.
pub(super) fn versions_page(
    document: &Document<'_>,
    span: &Span<'_>,
    keys: &Keys,
    faults: &Faults,
) -> String {
    let mut view = faults.storage(Operation::ListVersions);
    if is_emptied(&mut view, span.query.prefix) {
        view.finish();
        return write(document, &[], Pages::TheLast);
    }
    let (mut lost, mut shown) = (BTreeSet::new(), BTreeSet::new());
    for (key, held) in span.keys(keys) {
        match see(&mut view, key, held.as_ref()) {
            Seen::Lost => lost.extend([key, span.name(key)]),
            _ => shown.extend([key, span.name(key)]),
        }
    }
    view.finish();
    let is_lost = |name: &str| lost.contains(name) && !shown.contains(name);
    let entries =
        document.children.iter().filter(|child| listed(document, child).is_some_and(|name| !is_lost(&name)));
    write(document, &entries.map(|child| child.raw.to_owned()).collect::<Vec<_>>(), Pages::AsTheyAre)
}

/// A key that was put after the store made the page is not on it.
fn contents(document: &Document<'_>, page: &Page<(&str, Shown<'_>)>) -> Vec<String> {
    let coding = document.coding();
    let is_content = |child: &&Element<'_>| child.name == "Contents";
    let raw: BTreeMap<String, &str> = document
        .children
        .iter()
        .filter(is_content)
        .map(|child| (coding.read(child.field("Key")), child.raw))
        .collect();
    let content = |(key, shown): &(&str, Shown<'_>)| match shown {
        Shown::AsItIs => raw.get(*key).map(|raw| (*raw).to_owned()),
        Shown::Before(entry) => Some(content(&coding.write(key), entry)),
    };
    page.items.iter().filter_map(content).collect()
}

fn content(key: &str, entry: &Entry) -> String {
    let Entry { modified, etag, bytes, storage_class, .. } = entry;
    let [modified, etag, bytes, class] =
        [modified, etag, bytes, storage_class].map(|text| escape(text.as_str()));
    let class =
        if class.is_empty() { String::new() } else { format!("<StorageClass>{class}</StorageClass>") };
    format!(
        "<Contents><Key>{key}</Key><LastModified>{modified}</LastModified><ETag>{etag}</ETag><Size>{bytes}</Size>{class}</Contents>"
    )
}

fn common_prefix(document: &Document<'_>, prefix: &str) -> String {
    format!("<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", document.coding().write(prefix))
}

/// Whether pages follow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pages {
    AsTheyAre,
    TheLast,
}

/// The page with other entries; what else it says is as it was.
fn write(document: &Document<'_>, entries: &[String], pages: Pages) -> String {
    let mut text = document.head.to_owned();
    for child in document.children.iter().filter(|child| listed(document, child).is_none()) {
        match child.name.as_str() {
            "KeyCount" => text.push_str(&format!("<KeyCount>{}</KeyCount>", entries.len())),
            "IsTruncated" if pages == Pages::TheLast => text.push_str("<IsTruncated>false</IsTruncated>"),
            name if pages == Pages::TheLast && name.starts_with("Next") => {}
            _ => text.push_str(child.raw),
        }
    }
    text.extend(entries.iter().map(String::as_str));
    text.push_str(&format!("</{}>", document.root));
    text
}
