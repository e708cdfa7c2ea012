//! Suites, written and read back.

use super::*;
use crate::sample;
use phoenix_core::{Fault, Secret};

/// The suite as whoever reads the file sees it, and the file's text.
fn read_back(report: &Report) -> (quick_junit::Report, String) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("junit.xml");
    write(report, &path).unwrap();
    let xml = std::fs::read_to_string(&path).unwrap();
    (quick_junit::Report::deserialize_from_str(&xml).unwrap(), xml)
}

fn suite_of(report: &Report) -> TestSuite {
    let (junit, _) = read_back(report);
    let suite = junit.test_suites.into_iter().next().unwrap();
    let counted = (junit.tests, junit.failures, junit.errors, junit.skipped);
    assert_eq!(counted, (suite.tests, suite.failures, suite.errors, suite.skipped));
    assert_eq!(suite.tests, suite.test_cases.len());
    assert_eq!(suite.skipped, 0);
    suite
}

fn find<'a>(suite: &'a TestSuite, name: &str) -> &'a TestCase {
    suite.test_cases.iter().find(|case| case.name.as_str() == name).unwrap()
}

/// Kind, type, message and text of a test case that did not pass.
fn shortfall(case: &TestCase) -> Option<(NonSuccessKind, &str, &str, &str)> {
    let TestCaseStatus::NonSuccess { kind, message, ty, description, .. } = &case.status else { return None };
    let text = |text: &'_ Option<quick_junit::XmlString>| text.as_deref().unwrap_or_default().len();
    assert!(text(message) > 0 && text(ty) > 0);
    Some((*kind, ty.as_deref()?, message.as_deref()?, description.as_deref().unwrap_or_default()))
}

fn property<'a>(suite: &'a TestSuite, name: &str) -> &'a str {
    let found: Vec<_> = suite.properties.iter().filter(|property| property.name.as_str() == name).collect();
    assert_eq!(found.len(), 1, "{name}");
    &found[0].value
}

#[test]
fn a_valid_drill_is_a_suite_of_successes() {
    let report = sample::valid();
    let suite = suite_of(&report);
    assert_eq!(suite.name.as_str(), "local::protocol");
    assert_eq!((suite.tests, suite.failures, suite.errors), (8, 0, 0));
    let names: Vec<_> = suite.test_cases.iter().map(|case| case.name.as_str()).collect();
    let expected =
        ["birth", "birth / initdb", "insert DATO_A", "backup", "wipe", "rebirth", "query", "verdict"];
    assert_eq!(names, expected);
    let backup = find(&suite, "backup");
    assert_eq!(backup.time, Some(Duration::from_millis(1_020)));
    assert_eq!(backup.timestamp.unwrap().to_rfc3339(), "2026-11-21T10:14:58.720+00:00");
    let verdict = suite.test_cases.last().unwrap();
    assert_eq!(verdict.classname.as_deref(), Some("local::protocol"));
    assert!(verdict.system_out.as_deref().unwrap().starts_with("VALID · 2 002 acknowledged"));
}

#[test]
fn properties_hold_what_was_measured() {
    let suite = suite_of(&sample::lossy(3));
    let expected = [
        ("postgresql", "15.18"),
        ("pgbackrest", "2.45"),
        ("phoenix.run", sample::RUN),
        ("phoenix.seed", "7"),
        ("phoenix.verdict", "invalid:loss"),
        ("phoenix.expected", "valid"),
        ("phoenix.backup.1.label", "20261121-101500F"),
        ("phoenix.backup.1.start_lsn", "0/2000028"),
        ("phoenix.backup.1.stop_lsn", "0/2000138"),
        ("phoenix.no_span_seconds", "0.010000"),
        ("phoenix.rto_seconds", "0.420000"),
        ("phoenix.rpo_assistance", "unassisted"),
        ("phoenix.rpo_rows", "3"),
        ("phoenix.rpo_seconds", "0.310000"),
        ("phoenix.rpo_wal_bytes", "1200000"),
        ("phoenix.rows.lost", "3"),
        ("phoenix.deeds.wal_only_rows", "1001"),
        ("phoenix.demand.segments_after_backup", "3"),
    ];
    for (name, value) in expected {
        assert_eq!(property(&suite, name), value, "{name}");
    }
}

