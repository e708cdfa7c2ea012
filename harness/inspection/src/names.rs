//! The names in an archive: segments with their SHA-1, histories, and what else may lie there. Pure.

use crate::compression::Compression;
use chrono::{DateTime, Utc};
use phoenix_core::{SegmentSize, Timeline, WalSegment};

/// A whole WAL segment as it lies in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFile {
    /// Its 24 digits; which segment that is depends on the segments' size.
    pub name: String,
    /// The SHA-1 of its content, as its name says: 40 lower-case digits.
    pub sha1: String,
    /// How it is compressed, as its name says; `None` for an ending that nobody knows.
    pub compression: Option<Compression>,
    /// What it takes in the store.
    pub stored_bytes: u64,
    /// When it was archived, by the store's clock.
    pub archived_at: DateTime<Utc>,
}

impl SegmentFile {
    /// Where it lies within the archive's folder: `<16 digits>/<name>-<sha1>[.<ending>]`.
    pub fn path(&self) -> String {
        let Self { name, sha1, compression, .. } = self;
        let ending = compression.map(Compression::ending).unwrap_or_default();
        format!("{}/{name}-{sha1}{ending}", name.get(..16).unwrap_or(name))
    }

    /// The segment it holds, if segments are of this size and it ends where a position can be.
    pub fn segment(&self, size: SegmentSize) -> Option<WalSegment> {
        WalSegment::parse(&self.name, size).ok().filter(|segment| segment.number < u64::MAX / size.bytes())
    }
}

/// What a name in an archive's folder means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// A whole segment.
    Segment {
        /// Its 24 digits.
        name: String,
        /// The SHA-1 in its name.
        sha1: String,
        /// How it is compressed.
        compression: Option<Compression>,
    },
    /// The history of a timeline.
    History(Timeline),
    /// The part of a segment that was there at a promotion; recovery never reads it.
    Partial,
    /// Where a backup began and ended; recovery from it does not need this.
    BackupMark,
    /// Something else.
    Other,
}

/// Tells what a path within the archive's folder means.
pub fn meaning(path: &str) -> Named {
    let file = path.rsplit('/').next().unwrap_or(path);
    if let Some(timeline) = file.strip_suffix(".history").filter(|digits| digits.len() == 8) {
        return digits(timeline)
            .and_then(|_| u32::from_str_radix(timeline, 16).ok())
            .map_or(Named::Other, |timeline| Named::History(Timeline(timeline)));
    }
    let Some((name, rest)) = file.split_at_checked(24).filter(|(name, _)| digits(name).is_some()) else {
        return Named::Other;
    };
    match rest.strip_prefix('-') {
        Some(rest) => segment(name, rest),
        None if rest.starts_with(".partial") => Named::Partial,
        None if rest.ends_with(".backup") => Named::BackupMark,
        None => Named::Other,
    }
}

fn segment(name: &str, rest: &str) -> Named {
    let Some((sha1, ending)) = rest.split_at_checked(40) else { return Named::Other };
    if !sha1.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Named::Other;
    }
    let compression = match ending {
        "" => Some(Compression::None),
        _ if ending.starts_with('.') && !ending.contains(".pgbackrest.tmp") => Compression::of_ending(ending),
        _ => return Named::Other,
    };
    Named::Segment { name: name.to_owned(), sha1: sha1.to_owned(), compression }
}

fn digits(text: &str) -> Option<()> {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F')).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "000000010000000000000007";
    const SHA1: &str = "199728a43f1c51250847b3d71ad4eb727f678244";

    fn segment_of(compression: Option<Compression>) -> Named {
        Named::Segment { name: NAME.into(), sha1: SHA1.into(), compression }
    }

    #[test]
    fn every_name_has_its_meaning() {
        let of = |rest: &str| meaning(&format!("0000000100000000/{NAME}{rest}"));
        assert_eq!(of(&format!("-{SHA1}")), segment_of(Some(Compression::None)));
        assert_eq!(of(&format!("-{SHA1}.zst")), segment_of(Some(Compression::Zst)));
        assert_eq!(of(&format!("-{SHA1}.rar")), segment_of(None));
        assert_eq!(of(&format!(".partial-{SHA1}.gz")), Named::Partial);
        assert_eq!(of(".00000028.backup"), Named::BackupMark);
        assert_eq!(meaning("0000000A.history"), Named::History(Timeline(10)));
        // what is still being written, and what is no digest
        for rest in
            [&format!("-{SHA1}.zst.pgbackrest.tmp"), "-0123", "", &format!("-{}", SHA1.to_uppercase())]
        {
            assert_eq!(of(rest), Named::Other, "{rest}");
        }
        for path in ["archive.info", "0000000g.history", "zażółć-gęślą-jaźń-zażółć"] {
            assert_eq!(meaning(path), Named::Other, "{path}");
        }
    }

    #[test]
    fn a_segment_knows_where_it_lies() {
        let file = SegmentFile {
            name: NAME.into(),
            sha1: SHA1.into(),
            compression: Some(Compression::Lz4),
            stored_bytes: 1,
            archived_at: DateTime::UNIX_EPOCH,
        };
        assert_eq!(file.path(), format!("0000000100000000/{NAME}-{SHA1}.lz4"));
        assert_eq!(file.segment(SegmentSize::MIN).unwrap().number, 7);
    }
}
