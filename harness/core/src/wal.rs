//! Positions in the write-ahead log and the arithmetic of its segments.
//!
//! Source: PostgreSQL, `xlog_internal.h` (`XLByteToSeg`, `XLogFileName`): a segment's name is
//! timeline, then the segment's number split at 4 GiB, each as eight upper-case hexadecimal digits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A byte position in the WAL, written `X/Y` as PostgreSQL does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Lsn(pub u64);

impl Lsn {
    /// Stands for a position that is not known, later than any that is.
    pub const UNKNOWN: Self = Self(u64::MAX);

    /// Bytes of WAL from `earlier` to here; zero if that lies later.
    pub fn bytes_since(self, earlier: Lsn) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

/// The text is not an LSN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an LSN (expected something like 0/3000148)")]
pub struct NotAnLsn(String);

impl FromStr for Lsn {
    type Err = NotAnLsn;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let half = |digits: &str| {
            let plain = (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
            plain.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
        };
        let (high, low) = text.split_once('/').ok_or_else(|| NotAnLsn(text.to_owned()))?;
        match (half(high), half(low)) {
            (Some(high), Some(low)) => Ok(Self(high << 32 | low)),
            _ => Err(NotAnLsn(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Lsn {
    type Error = NotAnLsn;
    fn try_from(text: String) -> Result<Self, NotAnLsn> {
        text.parse()
    }
}

impl From<Lsn> for String {
    fn from(lsn: Lsn) -> String {
        lsn.to_string()
    }
}

/// A timeline: 1 at birth, one more at every promotion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Timeline(pub u32);

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The size of a WAL segment: a power of two from 1 MiB to 1 GiB, fixed by `initdb --wal-segsize`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct SegmentSize(u64);

/// PostgreSQL knows no such segment size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a WAL segment of {0} bytes does not exist: a power of two from 1 MiB to 1 GiB does")]
pub struct NoSuchSegmentSize(u64);

impl SegmentSize {
    /// The smallest: 1 MiB.
    pub const MIN: Self = Self(1 << 20);
    /// PostgreSQL's default: 16 MiB.
    pub const DEFAULT: Self = Self(16 << 20);

    /// Checks a size given in bytes.
    pub fn new(bytes: u64) -> Result<Self, NoSuchSegmentSize> {
        let known = bytes.is_power_of_two() && (1 << 20..=1 << 30).contains(&bytes);
        known.then_some(Self(bytes)).ok_or(NoSuchSegmentSize(bytes))
    }

    /// The size in bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }

    fn segments_per_xlogid(self) -> u64 {
        (1 << 32) / self.0
    }
}

/// One segment of the WAL on one timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct WalSegment {
    /// The timeline it was written on.
    pub timeline: Timeline,
    /// Its number: the LSN of its first byte divided by the segment's size.
    pub number: u64,
}

/// The text is not the name of a WAL segment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not the name of a WAL segment (24 hexadecimal digits)")]
pub struct NotASegment(String);

impl WalSegment {
    /// The segment that holds the byte at `lsn`.
    pub fn containing(timeline: Timeline, lsn: Lsn, size: SegmentSize) -> Self {
        Self { timeline, number: lsn.0 / size.0 }
    }

    /// The segment that holds the last byte before `lsn`: what `pg_walfile_name()` names. An LSN on a
    /// border, as after a switch, belongs to the segment before it.
    pub fn ending_at(timeline: Timeline, lsn: Lsn, size: SegmentSize) -> Self {
        Self { timeline, number: lsn.0.saturating_sub(1) / size.0 }
    }

    /// Reads a 24-digit name.
    pub fn parse(name: &str, size: SegmentSize) -> Result<Self, NotASegment> {
        let refuse = || NotASegment(name.to_owned());
        let digits = |from: usize| {
            name.get(from..from + 8)
                .filter(|part| part.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b)))
                .and_then(|part| u64::from_str_radix(part, 16).ok())
                .ok_or_else(refuse)
        };
        if name.len() != 24 {
            return Err(refuse());
        }
        let (timeline, high, low) = (digits(0)?, digits(8)?, digits(16)?);
        if low >= size.segments_per_xlogid() {
            return Err(refuse());
        }
        let timeline = Timeline(u32::try_from(timeline).map_err(|_| refuse())?);
        Ok(Self { timeline, number: high * size.segments_per_xlogid() + low })
    }

    /// The 24-digit name.
    pub fn name(self, size: SegmentSize) -> String {
        let per = size.segments_per_xlogid();
        format!("{:08X}{:08X}{:08X}", self.timeline.0, self.number / per, self.number % per)
    }

    /// The first byte after it.
    pub fn end(self, size: SegmentSize) -> Lsn {
        Lsn((self.number + 1) * size.0)
    }

    /// Every segment from this one to `last`, both included, on this one's timeline.
    pub fn through(self, last: WalSegment) -> impl Iterator<Item = WalSegment> {
        (self.number..=last.number).map(move |number| WalSegment { timeline: self.timeline, number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn names_are_postgresqls() {
        let size = SegmentSize::new(16 * MIB).unwrap();
        let lsn: Lsn = "0/7000000".parse().unwrap();
        let name = |segment: WalSegment| segment.name(size);
        assert_eq!(name(WalSegment::containing(Timeline(1), lsn, size)), "000000010000000000000007");
        assert_eq!(name(WalSegment::ending_at(Timeline(1), lsn, size)), "000000010000000000000006");
        let late: Lsn = "2A/FF000000".parse().unwrap();
        assert_eq!(name(WalSegment::containing(Timeline(3), late, size)), "000000030000002A000000FF");
    }

    #[test]
    fn what_is_no_segment_is_refused() {
        let size = SegmentSize::new(16 * MIB).unwrap();
        let bad = [
            "",
            "00000001",
            "00000002.history",
            "000000010000000000000100",
            "00000001000000000000000g",
            "00000001000000000000000a",
            "000000010000000000000007.partial",
        ];
        for name in bad {
            assert_eq!(WalSegment::parse(name, size), Err(NotASegment(name.into())));
        }
        assert!(SegmentSize::new(3 * MIB).is_err() && SegmentSize::new(MIB / 2).is_err());
    }

    #[test]
    fn what_is_no_lsn_is_refused() {
        for text in ["", "0", "0/", "/1", "0/123456789", "0/+1", "g/0", "0/0/0"] {
            assert_eq!(text.parse::<Lsn>(), Err(NotAnLsn(text.into())));
        }
    }

    proptest! {
        #[test]
        fn an_lsn_reads_back(position: u64) {
            prop_assert_eq!(Lsn(position).to_string().parse::<Lsn>().unwrap(), Lsn(position));
        }

        #[test]
        fn a_segment_reads_back_and_holds_its_lsn(position in 1u64..=u64::MAX >> 1, shift in 0u32..=10, timeline: u32) {
            let size = SegmentSize::new(MIB << shift).unwrap();
            let segment = WalSegment::containing(Timeline(timeline), Lsn(position), size);
            prop_assert_eq!(WalSegment::parse(&segment.name(size), size).unwrap(), segment);
            prop_assert!(segment.end(size).0 - size.bytes() <= position && position < segment.end(size).0);
        }

        #[test]
        fn borders_belong_to_the_segment_before(number in 1u64..1 << 33, shift in 0u32..=10) {
            let size = SegmentSize::new(MIB << shift).unwrap();
            let border = Lsn(number * size.bytes());
            prop_assert_eq!(WalSegment::ending_at(Timeline(1), border, size).number, number - 1);
            prop_assert_eq!(WalSegment::containing(Timeline(1), border, size).number, number);
        }
    }
}
