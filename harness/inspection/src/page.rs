//! The header of a segment's first page: who wrote it, on which timeline, and where it belongs. Pure.
//!
//! Source: PostgreSQL, `xlog_internal.h` (`XLogLongPageHeaderData`), in the order of bytes of the machine
//! that wrote it.

use phoenix_core::{Lsn, SegmentSize, Timeline};

/// How long the header is.
pub const HEADER_BYTES: usize = 40;
/// `XLP_LONG_HEADER`: only a segment's first page has it.
const LONG_HEADER: u16 = 0x0002;

/// What a segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageHeader {
    /// The cluster that wrote it: `pg_control`'s system identifier.
    pub system_id: u64,
    /// The timeline that its first page was written on.
    pub timeline: Timeline,
    /// Where it begins.
    pub start: Lsn,
    /// The size of its cluster's segments.
    pub segment_size: SegmentSize,
}

impl PageHeader {
    /// Reads the first bytes of a segment; nothing if they are too few, or begin no segment.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        Self::in_order(bytes, u16::from_le_bytes, u32::from_le_bytes, u64::from_le_bytes)
            .or_else(|| Self::in_order(bytes, u16::from_be_bytes, u32::from_be_bytes, u64::from_be_bytes))
    }

    fn in_order(
        bytes: &[u8],
        two: fn([u8; 2]) -> u16,
        four: fn([u8; 4]) -> u32,
        eight: fn([u8; 8]) -> u64,
    ) -> Option<Self> {
        let bytes = bytes.get(..HEADER_BYTES)?;
        if two(part(bytes, 2)?) & LONG_HEADER == 0 {
            return None;
        }
        Some(Self {
            timeline: Timeline(four(part(bytes, 4)?)),
            start: Lsn(eight(part(bytes, 8)?)),
            system_id: eight(part(bytes, 24)?),
            segment_size: SegmentSize::new(four(part(bytes, 32)?).into()).ok()?,
        })
    }
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::PAGE;

    const SAID: PageHeader = PageHeader {
        system_id: 7_712_765_403_790_574_807,
        timeline: Timeline(1),
        start: Lsn(0x70_0000),
        segment_size: SegmentSize::MIN,
    };

    #[test]
    fn a_segment_says_who_wrote_it_and_where_it_belongs() {
        assert_eq!(PageHeader::read(&PAGE), Some(SAID));
    }

    /// As a machine with the other order of bytes would have written it.
    #[test]
    fn the_order_of_bytes_is_found_out() {
        let mut page = PAGE;
        for (from, to) in [(0, 2), (2, 4), (4, 8), (8, 16), (16, 20), (24, 32), (32, 36), (36, 40)] {
            page[from..to].reverse();
        }
        assert_eq!(PageHeader::read(&page), Some(SAID));
    }

    #[test]
    fn nothing_is_read_from_something_else() {
        let mut short = PAGE;
        short[2] = 0;
        assert_eq!(PageHeader::read(&short), None);
        assert_eq!(PageHeader::read(&PAGE[..39]), None);
        let mut odd = PAGE;
        odd[32..36].copy_from_slice(&3_u32.to_le_bytes());
        assert_eq!(PageHeader::read(&odd), None);
    }
}
