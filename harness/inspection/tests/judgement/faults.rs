//! Each fault has its finding, and without it there is none.

use super::*;
use phoenix_inspection::Grade;

/// Two backups, the second of them incremental, and ten segments.
fn sound() -> SeenStanza {
    let mut made = stanza(1..=10);
    back_up(&mut made, FULL, 1, 1, 2);
    back_up(&mut made, SECOND, 1, 5, 5);
    change_info(&mut made, |info| info.backups[1].references = vec![FULL.into()]);
    let shared = StoredFile { label: FULL.into(), path: "bundle/1".into() };
    let mut manifest = made.backups[SECOND].manifest.content().unwrap().clone();
    manifest.files.insert(shared, Extent::AtLeast(100));
    made.backups.get_mut(SECOND).unwrap().manifest = twice(manifest);
    made.backups.get_mut(FULL).unwrap().files.insert("bundle/1".into(), 120);
    made
}

const SECOND: &str = "20260101-000000F_20260102-000000I";

/// The codes of all that a changed repository says, harm and warnings.
fn said(change: impl FnOnce(&mut SeenStanza)) -> (Vec<String>, Vec<String>) {
    let mut made = sound();
    change(&mut made);
    let inspection = inspected(made);
    let of = |severity| codes(&inspection, severity).into_iter().map(str::to_owned).collect();
    (of(Severity::Harm), of(Severity::Warning))
}

fn harm(code: &str) -> (Vec<String>, Vec<String>) {
    (vec![code.to_owned()], Vec::new())
}

fn warning(code: &str) -> (Vec<String>, Vec<String>) {
    (Vec::new(), vec![code.to_owned()])
}

#[test]
fn a_sound_repository_says_nothing() {
    let inspection = inspected(sound());
    assert_eq!((inspection.grade, inspection.remarks.as_slice()), (Grade::Restorable, &[][..]));
    assert!(inspection.stanzas[0].backups.iter().all(|backup| backup.is_restorable() == Some(true)));
    // what the store cannot know is said all the same
    assert_eq!(inspection.unseen.len(), 1);
    assert!(inspection.unseen[0].what.starts_with("what was written after 00000001000000000000000A"));
}

#[test]
fn one_copy_is_a_warning_and_both_are_harm() {
    let torn = || Reading::Damaged("it ends before its checksum".into());
    assert_eq!(said(|made| made.archive_info.main = torn()), warning("archive-info-copy"));
    assert_eq!(said(|made| made.archive_info.copy = Reading::Missing), warning("archive-info-copy"));
    assert_eq!(said(|made| made.archive_info = Pair::default()), harm("archive-info-lost"));
    assert_eq!(
        said(|made| made.backup_info.copy = Reading::Damaged("x".into())),
        warning("backup-info-copy")
    );
    assert_eq!(said(|made| made.backup_info = Pair::default()), harm("backup-info-lost"));
    let manifest = |made: &mut SeenStanza, pair| made.backups.get_mut(SECOND).unwrap().manifest = pair;
    assert_eq!(
        said(|made| made.backups.get_mut(SECOND).unwrap().manifest.main = Reading::Missing),
        warning("manifest-copy")
    );
    assert_eq!(said(|made| manifest(made, Pair::default())), harm("manifest-lost"));
}

#[test]
fn what_a_backup_consists_of_must_be_there() {
    assert_eq!(said(|made| drop(made.backups.remove(SECOND))), harm("backup-missing"));
    let bundle = |bytes: Option<u64>| {
        move |made: &mut SeenStanza| {
            let files = &mut made.backups.get_mut(FULL).unwrap().files;
            files.remove("bundle/1");
            files.extend(bytes.map(|bytes| ("bundle/1".to_owned(), bytes)));
        }
    };
    assert_eq!(said(bundle(None)), harm("backup-incomplete"));
    assert_eq!(said(bundle(Some(99))), harm("backup-incomplete"));
    assert_eq!(said(bundle(Some(100))), (vec![], vec![]));
    // a backup that another refers to is gone from backup.info alone
    let unlisted = |made: &mut SeenStanza| change_info(made, |info| drop(info.backups.remove(0)));
    assert_eq!(said(unlisted), (vec!["backup-incomplete".into()], vec!["backup-unlisted".into()]));
    assert_eq!(
        said(|made| change_info(made, |info| info.backups[0].has_page_errors = true)),
        harm("backup-page-errors")
    );
    assert_eq!(said(|made| change_info(made, |info| info.backups.clear())).0, ["no-backup"]);
}

