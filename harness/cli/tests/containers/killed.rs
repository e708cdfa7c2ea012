//! Whatever ends a drill in containers: a signal cleans up, and after SIGKILL a sweep removes everything
//! of the run and nothing else.

use crate::{
    docker::{assert_nothing_left, docker, left},
    support::{evidence, folder, phoenix, report, run},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use phoenix_core::{Event, Verdict};
use phoenix_docker::Engine;
use phoenix_drill::{Resource, Wait, register, wait_for};
use rstest::rstest;
use std::{fs, path::Path, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
};

/// Starts a drill, and gives it with its run once `reached` says so.
async fn until(folder: &Path, reached: impl FnMut(&Event) -> bool) -> (Child, String) {
    until_of(phoenix(folder), reached).await
}

async fn until_of(
    mut drill: tokio::process::Command,
    mut reached: impl FnMut(&Event) -> bool,
) -> (Child, String) {
    drill.args([
        "drill",
        "--environment",
        "containers",
        "--json",
        "--scenario",
        "second-life",
        "--rows",
        "100",
    ]);
    let mut child = drill.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut of = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        let event = serde_json::from_str(&line).unwrap();
        if let Event::DrillStarted { run, .. } = &event {
            of = run.to_string();
        }
        if reached(&event) {
            // the pipe must not fill up and hold the drill
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return (child, of);
        }
    }
    panic!("the drill ended before it was reached");
}

fn begins(span: &str) -> impl FnMut(&Event) -> bool {
    move |event| matches!(event, Event::SpanStarted { name, .. } if name == span)
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().unwrap().try_into().unwrap()), signal).unwrap();
}

async fn kill_and_sweep(folder: &Path, mut child: Child, of: &str) {
    signal(&child, Signal::SIGKILL);
    child.wait().await.unwrap();
    run(folder, ["sweep"]).await;
    // another test's drill may be the one that sweeps it
    let swept =
        wait_for("the run to be swept", Duration::from_secs(60), Duration::from_millis(100), || async {
            let mut remains = left(of);
            let register = register::directory()?.join(format!("{of}.jsonl"));
            remains.extend(register.exists().then(|| register.display().to_string()));
            Ok(if remains.is_empty() { Wait::Ready(()) } else { Wait::NotYet(remains.join(", ")) })
        });
    swept.await.unwrap();
    // what a request that was on its way at the end would have made is not there either
    phoenix_drill::pause(Duration::from_secs(2)).await;
    assert_nothing_left(of);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn after_sigkill_sweep_removes_everything(
    #[values(
        "network",
        "store",
        "container",
        "initdb",
        "start",
        "stanza",
        "workload",
        "backup",
        "archive",
        "wipe",
        "restore",
        "recovery to latest"
    )]
    span: &str,
) {
    let folder = folder();
    let (child, of) = until(folder.path(), begins(span)).await;
    kill_and_sweep(folder.path(), child, &of).await;
    let report = report(&evidence(folder.path()));
    assert_eq!((report.verdict, report.finished_at), (None, None));
}

/// Ten moments that nobody chose.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn after_sigkill_at_random_sweep_removes_everything(
    #[values(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)] number: u128,
) {
    // a drill has at least sixty-five events, and up to a second passes between two
    let random = uuid::Uuid::new_v4().as_u128();
    let (events, pause_ms) = ((number * 6 + random % 6).max(2), (random >> 32) % 300);
    let folder = folder();
    let mut seen = 0;
    let (child, of) = until(folder.path(), |_| {
        seen += 1;
        seen == events
    })
    .await;
    println!("SIGKILL {pause_ms} ms after event {events}");
    phoenix_drill::pause(Duration::from_millis(pause_ms.try_into().unwrap())).await;
    kill_and_sweep(folder.path(), child, &of).await;
}

