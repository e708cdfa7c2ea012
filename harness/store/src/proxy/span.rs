//! Which keys belong to a page that the store made. Pure.

use std::ops::Bound;

use super::versions::{Entry, Keys};
use super::xml::{Document, Element};
use crate::fault::request::Query as UrlQuery;
use crate::fault::sight::Held;
use crate::storage::listing::{Query, fold};

/// From where to where a page goes.
pub(super) struct Span<'a> {
    pub(super) query: Query<'a>,
    first: Bound<String>,
    /// The last key or common prefix, if there is another page.
    last: Option<String>,
}

impl<'a> Span<'a> {
    /// `None` if there is nothing to say where a later page begins.
    pub(super) fn of(document: &Document<'_>, url: UrlQuery<'_>, query: Query<'a>) -> Option<Self> {
        let names = || document.children.iter().filter_map(|child| listed(document, child));
        let goes_on = ["continuation-token", "marker", "key-marker"];
        let first = if goes_on.iter().any(|name| url.value(name).is_some_and(|value| !value.is_empty())) {
            Bound::Included(names().min()?)
        } else {
            Bound::Excluded(url.value("start-after").unwrap_or_default())
        };
        let last = if document.text("IsTruncated") == "true" { names().max() } else { None };
        Some(Self { query, first, last })
    }

    /// What the store can be asked to list after, so that it lists all that is in the span. There are
    /// stores that list nothing after a key that does not start with the prefix.
    pub(super) fn key_before_all(&self) -> String {
        let key = match &self.first {
            Bound::Included(name) => {
                let mut shorter = name.clone();
                shorter.pop();
                shorter
            }
            Bound::Excluded(key) => key.clone(),
            Bound::Unbounded => String::new(),
        };
        if key.starts_with(self.query.prefix) { key } else { String::new() }
    }

    /// What a listing shows for a key: the key, or its common prefix.
    pub(super) fn name<'k>(&self, key: &'k str) -> &'k str {
        if key.starts_with(self.query.prefix) { fold(key, self.query).unwrap_or(key) } else { key }
    }

    /// What the next page begins with: a key that is there, not one that is deleted.
    pub(super) fn next_page<'k>(&self, keys: &'k Keys) -> Option<&'k str> {
        let last = self.last.as_deref()?;
        let there = keys.iter().filter(|(_, held)| held.latest.is_some());
        there.map(|(key, _)| self.name(key)).find(|name| *name > last)
    }

    /// The keys of this page. What is deleted belongs to the page before it; there are stores that
    /// begin a page with the prefix of keys that are all deleted.
    pub(super) fn keys<'k>(&self, keys: &'k Keys) -> impl Iterator<Item = (&'k str, &'k Held<Entry>)> {
        let next = self.next_page(keys);
        let begins = |(key, held): &(&str, &Held<Entry>)| match &self.first {
            Bound::Included(first) => held.latest.is_some() && self.name(key) >= first.as_str(),
            Bound::Excluded(first) => *key > first.as_str(),
            Bound::Unbounded => true,
        };
        keys.iter()
            .map(|(key, held)| (key.as_str(), held))
            .skip_while(move |entry| !begins(entry))
            .take_while(move |(key, _)| next.is_none_or(|next| self.name(key) < next))
    }
}

/// The key or common prefix that a child of the root shows.
pub(super) fn listed(document: &Document<'_>, child: &Element<'_>) -> Option<String> {
    let text = match child.name.as_str() {
        "Contents" | "Version" | "DeleteMarker" => child.field("Key"),
        "CommonPrefixes" => child.field("Prefix"),
        _ => return None,
    };
    Some(document.coding().read(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(latest: Option<()>) -> Held<Entry> {
        let entry = Entry {
            version_id: "1".to_owned(),
            modified: String::new(),
            etag: String::new(),
            bytes: String::new(),
            storage_class: String::new(),
        };
        Held { latest: latest.map(|()| entry.clone()), before: Some(entry) }
    }

    /// What one page shows if every version before is seen, by the page that the store made.
    fn names(url: &str, entries: &[&str], truncated: bool) -> Vec<String> {
        let there = Some(());
        let keys: Keys =
            [("a", there), ("b/1", None), ("c", there), ("d/1", None), ("d/2", None), ("e", there)]
                .map(|(key, latest)| (key.to_owned(), held(latest)))
                .into();
        let entries: String =
            entries.iter().map(|name| format!("<Contents><Key>{name}</Key></Contents>")).collect();
        let text = format!("<L><IsTruncated>{truncated}</IsTruncated>{entries}</L>");
        let query = Query { prefix: "", delimiter: Some("/"), after_prefix: None, limit: usize::MAX };
        let span = Span::of(&Document::parse(&text).unwrap(), UrlQuery(url), query).unwrap();
        let mut names: Vec<String> = span.keys(&keys).map(|(key, _)| span.name(key).to_owned()).collect();
        names.dedup();
        names
    }

    #[test]
    fn pages_meet_where_the_next_key_is_there() {
        assert_eq!(names("list-type=2", &["a"], true), ["a", "b/"]);
        assert_eq!(names("list-type=2&continuation-token=t", &["c"], true), ["c", "d/"]);
        assert_eq!(names("list-type=2&continuation-token=t", &["e"], false), ["e"]);
        assert_eq!(names("list-type=2", &["a", "c", "e"], false), ["a", "b/", "c", "d/", "e"]);
        assert_eq!(names("list-type=2&start-after=b/1", &["c"], true), ["c", "d/"]);
    }

    #[test]
    fn a_prefix_of_deleted_keys_is_not_on_two_pages() {
        assert_eq!(names("list-type=2&continuation-token=t", &["d/"], true), [""; 0]);
        assert_eq!(names("list-type=2&continuation-token=t", &["d/", "e"], false), ["e"]);
        assert_eq!(names("list-type=2", &["a", "b/"], true), ["a", "b/"]);
    }
}
