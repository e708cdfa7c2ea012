//! What pgBackRest compresses with, undone in memory. Pure.

use crate::{
    page::{HEADER_BYTES, PageHeader},
    text::hex,
};
use sha1::{Digest, Sha1};
use std::io::{self, Read};

/// How a file in a repository is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gz,
    /// Zstandard.
    Zst,
    /// LZ4 frames.
    Lz4,
    /// bzip2.
    Bz2,
}

impl Compression {
    const ALL: [Self; 5] = [Self::None, Self::Gz, Self::Zst, Self::Lz4, Self::Bz2];

    /// The ending of a file's name, with its dot.
    pub fn ending(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gz => ".gz",
            Self::Zst => ".zst",
            Self::Lz4 => ".lz4",
            Self::Bz2 => ".bz2",
        }
    }

    /// The compression that an ending, with its dot, means.
    pub fn of_ending(ending: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|compression| compression.ending() == ending)
    }

    fn reader<'a>(self, bytes: &'a [u8]) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Self::None => Box::new(bytes),
            Self::Gz => Box::new(flate2::read::MultiGzDecoder::new(bytes)),
            Self::Zst => Box::new(ruzstd::decoding::StreamingDecoder::new(bytes).map_err(io::Error::other)?),
            Self::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(bytes)),
            Self::Bz2 => Box::new(bzip2::read::MultiBzDecoder::new(bytes)),
        })
    }
}

/// What the content of a segment is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Its SHA-1, as lower-case digits.
    pub sha1: String,
    /// Its length.
    pub bytes: u64,
    /// What it says of itself, if it is a segment.
    pub page: Option<PageHeader>,
}

/// Hashes what compressed bytes hold.
///
/// # Errors
/// If they do not decompress to their end.
pub fn content(bytes: &[u8], compression: Compression) -> io::Result<Content> {
    let mut reader = compression.reader(bytes)?;
    let (mut hash, mut length, mut buffer) = (Sha1::new(), 0, vec![0; 256 << 10]);
    let mut begin = Vec::with_capacity(HEADER_BYTES);
    loop {
        match reader.read(&mut buffer)? {
            0 => {
                let (sha1, page) = (hex(&hash.finalize()), PageHeader::read(&begin));
                return Ok(Content { sha1, bytes: length, page });
            }
            read => {
                hash.update(&buffer[..read]);
                length += read as u64;
                begin.extend(buffer[..read].iter().take(HEADER_BYTES - begin.len()));
            }
        }
    }
}

/// What a compressed segment says of itself; `None` if it does not begin like one.
pub fn page_header(bytes: &[u8], compression: Compression) -> Option<PageHeader> {
    let mut header = [0; HEADER_BYTES];
    compression.reader(bytes).ok()?.read_exact(&mut header).ok()?;
    PageHeader::read(&header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::PAGE;
    use std::io::Write;

    fn compressed(compression: Compression, bytes: &[u8]) -> Vec<u8> {
        match compression {
            Compression::None => bytes.to_vec(),
            Compression::Gz => {
                let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                writer.write_all(bytes).unwrap();
                writer.finish().unwrap()
            }
            Compression::Zst => {
                ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
            }
            Compression::Lz4 => {
                let mut writer = lz4_flex::frame::FrameEncoder::new(Vec::new());
                writer.write_all(bytes).unwrap();
                writer.finish().unwrap()
            }
            Compression::Bz2 => {
                let mut writer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
                writer.write_all(bytes).unwrap();
                writer.finish().unwrap()
            }
        }
    }

    /// A page and some more that compresses badly.
    fn segment() -> Vec<u8> {
        let mut noise = 1_u32;
        let rest = std::iter::repeat_with(|| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            noise.to_be_bytes()[0]
        });
        PAGE.into_iter().chain(rest).take(300_000).collect()
    }

    #[test]
    fn the_content_is_hashed_whatever_it_is_compressed_with() {
        let plain = content(&segment(), Compression::None).unwrap();
        assert_eq!((plain.bytes, plain.page), (300_000, PageHeader::read(&PAGE)));
        for compression in Compression::ALL {
            let stored = compressed(compression, &segment());
            assert_eq!(content(&stored, compression).unwrap(), plain, "{compression:?}");
            assert_eq!(page_header(&stored, compression), plain.page, "{compression:?}");
        }
    }

    #[test]
    fn what_is_cut_off_is_never_taken_for_whole() {
        let plain = content(&segment(), Compression::None).unwrap();
        for compression in Compression::ALL {
            let mut stored = compressed(compression, &segment());
            stored.truncate(stored.len() / 2);
            assert_ne!(content(&stored, compression).ok(), Some(plain.clone()), "{compression:?}");
        }
    }
}
