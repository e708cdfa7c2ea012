//! A repository in a directory, with one thing wrong after another.

use super::{
    Left, document,
    support::{Ran, folder, run},
};
use phoenix_inspection::inspection::Severity;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// One thing wrong with a copy of the repository, and what is said of it.
async fn after(repository: &Path, damage: impl FnOnce(&Path)) -> Ran {
    with(repository, damage, &[]).await
}

async fn with(repository: &Path, damage: impl FnOnce(&Path), more: &[&str]) -> Ran {
    let damaged = folder();
    copy(repository, &damaged.path().join("repository"));
    damage(&damaged.path().join("repository"));
    run(damaged.path(), ["inspect", "repository", "--json"].iter().chain(more)).await
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files
}

/// The exit status and the codes, each once: both backups may say the same.
fn codes(ran: &Ran) -> (Option<i32>, Vec<String>) {
    let told = document(ran).remarks;
    let told = told.into_iter().filter(|remark| remark.severity != Severity::Note);
    let codes: BTreeSet<_> = told.map(|remark| remark.finding.code).collect();
    (ran.status, codes.into_iter().collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_damage_to_a_directory_is_named() {
    let left = Left::by_a_drill().await;
    let root = left.copied().await;
    let is =
        |status: i32, codes: &[&str]| (Some(status), codes.iter().map(|code| (*code).to_owned()).collect());
    assert_eq!(codes(&after(&root, |_| ()).await), is(0, &[]));

    let flip = |path: PathBuf| {
        let mut bytes = fs::read(&path).unwrap();
        bytes[40] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    let info = "archive/castle/archive.info";
    assert_eq!(codes(&after(&root, |root| flip(root.join(info))).await), is(0, &["archive-info-copy"]));
    let both = |root: &Path| {
        flip(root.join(info));
        flip(root.join(format!("{info}.copy")));
    };
    assert_eq!(codes(&after(&root, both).await), is(1, &["archive-info-lost"]));
    let no_info = |root: &Path| {
        for name in ["backup.info", "backup.info.copy"] {
            fs::remove_file(root.join("backup/castle").join(name)).unwrap();
        }
    };
    assert_eq!(codes(&after(&root, no_info).await), is(1, &["backup-info-lost"]));

    let without = |wanted: &'static str| {
        move |root: &Path| {
            let all = files(root);
            let found: Vec<_> = all.iter().filter(|path| path.to_str().unwrap().contains(wanted)).collect();
            assert!(!found.is_empty(), "{wanted}: {all:?}");
            found.into_iter().for_each(|path| fs::remove_file(path).unwrap());
        }
    };
    assert_eq!(codes(&after(&root, without("/bundle/1")).await), is(1, &["backup-incomplete"]));
    assert_eq!(codes(&after(&root, without("backup.manifest.copy")).await), is(0, &["manifest-copy"]));
    assert_eq!(codes(&after(&root, without("F/backup.manifest")).await), is(1, &["manifest-lost"]));
    assert_eq!(codes(&after(&root, without("00000002.history")).await), is(1, &["history-missing"]));

    // a whole segment under another one's name
    let misplaced = |root: &Path| {
        let mut segments = files(&root.join("archive"));
        segments.retain(|path| path.file_name().unwrap().to_str().unwrap().get(24..25) == Some("-"));
        segments.sort();
        let [taken, put] = [&segments[segments.len() - 2], &segments[segments.len() - 1]];
        let (name, sha1) =
            (put.file_name().unwrap().to_str().unwrap(), taken.file_name().unwrap().to_str().unwrap());
        fs::copy(taken, put.with_file_name(format!("{}{}", &name[..24], &sha1[24..]))).unwrap();
        fs::remove_file(put).unwrap();
    };
    let quick = after(&root, misplaced).await;
    assert_eq!(codes(&quick), is(0, &[]));
    let read = with(&root, misplaced, &["--checksums"]).await;
    assert_eq!(codes(&read), is(1, &["wal-foreign"]));
    assert_eq!(codes(&with(&root, |_| (), &["--checksums"]).await), is(0, &[]));

    run(left.folder.path(), ["inspect", "nowhere"])
        .await
        .assert(3, "there is no pgBackRest repository in nowhere");
    run(left.folder.path(), ["inspect", "copy/archive"]).await.assert(3, "there are copy/archive/castle");
    run(left.folder.path(), ["inspect", "copy", "--reference", "yesterday"])
        .await
        .assert(2, "neither an LSN");
    run(left.folder.path(), ["inspect", "s3:/vault"]).await.assert(3, "there is no pgBackRest repository");
    run(left.folder.path(), ["inspect", "http://vault/x"]).await.assert(2, "names no bucket");
    left.server.shutdown().await;
}
