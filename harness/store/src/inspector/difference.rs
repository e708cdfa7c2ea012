//! What changed in a store between two looks at it. Pure.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What a version is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionKind {
    /// Bytes.
    Object,
    /// The mark that the key was deleted.
    DeleteMarker,
}

/// One version of one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectVersion {
    /// The key.
    pub key: String,
    /// Unique for the key; `null` in a bucket that keeps no versions.
    pub version_id: String,
    /// The digest of its bytes; empty for a delete marker.
    pub etag: String,
    /// Its size; 0 for a delete marker.
    pub bytes: u64,
    /// Whether it is what a reader of the key gets.
    pub is_latest: bool,
    /// What it is.
    pub kind: VersionKind,
    /// When it was written, by the store's clock.
    pub modified: DateTime<Utc>,
}

impl ObjectVersion {
    /// Whether both are the same thing with the same content.
    fn is_same_content(&self, other: &Self) -> bool {
        (&self.etag, self.bytes, self.kind) == (&other.etag, other.bytes, other.kind)
    }
}

/// A version whose content is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alteration {
    /// As it was.
    pub before: ObjectVersion,
    /// As it is.
    pub after: ObjectVersion,
}

/// What changed, in the order of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreDifference {
    /// There now, and not before.
    pub added: Vec<ObjectVersion>,
    /// There before, and not now.
    pub missing: Vec<ObjectVersion>,
    /// There both times, with another content.
    pub altered: Vec<Alteration>,
}

impl StoreDifference {
    /// Whether everything that was there is there still, as it was.
    #[must_use]
    pub fn keeps_everything(&self) -> bool {
        self.missing.is_empty() && self.altered.is_empty()
    }
}

/// Compares two looks at the same prefix of the same bucket, given in any order. A version that is
/// no longer the latest is not altered: something was added.
#[must_use]
pub fn difference(before: &[ObjectVersion], after: &[ObjectVersion]) -> StoreDifference {
    let (before, mut after) = (by_identity(before), by_identity(after));
    let mut found = StoreDifference::default();
    for (identity, version) in before {
        match after.remove(&identity) {
            None => found.missing.push(version.clone()),
            Some(now) if version.is_same_content(now) => {}
            Some(now) => found.altered.push(Alteration { before: version.clone(), after: now.clone() }),
        }
    }
    found.added = after.into_values().cloned().collect();
    found
}

fn by_identity(versions: &[ObjectVersion]) -> BTreeMap<(&str, &str), &ObjectVersion> {
    versions.iter().map(|version| ((version.key.as_str(), version.version_id.as_str()), version)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::*;

    fn version(key: &str, id: u8, content: u8) -> ObjectVersion {
        ObjectVersion {
            key: key.to_owned(),
            version_id: id.to_string(),
            etag: content.to_string(),
            bytes: u64::from(content),
            is_latest: false,
            kind: VersionKind::Object,
            modified: DateTime::UNIX_EPOCH,
        }
    }

    fn store() -> impl Strategy<Value = Vec<ObjectVersion>> {
        let versions = btree_map(("[ab]", 0_u8..4), 0_u8..3, 0..8);
        versions
            .prop_map(|all| all.into_iter().map(|((key, id), content)| version(&key, id, content)).collect())
    }

    fn identities(versions: &[ObjectVersion]) -> Vec<(String, String)> {
        versions.iter().map(|v| (v.key.clone(), v.version_id.clone())).collect()
    }

    #[test]
    fn a_new_version_over_an_old_one_is_an_addition_alone() {
        let mut old = version("a", 1, 1);
        old.is_latest = true;
        let new = version("a", 2, 2);
        let found = difference(&[old.clone()], &[new.clone(), ObjectVersion { is_latest: false, ..old }]);
        assert_eq!(found, StoreDifference { added: vec![new], ..StoreDifference::default() });
        assert!(found.keeps_everything());
    }

    #[test]
    fn other_bytes_under_the_same_version_are_an_alteration() {
        let (before, after) = (version("a", 1, 1), version("a", 1, 2));
        let found = difference(std::slice::from_ref(&before), std::slice::from_ref(&after));
        assert_eq!(found.altered, [Alteration { before, after }]);
        assert!(!found.keeps_everything());
    }

    proptest! {
        #[test]
        fn nothing_differs_from_itself_in_any_order(store in store().prop_shuffle(), again in any::<u64>()) {
            let mut rotated = store.clone();
            rotated.rotate_left(usize::try_from(again % 8).unwrap_or(0).min(store.len()));
            prop_assert_eq!(difference(&store, &rotated), StoreDifference::default());
        }

        #[test]
        fn each_way_is_the_others_mirror(one in store(), two in store()) {
            let (there, back) = (difference(&one, &two), difference(&two, &one));
            prop_assert_eq!(there.added, back.missing);
            prop_assert_eq!(there.missing, back.added);
            prop_assert_eq!(there.altered.len(), back.altered.len());
        }

        /// What was there is missing, altered or untouched; what is there is added, altered or untouched.
        #[test]
        fn every_version_is_accounted_for(one in store(), two in store()) {
            let found = difference(&one, &two);
            let untouched = one.iter().filter(|v| two.contains(v)).count();
            prop_assert_eq!(found.missing.len() + found.altered.len() + untouched, one.len());
            prop_assert_eq!(found.added.len() + found.altered.len() + untouched, two.len());
        }

        #[test]
        fn exactly_what_was_removed_is_missing(store in store(), kept in vec(any::<bool>(), 8)) {
            let (left, removed): (Vec<_>, Vec<_>) =
                store.iter().cloned().zip(kept).partition(|(_, kept)| *kept);
            let strip = |pairs: Vec<(ObjectVersion, bool)>| pairs.into_iter().map(|(v, _)| v).collect::<Vec<_>>();
            let found = difference(&store, &strip(left));
            prop_assert_eq!(identities(&found.missing), identities(&strip(removed)));
            prop_assert!(found.added.is_empty() && found.altered.is_empty());
        }
    }
}
