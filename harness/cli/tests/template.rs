//! Castles that are copied from a template: they are as good as those that are made anew, each by itself,
//! and a template that is not whole is never used.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use phoenix_cli::testing::{assert_as_expected, evidence};
use phoenix_core::{Promise, RecoveryTarget, Verdict};
use phoenix_drill::{
    BackupKind, CastlePlan, Drill, Encrypted, Environment, Keep, Repositories, Result, Scenario, Settings,
    stage::{self, Played},
};
use phoenix_local::{Local, LocalConfig};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;

/// The table, one backup, rows in WAL alone, and a fire.
async fn play(drill: &mut Drill, place: &impl Environment, plan: CastlePlan) -> Result<Verdict> {
    let (castle, backup) = drill.birth_with_backup(place, plan).await?;
    drill.workload(&*castle).await?;
    let b = drill.insert(&*castle, "DATO_B").await?;
    drill.require(b.committed_after(backup.interval), "B lives in WAL alone")?;
    drill.archive_everything(&*castle).await?;
    let ashes = drill.wipe(castle).await?;
    let castle = drill.rebirth(ashes, RecoveryTarget::Latest).await?;
    let verdict = drill.judge(&*castle, Promise::EveryAcknowledgedRow).await?;
    // the second life, which has the store alone, backs up on top of what was copied
    if plan.repositories == Repositories::Store {
        drill.backup(&*castle, BackupKind::Differential).await?;
    }
    Ok(verdict)
}

async fn drill(template: Option<&Path>, plan: CastlePlan) -> Played {
    let config = LocalConfig { template: template.map(Path::to_owned), ..LocalConfig::default() };
    let settings = Settings { evidence: evidence(), keep: Keep::Never, rows: 300, ..Settings::default() };
    let about = Scenario {
        name: "template",
        family: "self-test",
        promise: "a castle that was copied is as good as one that was made anew",
        expected: Verdict::Valid,
        finding: None,
    };
    let place = Local::new(config).await.unwrap();
    let acted = async |drill: &mut Drill, place: &Local| play(drill, place, plan).await;
    let played = stage::play(stage::new_run(), &about, &place, settings, Vec::new(), acted).await.unwrap();
    assert_as_expected(&played);
    let account = played.report.account.as_ref().unwrap();
    assert!(account.lost.is_empty() && account.unexpected.is_empty(), "{account:?}");
    // the workload and DATO_B; all of them were written after what was copied
    assert_eq!(played.report.provenance.wal_alone, 301, "{:?}", played.report.provenance);
    played
}

fn runbook(played: &Played) -> String {
    fs::read_to_string(played.directory.join("runbook.md")).unwrap()
}

#[track_caller]
fn assert_made_anew(played: &Played) {
    assert!(runbook(played).contains(". initdb · exit 0"));
}

#[track_caller]
fn assert_copied(played: &Played, original: &Played) {
    let runbook = runbook(played);
    for command in ["initdb", "stanza-create"] {
        assert!(!runbook.contains(&format!(". {command} ·")), "{command} was called");
    }
    assert!(runbook.contains("were copied from a template"));
    let identity = |played: &Played| played.report.properties["system_identifier"].clone();
    assert_eq!(identity(played), identity(original));
    assert_eq!(played.report.backups[0], original.report.backups[0]);
    assert_ne!(played.report.run, original.report.run);
}

/// The only template in a directory.
fn only_template(directory: &Path) -> PathBuf {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let found: Vec<_> = entries.filter(|path| path.extension().is_none_or(|end| end != "lock")).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_drills_from_one_template_do_not_know_of_each_other() {
    let (folder, plan) = (folder(), CastlePlan::default());
    let template = Some(folder.path());
    let first = drill(template, plan).await;
    assert_made_anew(&first);
    let (second, third) = tokio::join!(drill(template, plan), drill(template, plan));
    for copy in [&second, &third] {
        assert_copied(copy, &first);
        // rows of another run would have been unexpected, and the account exact nevertheless
        assert_eq!(copy.report.account.as_ref().unwrap().acknowledged, 301);
    }
}

/// Both begin at once: one makes the template, and the other waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_while_it_is_made_waits_and_copies() {
    let (folder, plan) = (folder(), CastlePlan::default());
    let (one, other) = tokio::join!(drill(Some(folder.path()), plan), drill(Some(folder.path()), plan));
    let made = |played: &Played| runbook(played).contains(". initdb ·");
    assert!(made(&one) != made(&other), "both or neither made it");
    if made(&one) { assert_copied(&other, &one) } else { assert_copied(&one, &other) }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_template_is_made_anew() {
    let (folder, plan) = (folder(), CastlePlan::default());
    let first = drill(Some(folder.path()), plan).await;
    let path = only_template(folder.path());
    fs::remove_file(path.join("data/global/pg_control")).unwrap();
    // what a process left that was killed in the midst of it
    fs::create_dir_all(format!("{}.new/data/base", path.display())).unwrap();
    let second = drill(Some(folder.path()), plan).await;
    assert_made_anew(&second);
    let identity = |played: &Played| played.report.properties["system_identifier"].clone();
    assert_ne!(identity(&first), identity(&second));
    assert_copied(&drill(Some(folder.path()), plan).await, &second);
}

/// Two repositories: the local one is copied too, with pgBackRest's symbolic links.
#[tokio::test(flavor = "multi_thread")]
async fn a_local_repository_is_copied_too() {
    let folder = folder();
    let plan = CastlePlan { repositories: Repositories::StoreAndLocal, ..CastlePlan::default() };
    let first = drill(Some(folder.path()), plan).await;
    assert_copied(&drill(Some(folder.path()), plan).await, &first);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_template_all_is_made_anew() {
    assert_made_anew(&drill(None, CastlePlan::default()).await);
}

/// Its passphrase is the drill's own.
#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_repository_has_no_template() {
    let folder = folder();
    let plan = CastlePlan { encrypted: Encrypted::Aes256, ..CastlePlan::default() };
    for _ in 0..2 {
        assert_made_anew(&drill(Some(folder.path()), plan).await);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// What the sharing is for: printed, not judged. Run it by name, alone, with `--no-capture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it measures"]
async fn how_long_a_birth_with_backup_takes() {
    let folder = folder();
    let birth = |played: &Played| {
        let spans = &played.report.spans;
        spans.iter().find(|span| span.name == "birth with backup").map_or(Duration::ZERO, |span| span.elapsed)
    };
    drill(Some(folder.path()), CastlePlan::default()).await;
    for template in [None, Some(folder.path())] {
        let mut seconds = Vec::new();
        for _ in 0..5 {
            seconds.push(birth(&drill(template, CastlePlan::default()).await));
        }
        seconds.sort();
        println!("template: {}; median {:?} of {seconds:?}", template.is_some(), seconds[2]);
    }
}
