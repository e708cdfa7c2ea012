//! The drill as a person watches it: a line for each span as it ends, then how the castle rose and the account.
//!
//! Lines go to a writer that the caller gives, so that they are the same on a terminal, in a pipe and
//! in a test. What moves, the line about the running span, goes to standard error and only to a
//! terminal: `indicatif` shows nothing anywhere else.

mod closing;
mod layers;
mod memories;
mod spans;
mod style;

pub use style::Style;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};
use phoenix_core::{Event, Report, RunId};
use spans::Spans;
use std::{
    io::{self, Write},
    path::PathBuf,
    time::Duration,
};

const TICK: Duration = Duration::from_millis(100);

/// Which spans are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Detail {
    /// The outermost ones, and within them only what failed.
    #[default]
    Phases,
    /// All, nested ones below the one around them.
    Nested,
}

/// Writes what happens as it happens.
#[derive(Debug)]
pub struct Terminal<W> {
    out: W,
    style: Style,
    detail: Detail,
    evidence: Option<PathBuf>,
    bar: ProgressBar,
    spans: Spans,
    broken: Option<io::Error>,
}

impl<W: Write + Send> Terminal<W> {
    /// Writes to `out`, without anything that moves.
    pub fn new(out: W, style: Style) -> Self {
        let bar = ProgressBar::hidden();
        let (detail, spans) = (Detail::default(), Spans::default());
        Self { out, style, detail, evidence: None, bar, spans, broken: None }
    }

    /// The same, showing these spans.
    pub fn detail(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self
    }

    /// The same, saying at the end where the evidence lies: a directory with `report.json`,
    /// `junit.xml` and `logs/`.
    pub fn evidence(mut self, directory: impl Into<PathBuf>) -> Self {
        self.evidence = Some(directory.into());
        self
    }

    /// The same with a moving line about the running span on standard error, if that is a terminal.
    pub fn live(mut self) -> Self {
        let look = ProgressStyle::with_template("  {spinner} {wide_msg} {elapsed:>6}");
        self.bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
            .with_finish(ProgressFinish::AndClear)
            .with_style(look.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        if !self.bar.is_hidden() {
            self.bar.enable_steady_tick(TICK);
        }
        self
    }

    /// Takes the next event. A writer that fails is not written to again and never disturbs the
    /// drill; see [`Terminal::broken`].
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::DrillStarted { run, scenario, environment, versions } => {
                let title = title(scenario, environment, versions, run);
                self.print(&format!("{}\n", self.style.bold(&title)));
            }
            Event::SpanStarted { id, parent, name } => {
                self.spans.start(*id, *parent, name);
                if parent.is_none() {
                    self.bar.reset_elapsed();
                }
                self.show_running();
            }
            Event::Progress { id, detail } => {
                self.spans.progress(*id, detail);
                self.show_running();
            }
            Event::Notice { text } => {
                let lines: String = text.lines().map(|line| format!("    {line}\n")).collect();
                self.print(&lines);
            }
            Event::SpanFinished(record) => {
                let lines = self.spans.finish(record, self.detail, self.style);
                self.print(&lines);
                self.show_running();
            }
            Event::DrillFinished(report) => self.close(report),
        }
    }

    /// The error that ended the writing, if one did.
    pub fn broken(&self) -> Option<&io::Error> {
        self.broken.as_ref()
    }

    /// Gives the writer back.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn close(&mut self, report: &Report) {
        self.bar.finish_and_clear();
        let mut lines = self.spans.rest(&report.spans, self.detail, self.style);
        lines += &format!("{}\n\n", spans::line(0, "(no span)", report.no_span, ""));
        lines += &layers::blocks(report, self.style);
        lines += &closing::lines(report, self.style, self.evidence.as_deref());
        self.print(&lines);
    }

    fn show_running(&self) {
        self.bar.set_message(self.spans.running());
    }

    fn print(&mut self, lines: &str) {
        if lines.is_empty() || self.broken.is_some() {
            return;
        }
        let out = &mut self.out;
        let written = self.bar.suspend(|| out.write_all(lines.as_bytes()).and_then(|()| out.flush()));
        self.broken = written.err();
    }
}

fn title(scenario: &str, environment: &str, versions: &[String], run: &RunId) -> String {
    let name = match scenario {
        "protocol" => "Phoenix Protocol".to_owned(),
        other => format!("Phoenix · {other}"),
    };
    let mut parts = vec![name, environment.to_owned()];
    parts.extend(versions.iter().cloned());
    parts.push(format!("run {run}"));
    parts.join(" · ")
}

#[cfg(test)]
mod tests;
