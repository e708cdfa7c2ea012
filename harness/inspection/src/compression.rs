//! What pgBackRest compresses with, undone in memory. Pure.

use crate::text::hex;
use phoenix_core::SegmentSize;
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

/// Where the size of segments stands in the first page of each: `XLogLongPageHeaderData`, in the order
/// of bytes of the machine that wrote it.
const LONG_HEADER: u16 = 0x0002;
const HEADER_BYTES: usize = 40;

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
}

/// Hashes what compressed bytes hold.
///
/// # Errors
/// If they do not decompress to their end.
pub fn content(bytes: &[u8], compression: Compression) -> io::Result<Content> {
    let mut reader = compression.reader(bytes)?;
    let (mut hash, mut length, mut buffer) = (Sha1::new(), 0, vec![0; 256 << 10]);
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(Content { sha1: hex(&hash.finalize()), bytes: length }),
            read => {
                hash.update(&buffer[..read]);
                length += read as u64;
            }
        }
    }
}

/// The size of segments, as the first page of one says; `None` if it does not begin like one.
pub fn segment_size(bytes: &[u8], compression: Compression) -> Option<SegmentSize> {
    let mut header = [0; HEADER_BYTES];
    compression.reader(bytes).ok()?.read_exact(&mut header).ok()?;
    let info = [header[2], header[3]];
    let size = [header[32], header[33], header[34], header[35]];
    let little = (u16::from_le_bytes(info), u32::from_le_bytes(size));
    let big = (u16::from_be_bytes(info), u32::from_be_bytes(size));
    let long = |(info, size): (u16, u32)| {
        (info & LONG_HEADER != 0).then(|| SegmentSize::new(size.into()).ok()).flatten()
    };
    long(little).or_else(|| long(big))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// The beginning of a segment that PostgreSQL 15 wrote with `--wal-segsize=1`.
    const PAGE: [u8; 40] = [
        0x10, 0xd1, 0x02, 0x00, 0x01, 0, 0, 0, 0, 0, 0x70, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xd7, 0x04,
        0xdc, 0x50, 0x45, 0x3f, 0x09, 0x6b, 0, 0, 0x10, 0, 0, 0x20, 0, 0,
    ];

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
        assert_eq!(plain.bytes, 300_000);
        for compression in Compression::ALL {
            let stored = compressed(compression, &segment());
            assert_eq!(content(&stored, compression).unwrap(), plain, "{compression:?}");
            assert_eq!(segment_size(&stored, compression), Some(SegmentSize::MIN), "{compression:?}");
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

    #[test]
    fn no_size_is_read_from_something_else() {
        let mut short = PAGE;
        short[2] = 0;
        assert_eq!(segment_size(&short, Compression::None), None);
        assert_eq!(segment_size(&PAGE[..39], Compression::None), None);
        assert_eq!(segment_size(&PAGE, Compression::Gz), None);
        let mut odd = PAGE;
        odd[32..36].copy_from_slice(&3_u32.to_le_bytes());
        assert_eq!(segment_size(&odd, Compression::None), None);
    }
}
