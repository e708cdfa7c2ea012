//! What was done, entered into the runbook as a person would type it.

use phoenix_drill::{Command, Evidence, Result};
use phoenix_postgres::pgbackrest::shell_line;
use std::time::Instant;

/// Something that is being done.
pub struct Deed {
    purpose: String,
    line: String,
    start: Instant,
}

impl Deed {
    /// Begins; `words` are what follows `docker`.
    pub fn begin(purpose: &str, words: &[&str]) -> Self {
        let argv: Vec<String> =
            std::iter::once("docker").chain(words.iter().copied()).map(str::to_owned).collect();
        Self::typed(purpose, shell_line(&argv))
    }

    /// Begins something that is done otherwise than by `docker`, as it is typed.
    pub fn typed(purpose: &str, line: String) -> Self {
        Self { purpose: purpose.to_owned(), line, start: Instant::now() }
    }

    /// Enters it with how it ended and what it printed.
    pub fn end(self, evidence: &Evidence, ended: &str, output: String) -> Result<()> {
        let Self { purpose, line, start } = self;
        evidence.command(&Command {
            purpose,
            line,
            ended: ended.to_owned(),
            elapsed: start.elapsed(),
            output,
        })
    }
}
