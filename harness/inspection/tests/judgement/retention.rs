//! What retention removed and what was lost, held against a model of what pgBackRest's expiry leaves.

use super::*;
use phoenix_inspection::{Grade, inspection::Bearing};
use proptest::{collection::btree_set, prelude::*};
use std::collections::BTreeSet;

const LABELS: [&str; 4] = ["20260101-000000F", "20260102-000000F", "20260103-000000F", "20260104-000000F"];

/// A stanza with these backups, each of which needs a segment and so many more, and all WAL.
fn kept(backups: &[(u64, u64)], newest: u64) -> SeenStanza {
    let mut made = stanza(1..=newest);
    for ((first, more), label) in backups.iter().zip(LABELS) {
        back_up(&mut made, label, 1, *first, first + more);
    }
    made
}

/// `pgbackrest expire`, where the backup of this place decides.
fn expire(made: &mut SeenStanza, backups: &[(u64, u64)], decides: usize) {
    let needed = |number: u64| {
        backups[..decides].iter().any(|(first, more)| (*first..=first + more).contains(&number))
    };
    let stays = |number| number >= backups[decides].0 || needed(number);
    remove(made, |number| !stays(number));
}

fn remove(made: &mut SeenStanza, is_removed: impl Fn(u64) -> bool) {
    let number = |file: &SegmentFile| file.segment(SIZE).unwrap().number;
    made.archives[0].segments.retain(|file| !is_removed(number(file)));
}

/// What is said if `repo1-retention-archive` is told to be set so.
fn told(made: &SeenStanza, setting: &str) -> Inspection {
    judge(&Seen { retention: Some(setting.parse().unwrap()), ..seen(made.clone()) }, None)
}

fn all_codes(inspection: &Inspection) -> Vec<&str> {
    inspection.remarks.iter().map(|remark| remark.finding.code.as_str()).collect()
}

/// All WAL between two backups is gone: that may be retention, and may be a loss. Neither is passed over.
#[test]
fn a_gap_from_backup_to_backup_is_undecided() {
    let backups = [(4, 1), (9, 1)];
    let mut made = kept(&backups, 20);
    expire(&mut made, &backups, 1);
    let inspection = inspected(made.clone());
    assert_eq!((inspection.grade, inspection.exit_status()), (Grade::Unknown, 3));
    assert_eq!(all_codes(&inspection), ["wal-expired-or-lost", "wal-retention"]);
    assert!(inspection.remarks[0].finding.evidence[0].starts_with("repo1-retention-archive=1 leaves it so"));
    let decisive: Vec<_> = inspection.unseen.iter().filter(|one| one.bearing == Bearing::Decisive).collect();
    assert_eq!(decisive.len(), 1, "{:?}", inspection.unseen);
    assert!(decisive[0].what.starts_with("whether 3 segments"), "{}", decisive[0].what);
    assert_eq!(intervals(&inspection, 1), [(lsn(5, 80), lsn(6, 0)), (lsn(10, 80), lsn(21, 0))]);

    // the setting decides, one way and the other
    let expired = told(&made, "1");
    assert_eq!(
        (expired.grade, all_codes(&expired)),
        (Grade::Restorable, vec!["wal-retention", "wal-expired"])
    );
    for setting in ["2", "default", "2:incr"] {
        let lost = told(&made, setting);
        assert_eq!(
            (lost.exit_status(), all_codes(&lost)),
            (1, vec!["wal-missing", "wal-retention"]),
            "{setting}"
        );
    }
    // the control: with nothing gone there is nothing to tell
    let whole = kept(&backups, 20);
    for inspection in [inspected(whole.clone()), told(&whole, "1"), told(&whole, "default")] {
        assert_eq!((inspection.grade, all_codes(&inspection)), (Grade::Restorable, vec!["wal-unused"]));
    }
}

