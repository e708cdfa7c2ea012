//! Many drills, one report.

use super::*;
use crate::sample;
use quick_junit::{NonSuccessKind, TestCaseStatus, TestSuite};

fn variables(name: &str) -> Option<String> {
    let value = match name {
        "NEXTEST_RUN_ID" => "2e7136c3-1d94-4f53-a2b7-b7172650bb79",
        "NEXTEST_BINARY_ID" => "phoenix-protocol::local",
        "NEXTEST_TEST_NAME" => "both_rows_come_back",
        "NEXTEST_ATTEMPT" => "2",
        "NEXTEST_STRESS_CURRENT" => "none",
        "NEXTEST_WORKSPACE_ROOT" => "/house",
        _ => return None,
    };
    Some(value.to_owned())
}

fn joint(place: &Path, test: &str, attempt: &str) -> Joint {
    let (test, attempt) = (test.to_owned(), attempt.to_owned());
    Joint { directory: place.to_owned(), nextest_run: Uuid::from_u128(1), test, attempt }
}

fn suites(joint: &Joint) -> Vec<TestSuite> {
    let xml = std::fs::read_to_string(joint.reports().join("junit.xml")).unwrap();
    quick_junit::Report::deserialize_from_str(&xml).unwrap().test_suites
}

/// Type and message of the error that a suite ends with.
fn error(suite: &TestSuite) -> (String, String) {
    match &suite.test_cases.last().unwrap().status {
        TestCaseStatus::NonSuccess { kind: NonSuccessKind::Error, ty, message, .. } => {
            (ty.clone().unwrap().into_string(), message.clone().unwrap().into_string())
        }
        other => panic!("no error: {other:?}"),
    }
}

#[test]
fn nextest_tells_the_place() {
    let joint = Joint::under_nextest(Path::new("target/phoenix"), variables).unwrap();
    assert_eq!(joint.test, "phoenix-protocol::local both_rows_come_back");
    assert_eq!(joint.attempt, "2");
    let reports = "/house/target/phoenix/nextest/2e7136c3-1d94-4f53-a2b7-b7172650bb79";
    assert_eq!(joint.reports(), Path::new(reports));
    let stressed =
        |name: &str| if name == "NEXTEST_STRESS_CURRENT" { Some("4".into()) } else { variables(name) };
    assert_eq!(Joint::under_nextest(Path::new("/t"), stressed).unwrap().attempt, "2, iteration 4");
}

#[test]
fn outside_nextest_there_is_no_place() {
    assert_eq!(Joint::under_nextest(Path::new("target/phoenix"), |_| None), None);
}

#[test]
fn a_drill_is_an_error_from_its_beginning_until_its_evidence_says_otherwise() {
    let place = tempfile::tempdir().unwrap();
    let joint = joint(place.path(), "t", "1");
    let (report, evidence) = (sample::valid(), place.path().join("evidence"));
    joint.enlist(&report.run, &evidence).unwrap();
    let suite = &suites(&joint)[0];
    assert_eq!((suite.name.as_str(), suite.errors), ("t · attempt 1", 1));
    assert_eq!(error(suite), ("never-finished".into(), "started and never finished".into()));

    sample::leave(&sample::killed(), &evidence);
    joint.refresh().unwrap();
    assert_eq!(error(&suites(&joint)[0]).0, "never-finished");

    sample::leave(&report, &evidence);
    joint.refresh().unwrap();
    let suite = &suites(&joint)[0];
    assert_eq!((suite.name.as_str(), suite.errors), ("local::protocol · t · attempt 1", 0));
}

#[test]
fn layers_and_their_budgets_are_in_the_joint_report_too() {
    let place = tempfile::tempdir().unwrap();
    let joint = joint(place.path(), "t", "1");
    let (report, evidence) = (sample::layered(), place.path().join("evidence"));
    joint.enlist(&report.run, &evidence).unwrap();
    sample::leave(&report, &evidence);
    joint.refresh().unwrap();
    let suite = &suites(&joint)[0];
    assert_eq!((suite.tests, suite.failures, suite.errors), (9, 1, 0));
    let engine = suite
        .properties
        .iter()
        .find(|property| property.name.as_str() == "phoenix.life.1.layer.engine.ready_seconds");
    assert_eq!(engine.unwrap().value.as_str(), "6.000000");
}

#[test]
fn evidence_that_is_broken_or_anothers_is_an_error() {
    let place = tempfile::tempdir().unwrap();
    let joint = joint(place.path(), "t", "1");
    let evidence = place.path().join("evidence");
    joint.enlist(&sample::run(1), &evidence).unwrap();

    sample::leave(&sample::valid(), &evidence);
    joint.refresh().unwrap();
    let anothers = format!("evidence unreadable: it is of run {}, not {}", sample::RUN, sample::run(1));
    assert_eq!(error(&suites(&joint)[0]), ("unreadable".into(), anothers));

    std::fs::write(evidence.join("report.json"), "{").unwrap();
    joint.refresh().unwrap();
    let (ty, message) = error(&suites(&joint)[0]);
    assert_eq!(ty, "unreadable");
    assert!(
        message.ends_with("is not a report: EOF while parsing an object at line 1 column 1"),
        "{message}"
    );
}

