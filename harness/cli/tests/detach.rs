//! A drill that goes on by itself outlives its shell, is followed by whoever likes, is stopped and killed as
//! any other, and says in the shell what keeps it from beginning.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::{Pid, getsid},
};
use phoenix_core::{Event, Verdict};
use phoenix_drill::{Wait, wait_for};
use rstest::rstest;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use support::{assert_gone, evidence, folder, phoenix, processes, ran, remains, report, run};
use tokio::io::{AsyncBufReadExt, BufReader};

/// A drill that goes on by itself.
struct Detached {
    run: String,
    pid: Pid,
    evidence: PathBuf,
}

impl Detached {
    /// Begins one, and says so as a machine reads it.
    async fn begin(folder: &Path, arguments: &[&str]) -> Self {
        let begun = run(folder, [&["drill", "--detach", "--json"], arguments].concat()).await;
        begun.assert(0, "drill.log");
        let said: serde_json::Value = serde_json::from_str(&begun.out).unwrap();
        let text = |name: &str| said[name].as_str().unwrap().to_owned();
        let pid = pid(&said["pid"]);
        Self { run: text("run"), pid, evidence: folder.join(text("evidence")) }
    }

    fn signal(&self, signal: Signal) {
        kill(self.pid, signal).unwrap();
    }

    fn alive(&self) -> bool {
        alive(self.pid)
    }

    async fn until_span(&self, name: &str) {
        let begins = format!("\"name\":\"{name}\"");
        let events = self.evidence.join("events.jsonl");
        until(name, || fs::read_to_string(&events).unwrap_or_default().contains(&begins)).await;
    }

    async fn until_gone(&self) {
        until("the drill's process to end", || !self.alive()).await;
    }
}

fn pid(number: impl ToString) -> Pid {
    Pid::from_raw(number.to_string().parse().unwrap())
}

