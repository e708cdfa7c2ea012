//! What the content of segments and backups says, where it was read.

use super::*;
use phoenix_inspection::{Grade, inspection::Bearing, page::PageHeader};

/// What PostgreSQL writes into the first page of a segment of the stanza's cluster.
fn header(timeline: u32, number: u64) -> PageHeader {
    PageHeader { system_id: 77, timeline: Timeline(timeline), start: lsn(number, 0), segment_size: SIZE }
}

/// Ten segments of timeline 1, and timeline 2 from within the ninth on; each was read and is what it should be.
fn read_through() -> SeenStanza {
    let mut made = stanza(1..=8);
    back_up(&mut made, FULL, 1, 1, 2);
    descend(&mut made, 2, &[(1, lsn(9, 500))], minute(100));
    made.archives[0].segments.extend((9..=12).map(|number| file(2, number)));
    for number in 1..=8 {
        tell(&mut made, 1, number, header(1, number));
    }
    // the segment in which a timeline begins is a copy up to there
    tell(&mut made, 2, 9, header(1, 9));
    for number in 10..=12 {
        tell(&mut made, 2, number, header(2, number));
    }
    made
}

fn tell(made: &mut SeenStanza, timeline: u32, number: u64, header: PageHeader) {
    let path = file(timeline, number).path();
    made.archives[0].contents.insert(path, Reading::Whole(Some(header)));
}

/// What is said of segment 6 with this header in place of its own, or of a later one.
fn with(timeline: u32, number: u64, header: PageHeader) -> (Vec<String>, String) {
    let mut made = read_through();
    tell(&mut made, timeline, number, header);
    let inspection = inspected(made);
    let harm = codes(&inspection, Severity::Harm).into_iter().map(str::to_owned).collect();
    let said = inspection.remarks.iter().find(|remark| remark.finding.code == "wal-foreign");
    let said =
        said.map(|remark| format!("{} {}", remark.finding.sentence, remark.finding.evidence.join("; ")));
    (harm, said.unwrap_or_default())
}

#[test]
fn a_segment_of_another_cluster_is_certain() {
    let inspection = inspected(read_through());
    assert_eq!((inspection.grade, inspection.remarks.as_slice()), (Grade::Restorable, &[][..]));

    let (harm, said) = with(1, 6, PageHeader { system_id: 88, ..header(1, 6) });
    assert_eq!(harm, ["wal-foreign"]);
    assert!(said.contains("was written by another cluster"), "{said}");
    assert!(
        said.contains("000000010000000000000006: written by system 88, and the stanza's is 77"),
        "{said}"
    );
    // recovery does not get past it
    let mut made = read_through();
    tell(&mut made, 1, 6, PageHeader { system_id: 88, ..header(1, 6) });
    let inspection = inspected(made.clone());
    assert_eq!(intervals(&inspection, 2), [(lsn(2, 80), lsn(6, 0))]);
    let finding = &inspection.remarks[0].finding;
    assert_eq!(finding.certainty, phoenix_core::Certainty::Certain);
    // the control: nobody knows the stanza's cluster
    (made.archive_info, made.backup_info) = (Pair::default(), Pair::default());
    assert!(!codes(&inspected(made), Severity::Harm).contains(&"wal-foreign"));
}

#[test]
fn a_segment_must_be_the_one_that_its_name_says() {
    let (harm, said) = with(1, 6, header(1, 7));
    assert_eq!(harm, ["wal-foreign"]);
    assert!(said.contains("its first page is that of 0/700000, and its name means 0/600000"), "{said}");
    let other_size = SegmentSize::new(16 << 20).unwrap();
    assert_eq!(with(1, 6, PageHeader { segment_size: other_size, ..header(1, 6) }).0, ["wal-foreign"]);
    let mut made = read_through();
    made.archives[0].contents.insert(file(1, 6).path(), Reading::Whole(None));
    assert_eq!(codes(&inspected(made), Severity::Harm), ["wal-foreign"]);
}