#[test]
fn half_a_line_of_the_roll_spoils_no_other() {
    let place = tempfile::tempdir().unwrap();
    let joint = joint(place.path(), "t", "1");
    joint.enlist(&sample::run(1), place.path()).unwrap();
    let mut torn = File::options().append(true).open(joint.roll()).unwrap();
    std::io::Write::write_all(&mut torn, b"{\"run\":").unwrap();
    joint.enlist(&sample::run(2), place.path()).unwrap();
    let suites = suites(&joint);
    let names: Vec<_> = suites.iter().map(|suite| suite.name.as_str()).collect();
    assert_eq!(names, ["t · attempt 1", "t · attempt 1 (2)", "unknown test · attempt ?"]);
    assert!(error(&suites[2]).1.contains("a line of the roll is torn"), "{suites:?}");
}

#[test]
fn the_summary_has_a_line_for_each_drill_and_attempt() {
    let place = tempfile::tempdir().unwrap();
    let reports = [sample::lossy(1_001), sample::valid(), sample::expected(sample::lossy(2))];
    for (number, (report, test, attempt)) in reports
        .into_iter()
        .zip(["a|b", "a|b", "c"])
        .zip(["1", "2", "1"])
        .map(|((r, t), a)| (r, t, a))
        .enumerate()
    {
        let (run, evidence) = (sample::run(number as u64), place.path().join(number.to_string()));
        joint(place.path(), test, attempt).enlist(&run, &evidence).unwrap();
        sample::leave(&Report { run, ..report }, &evidence);
    }
    let last = joint(place.path(), "d", "1");
    last.enlist(&sample::run(9), &place.path().join("9")).unwrap();
    let expected = "\
4 drills: 2 ended as expected, 1 otherwise, 1 without a verdict.

| test | attempt | scenario | environment | verdict | expected | RTO | lost | total |
|---|---|---|---|---|---|--:|--:|--:|
| a\\|b | 1 | protocol | local | invalid:loss | valid | 0.42 s | 1 001 | 3.1 s |
| a\\|b | 2 | protocol | local | valid | valid | 0.42 s | 0 | 3.1 s |
| c | 1 | protocol | local | invalid:loss | invalid:loss | 0.42 s | 2 | 3.1 s |
| d | 1 | - | - | started and never finished | - | - | - | - |
";
    assert_eq!(std::fs::read_to_string(last.reports().join("summary.md")).unwrap(), expected);
}

#[test]
fn a_refresh_waits_for_the_one_before_it() {
    let place = tempfile::tempdir().unwrap();
    let joint = joint(place.path(), "t", "1");
    let evidence = place.path().join("evidence");
    joint.enlist(&sample::valid().run, &evidence).unwrap();
    let lock = joint.lock().unwrap();
    let (about_to, told) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            about_to.send(()).unwrap();
            joint.refresh().unwrap();
        });
        told.recv().unwrap();
        // time enough to go wrong in; nothing is asserted about it
        (0..10_000).for_each(|_| std::thread::yield_now());
        sample::leave(&sample::valid(), &evidence);
        drop(lock);
    });
    assert_eq!(suites(&joint)[0].errors, 0, "it read before the lock was free");
}

#[test]
fn nothing_is_torn_or_lost_when_all_report_at_once() {
    const DRILLS: u64 = 24;
    let place = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for number in 0..DRILLS {
            let place = place.path();
            scope.spawn(move || {
                // a test and its second attempt, each a process of its own under nextest
                let joint = joint(place, &format!("test {}", number / 2), &(number % 2 + 1).to_string());
                let (run, evidence) = (sample::run(number), place.join(number.to_string()));
                joint.enlist(&run, &evidence).unwrap();
                assert!(!suites(&joint).is_empty(), "what others read meanwhile is whole");
                sample::leave(&Report { run, ..sample::valid() }, &evidence);
                joint.refresh().unwrap();
            });
        }
    });
    let joint = joint(place.path(), "", "");
    let suites = suites(&joint);
    let names: std::collections::BTreeSet<_> = suites.iter().map(|suite| suite.name.as_str()).collect();
    assert_eq!((suites.len() as u64, names.len() as u64), (DRILLS, DRILLS));
    assert!(suites.iter().all(|suite| suite.errors == 0 && suite.failures == 0));
    let beside = std::fs::read_dir(joint.reports()).unwrap().count();
    assert_eq!(beside, 4, "the lock, the roll, junit.xml and summary.md");
}
