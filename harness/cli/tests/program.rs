//! The rest of the program, as a user meets it.

mod support;

use phoenix_core::{Event, Verdict};
use phoenix_drill::{Drill, Error, Keep, Result, Scenario, Settings, stage};
use phoenix_local::{Local, LocalConfig};
use std::fs;
use support::{evidence, folder, phoenix, remains, report, run};
use tokio::io::{AsyncBufReadExt, BufReader};

/// Events are lines of JSON that say the same as the report; the report is what its schema says.
#[tokio::test(flavor = "multi_thread")]
async fn events_and_evidence_are_for_machines() {
    let folder = folder();
    let ran = run(folder.path(), ["drill", "--rows", "40", "--json"]).await;
    assert_eq!(ran.status, Some(0), "{}{}", ran.out, ran.err);
    let events: Vec<Event> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let Some(Event::DrillFinished(last)) = events.last() else { panic!("{:?}", events.last()) };
    assert!(last.findings.is_empty(), "a valid drill has {:?}", last.findings);
    let evidence = evidence(folder.path());
    assert_eq!(**last, report(&evidence));

    let text = fs::read_to_string(evidence.join("report.json")).unwrap();
    let schema = run(folder.path(), ["schema"]).await.out;
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    validator.validate(&serde_json::from_str(&text).unwrap()).unwrap();
    let schema = run(folder.path(), ["schema", "ledger"]).await.out;
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    for line in fs::read_to_string(evidence.join("ledger.jsonl")).unwrap().lines() {
        validator.validate(&serde_json::from_str(line).unwrap()).unwrap();
    }
    let junit = fs::read_to_string(evidence.join("junit.xml")).unwrap();
    let junit = quick_junit::Report::deserialize_from_str(&junit).unwrap();
    assert_eq!((junit.failures, junit.errors, junit.test_suites.len()), (0, 0, 1));
    assert!(evidence.join("runbook.md").exists() && evidence.join("logs/postgres-1.log").exists());

    run(folder.path(), ["report"]).await.assert(0, "VALID · 82 acknowledged, 82 came back, 0 lost");
    assert_eq!(remains(last.run.as_str()), [""; 0]);
}

#[tokio::test]
async fn what_can_be_asked_without_a_drill() {
    let folder = folder();
    run(folder.path(), ["scenarios"]).await.assert(0, "second-life");
    run(folder.path(), ["scenarios", "--catalogue"]).await.assert(0, "silent-loss/middle-segment-deleted");
    run(folder.path(), ["doctor"]).await.assert(0, "PostgreSQL");
    run(folder.path(), ["completions", "bash"]).await.assert(0, "complete");
    run(folder.path(), ["man"]).await.assert(0, ".TH phoenix");
    run(folder.path(), ["drill", "--help"]).await.assert(0, "shows exactly the rows that live in WAL alone");
}