/// What shows that retention was not at work.
#[test]
fn what_retention_never_leaves_was_lost() {
    let backups = [(4, 1), (9, 1), (14, 1)];
    let lost = |gone: &[u64]| {
        let mut made = kept(&backups, 20);
        remove(&mut made, |number| number < 4 || gone.contains(&number));
        codes(&inspected(made), Severity::Harm).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    // after the newest backup
    assert_eq!(lost(&[16]), ["wal-missing"]);
    assert_eq!(lost(&[17, 18]), ["wal-missing"]);
    // between two backups, where a part of it is there
    assert_eq!(lost(&[6, 7]), ["wal-missing"]);
    assert_eq!(lost(&[7, 8]), ["wal-missing"]);
    // from backup to backup, and what is older and would have gone first is there
    assert_eq!(lost(&[11, 12, 13]), ["wal-missing"]);
    // what a backup needs
    assert_eq!(lost(&[6, 7, 8, 9]), ["backup-wal-missing", "wal-missing"]);
    // the controls
    assert_eq!(lost(&[6, 7, 8]), [""; 0]);
    assert_eq!(lost(&[6, 7, 8, 11, 12, 13]), [""; 0]);
    assert_eq!(lost(&[]), [""; 0]);
}

/// WAL from before the oldest backup would have gone with the rest.
#[test]
fn an_archive_that_was_never_expired_lost_what_it_lacks() {
    let backups = [(4, 1), (9, 1)];
    let mut made = kept(&backups, 20);
    remove(&mut made, |number| (6..=8).contains(&number));
    assert_eq!(codes(&inspected(made), Severity::Harm), ["wal-missing"]);
}

/// Differential backups count only where they are told to: the plainest setting is named.
#[test]
fn the_setting_that_would_explain_it_is_named() {
    let backups = [(4, 1), (9, 1)];
    let mut made = kept(&backups, 20);
    change_info(&mut made, |info| info.backups[1].kind = "diff".into());
    expire(&mut made, &backups, 1);
    let inspection = inspected(made.clone());
    let evidence = &inspection.remarks[0].finding.evidence[0];
    let setting = "repo1-retention-archive=1 with repo1-retention-archive-type=diff leaves it so";
    assert!(evidence.starts_with(setting), "{evidence}");
    assert_eq!(told(&made, "1").exit_status(), 1);
    assert_eq!(told(&made, "1:diff").exit_status(), 0);
}

/// By name all of an older timeline is older, what was left behind of it too.
#[test]
fn retention_goes_by_names_across_timelines() {
    let mut made = stanza([4, 5]);
    back_up(&mut made, LABELS[0], 1, 4, 5);
    descend(&mut made, 2, &[(1, lsn(8, 0))], minute(100));
    made.archives[0].segments.extend((9..=12).map(|number| file(2, number)));
    back_up(&mut made, LABELS[1], 2, 9, 9);
    let inspection = inspected(made.clone());
    assert_eq!(inspection.exit_status(), 3, "{:?}", inspection.remarks);
    assert_eq!(told(&made, "1").grade, Grade::Restorable);
    // the control: a segment of the old timeline is there that the expiry would have removed
    made.archives[0].segments.push(file(1, 7));
    assert_eq!(inspected(made).exit_status(), 1);
}

/// Two full backups, a differential one of the second and another full one, and what `pgbackrest expire` of
/// 2.45 left of segments 6 to 29 with each setting.
#[test]
fn what_pgbackrest_leaves_is_told_from_a_loss() {
    let measured: [(&str, &[u64]); 7] = [
        ("1", &[8, 9, 14, 15, 20, 21, 25, 26, 27, 28, 29]),
        ("2", &[8, 9, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29]),
        ("3", &[8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29]),
        ("1:diff", &[8, 9, 14, 15, 20, 21, 25, 26, 27, 28, 29]),
        ("2:diff", &[8, 9, 14, 15, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29]),
        ("3:diff", &[8, 9, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29]),
        ("2:incr", &[8, 9, 14, 15, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29]),
    ];
    for (setting, left) in measured {
        let mut made = stanza(left.iter().copied());
        let diff = format!("{}_20260102-120000D", LABELS[1]);
        for (label, first) in [(LABELS[0], 8), (LABELS[1], 14), (diff.as_str(), 20), (LABELS[2], 25)] {
            back_up(&mut made, label, 1, first, first + 1);
        }
        change_info(&mut made, |info| info.backups[2].kind = "diff".into());
        let has_gaps = left.len() < 22;
        assert_eq!(told(&made, setting).exit_status(), 0, "{setting}");
        assert_eq!(told(&made, "default").exit_status(), u8::from(has_gaps), "{setting}");
        assert_eq!(inspected(made.clone()).exit_status(), if has_gaps { 3 } else { 0 }, "{setting}");
        // the control: one segment more is gone, after the backup from which on all WAL stays
        remove(&mut made, |number| number == 27);
        assert_eq!((told(&made, setting).exit_status(), inspected(made).exit_status()), (1, 1), "{setting}");
    }
}

prop_compose! {
    /// Up to four backups one after the other, of one to three segments, with zero to four in between.
    fn chain()(steps in prop::collection::vec((0_u64..5, 0_u64..3), 1..=4)) -> Vec<(u64, u64)> {
        let mut next = 2;
        steps.into_iter().map(|(between, more)| {
            let first = next + between;
            next = first + more + 1;
            (first, more)
        }).collect()
    }
}

proptest! {
    /// What an expiry leaves is never said to be lost, and with the setting told nothing is undecided.
    #[test]
    fn an_expiry_is_no_loss(backups in chain(), decides in 0_usize..4, tail in 1_u64..5) {
        let decides = decides % backups.len();
        let mut made = kept(&backups, backups.last().map_or(0, |(first, more)| first + more) + tail);
        expire(&mut made, &backups, decides);
        let inspection = inspected(made.clone());
        prop_assert_eq!(codes(&inspection, Severity::Harm), [""; 0]);
        let setting = (backups.len() - decides).to_string();
        let inspection = told(&made, &setting);
        prop_assert_eq!(inspection.grade, Grade::Restorable, "{:?}", inspection.remarks);
        // and without one that is set, each gap was lost
        let gaps = &inspection.stanzas[0].archives[0].paths[0].gaps;
        prop_assert_eq!(told(&made, "default").grade == Grade::Harmed, !gaps.is_empty());
    }

    /// Whatever is gone that a backup needs or that follows the one that decides is always said to be lost;
    /// whatever is gone at all is never passed over.
    #[test]
    fn a_loss_is_never_passed_over(
        backups in chain(), decides in 0_usize..4, tail in 2_u64..5, gone in btree_set(2_u64..24, 1..4),
    ) {
        let decides = decides % backups.len();
        let newest = backups.last().map_or(0, |(first, more)| first + more) + tail;
        let mut made = kept(&backups, newest);
        expire(&mut made, &backups, decides);
        let there: BTreeSet<_> =
            made.archives[0].segments.iter().map(|file| file.segment(SIZE).unwrap().number).collect();
        // the newest segment tells that something is missing before it
        let gone: BTreeSet<_> = gone.into_iter().filter(|number| there.contains(number) && *number < newest).collect();
        remove(&mut made, |number| gone.contains(&number));
        let is_needed = |number: &u64| backups.iter().any(|(first, more)| (*first..=first + more).contains(number));
        let matters = |number: &u64| *number >= backups[decides].0 || is_needed(number);
        let setting = (backups.len() - decides).to_string();
        prop_assert_eq!(told(&made, &setting).grade == Grade::Harmed, gone.iter().any(matters));
        let inspection = inspected(made);
        prop_assert!(gone.is_empty() || inspection.grade != Grade::Restorable);
        prop_assert!(!gone.iter().any(is_needed) || inspection.grade == Grade::Harmed);
    }
}
