//! The archived WAL in a repository: `…/archive/<stanza>/15-1/<16 digits>/<24 digits>-<sha1>.zst`, and
//! `…/archive/<stanza>/15-1/<8 digits>.history` for each timeline but the first.

use phoenix_core::{Lsn, SegmentSize, Timeline, WalSegment};
use std::collections::{BTreeMap, BTreeSet};

/// An object that holds a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its key.
    pub key: String,
    /// Its size, as it is stored.
    pub bytes: u64,
}

/// The archive of one stanza, as the store lists it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Archive {
    /// Each segment, with the object that holds it.
    pub segments: BTreeMap<WalSegment, Stored>,
    /// The key of each timeline's history.
    pub histories: BTreeMap<Timeline, String>,
    /// One for each cluster that ever archived here: `15-1`.
    pub ids: BTreeSet<String>,
}

impl Archive {
    /// What these keys and sizes tell.
    pub fn of<'a>(objects: impl IntoIterator<Item = (&'a str, u64)>, size: SegmentSize) -> Self {
        let mut archive = Self::default();
        for (key, bytes) in objects {
            let mut parts = key.rsplit('/');
            let name = parts.next().unwrap_or_default();
            let id = if let Some(segment) = segment(name, size) {
                archive.segments.insert(segment, Stored { key: key.to_owned(), bytes });
                parts.nth(1)
            } else if let Some(timeline) = history(name) {
                archive.histories.insert(timeline, key.to_owned());
                parts.next()
            } else {
                None
            };
            archive.ids.extend(id.map(str::to_owned));
        }
        archive
    }
}

/// Where a timeline came from: each of its ancestors, with the position at which it left it, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History(pub Vec<(Timeline, Lsn)>);

impl History {
    /// Reads the text of a `.history` file; `None` if it is something else.
    pub fn parse(text: &str) -> Option<Self> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let ancestor = |line: &str| {
            let mut words = line.split_whitespace();
            Some((Timeline(words.next()?.parse().ok()?), words.next()?.parse().ok()?))
        };
        let ancestors: Vec<_> = lines.map(ancestor).collect::<Option<_>>()?;
        (!ancestors.is_empty()).then_some(Self(ancestors))
    }

    /// Where this ancestor was left.
    pub fn left(&self, timeline: Timeline) -> Option<Lsn> {
        self.0.iter().find(|(ancestor, _)| *ancestor == timeline).map(|(_, at)| *at)
    }
}

/// The name of a timeline's history file.
pub fn history_name(timeline: Timeline) -> String {
    format!("{:08X}.history", timeline.0)
}

/// The segments among these keys. Partial segments, backup labels and history files are none.
pub fn segments<'a>(keys: impl IntoIterator<Item = &'a str>, size: SegmentSize) -> BTreeSet<WalSegment> {
    keys.into_iter().filter_map(|key| segment(key.rsplit('/').next()?, size)).collect()
}

fn segment(name: &str, size: SegmentSize) -> Option<WalSegment> {
    let (name, rest) = name.split_at_checked(24)?;
    let digest = rest.strip_prefix('-')?.split('.').next()?;
    let is_digest = digest.len() == 40 && digest.bytes().all(|b| b.is_ascii_hexdigit());
    WalSegment::parse(name, size).ok().filter(|_| is_digest)
}

fn history(name: &str) -> Option<Timeline> {
    let digits = name.strip_suffix(".history").filter(|digits| digits.len() == 8)?;
    u32::from_str_radix(digits, 16).ok().map(Timeline)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_segments_count() {
        let size = SegmentSize::new(1 << 20).unwrap();
        let sha = "0123456789012345678901234567890123456789";
        let name = "000000010000000000000007";
        let keys = [
            format!("d/archive/castle/15-1/0000000100000000/{name}-{sha}.zst"),
            format!("d/archive/castle/15-1/0000000100000000/{name}.partial-{sha}.zst"),
            format!("d/archive/castle/15-1/0000000100000000/{name}.00000028.backup"),
            "d/archive/castle/15-2/00000002.history".to_owned(),
            format!("d/archive/castle/15-1/0000000100000000/000000010000000000000008-{sha}"),
            "d/archive/castle/archive.info".to_owned(),
        ];
        let held: Vec<_> =
            segments(keys.iter().map(String::as_str), size).into_iter().map(|s| s.number).collect();
        assert_eq!(held, [7, 8]);
        let archive = Archive::of(keys.iter().map(|key| (key.as_str(), 9)), size);
        assert_eq!(archive.segments.keys().map(|s| s.number).collect::<Vec<_>>(), [7, 8]);
        assert_eq!(archive.histories[&Timeline(2)], keys[3]);
        assert_eq!(archive.ids.into_iter().collect::<Vec<_>>(), ["15-1", "15-2"]);
    }

    #[test]
    fn a_history_names_ancestors_and_where_they_were_left() {
        let history =
            History::parse("1\t0/D00000\tno recovery target specified\n\n2\t1/E00028\tx\n").unwrap();
        assert_eq!(history.left(Timeline(1)), Some(Lsn(0xD0_0000)));
        assert_eq!(history.left(Timeline(2)), Some(Lsn(0x1_00E0_0028)));
        assert_eq!(history.left(Timeline(3)), None);
        for text in ["", "# nothing", "Salted__abc", "1"] {
            assert_eq!(History::parse(text), None, "{text}");
        }
        assert_eq!(history_name(Timeline(10)), "0000000A.history");
    }
}
