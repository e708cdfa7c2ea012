//! The names of archived WAL in a repository: `…/archive/<stanza>/15-1/<16 digits>/<24 digits>-<sha1>.zst`.

use phoenix_core::{SegmentSize, WalSegment};
use std::collections::BTreeSet;

/// The segments among these keys. Partial segments, backup labels and history files are none.
pub fn segments<'a>(keys: impl IntoIterator<Item = &'a str>, size: SegmentSize) -> BTreeSet<WalSegment> {
    let segment = |key: &str| {
        let (name, rest) = key.rsplit('/').next()?.split_at_checked(24)?;
        let digest = rest.strip_prefix('-')?.split('.').next()?;
        let is_digest = digest.len() == 40 && digest.bytes().all(|b| b.is_ascii_hexdigit());
        WalSegment::parse(name, size).ok().filter(|_| is_digest)
    };
    keys.into_iter().filter_map(segment).collect()
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
            "d/archive/castle/15-1/00000002.history".to_owned(),
            format!("d/archive/castle/15-1/0000000100000000/000000010000000000000008-{sha}"),
            "d/archive/castle/archive.info".to_owned(),
        ];
        let held: Vec<_> =
            segments(keys.iter().map(String::as_str), size).into_iter().map(|s| s.number).collect();
        assert_eq!(held, [7, 8]);
    }
}