#[test]
fn a_loss_is_a_failure_with_its_rows() {
    let suite = suite_of(&sample::lossy(1_001));
    assert_eq!((suite.tests, suite.failures, suite.errors), (8, 1, 0));
    let (kind, ty, message, text) = shortfall(find(&suite, "verdict")).unwrap();
    assert_eq!((kind, ty), (NonSuccessKind::Failure, "loss"));
    assert!(message.starts_with("INVALID: rows are lost · 2 002 acknowledged, 1 001 came back"), "{message}");
    assert!(text.contains("  writer 1 row 1000   xid 1741 · lsn 0/400FA10\n"), "{text}");
    assert!(text.ends_with("  … and 1 more in report.json"), "{text}");
}

#[test]
fn every_unexpected_end_has_its_kind_and_type() {
    let unknown = Verdict::unknown("no segment after the backup");
    let invalid = Verdict::invalid;
    let cases = [
        (Some(invalid(Fault::NotReborn)), Verdict::Valid, NonSuccessKind::Failure, "not-reborn"),
        (Some(invalid(Fault::Overshot)), Verdict::Valid, NonSuccessKind::Failure, "overshot"),
        (Some(invalid(Fault::Corrupt)), invalid(Fault::Loss), NonSuccessKind::Failure, "corrupt"),
        (Some(Verdict::Valid), invalid(Fault::Loss), NonSuccessKind::Failure, "unexpected-verdict"),
        (Some(unknown.clone()), Verdict::Valid, NonSuccessKind::Error, "unknown"),
        (None, Verdict::Valid, NonSuccessKind::Error, "never-finished"),
        (None, unknown, NonSuccessKind::Error, "never-finished"),
    ];
    for (verdict, expected, kind, ty) in cases {
        let suite = suite_of(&Report { verdict, expected, ..sample::valid() });
        let counted = if kind == NonSuccessKind::Error { (0, 1) } else { (1, 0) };
        assert_eq!((suite.failures, suite.errors), counted, "{ty}");
        let found = shortfall(suite.test_cases.last().unwrap()).unwrap();
        assert_eq!((found.0, found.1), (kind, ty));
    }
}

#[test]
fn an_expected_loss_passes_and_tells_what_was_lost() {
    let suite = suite_of(&sample::expected(sample::lossy(2)));
    assert_eq!((suite.failures, suite.errors), (0, 0));
    let out = find(&suite, "verdict").system_out.as_deref().unwrap();
    assert!(out.starts_with("INVALID: rows are lost · as expected · "), "{out}");
    assert!(out.ends_with("  writer 1 row 2   xid 743 · lsn 0/4000090"), "{out}");
    assert_eq!(property(&suite, "phoenix.expected"), "invalid:loss");
}

#[test]
fn an_expected_loss_for_another_reason_is_a_failure() {
    let expected_finding = Some("cipher-key-missing".to_owned());
    let report = Report { expected_finding, ..sample::expected(sample::lossy(2)) };
    let suite = suite_of(&report);
    assert_eq!((suite.failures, suite.errors), (1, 0));
    assert_eq!(shortfall(find(&suite, "verdict")).unwrap().1, "unexpected-reason");
    let suite = suite_of(&Report { findings: vec![sample::finding()], ..report });
    assert_eq!((suite.failures, suite.errors), (0, 0));
    assert_eq!(property(&suite, "phoenix.expected_finding"), "cipher-key-missing");
}

#[test]
fn a_failed_span_is_an_error_unless_the_drill_ended_as_expected() {
    let failed = |report: Report| {
        let span = SpanRecord {
            status: SpanStatus::Failed,
            detail: "exit 29".into(),
            ..sample::span(9, None, "restore")
        };
        Report { verdict: Some(Verdict::invalid(Fault::NotReborn)), spans: vec![span], ..report }
    };
    let suite = suite_of(&failed(sample::valid()));
    assert_eq!((suite.tests, suite.failures, suite.errors), (2, 1, 1));
    assert_eq!(shortfall(find(&suite, "restore")).unwrap(), (NonSuccessKind::Error, "failed", "exit 29", ""));

    let suite = suite_of(&sample::expected(failed(sample::valid())));
    assert_eq!((suite.tests, suite.failures, suite.errors), (2, 0, 0));
    let out = find(&suite, "restore").system_out.as_deref();
    assert_eq!(out, Some("failed, and the drill ended as expected: exit 29"));
}

