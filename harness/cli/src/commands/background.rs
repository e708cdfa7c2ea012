//! What the program says of drills that go on by themselves: how one began, and what became of it.

use super::{failed, reporter, show_evidence};
use crate::{
    arguments::{AttachArguments, DrillArguments},
    castle_file::Castle,
    detach::{self, LOG, Start},
    follow::{Ending, follow},
    life::{self, Seen},
    runs,
};
use miette::{IntoDiagnostic, Result};
use phoenix_core::RunId;
use phoenix_drill::{Error, Settings};
use phoenix_postgres::pgbackrest::shell_line;
use std::path::Path;
use tokio::signal::unix::{SignalKind, signal};

/// `phoenix drill --detach`: says how to follow the drill once it has begun. What stopped it before has
/// been said.
pub async fn start(castle: Castle, asked: &DrillArguments) -> Result<u8> {
    let evidence = asked.report.clone().unwrap_or(castle.settings.evidence);
    let (run, pid) = match detach::start().await {
        Ok(Start::Begun { run, pid }) => (run, pid),
        Ok(Start::Stopped(status)) => return Ok(status),
        Err(error) => return Ok(failed(&error)),
    };
    let directory = evidence.join(run.as_str());
    let log = directory.join(LOG);
    if asked.show.json {
        println!("{}", serde_json::json!({ "run": run, "pid": pid, "evidence": directory, "log": log }));
        return Ok(0);
    }
    println!("run       {run}, which goes on by itself");
    println!("evidence  {}/", directory.display());
    println!("log       {}", log.display());
    println!("follow    {}", again(&run, &evidence));
    println!("stop      kill -INT {pid}");
    Ok(0)
}

/// `phoenix attach`: tells a drill until it ends, and ends as it did.
pub async fn attach(castle: &Castle, asked: &AttachArguments) -> Result<u8> {
    let evidence = asked.report.as_deref().unwrap_or(&castle.settings.evidence);
    let run = match runs::find(evidence, &asked.run) {
        Ok(run) => run,
        Err(error) => return Ok(failed(&error)),
    };
    let directory = evidence.join(run.as_str());
    let mut interrupt = signal(SignalKind::interrupt()).into_diagnostic()?;
    let stop = match life::look(&directory).into_diagnostic()? {
        Seen::Alive { pid } => {
            eprintln!("Ctrl-C ends the following, and the drill goes on; kill -INT {pid} stops the drill");
            format!("; stop it: kill -INT {pid}")
        }
        Seen::Nobody | Seen::Gone(_) => String::new(),
    };
    let mut reporter = reporter(&asked.show);
    let left = async {
        interrupt.recv().await;
    };
    let ending = follow(&directory, reporter.as_mut(), left).await;
    drop(reporter);
    match ending {
        Ok(Ending::Ended(status)) => {
            if !asked.show.json {
                show_evidence(&directory);
            }
            if status != 0 && directory.join(LOG).exists() {
                eprintln!("log: {}", directory.join(LOG).display());
            }
            Ok(status)
        }
        Ok(Ending::Killed) => Ok(failed(&killed(&run, &directory))),
        Ok(Ending::Left) => {
            eprintln!("the drill goes on; follow it again: {}{stop}", again(&run, evidence));
            Ok(130)
        }
        Err(error) => Ok(failed(&error)),
    }
}

/// How to follow a run from here.
fn again(run: &RunId, evidence: &Path) -> String {
    let mut line = vec!["phoenix".to_owned(), "attach".to_owned(), run.to_string()];
    if evidence != Settings::default().evidence {
        line.extend(["--report".to_owned(), evidence.display().to_string()]);
    }
    shell_line(&line)
}

fn killed(run: &RunId, directory: &Path) -> Error {
    let what = format!("run {run} never ended, and its process is gone: it was killed");
    let evidence = directory.display();
    Error::missing(
        what,
        format!("remove what it left with: phoenix sweep; as far as it came is in {evidence}/"),
    )
}
