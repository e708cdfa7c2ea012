//! What is said at the end: the rows, the verdict, what is missing, why, and where the evidence lies.

use super::{Style, memories};
use crate::{
    format::{plain, seconds},
    losses, words,
};
use phoenix_core::{Report, detector::Proof};
use std::path::Path;

/// How many rows of a kind stand for the rest.
const ROWS: usize = 10;

/// Everything below the spans.
pub(super) fn lines(report: &Report, style: Style, evidence: Option<&Path>) -> String {
    let mut text = memories::table(&report.memories);
    if !text.is_empty() {
        text.push('\n');
    }
    let mut say = |line: String| {
        text += &line;
        text.push('\n');
    };
    say(verdict(report, style));
    if let Some(Proof { defect, elapsed, missed, .. }) = &report.proof {
        let elapsed = seconds(*elapsed);
        say(match missed {
            None => format!("the detector is proved: {defect} was planted, and found in {elapsed}"),
            Some(_) => {
                style.red(&format!("the detector is BLIND: {defect} was planted, and not found in {elapsed}"))
            }
        });
    }
    for sentence in &report.over_budget {
        say(style.yellow(&format!("OVER BUDGET: {}", plain(sentence))));
    }
    if let Some(account) = &report.account {
        losses::lines(account, ROWS).into_iter().for_each(&mut say);
    }
    report.findings.iter().flat_map(losses::finding).for_each(&mut say);
    if let Some(directory) = evidence {
        say(format!("evidence: {}  (report.json, junit.xml, logs/)", directory.join("").display()));
    }
    text
}

fn verdict(report: &Report, style: Style) -> String {
    let line = words::headline(report);
    if !report.as_expected() {
        style.red(&line)
    } else if report.over_budget.is_empty() {
        style.green(&line)
    } else {
        style.yellow(&line)
    }
}
