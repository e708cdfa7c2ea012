//! What lies past the newest segment is known to a reference alone.

use super::*;
use phoenix_core::{Commit, Digest, Entry, RowId, Xid, ledger::Moment};
use phoenix_inspection::{Grade, Reference};

fn held(reference: &str) -> Inspection {
    against(&Reference::parse(reference).unwrap())
}

/// Segments 1 to 6 of timeline 1, then 7 to 9 of timeline 2.
fn against(reference: &Reference) -> Inspection {
    let mut made = stanza(1..=6);
    back_up(&mut made, FULL, 1, 1, 2);
    descend(&mut made, 2, &[(1, lsn(7, 0))], minute(100));
    made.archives[0].segments.extend((7..=9).map(|number| file(2, number)));
    judge(&seen(made), Some(reference))
}

fn missing(inspection: &Inspection) -> Option<(String, String, u64)> {
    let gap = inspection.reference.as_ref().unwrap().missing.clone()?;
    Some((gap.first, gap.last, gap.segments))
}

#[test]
fn a_position_says_which_segments_are_missing() {
    for within in ["0/9FFFFF", "0/A00000", "0/700000"] {
        let inspection = held(within);
        assert_eq!((inspection.grade, missing(&inspection)), (Grade::Restorable, None), "{within}");
        assert!(inspection.reference.unwrap().is_reached);
    }
    let inspection = held("0/A00001");
    assert_eq!(missing(&inspection), Some((name(2, 10), name(2, 10), 1)));
    assert_eq!(codes(&inspection, Severity::Harm), ["reference-beyond"]);
    assert_eq!(missing(&held("0/D00000")), Some((name(2, 10), name(2, 12), 3)));
    // the store is not said to be ignorant of what it was asked about
    assert_eq!(inspection.unseen, []);
}

#[test]
fn a_segment_says_which_others_are_missing() {
    assert_eq!(missing(&held(&name(2, 11))), Some((name(2, 10), name(2, 11), 2)));
    for reached in [name(2, 9), name(1, 6)] {
        assert_eq!(held(&reached).grade, Grade::Restorable, "{reached}");
    }
    let inspection = held(&name(1, 7));
    assert_eq!(inspection.grade, Grade::Harmed);
    let sentence = inspection.reference.unwrap().sentence;
    assert_eq!(sentence, "a default restore leaves timeline 1 at 0/700000, before that segment ends");
    assert!(held(&name(3, 7)).reference.unwrap().sentence.contains("does not descend from timeline 3"));
}

/// What is there and cannot be reached is not said to be missing.
#[test]
fn what_lies_behind_a_gap_is_told_from_what_is_missing() {
    let sentence = |numbers: &[u64]| {
        let mut made = stanza(numbers.iter().copied());
        back_up(&mut made, FULL, 1, 1, 2);
        let inspection = judge(&seen(made), Some(&Reference::parse(&name(1, 6)).unwrap()));
        inspection.reference.unwrap().sentence
    };
    let behind = sentence(&[1, 2, 3, 5, 6]);
    assert!(behind.ends_with("3 segments, are missing, or lie behind one that is"), "{behind}");
    assert!(sentence(&[1, 2, 3]).ends_with("3 segments, are missing"));
}

fn row(number: u128, life: u32, until: Lsn) -> [Entry; 2] {
    let (row, at) = (RowId(uuid::Uuid::from_u128(number)), Moment(0));
    let digest = Digest::of("run", "row");
    let commit = Commit { xid: Xid(3), lsn_before: Lsn(until.0 - 50), lsn_after: until };
    [Entry::Invoked { row, label: "row".into(), digest, life, at }, Entry::Ok { row, commit, at }]
}

#[test]
fn a_ledger_says_how_many_rows_are_missing() {
    let lives = |first: &[Lsn], second: &[Lsn]| {
        let mut entries: Vec<_> = (1..).zip(first).flat_map(|(number, at)| row(number, 0, *at)).collect();
        entries.push(Entry::Rebirth { timeline: Timeline(2), at: Moment(1) });
        entries.extend((100..).zip(second).flat_map(|(number, at)| row(number, 1, *at)));
        Reference::ledger(&entries).unwrap()
    };
    let sound = against(&lives(&[lsn(3, 9), lsn(7, 0)], &[lsn(10, 0)]));
    assert_eq!((sound.grade, sound.reference.unwrap().rows_beyond), (Grade::Restorable, Some(0)));
    // one of the first life beyond where it was left, two of the second beyond the newest segment
    let lossy = against(&lives(&[lsn(3, 9), lsn(7, 1)], &[lsn(9, 5), lsn(10, 1), lsn(12, 7)]));
    let told = lossy.reference.clone().unwrap();
    assert_eq!((told.rows_beyond, told.rows, lossy.grade), (Some(3), Some(5), Grade::Harmed));
    assert_eq!(missing(&lossy), Some((name(2, 10), name(2, 12), 3)));
    assert!(told.sentence.starts_with("3 of 5 acknowledged rows lie beyond 0/A00000"), "{}", told.sentence);
}

#[test]
fn what_is_no_reference_is_refused() {
    for text in ["", "latest", "0/", "00000001", "00000001000000000000000g"] {
        let error = Reference::parse(text).unwrap_err().to_string();
        assert!(error.contains("is neither an LSN such as 0/3000148"), "{error}");
    }
}

/// Where nothing can be restored, nothing of the reference comes back.
#[test]
fn without_a_backup_nothing_is_reached() {
    let inspection = judge(&seen(stanza(1..=3)), Some(&Reference::parse("0/200000").unwrap()));
    assert_eq!(codes(&inspection, Severity::Harm), ["no-backup", "reference-beyond"]);
    assert!(!inspection.reference.unwrap().is_reached);
}

/// The document is what its schema says, and no other version's is.
#[test]
fn the_document_is_what_its_schema_says() {
    let validator = jsonschema::validator_for(&phoenix_inspection::inspection::schema()).unwrap();
    let mut value = serde_json::to_value(held("0/A00001")).unwrap();
    validator.validate(&value).map_err(|error| error.to_string()).unwrap();
    assert_eq!(serde_json::from_value::<Inspection>(value.clone()).unwrap(), held("0/A00001"));
    value["schema"] = "phoenix.inspection/2".into();
    assert!(!validator.is_valid(&value));
}