/// Whether a process lives; one that nobody has buried yet does not.
fn alive(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

async fn until(what: &str, seen: impl Fn() -> bool) {
    let (deadline, interval) = (Duration::from_secs(60), Duration::from_millis(5));
    let look = || async { Ok(if seen() { Wait::Ready(()) } else { Wait::NotYet("not yet".into()) }) };
    wait_for(what, deadline, interval, look).await.unwrap();
}

/// The shell that began it is hung up on and killed, with everything in its group and session.
#[tokio::test(flavor = "multi_thread")]
async fn a_drill_outlives_its_shell() {
    let folder = folder();
    let script = "\"$0\" drill --detach --rows 40; exec cat";
    let mut shell = tokio::process::Command::new("setsid");
    shell.args(["sh", "-c", script, env!("CARGO_BIN_EXE_phoenix")]).current_dir(folder.path());
    support::NEXTEST.iter().for_each(|name| {
        shell.env_remove(name);
    });
    let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut said = Vec::new();
    let mut lines = BufReader::new(shell.stdout.take().unwrap()).lines();
    while said.len() < 5 {
        said.push(lines.next_line().await.unwrap().unwrap());
    }
    let word = |line: usize, skipped: &str| said[line].strip_prefix(skipped).unwrap().to_owned();
    let run_id = word(0, "run       ").split(',').next().unwrap().to_owned();
    let drill = Detached {
        pid: pid(word(4, "stop      kill -INT ")),
        evidence: folder.path().join(word(1, "evidence  ")),
        run: run_id.clone(),
    };
    assert_eq!(word(2, "log       "), format!("target/phoenix/{run_id}/drill.log"));
    assert_eq!(word(3, "follow    "), format!("phoenix attach {run_id}"));

    let group = pid(shell.id().unwrap());
    killpg(group, Signal::SIGHUP).unwrap();
    // its own session is not the shell's; to be hung up on is nothing to it
    assert_eq!(getsid(Some(drill.pid)).unwrap(), drill.pid);
    drill.signal(Signal::SIGHUP);
    let _ = killpg(group, Signal::SIGKILL);
    shell.wait().await.unwrap();
    assert!(drill.alive());

    // another shell knows a beginning of the run
    let attached = run(folder.path(), ["attach", &run_id[..20].to_lowercase()]).await;
    attached.assert(0, "VALID · 82 acknowledged, 82 came back, 0 lost");
    assert!(attached.out.ends_with("(report.json, junit.xml, runbook.md, ledger.jsonl, logs/)\n"));
    assert!(drill.evidence.join("junit.xml").exists());
    drill.until_gone().await;
    assert_eq!(remains(&run_id), [""; 0]);

    // what is told afterwards is what the log and the events have
    let again = run(folder.path(), ["attach"]).await;
    assert_eq!((again.status, again.err.as_str()), (Some(0), ""));
    assert_eq!(again.out, attached.out);
    assert_eq!(again.out, fs::read_to_string(drill.evidence.join("drill.log")).unwrap());
    let events = run(folder.path(), ["attach", "latest", "--json"]).await;
    assert_eq!((events.status, events.err.as_str()), (Some(0), ""));
    assert_eq!(events.out, fs::read_to_string(drill.evidence.join("events.jsonl")).unwrap());
}

/// Two follow at once, a third leaves: none of them disturbs the drill, nor one another.
#[tokio::test(flavor = "multi_thread")]
async fn many_follow_and_one_leaves() {
    let folder = folder();
    let drill = Detached::begin(
        folder.path(),
        &["--report", "else where", "--target", "immediate", "--keep", "never"],
    )
    .await;
    let attach = |more: &[&str]| {
        let mut attach = phoenix(folder.path());
        attach.args(["attach", "--report", "else where"]).args(more);
        attach
    };
    let mut leaver = attach(&[]).spawn().unwrap();
    let mut lines = BufReader::new(leaver.stdout.take().unwrap()).lines();
    assert!(lines.next_line().await.unwrap().unwrap().starts_with("Phoenix Protocol · local"));
    kill(pid(leaver.id().unwrap()), Signal::SIGINT).unwrap();
    let left = ran(leaver.wait_with_output().await.unwrap());
    let again =
        format!("phoenix attach {} --report 'else where'; stop it: kill -INT {}", drill.run, drill.pid);
    left.assert(130, &format!("the drill goes on; follow it again: {again}"));
    assert!(drill.alive());

    let (mut person, mut machine) = (attach(&[]), attach(&["--json"]));
    let (person, machine) = tokio::join!(person.output(), machine.output());
    let (person, machine) = (ran(person.unwrap()), ran(machine.unwrap()));
    person.assert(1, "INVALID: rows are lost");
    person.assert(1, "log: else where/");
    assert_eq!(machine.status, Some(1));
    let events: Vec<Event> = machine.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(matches!(events.last(), Some(Event::DrillFinished(last)) if **last == report(&drill.evidence)));
    drill.until_gone().await;
    assert_eq!(remains(&drill.run), [""; 0]);
}

/// A signal cleans up as ever, and whoever follows ends as the drill does.
#[rstest]
#[case::interrupted(Signal::SIGINT)]
#[case::terminated(Signal::SIGTERM)]
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_stops_it_and_cleans_up(#[case] with: Signal) {
    let folder = folder();
    let drill = Detached::begin(folder.path(), &[]).await;
    drill.until_span("backup").await;
    drill.signal(with);
    run(folder.path(), ["attach"]).await.assert(130, &format!("interrupted by {with}"));
    drill.until_gone().await;
    let verdict = report(&evidence(folder.path())).verdict;
    assert_eq!(verdict, Some(Verdict::unknown(format!("interrupted by {with}"))));
    assert_eq!(fs::read_to_string(drill.evidence.join("exit-status")).unwrap(), "130\n");
    assert_eq!(remains(&drill.run), [""; 0]);
}

/// The proof of the detector is played within the drill that goes on by itself, whose followers see it, and a
/// signal cleans it up, too.
#[rstest]
#[case::to_its_end(None)]
#[case::interrupted(Some(Signal::SIGINT))]
#[tokio::test(flavor = "multi_thread")]
async fn the_proof_goes_on_by_itself_as_well(#[case] with: Option<Signal>) {
    let folder = folder();
    let drill = Detached::begin(folder.path(), &["--prove-detector", "--rows", "40"]).await;
    // it has begun, and nothing is proved yet
    assert_eq!((report(&drill.evidence).proof, drill.alive()), (None, true));
    drill.until_span("backup").await;
    let proof = fs::canonicalize(drill.evidence.join("proof/latest")).unwrap();
    let of = proof.file_name().unwrap().to_str().unwrap().to_owned();
    let latest = evidence(folder.path());
    assert_eq!(latest.file_name().unwrap().to_str(), Some(drill.run.as_str()), "the proof is not the latest");
    with.into_iter().for_each(|signal| drill.signal(signal));
    let attached = run(folder.path(), ["attach"]).await;
    attached.assert(with.map_or(0, |_| 130), "proving the detector first, with silent-loss/");
    let report = report(&drill.evidence);
    let codes: Vec<_> = report.findings.iter().map(|finding| finding.code.as_str()).collect();
    match with {
        None => {
            attached.assert(0, "the detector is proved: silent-loss/");
            assert_eq!((report.proof.unwrap().run.as_str(), codes), (of.as_str(), vec![]));
        }
        Some(signal) => {
            assert_eq!(report.verdict, Some(Verdict::unknown(format!("interrupted by {signal}"))));
            assert_eq!(codes, ["interrupted"]);
        }
    }
    drill.until_gone().await;
    assert_eq!((remains(&drill.run), remains(&of)), (vec![], vec![]));
}

/// Whoever follows a drill that is killed is told at once, and so is whoever comes later.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_drill_is_said_to_be_killed() {
    let folder = folder();
    let drill = Detached::begin(folder.path(), &[]).await;
    let follower = phoenix(folder.path()).arg("attach").spawn().unwrap();
    drill.until_span("backup").await;
    drill.signal(Signal::SIGKILL);
    let said = format!("run {} never ended, and its process is gone", drill.run);
    for attached in [ran(follower.wait_with_output().await.unwrap()), run(folder.path(), ["attach"]).await] {
        attached.assert(3, &said);
        attached.assert(3, "remove what it left with: phoenix sweep");
        assert!(attached.out.contains("  birth "), "{}", attached.out);
    }
    until("the victim to die with the harness", || processes(&drill.run).is_empty()).await;
    run(folder.path(), ["sweep"]).await;
    assert_gone(&drill.run).await;
    // it is the same once all of it is gone
    run(folder.path(), ["attach", &drill.run]).await.assert(3, &said);
}