#[test]
fn budget_and_log_gate_have_cases_of_their_own() {
    let budget = Budget { rto: Some(Duration::from_secs(1)), ..Budget::default() };
    let kept = suite_of(&Report { budget, ..sample::valid() });
    assert_eq!((kept.tests, kept.failures, kept.errors), (9, 0, 0));
    let killed = suite_of(&Report { budget, ..sample::killed() });
    assert_eq!((killed.tests, killed.failures, killed.errors), (8, 0, 1), "nothing is said of its budget");

    let over_budget = vec!["RTO 2.00 s is over its budget of 1.00 s".to_owned()];
    let line = "PANIC: could not locate a valid checkpoint record";
    let gate = Finding::certain(LOG_GATE, "a log says what none may say", "read it").with_evidence([line]);
    let findings = vec![sample::finding(), gate];
    let suite = suite_of(&Report { budget, over_budget, findings, ..sample::valid() });
    assert_eq!((suite.tests, suite.failures, suite.errors), (10, 1, 1));
    let (kind, ty, message, _) = shortfall(find(&suite, "budget")).unwrap();
    assert_eq!((kind, ty), (NonSuccessKind::Failure, "over-budget"));
    assert_eq!(message, "RTO 2.00 s is over its budget of 1.00 s");
    let (kind, ty, _, text) = shortfall(find(&suite, "log gate")).unwrap();
    assert_eq!((kind, ty), (NonSuccessKind::Error, "log-gate"));
    assert!(text.contains(line), "{text}");
    let out = find(&suite, "verdict").system_out.as_deref().unwrap();
    assert!(out.contains("cipher-key-missing") && !out.contains("PANIC"), "{out}");
}

#[test]
fn layers_are_properties_and_one_over_its_budget_is_a_failure() {
    let report = sample::layered();
    let suite = suite_of(&report);
    assert_eq!((suite.tests, suite.failures, suite.errors), (9, 1, 0));
    let (kind, ty, message, _) = shortfall(find(&suite, "budget")).unwrap();
    assert_eq!((kind, ty), (NonSuccessKind::Failure, "over-budget"));
    assert_eq!(message, "layer engine took 6.00 s at rebirth, over its budget of 5.00 s");
    assert_eq!(shortfall(find(&suite, "verdict")), None, "nothing is lost");
    let told = suite.properties.iter().filter(|property| property.name.starts_with("phoenix.life."));
    let told: Vec<_> = told.map(|property| (&property.name[13..], property.value.as_str())).collect();
    let expected = [
        ("0.layer.platform.up_seconds", "0.300000"),
        ("0.layer.platform.ready_seconds", "0.600000"),
        ("0.layer.database.up_seconds", "0.050000"),
        ("0.layer.database.ready_seconds", "0.390000"),
        ("0.critical_path", "platform 0.3 (up) → database 0.4 s"),
        ("0.no_layer_seconds", "0.020000"),
        ("1.layer.platform.up_seconds", "3.000000"),
        ("1.layer.platform.ready_seconds", "9.000000"),
        ("1.layer.platform.budget_seconds", "20.000000"),
        ("1.layer.images.up_seconds", "0.000000"),
        ("1.layer.images.ready_seconds", "0.000000"),
        ("1.layer.engine.up_seconds", "0.200000"),
        ("1.layer.engine.ready_seconds", "6.000000"),
        ("1.layer.engine.budget_seconds", "5.000000"),
        ("1.layer.database.up_seconds", "0.100000"),
        ("1.layer.database.ready_seconds", "9.000000"),
        ("1.layer.service.up_seconds", "0.000000"),
        ("1.layer.service.ready_seconds", "0.140000"),
        ("1.critical_path", "platform 3.0 (up) → engine 0.2 (up) → database 9.0 → service 0.1 s"),
        ("1.no_layer_seconds", "0.030000"),
    ];
    assert_eq!(told, expected);

    let kept = suite_of(&Report { over_budget: Vec::new(), ..report });
    assert_eq!((kept.tests, kept.failures, kept.errors), (9, 0, 0));
    assert_eq!(shortfall(find(&kept, "budget")), None);
}

#[test]
fn what_xml_forbids_and_secrets_are_not_in_the_file() {
    let secret = Secret::new("canary-4711");
    let finding =
        sample::finding().with_evidence([format!("pass={secret:?} \u{0}\u{1b}[1m\u{ffff} <&>\"']]>")]);
    let mut report = Report { findings: vec![finding], ..sample::lossy(1) };
    report.account.as_mut().unwrap().lost[0].label = "a\u{b}<b>\n".into();
    report.properties.insert("pass".into(), secret.to_string());
    let (junit, xml) = read_back(&report);
    assert!(!xml.contains("canary") && !xml.contains('\u{ffff}'), "{xml}");
    let (.., text) = shortfall(junit.test_suites[0].test_cases.last().unwrap()).unwrap();
    assert!(text.contains("  a\\u{b}<b>\\n   xid 742"), "{text}");
    assert!(text.contains("pass=[redacted] \\u{0}\\u{1b}[1m\\u{ffff} <&>\"']]>"), "{text}");
}
