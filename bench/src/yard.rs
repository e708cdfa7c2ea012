//! A Docker engine, and all that a run of the benchmark makes in it: it bears this run's label, and goes by
//! that label at the end. Nothing else in the engine is touched.

use crate::say;
use miette::{IntoDiagnostic, Result, bail};
use phoenix_drill::{Error, Wait, wait_for};
use std::{process::Stdio, time::Duration};
use tokio::{process::Command, time::timeout};

/// The label of everything that a benchmark makes; its value is the run.
const LABEL: &str = "phoenix.bench";
/// An engine that does not answer by then is not there.
const ANSWER: Duration = Duration::from_secs(10);
/// What can be removed is gone by then.
const GONE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(500);
const KINDS: [(&[&str], &[&str]); 3] = [
    (&["ps", "--all", "--quiet"], &["rm", "--force", "--volumes"]),
    (&["volume", "ls", "--quiet"], &["volume", "rm", "--force"]),
    (&["network", "ls", "--quiet"], &["network", "rm"]),
];

/// A part of an engine that is this run's own.
pub struct Yard {
    run: String,
    /// The engine's version.
    pub engine: String,
}

impl Yard {
    /// Finds the engine and what asks it, or says why they cannot be used.
    pub async fn find() -> Result<Self, String> {
        if let Err(error) = Command::new("curl").arg("--version").output().await {
            return Err(format!("curl does not start: {error}"));
        }
        let run = uuid::Uuid::new_v4().simple().to_string()[..12].to_owned();
        let version = timeout(ANSWER, docker(&["version", "--format", "{{.Server.Version}}"])).await;
        match version {
            Ok(Ok(engine)) => Ok(Self { run, engine }),
            Ok(Err(why)) => Err(why.to_string()),
            Err(_) => Err(format!("docker version: nothing heard for {ANSWER:?}")),
        }
    }

    /// The label of everything of this run's, as `docker --label` takes it.
    pub fn label(&self) -> String {
        format!("{LABEL}={}", self.run)
    }

    /// A name of this run's own.
    pub fn name(&self, what: &str) -> String {
        format!("phoenix-bench-{}-{what}", self.run)
    }

    /// Removes whatever bears this run's label or its name: kind gives its nodes no label of ours.
    pub async fn clear(&self) {
        let filters = [format!("label={}", self.label()), format!("name={}", self.name(""))];
        for ((list, remove), filter) in
            KINDS.into_iter().flat_map(|kind| filters.each_ref().map(|it| (kind, it)))
        {
            // one that the engine is still making is listed, cannot be removed, and is there afterwards
            let cleared = wait_for("what this run made to be gone", GONE, LOOK, || async {
                let cleared = async {
                    let found = docker(&[list, &["--filter", filter]].concat()).await?;
                    let found: Vec<_> = found.lines().collect();
                    if found.is_empty() {
                        return Ok(Wait::Ready(()));
                    }
                    docker(&[remove, &found].concat()).await?;
                    Ok::<_, miette::Report>(Wait::NotYet(found.join(", ")))
                };
                Ok::<_, Error>(cleared.await.unwrap_or_else(|why| Wait::NotYet(why.to_string())))
            });
            if let Err(error) = cleared.await {
                say(&format!("what has {filter} may be left: {error}"));
            }
        }
    }
}

/// Runs a `docker` command to its end, and gives what it printed.
pub async fn docker(words: &[&str]) -> Result<String> {
    let mut command = Command::new("docker");
    command.args(words).stdin(Stdio::null());
    let output = command.output().await.into_diagnostic()?;
    if !output.status.success() {
        let what = words.first().copied().unwrap_or_default();
        bail!("docker {what} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
