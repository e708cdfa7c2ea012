//! Timelines, histories, and more than one primary or cluster.

use super::*;
use phoenix_inspection::Grade;

/// A rebirth: timeline 2 leaves timeline 1 at the end of segment 6, at minute 100.
fn reborn() -> SeenStanza {
    let mut made = stanza(1..=6);
    back_up(&mut made, FULL, 1, 1, 2);
    descend(&mut made, 2, &[(1, lsn(7, 0))], minute(100));
    made.archives[0].segments.extend((7..=9).map(|number| file(2, number)));
    made
}

#[test]
fn a_rebirth_goes_on_where_it_left_off() {
    let inspection = inspected(reborn());
    assert_eq!((inspection.grade, inspection.remarks.as_slice()), (Grade::Restorable, &[][..]));
    let paths = &inspection.stanzas[0].archives[0].paths;
    assert_eq!(paths.iter().map(|path| path.timeline.0).collect::<Vec<_>>(), [2]);
    assert_eq!(intervals(&inspection, 2), [(lsn(2, 80), lsn(10, 0))]);
    let latest = inspection.stanzas[0].latest.as_ref().unwrap();
    assert_eq!(
        (latest.timeline, latest.to, latest.last.as_deref()),
        (Timeline(2), Some(lsn(10, 0)), Some(name(2, 9).as_str()))
    );
}

/// What was archived of the old timeline after the promotion came from a primary that was thought dead.
#[test]
fn two_primaries_clash() {
    let mut made = reborn();
    let late = |number, at| SegmentFile { archived_at: minute(at), ..file(1, number) };
    made.archives[0].segments.extend([late(7, 90), late(8, 101)]);
    let inspection = inspected(made.clone());
    assert_eq!(codes(&inspection, Severity::Harm), ["clashing-primaries"]);
    let finding = &inspection.remarks[0].finding;
    assert_eq!(finding.certainty, phoenix_core::Certainty::Likely);
    assert!(finding.evidence.iter().any(|line| line.contains("a guess by the store's times")), "{finding:?}");
    // both ways are shown
    assert_eq!(
        [intervals(&inspection, 1), intervals(&inspection, 2)],
        [[(lsn(2, 80), lsn(9, 0))], [(lsn(2, 80), lsn(10, 0))]]
    );

    // the control: all of it was archived before, as where recovery was asked to go back
    made.archives[0].segments.last_mut().unwrap().archived_at = minute(99);
    let inspection = inspected(made.clone());
    assert_eq!(
        (inspection.grade, codes(&inspection, Severity::Note)),
        (Grade::Restorable, vec!["abandoned-wal"])
    );

    // a repository that was copied has no times to tell by
    made.archives[0].segments.last_mut().unwrap().archived_at = minute(101);
    made.backups.get_mut(FULL).unwrap().written_at = Some(minute(5000));
    let inspection = inspected(made);
    assert_eq!(
        (inspection.grade, codes(&inspection, Severity::Warning)),
        (Grade::Restorable, vec!["clashing-primaries"])
    );
}

/// Where nobody asked a recovery to stop, whatever it left behind is lost, whenever it was archived.
#[test]
fn what_a_recovery_without_target_left_behind_is_lost() {
    let with = |ended, fork: Lsn, old: &[u64]| {
        let mut made = reborn();
        let early = |number: &u64| SegmentFile { archived_at: minute(90), ..file(1, *number) };
        made.archives[0].segments.extend(old.iter().map(early));
        descend(&mut made, 2, &[(1, fork)], minute(100));
        if let Some(SeenHistory { content: Reading::Whole(history), .. }) =
            made.archives[0].histories.get_mut(&Timeline(2))
        {
            history.ended = ended;
        }
        inspected(made)
    };
    let lost = with(Ended::WithoutTarget, lsn(7, 0), &[7, 8]);
    assert_eq!(codes(&lost, Severity::Harm), ["clashing-primaries"]);
    let finding = &lost.remarks[0].finding;
    assert_eq!(finding.certainty, phoenix_core::Certainty::Certain);
    assert!(finding.evidence[2].contains("no recovery target specified"), "{:?}", finding.evidence);
    // left at its end, a segment has nothing of the next
    assert_eq!(codes(&with(Ended::WithoutTarget, lsn(7, 0), &[7]), Severity::Harm), ["clashing-primaries"]);
    // the controls: it was asked to; and it ended within the last segment, in a record that was never complete
    let back = with(Ended::AtTarget, lsn(7, 0), &[7, 8]);
    assert_eq!((back.grade, codes(&back, Severity::Note)), (Grade::Restorable, vec!["abandoned-wal"]));
    let whole = with(Ended::WithoutTarget, lsn(7, 500), &[7]);
    assert_eq!((whole.grade, whole.remarks.as_slice()), (Grade::Restorable, &[][..]));
}

