//! Where in the WAL a drill with a defect stands, and whether exactly the expected rows are lost.

use super::Lost;
use crate::{
    Account, Lsn, RowId, SegmentSize, Timeline, WalSegment,
    ledger::{Attempt, Outcome},
    report::BackupRecord,
};
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

/// What is known of a drill's rows: the first of a life is in the first segment, the tail alone in the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks {
    /// The backup that is restored.
    pub backup: BackupRecord,
    /// The timeline that the rows are written on.
    pub timeline: Timeline,
    /// The size of WAL segments.
    pub size: SegmentSize,
    /// How often the castle had been reborn when they were written.
    pub life: u32,
    /// Where the life's first row begins.
    pub first: Lsn,
    /// Where the tail begins.
    pub tail: Lsn,
}

impl Marks {
    /// The segment with the first row.
    pub fn first_segment(&self) -> WalSegment {
        WalSegment::containing(self.timeline, self.first, self.size)
    }

    /// The segment with the tail.
    pub fn last_segment(&self) -> WalSegment {
        WalSegment::containing(self.timeline, self.tail, self.size)
    }

    /// The segment halfway between.
    pub fn middle_segment(&self) -> WalSegment {
        let (first, last) = (self.first_segment(), self.last_segment());
        WalSegment { number: first.number + (last.number - first.number) / 2, ..first }
    }

    fn begins(&self, segment: WalSegment) -> Lsn {
        Lsn(segment.number * self.size.bytes())
    }

    /// From where on rows may be lost, and from where on they must be. What a commit that straddles a border
    /// becomes is not known.
    fn cut(&self, lost: Lost) -> Option<[Lsn; 2]> {
        let (middle, last) = (self.middle_segment(), self.last_segment());
        let [middle_begins, last_begins] = [middle, last].map(|segment| self.begins(segment));
        match lost {
            Lost::Nothing => Some([Lsn::UNKNOWN; 2]),
            Lost::Tail => Some([last_begins; 2]),
            Lost::WithinTail => Some([last_begins, last.end(self.size)]),
            Lost::FromMiddle => Some([middle_begins; 2]),
            Lost::WithinMiddle => Some([middle_begins, middle.end(self.size)]),
            Lost::FromLife => Some([Lsn(0); 2]),
            Lost::Everything | Lost::One | Lost::Unread => None,
        }
    }

    /// What is not as expected of the lost rows, as a sentence, or nothing.
    pub fn mismatch(
        &self,
        lost: Lost,
        account: &Account,
        attempts: &BTreeMap<RowId, Attempt>,
    ) -> Option<String> {
        let gone: BTreeSet<_> = account.lost.iter().map(|row| row.row).collect();
        let acknowledged = || {
            attempts.values().filter_map(|attempt| match attempt.outcome {
                Outcome::Ok { commit, .. } => Some((attempt, commit)),
                Outcome::Failed | Outcome::Indeterminate => None,
            })
        };
        let Some([may, must]) = self.cut(lost) else {
            let (lost_rows, all) = (gone.len() as u64, account.acknowledged);
            let held = match lost {
                Lost::One => lost_rows == 1,
                Lost::Everything => lost_rows == all && all > 0,
                _ => false,
            };
            return (!held).then(|| format!("{lost_rows} of {all} rows are lost, expected was {lost:?}"));
        };
        let wrong = acknowledged().find_map(|(attempt, commit)| {
            let (must_stay, must_go) = match attempt.life.cmp(&self.life) {
                Ordering::Less => (true, false),
                Ordering::Equal => (commit.lsn_after <= may, commit.lsn_before >= must),
                // what was written after rows that are lost lies on a branch that is not reached
                Ordering::Greater => (lost == Lost::Nothing, lost != Lost::Nothing),
            };
            let (is_gone, label) = (gone.contains(&attempt.row), &attempt.label);
            match is_gone {
                true if must_stay => {
                    Some(format!("{label} at {} is lost and should not be", commit.lsn_after))
                }
                false if must_go => {
                    Some(format!("{label} at {} came back and should not", commit.lsn_before))
                }
                _ => None,
            }
        });
        let none = || (may != must && gone.is_empty()).then(|| "no row is lost".to_owned());
        wrong.or_else(none)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BackupInterval, Commit, Digest, Entry, Moment, Promise, ReadRow, Xid, ledger};
    use chrono::DateTime;
    use proptest::prelude::*;
    use uuid::Uuid;

