//! JUnit: a suite a drill, a test case a span, and last the verdict.
//!
//! A layer's span is its test case; how long it took until it was up and until it was ready are properties,
//! as is all that a machine may want to compare from run to run.
//!
//! A `failure` is a promise that was broken; an `error` is something that could not be found out.
//! Neither ever appears as skipped: who skips a drill has proven nothing.

mod properties;
mod verdict;

use crate::{WriteError, file, format::plain, lineage, losses, words};
use chrono::{DateTime, TimeDelta, Utc};
use phoenix_core::{Budget, Finding, Report, SpanRecord, SpanStatus, Verdict};
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use std::{path::Path, time::Duration};

/// The code of a finding that a line in a log caused: it has a test case of its own.
pub const LOG_GATE: &str = "log-gate";

/// The suite of a drill, named `<environment>::<scenario>`.
pub fn suite(report: &Report) -> TestSuite {
    suite_named(report, &name(report))
}

/// The same under another name.
pub fn suite_named(report: &Report, name: &str) -> TestSuite {
    let mut suite = TestSuite::new(plain(name));
    suite.set_timestamp(report.started_at).set_time(report.total);
    suite.add_properties(properties::of(report));
    let spans = lineage::paths(&report.spans);
    let mut cases: Vec<_> = spans.into_iter().map(|(path, span)| span_case(report, &path, span)).collect();
    cases.extend(log_gate(report));
    cases.extend(budget(report));
    cases.push(verdict::case(report));
    for mut case in cases {
        case.set_classname(plain(name));
        suite.add_test_case(case);
    }
    suite
}

/// Why there is no evidence of a drill that began.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoEvidence {
    /// It left none.
    #[error("{}", words::NEVER_FINISHED)]
    NeverFinished,
    /// What it left cannot be trusted.
    #[error("evidence unreadable: {0}")]
    Unreadable(String),
}

/// The suite of a drill without evidence: one test case `verdict`, in error for this reason.
pub fn suite_without_evidence(name: &str, why: &NoEvidence) -> TestSuite {
    let word = match why {
        NoEvidence::NeverFinished => "never-finished",
        NoEvidence::Unreadable(_) => "unreadable",
    };
    let mut suite = TestSuite::new(plain(name));
    let mut case = case("verdict", fell_short(NonSuccessKind::Error, word, &why.to_string(), &[]), None);
    case.set_classname(plain(name));
    suite.add_test_case(case);
    suite
}

/// Writes the suite of a drill to a file that is there in whole or not at all.
pub fn write(report: &Report, path: &Path) -> Result<(), WriteError> {
    let mut junit = quick_junit::Report::new("phoenix");
    junit.set_timestamp(report.started_at).set_time(report.total).add_test_suite(suite(report));
    write_suites(&junit, path)
}

/// The name of a drill's suite.
pub(crate) fn name(report: &Report) -> String {
    format!("{}::{}", report.environment, report.scenario)
}

pub(crate) fn write_suites(suites: &quick_junit::Report, path: &Path) -> Result<(), WriteError> {
    let mut xml = Vec::new();
    suites.serialize(&mut xml).map_err(|source| WriteError::Xml { path: path.to_owned(), source })?;
    file::write(path, &xml)
}

fn span_case(report: &Report, path: &str, span: &SpanRecord) -> TestCase {
    let word = match span.status {
        SpanStatus::Done => None,
        SpanStatus::Failed => Some("failed"),
        SpanStatus::Interrupted => Some("interrupted"),
    };
    let told = plain(&span.detail);
    let (status, out) = match word {
        None => (TestCaseStatus::success(), told),
        Some(word) if report.as_expected() => {
            (TestCaseStatus::success(), format!("{word}, and the drill ended as expected: {told}"))
        }
        Some(word) => {
            let message = if told.is_empty() { word } else { &told };
            (fell_short(NonSuccessKind::Error, word, message, &[]), String::new())
        }
    };
    let mut case = case(path, status, begun(report, span.start));
    case.set_time(span.elapsed);
    if !out.is_empty() {
        case.set_system_out(out);
    }
    case
}

fn begun(report: &Report, start: Duration) -> Option<DateTime<Utc>> {
    report.started_at.checked_add_signed(TimeDelta::from_std(start).ok()?)
}

/// What the logs must not say, if they said it.
fn log_gate(report: &Report) -> Option<TestCase> {
    let gate: Vec<&Finding> = report.findings.iter().filter(|finding| finding.code == LOG_GATE).collect();
    let message = &gate.first()?.sentence;
    let lines: Vec<_> = gate.iter().flat_map(|finding| losses::finding(finding)).collect();
    Some(case("log gate", fell_short(NonSuccessKind::Error, LOG_GATE, message, &lines), None))
}

/// Whether the drill kept within its limits, if it has any. Only a valid drill can say that it did:
/// in any other, what the limits are about may never have happened.
fn budget(report: &Report) -> Option<TestCase> {
    let over = &report.over_budget;
    let limited =
        report.budget != Budget::default() || report.layers.iter().any(|layer| layer.budget.is_some());
    let status = match over.first() {
        Some(first) => fell_short(NonSuccessKind::Failure, "over-budget", first, over),
        None if limited && report.verdict == Some(Verdict::Valid) => TestCaseStatus::success(),
        None => return None,
    };
    Some(case("budget", status, None))
}

fn case(name: &str, status: TestCaseStatus, begun: Option<DateTime<Utc>>) -> TestCase {
    let mut case = TestCase::new(plain(name), status);
    case.set_time(Duration::ZERO);
    if let Some(begun) = begun {
        case.set_timestamp(begun);
    }
    case
}

fn fell_short(kind: NonSuccessKind, word: &str, message: &str, lines: &[String]) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(word).set_message(plain(message));
    if !lines.is_empty() {
        status.set_description(lines.join("\n"));
    }
    status
}

#[cfg(test)]
mod tests;