#[test]
fn a_backup_under_way_is_no_fault() {
    let mut made = sound();
    made.backups.insert("20260103-000000F".into(), SeenBackup::default());
    let inspection = inspected(made);
    assert_eq!(
        (inspection.grade, codes(&inspection, Severity::Note)),
        (Grade::Restorable, vec!["backup-unfinished"])
    );
}

#[test]
fn the_wal_of_a_backup_must_be_there() {
    let without = |made: &mut SeenStanza| made.archives[0].segments.retain(|file| file.name != name(1, 5));
    assert_eq!(said(without).0, ["backup-wal-missing", "wal-missing"]);
    // unless it holds it itself: then it is restorable, and everything else is lost all the same
    let with_copy = |made: &mut SeenStanza| {
        without(made);
        change_info(made, |info| info.backups[1].holds_its_wal = true);
    };
    assert_eq!(said(with_copy).0, ["wal-missing"]);
    assert_eq!(said(|made| made.archives.clear()).0, ["backup-wal-missing"; 2]);
}

#[test]
fn what_is_there_and_useless_is_named() {
    let cut = |made: &mut SeenStanza| made.archives[0].segments[7].stored_bytes = 0;
    assert_eq!(said(cut), harm("wal-truncated"));
    // a segment that is not compressed has its length
    let plain = |bytes| {
        move |made: &mut SeenStanza| {
            let file = &mut made.archives[0].segments[7];
            (file.compression, file.stored_bytes) = (Some(Compression::None), bytes);
        }
    };
    assert_eq!(said(plain(SIZE.bytes() - 1)), harm("wal-truncated"));
    assert_eq!(said(plain(SIZE.bytes())), (vec![], vec![]));
    let twin = |made: &mut SeenStanza| {
        made.archives[0].segments.push(SegmentFile { sha1: "f".repeat(40), ..file(1, 8) });
    };
    assert_eq!(said(twin), harm("wal-duplicate"));
    // the same content twice, compressed differently, is no contradiction
    let same = |made: &mut SeenStanza| {
        made.archives[0].segments.push(SegmentFile { compression: Some(Compression::Gz), ..file(1, 8) });
    };
    assert_eq!(said(same), (vec![], vec![]));
    let read = |content: Reading<_>| {
        move |made: &mut SeenStanza| {
            let path = made.archives[0].segments[7].path();
            made.archives[0].contents = BTreeMap::from([(path, content)]);
        }
    };
    assert_eq!(said(read(Reading::Damaged("its content hashes to 0".into()))), harm("wal-damaged"));
    // recovery stops at what it cannot use
    let mut made = sound();
    read(Reading::Damaged("x".into()))(&mut made);
    assert_eq!(intervals(&inspected(made), 1), [(lsn(2, 80), lsn(8, 0))]);
}

/// What could not be seen is no harm, and no health either.
#[test]
fn what_cannot_be_seen_is_not_judged() {
    let unseen = |change: fn(&mut SeenStanza)| {
        let mut made = sound();
        change(&mut made);
        let inspection = inspected(made);
        assert_eq!(inspection.remarks, []);
        (inspection.grade, inspection.exit_status())
    };
    assert_eq!(unseen(|_| ()), (Grade::Restorable, 0));
    assert_eq!(
        unseen(|made| made.backup_info = Pair { main: Reading::Sealed, copy: Reading::Sealed }),
        (Grade::Unknown, 3)
    );
    let refused = |made: &mut SeenStanza| {
        let manifest = Reading::Refused("AccessDenied".into());
        made.backups.get_mut(FULL).unwrap().manifest = Pair { main: manifest, copy: Reading::Missing };
    };
    assert_eq!(unseen(refused), (Grade::Unknown, 3));
    assert_eq!(unseen(|made| made.archives[0].segment_size = None), (Grade::Restorable, 0));
}

/// An encrypted repository still has names: gaps are found without its passphrase.
#[test]
fn gaps_are_found_behind_encryption() {
    let mut made = sound();
    made.backup_info = Pair { main: Reading::Sealed, copy: Reading::Sealed };
    made.archives[0].segments.remove(6);
    let inspection = inspected(made);
    assert_eq!((codes(&inspection, Severity::Harm), inspection.exit_status()), (vec!["wal-missing"], 1));
}
