//! How S3 lists: a prefix, a delimiter that folds keys together, and pages. Pure.

/// Which keys a listing wants.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Query<'a> {
    pub(crate) prefix: &'a str,
    /// Keys that hold it after the prefix are folded into one common prefix.
    pub(crate) delimiter: Option<&'a str>,
    /// The last common prefix of the page before: nothing under it is listed again.
    pub(crate) after_prefix: Option<&'a str>,
    /// Items and common prefixes on a page together.
    pub(crate) limit: usize,
}

/// One page of a listing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) prefixes: Vec<String>,
    /// Where the next page goes on; `None` on the last page.
    pub(crate) next: Option<Last>,
}

/// What came last on a page that has a successor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    /// The last of the page's items.
    Item,
    /// This common prefix.
    Prefix(String),
}

/// Takes one page from `entries`, which start after the page before and are in the order of keys.
pub(crate) fn page<'a, T>(entries: impl Iterator<Item = (&'a str, T)>, query: Query<'_>) -> Page<T> {
    let mut page = Page { items: Vec::new(), prefixes: Vec::new(), next: None };
    let mut last = None;
    let wanted = entries.skip_while(|(key, _)| *key < query.prefix);
    for (key, item) in wanted.take_while(|(key, _)| key.starts_with(query.prefix)) {
        let folded = fold(key, query);
        if let Some(prefix) = folded
            && (page.prefixes.last().is_some_and(|known| known == prefix)
                || query.after_prefix == Some(prefix))
        {
            continue;
        }
        if page.items.len() + page.prefixes.len() == query.limit {
            page.next = last;
            return page;
        }
        if let Some(prefix) = folded {
            page.prefixes.push(prefix.to_owned());
            last = Some(Last::Prefix(prefix.to_owned()));
        } else {
            page.items.push(item);
            last = Some(Last::Item);
        }
    }
    page
}

/// The common prefix that a key is folded into, if it is.
pub(crate) fn fold<'a>(key: &'a str, query: Query<'_>) -> Option<&'a str> {
    let delimiter = query.delimiter.filter(|delimiter| !delimiter.is_empty())?;
    let rest = &key[query.prefix.len()..];
    let end = query.prefix.len() + rest.find(delimiter)? + delimiter.len();
    Some(&key[..end])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn list<'a>(keys: &[&'a str], query: Query<'_>) -> Page<&'a str> {
        page(keys.iter().map(|key| (*key, *key)), query)
    }

    #[test]
    fn a_prefix_limits_and_a_delimiter_folds() {
        let keys = ["a", "b/1", "b/2", "b/c/3", "d"];
        let all = Query { limit: 1000, ..Query::default() };
        assert_eq!(list(&keys, all).items, keys);
        let folded = list(&keys, Query { delimiter: Some("/"), ..all });
        assert_eq!((folded.items, folded.prefixes), (vec!["a", "d"], vec!["b/".to_owned()]));
        let below = list(&keys, Query { prefix: "b/", delimiter: Some("/"), ..all });
        assert_eq!((below.items, below.prefixes), (vec!["b/1", "b/2"], vec!["b/c/".to_owned()]));
    }

    #[test]
    fn a_page_of_nothing_is_the_last() {
        let none = list(&["a"], Query { limit: 0, ..Query::default() });
        assert_eq!(none, Page { items: vec![], prefixes: vec![], next: None });
    }

    proptest! {
        /// Whatever the page's size, the pages together are the listing, each thing once.
        #[test]
        fn pages_add_up(
            keys in prop::collection::btree_set("[ab/]{1,4}", 0..40),
            prefix in "[ab/]{0,2}",
            delimiter in prop::option::of(Just("/")),
            limit in 1_usize..5,
        ) {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let query = Query { prefix: &prefix, delimiter, after_prefix: None, limit: usize::MAX };
            let whole = list(&keys, query);
            let (mut items, mut prefixes) = (Vec::new(), Vec::new());
            let (mut after, mut after_prefix) = (String::new(), None::<String>);
            loop {
                let rest: Vec<&str> = keys.iter().copied().filter(|key| *key > after.as_str()).collect();
                let page = list(&rest, Query { after_prefix: after_prefix.as_deref(), limit, ..query });
                prop_assert!(page.items.len() + page.prefixes.len() <= limit);
                items.extend(page.items.iter().copied());
                prefixes.extend(page.prefixes.iter().cloned());
                match page.next {
                    None => break,
                    Some(Last::Item) => (after, after_prefix) = ((*page.items.last().unwrap()).to_owned(), None),
                    Some(Last::Prefix(prefix)) => (after, after_prefix) = (prefix.clone(), Some(prefix)),
                }
            }
            prop_assert_eq!(&items, &whole.items);
            prop_assert_eq!(&prefixes, &whole.prefixes);
            let expected: BTreeSet<&str> = keys.iter().copied().filter(|key| key.starts_with(&prefix)).collect();
            let folded = |key: &&&str| delimiter.is_some_and(|d| key[prefix.len()..].contains(d));
            prop_assert_eq!(items.len(), expected.iter().filter(|key| !folded(key)).count());
        }
    }
}