/// A build that is cut off names its image nowhere but in the register.
#[tokio::test(flavor = "multi_thread")]
async fn after_sigkill_in_a_build_sweep_removes_the_image() {
    let folder = folder();
    let mut drill = phoenix(folder.path());
    // asked for in so many words, it is another image, which is never finished
    drill.env("PHOENIX_PGBACKREST_VERSION", "2");
    let installs =
        |event: &Event| matches!(event, Event::Progress { detail, .. } if detail.contains("Unpacking"));
    let (child, of) = until_of(drill, installs).await;
    let named = fs::read_to_string(register::directory().unwrap().join(format!("{of}.jsonl"))).unwrap();
    assert!(named.contains("phoenix-postgres:building-"), "{named}");
    kill_and_sweep(folder.path(), child, &of).await;
}

#[rstest]
#[case::store(Signal::SIGINT, "store")]
#[case::container(Signal::SIGTERM, "container")]
#[case::backup(Signal::SIGINT, "backup")]
#[case::wipe(Signal::SIGTERM, "wipe")]
#[case::restore(Signal::SIGINT, "restore")]
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_cleans_up(#[case] with: Signal, #[case] span: &str) {
    let folder = folder();
    let (mut child, of) = until(folder.path(), begins(span)).await;
    signal(&child, with);
    let ended = tokio::time::timeout(Duration::from_secs(60), child.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(130));
    assert_nothing_left(&of);
    let report = report(&evidence(folder.path()));
    assert_eq!(report.verdict, Some(Verdict::unknown(format!("interrupted by {with}"))));
    let codes: Vec<_> = report.findings.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, ["interrupted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_stays_until_it_is_swept_on_purpose() {
    let folder = folder();
    let drill = ["drill", "--environment", "containers", "--rows", "40", "--keep", "always"];
    run(folder.path(), drill).await.assert(0, "kept for a look");
    let of = report(&evidence(folder.path())).run;
    let running = docker(&["ps", "--quiet", "--filter", &format!("label=phoenix.run={of}")]);
    assert_eq!(running, "", "what is kept does not run");
    run(folder.path(), ["sweep"]).await;
    assert!(left(of.as_str()).len() >= 5, "{:?}", left(of.as_str()));
    run(folder.path(), ["sweep", "--kept"]).await;
    assert_nothing_left(of.as_str());
}

/// A register that names what is not ours: it is left, and the sweep says so; the rest is removed.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_bear_the_label_is_never_removed() {
    let run_id = phoenix_drill::stage::new_run();
    let name = format!("bystander-{}", run_id.slug());
    docker(&["volume", "create", "--label", "phoenix.run=ANOTHER", &name]);
    let own = format!("phoenix-{}-data-1", run_id.slug());
    docker(&["volume", "create", "--label", &format!("phoenix.run={run_id}"), &own]);
    let engine = Engine::connect().await.unwrap();
    let named = [
        Resource::Engine { id: engine.id, endpoint: engine.endpoint },
        Resource::Volume { name: name.clone() },
        Resource::Volume { name: own },
    ];
    let lines: String = named.iter().map(|it| serde_json::to_string(it).unwrap() + "\n").collect();
    let register = register::directory().unwrap().join(format!("{run_id}.jsonl"));
    fs::write(&register, lines).unwrap();

    let folder = folder();
    // others sweep at the same time, and hold the register while they do
    let said = wait_for("a sweep to say so", Duration::from_secs(60), Duration::from_millis(100), || async {
        let swept = run(folder.path(), ["sweep"]).await;
        let said = swept.out.lines().find(|line| line.contains(run_id.as_str())).map(str::to_owned);
        Ok(said.map_or_else(|| Wait::NotYet(swept.out.clone()), |line| Wait::Ready((swept.status, line))))
    });
    let (status, line) = said.await.unwrap();
    let volumes = docker(&["volume", "ls", "--quiet", "--filter", &format!("name={name}")]);
    fs::remove_file(&register).unwrap();
    docker(&["volume", "rm", &name]);
    assert_eq!(status, Some(3));
    assert!(line.contains("STUCK") && line.contains("does not bear this run's label"), "{line}");
    assert_eq!(volumes, name);
    assert_nothing_left(run_id.as_str());
}
