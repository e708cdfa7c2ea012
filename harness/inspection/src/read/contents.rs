//! The content of segments, held against the SHA-1 in their names.

use super::files::Opener;
use crate::{
    compression::{self, Compression, Content},
    names::SegmentFile,
    page::PageHeader,
    seen::{Reading, SeenArchive},
    source::Source,
};
use futures::{StreamExt, stream};
use phoenix_core::SegmentSize;
use std::collections::{BTreeMap, BTreeSet};

/// How many segments are held in memory at a time.
const AT_A_TIME: usize = 8;

/// Whose content is read.
#[derive(Debug, Clone)]
pub enum Which {
    /// Every file's.
    All,
    /// Those of these files of the repository.
    These(BTreeSet<String>),
}

impl Which {
    pub(super) fn includes(&self, key: &str) -> bool {
        match self {
            Self::All => true,
            Self::These(keys) => keys.contains(key),
        }
    }
}

pub(super) async fn read(
    source: &dyn Source,
    folder: &str,
    archive: &SeenArchive,
    which: &Which,
    opener: &Opener,
) -> BTreeMap<String, Reading<Option<PageHeader>>> {
    let wanted = archive.segments.iter().filter(|file| which.includes(&format!("{folder}{}", file.path())));
    let each = wanted.map(|file| async move {
        let path = file.path();
        let content = one(source, &format!("{folder}{path}"), file, archive.segment_size, opener).await;
        (path, content)
    });
    stream::iter(each).buffer_unordered(AT_A_TIME).collect().await
}

async fn one(
    source: &dyn Source,
    key: &str,
    file: &SegmentFile,
    size: Option<SegmentSize>,
    opener: &Opener,
) -> Reading<Option<PageHeader>> {
    let Some(compression) = file.compression else {
        return Reading::Refused("its compression is not known here".to_owned());
    };
    let bytes = match opener.open(source.get(key).await) {
        Ok(bytes) => bytes,
        Err(trouble) => return trouble.without(),
    };
    let sha1 = file.sha1.clone();
    // hashing a segment takes long enough to keep others waiting
    let judged = tokio::task::spawn_blocking(move || compare(&bytes, compression, &sha1, size)).await;
    judged.unwrap_or_else(|ended| Reading::Refused(ended.to_string()))
}

fn compare(
    bytes: &[u8],
    compression: Compression,
    sha1: &str,
    size: Option<SegmentSize>,
) -> Reading<Option<PageHeader>> {
    match compression::content(bytes, compression) {
        Err(error) => Reading::Damaged(format!("it does not decompress: {error}")),
        Ok(Content { sha1: found, .. }) if found != sha1 => {
            Reading::Damaged(format!("its content hashes to {found}"))
        }
        Ok(Content { bytes, .. }) if size.is_some_and(|size| size.bytes() != bytes) => {
            Reading::Damaged(format!("it holds {bytes} bytes"))
        }
        Ok(Content { page, .. }) => Reading::Whole(page),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_name_says_is_whole() {
        let sha1 = compression::content(b"abc", Compression::None).unwrap().sha1;
        let of = |bytes: &[u8], size| compare(bytes, Compression::None, &sha1, size);
        assert!(of(b"abc", None).whole().is_some());
        assert_eq!(
            of(b"ab", None).trouble().unwrap(),
            "is damaged: its content hashes to da23614e02469a0d7c7bd1bdab5c9c474b1904dc"
        );
        assert_eq!(of(b"abc", Some(SegmentSize::MIN)).trouble().unwrap(), "is damaged: it holds 3 bytes");
        let torn = compare(b"abc", Compression::Zst, &sha1, None).trouble().unwrap();
        assert!(torn.starts_with("is damaged: it does not decompress"), "{torn}");
    }
}
