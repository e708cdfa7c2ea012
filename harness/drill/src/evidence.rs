//! The evidence on disk, written as it happens: `report.json`, `ledger.jsonl`, `events.jsonl`,
//! `runbook.md` with every command, and `logs/`.

use crate::{Doing, Error, LogLine, Result, span::Reporter};
use phoenix_core::{Event, Report, RunId};
use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

/// A command that ran, as a person could repeat it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What it was for: `stanza-create`.
    pub purpose: String,
    /// The line, as typed into a shell. It never holds a secret.
    pub line: String,
    /// How it ended: `exit 0`, `SIGKILL`, `started`.
    pub ended: String,
    /// How long it took.
    pub elapsed: Duration,
    /// What it printed, lossily decoded.
    pub output: String,
}

/// One run's directory of evidence.
pub struct Evidence {
    directory: PathBuf,
    runbook: Mutex<(File, u32)>,
}

impl Evidence {
    /// Makes `<root>/<run>/` and points `<root>/latest` to it.
    pub fn create(root: &Path, run: &RunId) -> Result<Self> {
        let directory = root.join(run.as_str());
        let unwritable = |error: std::io::Error| {
            let what = format!("the evidence cannot be written to {}: {error}", root.display());
            Error::usage(what, "give a directory that can be written to: --report DIR")
        };
        fs::create_dir_all(directory.join("logs")).map_err(unwritable)?;
        let mut runbook = new_file(&directory.join("runbook.md")).map_err(unwritable)?;
        writeln!(runbook, "# Runbook of run {run}\n\nEvery command of this drill, in order, as a person could repeat it. Secrets are in files, never here.\n").map_err(unwritable)?;
        point_latest(root, run).map_err(unwritable)?;
        Ok(Self { directory, runbook: Mutex::new((runbook, 0)) })
    }

    /// The run's directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A place for a log of this name.
    pub fn log(&self, name: &str) -> PathBuf {
        self.directory.join("logs").join(name)
    }

    /// Enters a command into the runbook and keeps what it printed.
    pub fn command(&self, command: &Command) -> Result<()> {
        let mut runbook = self.runbook.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        runbook.1 += 1;
        let log = format!("{:03}-{}.txt", runbook.1, command.purpose.replace(['/', ' '], "-"));
        let (number, seconds) = (runbook.1, command.elapsed.as_secs_f64());
        let Command { purpose, line, ended, output, .. } = command;
        let printed = if output.is_empty() { String::new() } else { format!(" · logs/{log}") };
        let entry = format!(
            "{number}. {purpose} · {ended} · {seconds:.3} s{printed}\n\n   ```sh\n   {line}\n   ```\n\n"
        );
        if !output.is_empty() {
            fs::write(self.log(&log), output).doing(format!("writing logs/{log}"))?;
        }
        runbook.0.write_all(entry.as_bytes()).doing("writing runbook.md")
    }

    /// Every line of every log, but for logs of requests (`.jsonl`).
    pub fn log_lines(&self) -> Result<Vec<LogLine>> {
        let logs = self.log("");
        let doing = || format!("reading {}", logs.display());
        let mut lines = Vec::new();
        for entry in fs::read_dir(&logs).doing(doing())? {
            let entry = entry.doing(doing())?;
            let source = entry.file_name().to_string_lossy().into_owned();
            if source.ends_with(".jsonl") {
                continue;
            }
            let text = fs::read(entry.path()).doing(doing())?;
            let text = String::from_utf8_lossy(&text);
            lines.extend(text.lines().map(|line| LogLine { source: source.clone(), text: line.to_owned() }));
        }
        Ok(lines)
    }

    /// Enters a remark or a file's text into the runbook.
    pub fn remark(&self, text: &str) -> Result<()> {
        let mut runbook = self.runbook.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        writeln!(runbook.0, "{text}\n").doing("writing runbook.md")
    }

    /// Replaces `report.json` whole.
    pub fn report(&self, report: &Report) -> Result<()> {
        let path = self.directory.join("report.json");
        let new = path.with_extension("json.new");
        let text = serde_json::to_vec_pretty(report).doing("writing report.json")?;
        fs::write(&new, text).and_then(|()| fs::rename(&new, &path)).doing("writing report.json")
    }
}

fn new_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().append(true).create_new(true).open(path)
}

fn point_latest(root: &Path, run: &RunId) -> std::io::Result<()> {
    let new = root.join(format!(".latest-{run}"));
    std::os::unix::fs::symlink(run.as_str(), &new)?;
    fs::rename(&new, root.join("latest"))
}

/// Writes every event to `events.jsonl`.
pub struct EventLog(File);

impl EventLog {
    /// Opens the file in a run's directory.
    pub fn create(evidence: &Evidence) -> Result<Self> {
        new_file(&evidence.directory.join("events.jsonl")).map(Self).doing("creating events.jsonl")
    }
}

impl Reporter for EventLog {
    fn event(&mut self, event: &Event) {
        if let Ok(mut line) = serde_json::to_vec(event) {
            line.push(b'\n');
            // the events repeat what report.json and the ledger hold: a full disk shows there, as an error
            let _ = self.0.write_all(&line);
        }
    }
}