/// The store serves alone, with a plan of faults, and refuses a directory that is not its own.
#[tokio::test]
async fn the_store_serves_alone() {
    let folder = folder();
    let plan = r#"{"faults": [{"label": "gone", "effect": {"layer": "answer", "kind": "slow_down"}}]}"#;
    fs::write(folder.path().join("faults.json"), plan).unwrap();
    let mut store = phoenix(folder.path());
    let mut child = store.args(["store", "--directory", "s", "--faults", "faults.json"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = Vec::new();
    while said.len() < 6 {
        said.push(lines.next_line().await.unwrap().unwrap());
    }
    assert!(said[0].starts_with("endpoint    https://localhost:"), "{said:?}");
    assert_eq!(said[5], "secret key  in s/secret-key");
    let pid = nix::unistd::Pid::from_raw(child.id().unwrap().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(0));

    fs::create_dir(folder.path().join("foreign")).unwrap();
    fs::write(folder.path().join("foreign/precious"), "").unwrap();
    let refused = run(folder.path(), ["store", "--directory", "foreign"]).await;
    refused.assert(2, "the store does not start");
    assert_eq!(fs::read_dir(folder.path().join("foreign")).unwrap().count(), 1);
}

/// A harness that panics cleans up, and could not verify.
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_cleans_up_and_is_unknown() {
    let folder = folder();
    let place = Local::new(LocalConfig::default()).await.unwrap();
    let settings =
        Settings { evidence: folder.path().join("evidence"), keep: Keep::Never, ..Settings::default() };
    let (name, promise, expected) = ("panic", "a panic is not a verdict", Verdict::Valid);
    let about = Scenario { name, family: "self-test", promise, expected, finding: None };
    let acted = async |drill: &mut Drill, place: &Local| {
        let castle = drill.birth(place).await?;
        drill.workload(&*castle).await?;
        panic!("planted")
    };
    let played = stage::play(stage::new_run(), &about, &place, settings, Vec::new(), acted).await.unwrap();
    assert_eq!(played.report.verdict, Some(Verdict::unknown("the harness panicked: planted")));
    assert_eq!(codes(&played), ["harness-panicked"]);
    assert_eq!((played.exit_status, remains(played.report.run.as_str())), (3, Vec::new()));
}

fn codes(played: &stage::Played) -> Vec<&str> {
    played.report.findings.iter().map(|finding| finding.code.as_str()).collect()
}

/// Whatever stops a drill short of its judgement is told by a finding of its own. A scenario that judges nothing
/// proves nothing, whatever it says.
#[rstest::rstest]
#[case::nothing_done(Ok(Verdict::Valid), 3, "proves-nothing", "the scenario ended without judging anything")]
#[case::too_little(Ok(Verdict::unknown("0 wipes")), 3, "proves-nothing", "0 wipes")]
#[case::asked_wrongly(Err(Error::usage("no", "x")), 2, "asked-wrongly", "no")]
#[case::missing(Err(Error::missing("no", "x")), 3, "prerequisite-missing", "no")]
#[case::failed(Err(Error::unverified("reading", "no disk")), 3, "not-verified", "reading: no disk")]
#[case::unfired(Err(Error::Unfired(vec!["x".into()])), 3, "fault-not-fired", "what was planted never happened: x")]
#[case::demand(Err(Error::Demand("x".into())), 3, "demand-unmet", "the drill proves nothing: x")]
#[tokio::test(flavor = "multi_thread")]
async fn a_drill_that_proves_nothing_is_never_valid(
    #[case] ends: Result<Verdict>,
    #[case] status: u8,
    #[case] code: &str,
    #[case] why: &str,
) {
    let folder = folder();
    let place = Local::new(LocalConfig::default()).await.unwrap();
    let settings =
        Settings { evidence: folder.path().join("evidence"), keep: Keep::Never, ..Settings::default() };
    let (name, promise, expected) = ("idle", "nothing", Verdict::Valid);
    let about = Scenario { name, family: "self-test", promise, expected, finding: None };
    let acted = async |_: &mut Drill, _: &Local| ends;
    let played = stage::play(stage::new_run(), &about, &place, settings, Vec::new(), acted).await.unwrap();
    assert_eq!(played.report.verdict, Some(Verdict::unknown(why)));
    assert_eq!((played.exit_status, codes(&played)), (status, vec![code]));
    assert!(!played.report.findings[0].fix.is_empty());
}

/// Your own lines of postgresql.conf and pgbackrest.conf are in force, and a drill's own haste is not.
#[rstest::rstest]
#[case::local("local", "postgres-1.log")]
#[case::containers("containers", "victim-1.log")]
#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_configuration_is_drilled_as_it_is(#[case] environment: &str, #[case] log: &str) {
    let folder = folder();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("pg.conf", "log_connections = on\narchive_mode = off # a drill cannot do without\n");
    write("rest.conf", "compress-type=lz4\nstart-fast=y\n");
    let section =
        format!("[{environment}]\npostgresql-conf = \"pg.conf\"\npgbackrest-conf = \"rest.conf\"\n");
    write("castle.toml", &section);
    run(folder.path(), ["drill", "--environment", environment, "--rows", "50"]).await.assert(0, "VALID");
    let logs = evidence(folder.path()).join("logs");
    let server = fs::read_to_string(logs.join(log)).unwrap();
    assert!(server.contains("connection received"), "{server}");
    let all: Vec<_> = fs::read_dir(&logs).unwrap().map(|entry| entry.unwrap().path()).collect();
    let backup = all.iter().find(|path| path.to_string_lossy().ends_with("-backup.txt")).unwrap();
    let backup = fs::read_to_string(backup).unwrap();
    assert!(backup.contains("--compress-type=lz4") && !backup.contains("--repo1-bundle"), "{backup}");
}
