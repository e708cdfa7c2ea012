//! Whatever ends a drill, nothing of it lives on: a signal cleans up, SIGKILL kills the victim too, and
//! the next sweep removes the rest.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use phoenix_core::{Event, Verdict};
use phoenix_drill::{Wait, wait_for};
use rstest::rstest;
use std::{path::Path, time::Duration};
use support::{assert_gone, evidence, folder, phoenix, processes, remains, report, run};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
};

/// Starts a drill, and gives it with its run once this span has begun.
async fn until_span(folder: &Path, span: &str, capsule: &str) -> (Child, String) {
    let mut drill = phoenix(folder);
    drill.env("PHOENIX_CAPSULE_KIND", capsule).args(["drill", "--json", "--scenario", "second-life"]);
    let mut child = drill.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut of = None;
    while let Some(line) = lines.next_line().await.unwrap() {
        match serde_json::from_str(&line).unwrap() {
            Event::DrillStarted { run, .. } => of = Some(run.to_string()),
            Event::SpanStarted { name, .. } if name == span => {
                // the pipe must not fill up and hold the drill
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return (child, of.unwrap());
            }
            _ => {}
        }
    }
    panic!("the drill ended before {span}");
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().unwrap().try_into().unwrap()), signal).unwrap();
}

#[rstest]
#[case::initdb(Signal::SIGINT, "initdb", "strongest")]
#[case::workload(Signal::SIGTERM, "workload", "guardian")]
#[case::backup(Signal::SIGINT, "backup", "strongest")]
#[case::wipe(Signal::SIGTERM, "wipe", "strongest")]
#[case::restore(Signal::SIGINT, "restore", "guardian")]
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_cleans_up(#[case] with: Signal, #[case] span: &str, #[case] capsule: &str) {
    let folder = folder();
    let (mut child, run) = until_span(folder.path(), span, capsule).await;
    signal(&child, with);
    let ended = tokio::time::timeout(Duration::from_secs(60), child.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(130));

    let report = report(&evidence(folder.path()));
    assert_eq!(report.verdict, Some(Verdict::unknown(format!("interrupted by {with}"))));
    assert!(report.finished_at.is_some() && evidence(folder.path()).join("junit.xml").exists());
    assert_eq!(remains(&run), [""; 0]);
}

/// So many files take a moment to be removed.
const FILES: u32 = 100_000;

/// Where a run of this machine has its things, with so much in it that it is not removed in an instant.
fn fill(of: &str) {
    let (uid, slug) = (nix::unistd::getuid(), of.to_ascii_lowercase());
    let places = [format!("/dev/shm/phoenix-{uid}/{slug}"), format!("/var/tmp/phoenix-{uid}/drills/{slug}")];
    let place = places.iter().map(Path::new).find(|place| place.exists()).unwrap();
    let planted = place.join("planted");
    std::fs::create_dir(&planted).unwrap();
    (0..FILES).for_each(|number| drop(std::fs::File::create(planted.join(number.to_string())).unwrap()));
}

#[rstest]
#[case::once(1)]
#[case::twice(2)]
#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_the_clean_up(#[case] signals: u32) {
    let folder = folder();
    let (mut child, of) = until_span(folder.path(), "backup", "strongest").await;
    fill(&of);
    for _ in 0..signals {
        signal(&child, Signal::SIGINT);
        phoenix_drill::pause(Duration::from_millis(50)).await;
    }
    let ended = tokio::time::timeout(Duration::from_secs(60), child.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(130));
    let report = report(&evidence(folder.path()));
    assert_eq!(report.verdict, Some(Verdict::unknown("interrupted by SIGINT")));
    let told: Vec<_> = report.findings.iter().map(|it| (it.code.as_str(), it.fix.as_str())).collect();
    let interrupted = ("interrupted", "drill again, and let it end");
    match signals {
        1 => assert_eq!((told, remains(&of)), (vec![interrupted], vec![])),
        _ => assert_eq!(told, [interrupted, ("left-behind", "run `phoenix sweep`: it removes the rest")]),
    }
    run(folder.path(), ["sweep"]).await;
    assert_gone(&of).await;
}

#[rstest]
#[case::store("store", "strongest")]
#[case::initdb("initdb", "strongest")]
#[case::start("start", "strongest")]
#[case::start_guarded("start", "guardian")]
#[case::stanza("stanza", "strongest")]
#[case::workload("workload", "strongest")]
#[case::insert("insert DATO_A", "strongest")]
#[case::backup("backup", "strongest")]
#[case::backup_guarded("backup", "guardian")]
#[case::archive("archive", "strongest")]
#[case::wipe("wipe", "strongest")]
#[case::restore("restore", "strongest")]
#[case::recovery_guarded("recovery to latest", "guardian")]
#[case::recovery("recovery to latest", "strongest")]
#[case::second_life("insert DATO_C", "strongest")]
#[tokio::test(flavor = "multi_thread")]
async fn after_sigkill_nothing_lives_and_sweep_removes_the_rest(#[case] span: &str, #[case] capsule: &str) {
    let folder = folder();
    let (mut child, of) = until_span(folder.path(), span, capsule).await;
    signal(&child, Signal::SIGKILL);
    child.wait().await.unwrap();
    let gone = wait_for(
        "the victim to die with the harness",
        Duration::from_secs(20),
        Duration::from_millis(5),
        || async {
            let alive = processes(&of);
            Ok(if alive.is_empty() { Wait::Ready(()) } else { Wait::NotYet(alive.join(", ")) })
        },
    );
    gone.await.unwrap();

    run(folder.path(), ["sweep"]).await;
    assert_gone(&of).await;
    // the evidence says that it was started and never finished
    let report = report(&evidence(folder.path()));
    assert_eq!((report.verdict, report.finished_at), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_run_sweeps_what_a_dead_one_left() {
    let folder = folder();
    let (mut child, of) = until_span(folder.path(), "backup", "strongest").await;
    signal(&child, Signal::SIGKILL);
    child.wait().await.unwrap();
    run(folder.path(), ["drill", "--rows", "40", "--report", "again"]).await.assert(0, "VALID");
    assert_gone(&of).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_on_purpose_stays_until_it_is_swept_on_purpose() {
    let folder = folder();
    let kept = run(folder.path(), ["drill", "--rows", "40", "--keep", "always"]).await;
    kept.assert(0, "kept for a look");
    let of = report(&evidence(folder.path())).run;
    assert_eq!(processes(of.as_str()), [""; 0]);
    run(folder.path(), ["sweep"]).await;
    assert_eq!(remains(of.as_str()).len(), 2, "a directory and its register");
    run(folder.path(), ["sweep", "--kept"]).await;
    assert_gone(of.as_str()).await;
}
