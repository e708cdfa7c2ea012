//! The joint report as a table in Markdown.

use super::Drill;
use crate::{
    format::{plain, rows, seconds, tenths},
    words::NEVER_FINISHED,
};
use phoenix_core::Report;

const HEAD: &str = "\
| test | attempt | scenario | environment | verdict | expected | RTO | lost | total |
|---|---|---|---|---|---|--:|--:|--:|
";

/// A sentence that counts, and a line a drill.
pub(super) fn table(drills: &[Drill]) -> String {
    let lines: String = drills.iter().map(line).collect();
    format!("{}\n\n{HEAD}{lines}", sentence(drills))
}

fn sentence(drills: &[Drill]) -> String {
    let count = |wanted: fn(&Drill) -> bool| rows(drills.iter().filter(|drill| wanted(drill)).count() as u64);
    let expected = count(|drill| drill.evidence.as_ref().is_ok_and(Report::as_expected));
    let open = count(|drill| drill.evidence.as_ref().map_or(true, |report| report.verdict.is_none()));
    let other = count(|drill| {
        drill.evidence.as_ref().is_ok_and(|report| report.verdict.is_some() && !report.as_expected())
    });
    let all = rows(drills.len() as u64);
    format!("{all} drills: {expected} ended as expected, {other} otherwise, {open} without a verdict.")
}

fn line(drill: &Drill) -> String {
    let none = || "-".to_owned();
    let figures = match &drill.evidence {
        Err(why) => [none(), none(), why.to_string(), none(), none(), none(), none()],
        Ok(report) => {
            let verdict = report.verdict.as_ref().map_or(NEVER_FINISHED, |verdict| verdict.word());
            let lost = report.account.as_ref().map(|account| rows(account.lost.len() as u64));
            [
                report.scenario.clone(),
                report.environment.clone(),
                verdict.to_owned(),
                report.expected.word().to_owned(),
                report.rto.map_or_else(none, seconds),
                lost.unwrap_or_else(none),
                tenths(report.total),
            ]
        }
    };
    let cells = [drill.test.clone(), drill.attempt.clone()].into_iter().chain(figures);
    let escaped: Vec<_> = cells.map(|cell| plain(&cell).replace('|', "\\|")).collect();
    format!("| {} |\n", escaped.join(" | "))
}