    const MIB: u64 = 1 << 20;

    fn marks() -> Marks {
        let interval = BackupInterval { start: Lsn(MIB), stop: Lsn(MIB + 9) };
        let backup = BackupRecord {
            label: "20261121-052221F".into(),
            kind: "full".into(),
            timeline: Timeline(1),
            interval,
            completed_at: DateTime::UNIX_EPOCH,
            cluster_bytes: 1,
            stored_bytes: 1,
            cipher: "none".into(),
        };
        let (timeline, size) = (Timeline(1), SegmentSize::MIN);
        Marks { backup, timeline, size, life: 0, first: Lsn(2 * MIB + 7), tail: Lsn(6 * MIB + 40) }
    }

    /// Ten rows a segment from the third to the seventh, of which those from `kept` on are lost.
    fn judged(kept: usize, lost: Lost) -> Option<String> {
        judged_in(1, 0, kept, lost)
    }

    /// The same rows in each of so many lives, one after the other, with the defect in this one.
    fn judged_in(lives: u32, life: u32, kept: usize, lost: Lost) -> Option<String> {
        let mut entries = Vec::new();
        let id = |number: u64| (RowId(Uuid::from_u128(number.into())), Digest::of("run", "x"));
        for number in 0..50 * u64::from(lives) {
            let at = 2 * MIB + number % 50 * MIB / 10 + 100;
            let ((row, digest), life) = (id(number), u32::try_from(number / 50).unwrap());
            let commit = Commit { xid: Xid(number), lsn_before: Lsn(at), lsn_after: Lsn(at + 50) };
            let label = format!("row {number}");
            entries.push(Entry::Invoked { row, label, digest, life, at: Moment(number) });
            entries.push(Entry::Ok { row, commit, at: Moment(number) });
        }
        entries.push(Entry::Disaster { at: Moment(500) });
        for number in 0..kept as u64 {
            let (row, digest) = id(number);
            entries.push(Entry::Read(ReadRow { row, digest, label: String::new() }));
        }
        let account = Account::of(&entries, &Promise::EveryAcknowledgedRow).unwrap();
        Marks { life, ..marks() }.mismatch(lost, &account, &ledger::attempts(&entries).unwrap())
    }

    #[test]
    fn the_segments_are_where_the_rows_are() {
        let numbers = [marks().first_segment(), marks().middle_segment(), marks().last_segment()];
        assert_eq!(numbers.map(|segment| segment.number), [2, 4, 6]);
    }

    proptest! {
        /// Earlier lives lose nothing, and later ones all, once a row is lost.
        #[test]
        fn what_is_lost_in_a_life_takes_the_later_ones_with_it(kept in 0usize..=150) {
            for (lost, exact) in
                [(Lost::Nothing, 150), (Lost::Tail, 90), (Lost::FromMiddle, 70), (Lost::FromLife, 50)]
            {
                prop_assert_eq!(judged_in(3, 1, kept, lost).is_none(), kept == exact, "{:?} {}", lost, kept);
            }
            prop_assert_eq!(judged_in(3, 1, kept, Lost::WithinMiddle).is_none(), (70..=80).contains(&kept));
        }

        /// Whatever suffix is lost, exactly one expectation of a plain cut holds at its border, and no other row
        /// more or less is forgiven.
        #[test]
        fn only_the_exact_suffix_is_expected(kept in 0usize..=50) {
            for (lost, exact) in
                [(Lost::Nothing, 50), (Lost::Tail, 40), (Lost::FromMiddle, 20), (Lost::FromLife, 0)]
            {
                prop_assert_eq!(judged(kept, lost).is_none(), kept == exact, "{:?} {}", lost, kept);
            }
            prop_assert_eq!(judged(kept, Lost::Everything).is_none(), kept == 0);
            prop_assert_eq!(judged(kept, Lost::One).is_none(), kept == 49);
            prop_assert_eq!(judged(kept, Lost::WithinMiddle).is_none(), (20..=30).contains(&kept));
            prop_assert_eq!(judged(kept, Lost::WithinTail).is_none(), (40..50).contains(&kept));
            prop_assert!(judged(kept, Lost::Unread).is_some());
        }
    }
}
