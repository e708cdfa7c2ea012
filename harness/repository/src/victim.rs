//! Where the victim's commands run.

use phoenix_drill::{Error, Result, Work};

/// A place in which the victim's commands run: this machine, a container, a pod.
pub trait Victim: Send + Sync {
    /// Runs a command to its end and enters it into the runbook. A status other than 0 is no error here.
    /// Dropped while it runs, the command may go on until the victim is destroyed.
    fn run<'a>(&'a self, purpose: &'a str, argv: &'a [String]) -> Work<'a, Ran>;
}

/// How a command ended, and what it printed, lossily decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Its exit status; `None` if a signal killed it.
    pub status: Option<i32>,
    /// The same in words: `exit 0`, `signal: 9 (SIGKILL)`.
    pub ended: String,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ran {
    /// Standard output if it succeeded; else an error with the line that says most.
    pub fn must(self, purpose: &str) -> Result<String> {
        if self.status == Some(0) {
            return Ok(self.stdout);
        }
        let why = format!("{}: {}", self.ended, decisive(&(self.stderr + &self.stdout)));
        Err(Error::unverified(format!("{purpose} failed"), why))
    }
}

/// Runs a command that must succeed; gives what it printed to standard output.
pub async fn must(victim: &dyn Victim, purpose: &str, argv: &[String]) -> Result<String> {
    victim.run(purpose, argv).await?.must(purpose)
}

/// The line of an output that says most.
pub fn decisive(output: &str) -> &str {
    let telling = |line: &&str| line.contains("ERROR:") || line.contains("FATAL:") || line.contains("error:");
    let lines = || output.lines().filter(|line| !line.trim().is_empty());
    lines().find(telling).or_else(|| lines().next_back()).unwrap_or("it printed nothing").trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_its_most_telling_line() {
        let ran = Ran {
            status: Some(28),
            ended: "exit 28".into(),
            stdout: "P00 INFO: begin\nP00  ERROR: [028]: stanza mismatch\nP00 INFO: end\n".into(),
            stderr: String::new(),
        };
        let error = ran.must("backup").unwrap_err();
        assert_eq!(error.chain(), "backup failed: exit 28: P00  ERROR: [028]: stanza mismatch");
        assert_eq!(decisive("\n"), "it printed nothing");
    }
}
