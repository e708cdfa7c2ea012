//! The log gate: ERROR, FATAL and PANIC lines that nobody announced are a finding of their own.

use phoenix_core::{Certainty, Finding};

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Where it was written: `postgres-1.log`.
    pub source: String,
    /// The line.
    pub text: String,
}

/// A line that is expected, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// What the line contains.
    pub contains: String,
    /// Why it is no cause for alarm.
    pub why: String,
}

impl Announced {
    /// A line that contains this is expected, because of that.
    pub fn new(contains: impl Into<String>, why: impl Into<String>) -> Self {
        Self { contains: contains.into(), why: why.into() }
    }
}

/// Lines that PostgreSQL writes at these levels in any drill, and why.
fn allowlist() -> [Announced; 5] {
    let early = "an application asks before recovery is done, or while it ends in an error of its own";
    [
        Announced::new("the database system is starting up", early),
        Announced::new("the database system is not yet accepting connections", early),
        Announced::new("the database system is in recovery mode", early),
        Announced::new("the database system is shutting down", early),
        Announced::new(
            "terminating connection due to unexpected postmaster exit",
            "the disaster is a SIGKILL",
        ),
    ]
}

/// Whether a line is at level ERROR, FATAL or PANIC, in PostgreSQL's or pgBackRest's format.
fn is_alarming(text: &str) -> bool {
    let mut words = text.split_whitespace();
    words.any(|word| matches!(word, "ERROR:" | "FATAL:" | "PANIC:"))
}

/// Holds the logs against what was announced. Nothing unannounced, no finding.
pub fn inspect(lines: &[LogLine], announced: &[Announced]) -> Option<Finding> {
    let allowed = allowlist();
    let unannounced: Vec<String> = lines
        .iter()
        .filter(|line| is_alarming(&line.text))
        .filter(|line| !allowed.iter().chain(announced).any(|known| line.text.contains(&known.contains)))
        .map(|line| format!("{}: {}", line.source, line.text))
        .collect();
    if unannounced.is_empty() {
        return None;
    }
    let sentence =
        format!("{} lines at ERROR, FATAL or PANIC that nothing in this drill explains", unannounced.len());
    let fix =
        "read the logs in the evidence; if a line is harmless here, let the scenario announce it and say why";
    Some(
        Finding::certain("log-gate", sentence, fix)
            .with_certainty(Certainty::Unsure)
            .with_evidence(unannounced),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> LogLine {
        LogLine { source: "postgres-1.log".into(), text: text.into() }
    }

    #[test]
    fn only_what_is_alarming_and_unannounced_is_found() {
        let lines = [
            line("2026-11-21 10:15:00.1 UTC [7] LOG:  starting PostgreSQL"),
            line("2026-11-21 10:15:00.1 UTC [7] FATAL:  the database system is starting up"),
            line("2026-11-21 10:15:00.1 UTC [7] ERROR:  relation \"memories\" does not exist"),
            line("2026-11-21 10:15:00.1 P00  ERROR: [055]: raised from remote"),
        ];
        let finding = inspect(&lines, &[Announced::new("[055]", "planted")]).unwrap();
        assert_eq!(finding.evidence, [format!("postgres-1.log: {}", lines[2].text)]);
        assert_eq!(
            inspect(&lines, &[Announced::new("[055]", "planted"), Announced::new("memories", "dropped")]),
            None
        );
    }
}