/// A drill in the foreground is followed as well, and what stops it once it has begun is in its evidence.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_has_begun_ends_with_its_own_status() {
    let folder = folder();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    fs::write(folder.path().join("castle.toml"), format!("[local]\nstore-port = {port}\n")).unwrap();
    run(folder.path(), ["drill"]).await.assert(2, "the embedded store does not start");
    run(folder.path(), ["attach"]).await.assert(2, "UNKNOWN");
    let drill = Detached::begin(folder.path(), &[]).await;
    run(folder.path(), ["attach", &drill.run]).await.assert(2, "drill.log");
    drill.until_gone().await;
    let log = fs::read_to_string(drill.evidence.join("drill.log")).unwrap();
    assert!(log.contains(" help: free the port, or leave store-port out of castle.toml"), "{log}");
    assert_eq!(remains(&drill.run), [""; 0]);
}

/// What keeps a drill from beginning is said here and now, and nothing is left of it.
#[rstest]
#[case::no_rows("", &["--rows", "0"], 2, "a drill without rows or writers proves nothing")]
#[case::no_scenario("", &["--scenario", "nonesuch"], 2, "there is no scenario 'nonesuch'")]
#[case::no_size("", &["--size", "1 bushel"], 2, "'1 bushel' is not a size")]
#[case::unwritable("", &["--report", "/dev/null/evidence"], 2, "the evidence cannot be written to /dev/null")]
#[case::no_setting("[drill]\nrowz = 1\n", &[], 2, "castle.toml:2")]
#[case::no_postgresql("[local]\npostgres-bin = \"/nowhere\"\n", &[], 3, "there is no postgres with initdb in /nowhere")]
#[case::no_engine("", &["--environment", "containers"], 3, "no Docker engine answers at tcp://127.0.0.1:1")]
#[tokio::test]
async fn what_does_not_begin_is_said_at_once(
    #[case] castle: &str,
    #[case] arguments: &[&str],
    #[case] status: i32,
    #[case] said: &str,
) {
    let folder = folder();
    fs::write(folder.path().join("castle.toml"), castle).unwrap();
    let mut command = phoenix(folder.path());
    command.args(["drill", "--detach"]).args(arguments).env("DOCKER_HOST", "tcp://127.0.0.1:1");
    let ran = ran(command.output().await.unwrap());
    ran.assert(status, said);
    assert_eq!((ran.out.as_str(), ran.err.matches(said).count()), ("", 1), "{}", ran.err);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "it left something");
}

/// Who is interrupted before the drill has begun takes it along.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_before_it_begins_stops_it() {
    let folder = folder();
    let (program, asked) = (folder.path().join("postgres"), folder.path().join("asked"));
    let script = "#!/bin/sh\ncd \"${0%/*}\" && echo $$ > asking && mv asking asked && exec sleep 60\n";
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(folder.path().join("initdb"), "").unwrap();
    let castle = format!("[local]\npostgres-bin = \"{}\"\n", folder.path().display());
    fs::write(folder.path().join("castle.toml"), castle).unwrap();
    let waiting = phoenix(folder.path()).args(["drill", "--detach"]).spawn().unwrap();
    until("PostgreSQL to be asked for its version", || asked.exists()).await;
    let asked = pid(fs::read_to_string(asked).unwrap().trim());
    kill(pid(waiting.id().unwrap()), Signal::SIGINT).unwrap();
    ran(waiting.wait_with_output().await.unwrap()).assert(130, "");
    until("nothing of it to live", || !alive(asked)).await;
    assert!(!folder.path().join("target").exists());
}

#[tokio::test]
async fn whoever_asks_for_no_run_is_told_which_there_are() {
    let folder = folder();
    run(folder.path(), ["attach"]).await.assert(2, "there is no run in target/phoenix");
    let there = "01M7Y8WBZS88W90Z5PZBR6906C";
    fs::create_dir_all(folder.path().join("target/phoenix").join(there)).unwrap();
    let unknown = run(folder.path(), ["attach", "01M9"]).await;
    unknown.assert(2, "there is no run '01M9' in target/phoenix");
    unknown.assert(2, &format!("there are {there}"));
    // one that has its directory and nothing else never began
    run(folder.path(), ["attach", "01M7"]).await.assert(3, &format!("run {there} never ended"));
}
