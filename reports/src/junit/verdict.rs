//! The last test case: what the drill proved.

use super::{LOG_GATE, fell_short};
use crate::{losses, words};
use phoenix_core::{Report, Verdict};
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus};

/// How many rows of a kind are listed: enough to search for, few enough for any reader of JUnit.
const ROWS: usize = 1_000;

/// A verdict that was expected passes, whatever it is. Otherwise a broken promise is a failure, and so
/// is a promise that was kept though a planted defect should have broken it; what could not be
/// verified is an error.
pub(super) fn status(report: &Report) -> TestCaseStatus {
    let (kind, word) = match &report.verdict {
        None => (NonSuccessKind::Error, "never-finished"),
        Some(_) if report.as_expected() => return TestCaseStatus::success(),
        Some(verdict) if verdict.meets(&report.expected) => (NonSuccessKind::Failure, "unexpected-reason"),
        Some(Verdict::Valid) => (NonSuccessKind::Failure, "unexpected-verdict"),
        Some(verdict @ Verdict::Invalid { .. }) => (NonSuccessKind::Failure, fault(verdict)),
        Some(Verdict::Unknown { .. }) => (NonSuccessKind::Error, "unknown"),
    };
    let message = match report.verdict {
        None => words::NEVER_FINISHED.to_owned(),
        Some(_) => words::headline(report),
    };
    fell_short(kind, word, &message, &details(report))
}

/// `loss` of `invalid:loss`.
fn fault(verdict: &Verdict) -> &'static str {
    verdict.word().split_once(':').map_or("invalid", |(_, fault)| fault)
}

/// The test case: what fell short is told in it, what passed beside it.
pub(super) fn case(report: &Report) -> TestCase {
    let mut case = super::case("verdict", status(report), report.finished_at);
    if report.as_expected() {
        let mut lines = vec![words::headline(report)];
        lines.extend(details(report));
        case.set_system_out(lines.join("\n"));
    }
    case
}

/// The rows in question and the findings that have no test case of their own.
fn details(report: &Report) -> Vec<String> {
    let mut lines = report.account.as_ref().map(|account| losses::lines(account, ROWS)).unwrap_or_default();
    let findings = report.findings.iter().filter(|finding| finding.code != LOG_GATE);
    lines.extend(findings.flat_map(losses::finding));
    lines
}
