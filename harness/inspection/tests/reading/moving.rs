//! A repository that is written to, or expired, while it is read.

use super::{
    harm, look,
    written::{LABEL, backup_info, key, name, repository},
};
use chrono::DateTime;
use futures::future::BoxFuture;
use phoenix_inspection::{
    Grade, Inspection, Source,
    inspection::Bearing,
    source::{Level, Object, SourceError},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicUsize, Ordering},
};

/// Objects in memory. Of a key with several contents each reading gives the next one; `None` is absent.
struct Moving {
    objects: BTreeMap<String, Vec<Option<Vec<u8>>>>,
    refused: BTreeSet<String>,
    archive_listings: AtomicUsize,
    info_readings: AtomicUsize,
}

impl Moving {
    fn still(objects: BTreeMap<String, Vec<u8>>) -> Self {
        let objects = objects.into_iter().map(|(key, bytes)| (key, vec![Some(bytes)])).collect();
        let (archive_listings, info_readings) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { objects, refused: BTreeSet::new(), archive_listings, info_readings }
    }

    /// The content of a key at the nth look.
    fn at(&self, key: &str, look: usize) -> Option<Vec<u8>> {
        let contents = self.objects.get(key)?;
        contents.get(look).or(contents.last())?.clone()
    }

    fn below(&self, folder: &str, look: usize) -> Vec<Object> {
        let keys = self.objects.keys().filter(|key| key.starts_with(folder));
        let object = |key: &String| {
            let bytes = self.at(key, look)?.len() as u64;
            let modified = DateTime::from_timestamp(1_767_225_600, 0)?;
            Some(Object { key: key.clone(), bytes, modified })
        };
        keys.filter_map(object).collect()
    }
}

impl Source for Moving {
    fn place(&self) -> String {
        "memory".to_owned()
    }

    fn level<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Level, SourceError>> {
        let mut level = Level::default();
        for object in self.below(folder, self.archive_listings.load(Ordering::SeqCst)) {
            match object.key[folder.len()..].split_once('/') {
                None => level.objects.push(object),
                Some((name, _)) if level.folders.iter().any(|known| known == name) => {}
                Some((name, _)) => level.folders.push(name.to_owned()),
            }
        }
        Box::pin(async { Ok(level) })
    }

    fn list<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<Object>, SourceError>> {
        let look = match folder.starts_with("archive/") {
            true => self.archive_listings.fetch_add(1, Ordering::SeqCst),
            false => 0,
        };
        Box::pin(async move { Ok(self.below(folder, look)) })
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Vec<u8>, SourceError>> {
        let look = match key.ends_with("backup.info") {
            true => self.info_readings.fetch_add(1, Ordering::SeqCst),
            false => 0,
        };
        Box::pin(async move {
            if self.refused.contains(key) {
                return Err(SourceError::Unreadable { what: key.to_owned(), source: "AccessDenied".into() });
            }
            self.at(key, look).ok_or_else(|| SourceError::Absent(key.to_owned()))
        })
    }

    fn part<'a>(
        &'a self,
        key: &'a str,
        from: u64,
        bytes: u64,
    ) -> BoxFuture<'a, Result<Vec<u8>, SourceError>> {
        Box::pin(async move {
            let whole = self.get(key).await?;
            let skipped = usize::try_from(from).unwrap();
            Ok(whole.into_iter().skip(skipped).take(usize::try_from(bytes).unwrap()).collect())
        })
    }
}

fn at_rest(inspection: &Inspection) -> bool {
    !inspection.unseen.iter().any(|unseen| unseen.what == "the repository at rest")
}

/// A segment that a first listing lacks and a second has was on its way: nothing was wrong.
#[tokio::test]
async fn harm_that_heals_is_not_said() {
    let mut source = Moving::still(repository(1..=9));
    source.objects.insert(key(5), vec![None, Some(b"segment".to_vec())]);
    let inspection = look(&source).await;
    assert_eq!((inspection.grade, harm(&inspection)), (Grade::Restorable, vec![]));

    // the control: it does not come
    source.objects.insert(key(5), vec![None]);
    let inspection = look(&source).await;
    let gone = format!("segment {} is missing: recovery stops there without an error", name(5));
    assert_eq!((inspection.grade, harm(&inspection)), (Grade::Harmed, vec![gone.as_str()]));
    assert!(at_rest(&inspection));
}

/// Where each look finds another harm, that is said too.
#[tokio::test]
async fn a_repository_that_never_rests_is_told_so() {
    let mut source = Moving::still(repository(1..=9));
    let there = || Some(b"segment".to_vec());
    source.objects.insert(key(4), vec![None, there()]);
    source.objects.insert(key(5), vec![there(), None, there()]);
    source.objects.insert(key(6), vec![there(), there(), None]);
    let inspection = look(&source).await;
    assert_eq!(inspection.grade, Grade::Harmed);
    assert!(!at_rest(&inspection));
}

/// A backup that is completed while the repository is read is seen, and no folder of it is unknown.
#[tokio::test]
async fn info_files_that_change_are_read_again() {
    let second = "20260102-000000F";
    let mut source = Moving::still(repository(1..=9));
    for name in ["backup.manifest", "backup.manifest.copy", "pg_data/PG_VERSION"] {
        let manifest = source.objects[&format!("backup/main/{LABEL}/{name}")].clone();
        source.objects.insert(format!("backup/main/{second}/{name}"), manifest);
    }
    let (before, after) = (Some(backup_info(&[LABEL])), Some(backup_info(&[LABEL, second])));
    source.objects.insert("backup/main/backup.info".into(), vec![before, after.clone()]);
    source.objects.insert("backup/main/backup.info.copy".into(), vec![after]);
    let inspection = look(&source).await;
    assert_eq!(inspection.stanzas[0].backups.len(), 2);
    let codes: Vec<_> = inspection.remarks.iter().map(|remark| remark.finding.code.as_str()).collect();
    assert_eq!((inspection.grade, codes), (Grade::Restorable, vec!["wal-unused"]));
}

/// What the store refuses to give is not said to be damaged.
#[tokio::test]
async fn what_is_refused_is_unseen() {
    let mut source = Moving::still(repository(1..=9));
    let (main, copy) = ("backup/main/backup.info", "backup/main/backup.info.copy");
    source.refused.insert(main.to_owned());
    assert_eq!(look(&source).await.grade, Grade::Restorable);
    source.refused.insert(copy.to_owned());
    let inspection = look(&source).await;
    assert_eq!((inspection.grade, harm(&inspection)), (Grade::Unknown, vec![]));
    let decisive = inspection.unseen.iter().find(|unseen| unseen.bearing == Bearing::Decisive).unwrap();
    assert!(decisive.why.contains("AccessDenied"), "{decisive:?}");
}
