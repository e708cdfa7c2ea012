//! Gaps and intervals, held against a walk that does what PostgreSQL does.

use super::*;
use phoenix_inspection::Grade;
use proptest::{collection::btree_set, prelude::*};
use std::collections::BTreeSet;

/// Where replay from a backup ends, if it gets to where the backup is consistent: it takes each segment
/// from the youngest timeline of the path that had begun by then, until one is not there.
fn walk(held: &BTreeSet<WalSegment>, path: &[(u32, u64)], first: u64, last: u64) -> Option<Lsn> {
    let timeline = |number| path.iter().rev().find(|(_, begins)| *begins <= number).unwrap().0;
    let end = (first..).find(|number| !held.contains(&segment(timeline(*number), *number))).unwrap();
    (end > last).then(|| lsn(end, 0))
}

fn label(number: usize) -> String {
    format!("2026010{number}-000000F")
}

proptest! {
    /// Whatever is taken out of the middle is found, exactly, and without it all is well.
    #[test]
    fn a_planted_gap_is_found_exactly(before in 2_u64..300, length in 1_u64..50, after in 1_u64..300) {
        let whole = || stanza(1..=before + length + after);
        let mut sound = whole();
        back_up(&mut sound, FULL, 1, 1, 1);
        let inspection = inspected(sound.clone());
        prop_assert_eq!(inspection.grade, Grade::Restorable, "{:?}", inspection.remarks);
        prop_assert_eq!(intervals(&inspection, 1), [(lsn(1, 80), lsn(before + length + after + 1, 0))]);

        let (first, last) = (name(1, before + 1), name(1, before + length));
        let gone = |file: &SegmentFile| (&first..=&last).contains(&&file.name);
        sound.archives[0].segments.retain(|file| !gone(file));
        let inspection = inspected(sound);
        prop_assert_eq!(codes(&inspection, Severity::Harm), ["wal-missing"]);
        let gaps = &inspection.stanzas[0].archives[0].paths[0].gaps;
        prop_assert_eq!((gaps.len(), &gaps[0].first, &gaps[0].last, gaps[0].segments), (1, &first, &last, length));
        prop_assert!(inspection.remarks[0].finding.sentence.contains(&first));
        prop_assert_eq!(intervals(&inspection, 1), [(lsn(1, 80), lsn(before + 1, 0))]);
    }

    /// For each backup the intervals say what a restore from it would reach.
    #[test]
    fn intervals_are_what_a_restore_reaches(
        numbers in btree_set(1_u64..40, 0..40),
        backups in prop::collection::vec((1_u64..40, 0_u64..3), 1..4),
    ) {
        let mut made = stanza(numbers.iter().copied());
        for (number, (first, length)) in backups.iter().enumerate() {
            back_up(&mut made, &label(number), 1, *first, first + length);
        }
        let inspection = inspected(made);
        let held = numbers.iter().map(|number| segment(1, *number)).collect();
        let paths = &inspection.stanzas[0].archives[0].paths;
        for (number, (first, length)) in backups.iter().enumerate() {
            let reached = walk(&held, &[(1, 0)], *first, first + length);
            let all = paths.iter().flat_map(|path| &path.intervals);
            let found = all.filter(|interval| interval.backups.contains(&label(number))).map(|interval| interval.to);
            prop_assert_eq!(found.collect::<Vec<_>>(), reached.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(inspection.stanzas[0].backups[number].has_its_wal, Some(reached.is_some()));
        }
        // whatever cannot be restored is harm, and so is every loss after a backup
        let restorable = inspection.stanzas[0].backups.iter().all(|backup| backup.is_restorable() == Some(true));
        prop_assert!(restorable || inspection.grade == Grade::Harmed);
    }

    /// The same along two timelines: the young one begins within a segment that both may hold.
    #[test]
    fn a_path_over_a_fork_is_what_a_restore_reaches(
        old in btree_set(1_u64..30, 0..30),
        young in btree_set(1_u64..30, 1..30),
        fork in 2_u64..29,
        within in 0_u64..1 << 20,
        first in 1_u64..29,
    ) {
        let at = lsn(fork, within);
        let mut made = stanza(old.iter().copied());
        let young: BTreeSet<_> = young.into_iter().filter(|number| *number >= fork).collect();
        made.archives[0].segments.extend(young.iter().map(|number| file(2, *number)));
        descend(&mut made, 2, &[(1, at)], minute(100));
        back_up(&mut made, FULL, 1, first, first);
        let inspection = inspected(made);
        let held: BTreeSet<_> =
            old.iter().map(|n| segment(1, *n)).chain(young.iter().map(|n| segment(2, *n))).collect();
        let on_path = lsn(first, 80) <= at;
        let mut expected = walk(&held, &[(1, 0), (2, fork)], first, first).filter(|_| on_path);
        // a timeline that lacks its first segment begins in its ancestor's
        let shares = !young.contains(&fork) && held.contains(&segment(1, fork)) && at > lsn(fork, 0);
        if shares && on_path && (expected == Some(lsn(fork, 0)) || first == fork) {
            expected = Some(at);
        }
        let found: Vec<_> = intervals(&inspection, 2).into_iter().map(|(_, to)| to).collect();
        prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn what_no_backup_needs_is_no_harm() {
    let mut made = stanza([2, 3, 5, 6, 7]);
    back_up(&mut made, FULL, 1, 6, 6);
    let inspection = inspected(made);
    assert_eq!((inspection.grade, inspection.exit_status()), (Grade::Restorable, 0));
    assert_eq!(codes(&inspection, Severity::Note), ["wal-unused", "wal-before-backups"]);
    assert_eq!(inspection.stanzas[0].archives[0].timelines[0].gaps[0].first, name(1, 4));
}
