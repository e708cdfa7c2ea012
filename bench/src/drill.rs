//! `phoenix drill`, as a user runs it, and what its report says.

use crate::{house::House, rounds::Lap};
use miette::{Context, IntoDiagnostic, Result, bail};
use nix::{
    sys::{
        signal::{Signal, kill},
        wait::waitpid,
    },
    unistd::Pid,
};
use phoenix_core::{Report, SpanRecord, Verdict};
use serde_json::Value;
use std::{fs, path::Path, process::Stdio, time::Instant};
use tokio::process::{Child, Command};

/// Runs the drill with one row of workload before and one after the backup, beside the two rows.
pub async fn run(house: &House) -> Result<Lap> {
    let storage = house.storage.word();
    let (report, whole) = play(house, &["--storage", storage, "--rows", "1", "--writers", "1"]).await?;
    Ok(lap(&report, whole))
}

/// Runs the drill in containers as it is without further arguments.
pub async fn run_in_containers(house: &House) -> Result<(Report, Lap)> {
    let (report, whole) = play(house, &["--environment", "containers"]).await?;
    let lap = lap(&report, whole);
    Ok((report, lap))
}

/// Runs the drill on a kind cluster as it is without further arguments. Gives the PostgresCluster too, as it
/// was born and as it was reborn.
pub async fn run_on_cluster(house: &House) -> Result<(Report, [Value; 2])> {
    let manifests = |evidence: &Path| {
        let read = |name: &str| {
            let text = fs::read(evidence.join(format!("postgrescluster-{name}.json"))).into_diagnostic()?;
            serde_json::from_slice(&text).into_diagnostic()
        };
        Ok([read("birth")?, read("rebirth-1")?])
    };
    let (report, _, manifests) = play_and_look(house, &["--environment", "cluster"], manifests).await?;
    Ok((report, manifests))
}

fn lap(report: &Report, whole: f64) -> Lap {
    let mut lap = Lap { whole, ..Lap::default() };
    let ended = |span: &SpanRecord| (span.start + span.elapsed).as_secs_f64();
    let of = |name: &str| report.spans.iter().find(|span| span.name == name);
    if let (Some(birth), Some(query)) = (of("birth"), of("query")) {
        lap.birth_to_query = ended(query) - birth.start.as_secs_f64();
    }
    for span in &report.spans {
        if let Some(step) = step(&span.name) {
            *lap.steps.entry(step.to_owned()).or_default() += span.elapsed.as_secs_f64();
        }
        if let Some((_, last)) = span.detail.split_once(" to ").filter(|_| span.name == "archive") {
            lap.last_segment = last.split(' ').next().unwrap_or_default().to_owned();
        }
    }
    lap
}

/// The step of the bare commands that a span is.
fn step(span: &str) -> Option<&str> {
    match span {
        "network" | "store" | "container" | "initdb" | "start" | "stanza" | "backup" | "archive" | "wipe"
        | "restore" => Some(span),
        "workload" => Some("rows"),
        name if name.starts_with("insert ") => Some("rows"),
        name if name.starts_with("recovery ") => Some("recovery"),
        _ => None,
    }
}

/// Plays a drill with these arguments; gives its report and the seconds that the program took.
pub async fn play(house: &House, arguments: &[&str]) -> Result<(Report, f64)> {
    let (report, whole, ()) = play_and_look(house, arguments, |_| Ok(())).await?;
    Ok((report, whole))
}

/// The same, with a look into the evidence.
async fn play_and_look<T>(
    house: &House,
    arguments: &[&str],
    look: impl Fn(&Path) -> Result<T>,
) -> Result<(Report, f64, T)> {
    let evidence = house.disk().join("evidence");
    let mut command = Command::new("setpriv");
    // asked to end if this process does, so that it clears away what it made
    command.args(["--pdeathsig", "TERM", "--"]).arg(house.phoenix()).arg("drill").args(arguments);
    command.args(["--keep", "never", "--report"]).arg(&evidence);
    // no castle.toml here: defaults are measured
    command.current_dir(house.disk()).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let start = Instant::now();
    let child = command.spawn().into_diagnostic().wrap_err("phoenix drill does not start")?;
    let unfinished = Unfinished::of(&child);
    let output = child.wait_with_output().await.into_diagnostic()?;
    let whole = start.elapsed().as_secs_f64();
    unfinished.over();
    if !output.status.success() {
        let printed = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        bail!("phoenix drill failed ({}): {printed}", output.status);
    }
    let text = fs::read(evidence.join("latest/report.json")).into_diagnostic()?;
    let report: Report = serde_json::from_slice(&text).into_diagnostic()?;
    let seen = look(&evidence.join("latest"))?;
    fs::remove_dir_all(&evidence).into_diagnostic()?;
    match report.verdict {
        Some(Verdict::Valid) => Ok((report, whole, seen)),
        _ => bail!("the drill was not valid: its times mean nothing"),
    }
}

/// A program that clears away what it made if it is asked to end. One that is not waited for to its end is
/// asked, and then waited for.
pub struct Unfinished(Option<Pid>);

impl Unfinished {
    /// This one.
    pub fn of(child: &Child) -> Self {
        Self(child.id().and_then(|pid| pid.try_into().ok()).map(Pid::from_raw))
    }

    /// This one, which leads a process group, and all in it: a shell does not hear before its command ends.
    pub fn group_of(child: &Child) -> Self {
        Self(Self::of(child).0.take().map(|pid| Pid::from_raw(-pid.as_raw())))
    }

    /// It came to its end.
    pub fn over(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // one that is gone already needs neither
            let _ = kill(pid, Signal::SIGTERM);
            let _ = waitpid(pid, None);
        }
    }
}