#[test]
fn a_segment_must_be_of_the_timeline_that_its_place_belongs_to() {
    let (harm, said) = with(2, 11, header(1, 11));
    assert_eq!(harm, ["wal-foreign"]);
    assert!(said.contains("of timeline 1, and that place belongs to timeline 2"), "{said}");
    // its beginning was written before the timeline began
    assert_eq!(with(2, 9, header(2, 9)).0, ["wal-foreign"]);
    // the control: without a history nobody knows where it begins
    let mut made = read_through();
    tell(&mut made, 2, 11, header(1, 11));
    made.archives[0].histories.clear();
    assert_eq!(codes(&inspected(made), Severity::Harm), ["history-missing"]);
}

fn damaged(trouble: Reading<()>, digest: Digest) -> Inspection {
    let mut made = read_through();
    let backup = made.backups.get_mut(FULL).unwrap();
    backup.damage.insert(("pg_data/PG_VERSION.zst".into(), 0), trouble);
    let mut manifest = backup.manifest.content().unwrap().clone();
    manifest
        .pieces
        .values_mut()
        .flat_map(|pieces| pieces.values_mut())
        .for_each(|piece| piece.digest = digest.clone());
    backup.manifest = twice(manifest);
    inspected(made)
}

#[test]
fn a_damaged_file_spoils_its_backup() {
    let known = || Digest::Stored("0a".into());
    let inspection = damaged(Reading::Damaged("it hashes to 0b, and not to 0a".into()), known());
    assert_eq!(codes(&inspection, Severity::Harm), ["backup-damaged"]);
    assert_eq!(inspection.stanzas[0].backups[0].is_restorable(), Some(false));
    let file = "pg_data/PG_VERSION in backup/main/20260101-000000F/pg_data/PG_VERSION.zst is damaged: it hashes to 0b";
    assert!(inspection.remarks[0].finding.evidence[0].starts_with(file), "{:?}", inspection.remarks);
    // what the store would not give decides, and what no manifest tells does not
    let refused = damaged(Reading::Refused("AccessDenied".into()), known());
    assert_eq!((refused.grade, refused.remarks.len()), (Grade::Unknown, 0));
    let untold = damaged(Reading::Refused("no digest".into()), Digest::Unknown);
    assert_eq!((untold.grade, untold.remarks.len()), (Grade::Restorable, 0));
    let aside = untold.unseen.iter().find(|unseen| unseen.why.contains("no digest")).unwrap();
    assert_eq!(aside.bearing, Bearing::Aside);
}

/// What a later backup shares with an earlier one is damaged in both.
#[test]
fn a_damaged_file_spoils_every_backup_that_needs_it() {
    let mut made = read_through();
    back_up(&mut made, "20260101-000000F_20260102-000000I", 1, 5, 5);
    let shared = made.backups[FULL].manifest.content().unwrap().clone();
    let later = made.backups.get_mut("20260101-000000F_20260102-000000I").unwrap();
    let mut manifest = later.manifest.content().unwrap().clone();
    manifest.files.extend(shared.files.clone());
    manifest.pieces.extend(shared.pieces.clone());
    later.manifest = twice(manifest);
    assert_eq!(inspected(made.clone()).grade, Grade::Restorable);
    let backup = made.backups.get_mut(FULL).unwrap();
    backup.damage.insert(("pg_data/PG_VERSION.zst".into(), 0), Reading::Damaged("x".into()));
    assert_eq!(codes(&inspected(made), Severity::Harm), ["backup-damaged"; 2]);
}

/// Which blocks of older backups a file is made of stands in no manifest.
#[test]
fn what_lies_in_blocks_is_said_to_be_unseen() {
    let unseen = |in_blocks| {
        let mut made = read_through();
        back_up(&mut made, "20260101-000000F_20260102-000000I", 1, 5, 5);
        change_info(&mut made, |info| info.backups[1].references = vec![FULL.into()]);
        let later = made.backups.get_mut("20260101-000000F_20260102-000000I").unwrap();
        let manifest = Manifest { in_blocks, ..later.manifest.content().unwrap().clone() };
        later.manifest = twice(manifest);
        let inspection = inspected(made);
        assert_eq!(inspection.grade, Grade::Restorable);
        inspection.unseen.iter().filter(|unseen| unseen.what.starts_with("which blocks")).count()
    };
    assert_eq!([unseen(0), unseen(3)], [0, 1]);
}