/// As PostgreSQL 15 did it: without the first segment of timeline 2 it replays timeline 1 beyond the fork, until
/// that ends or timeline 2 goes on.
#[test]
fn without_its_beginning_a_timeline_goes_astray() {
    let with = |young: &[u64], fork: Lsn| {
        let mut made = stanza(1..=9);
        back_up(&mut made, FULL, 1, 1, 2);
        descend(&mut made, 2, &[(1, fork)], minute(100));
        made.archives[0].segments.extend(young.iter().map(|number| file(2, *number)));
        let inspection = inspected(made);
        let latest = inspection.stanzas[0].latest.clone().unwrap();
        let said: Vec<_> = inspection.remarks.iter().map(|remark| remark.finding.code.clone()).collect();
        let said = said.into_iter().filter(|code| code != "abandoned-wal").collect::<Vec<_>>().join(" ");
        (latest.to.unwrap(), latest.strays_to, said)
    };
    let within = lsn(7, 500);
    assert_eq!(with(&[7, 8], within), (lsn(9, 0), None, String::new()));
    assert_eq!(with(&[], within), (within, Some(lsn(10, 0)), "wal-astray".into()));
    assert_eq!(with(&[8], within), (within, Some(lsn(8, 0)), "wal-missing wal-astray".into()));
    assert_eq!(with(&[8], lsn(7, 0)), (lsn(7, 0), Some(lsn(8, 0)), "wal-missing wal-astray".into()));
}

/// A backup of the old primary, taken after the new one had left its timeline, does not come up by default.
#[test]
fn a_backup_beyond_the_fork_is_stranded() {
    let mut made = reborn();
    made.archives[0].segments.push(file(1, 7));
    back_up(&mut made, "20260102-000000F", 1, 7, 7);
    let inspection = inspected(made);
    assert_eq!(codes(&inspection, Severity::Harm), ["latest-impossible"]);
    assert_eq!(inspection.stanzas[0].latest.as_ref().unwrap().to, None);
    assert_eq!(intervals(&inspection, 1), [(lsn(2, 80), lsn(8, 0))]);
}

#[test]
fn a_history_must_be_there() {
    let mut made = reborn();
    made.archives[0].histories.clear();
    let inspection = inspected(made);
    assert_eq!(codes(&inspection, Severity::Harm), ["history-missing"]);
    // recovery falls back
    assert_eq!(inspection.stanzas[0].latest.as_ref().unwrap().timeline, Timeline(1));
    assert_eq!([intervals(&inspection, 1).len(), intervals(&inspection, 2).len()], [1, 0]);

    let mut made = reborn();
    made.archives[0].histories.get_mut(&Timeline(2)).unwrap().content = Reading::Damaged("line 1".into());
    assert_eq!(codes(&inspected(made), Severity::Harm), ["history-damaged"]);

    // PostgreSQL asks for one after the other: it never finds the third without the second
    let mut made = reborn();
    descend(&mut made, 3, &[(1, lsn(7, 0)), (2, lsn(10, 0))], minute(200));
    assert_eq!(inspected(made.clone()).stanzas[0].latest.as_ref().unwrap().timeline, Timeline(3));
    made.archives[0].histories.remove(&Timeline(2));
    let inspection = inspected(made);
    assert_eq!(codes(&inspection, Severity::Harm), ["history-missing"]);
    assert_eq!(inspection.stanzas[0].latest.as_ref().unwrap().timeline, Timeline(1));

    // the histories of timelines that are older than every backup were removed with them
    let mut made = reborn();
    change_info(&mut made, |info| info.backups.clear());
    made.backups.clear();
    back_up(&mut made, FULL, 2, 8, 8);
    made.archives[0].histories.clear();
    assert_eq!(inspected(made).grade, Grade::Restorable);
}

/// Before PostgreSQL 12 nobody follows a younger timeline unasked.
#[test]
fn old_versions_stay_on_their_timeline() {
    let mut made = reborn();
    made.archives[0].id.version = "11".into();
    assert_eq!(inspected(made).stanzas[0].latest.as_ref().unwrap().timeline, Timeline(1));
}

#[test]
fn another_cluster_on_the_stanza_is_named() {
    let with = |system_id, version: &str| {
        let mut made = reborn();
        let second = Database { system_id, version: version.into() };
        let mut archive_info = made.archive_info.content().unwrap().clone();
        archive_info.history.insert(2, second.clone());
        made.archive_info = twice(archive_info);
        change_info(&mut made, |info| drop(info.history.insert(2, second)));
        inspected(made)
    };
    let foreign = with(88, "15");
    assert_eq!(codes(&foreign, Severity::Harm), ["foreign-cluster"]);
    assert_eq!(foreign.stanzas[0].clusters.len(), 2);
    assert_eq!(foreign.stanzas[0].clusters[1].system_identifier, "88");
    let upgraded = with(88, "17");
    assert_eq!(
        (upgraded.grade, codes(&upgraded, Severity::Note)),
        (Grade::Restorable, vec!["upgraded-cluster"])
    );

    let mut made = reborn();
    change_info(&mut made, |info| info.history.get_mut(&1).unwrap().system_id = 78);
    assert_eq!(codes(&inspected(made), Severity::Harm), ["info-mismatch"]);
    let mut made = reborn();
    let stray = SeenArchive { id: ArchiveId { db_id: 9, version: "15".into() }, ..made.archives[0].clone() };
    made.archives.push(stray);
    assert_eq!(codes(&inspected(made), Severity::Warning), ["archive-unknown"]);
}
