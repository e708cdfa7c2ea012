//! A drill that goes on by itself: this program starts itself again, in a session of its own, and returns
//! once the drill has begun. Until then the new process speaks to the shell; from then on to its log.

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::{Pid, dup2_stderr, dup2_stdout, setsid},
};
use phoenix_core::{Event, RunId};
use phoenix_drill::{Doing, Error, Reporter, Result};
use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::PathBuf,
    process::Stdio,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    signal::unix::{SignalKind, signal},
};

/// The log of a drill that goes on by itself, in its evidence. It lies beside the logs that are inspected.
pub const LOG: &str = "drill.log";

const DOING: &str = "starting a drill that goes on by itself";

/// What became of the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// The drill has begun.
    Begun {
        /// The run.
        run: RunId,
        /// Its process.
        pid: u32,
    },
    /// It ended before it began, with this exit status, and has said why.
    Stopped(u8),
}

/// Starts this program again with the same arguments, and waits until the drill has begun. An interrupt
/// before that stops it.
pub async fn start() -> Result<Start> {
    let mut interrupt = signal(SignalKind::interrupt()).doing(DOING)?;
    let mut terminate = signal(SignalKind::terminate()).doing(DOING)?;
    let mut command = Command::new(std::env::current_exe().doing(DOING)?);
    command.args(std::env::args_os().skip(1)).arg("--detached");
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().doing(DOING)?;
    let (Some(pid), Some(out)) = (child.id(), child.stdout.take()) else {
        return Err(Error::unverified(DOING, "it was gone at once"));
    };
    let mut said = String::new();
    let mut out = BufReader::new(out);
    let interrupted = tokio::select! {
        read = out.read_line(&mut said) => read.map(|_| None).doing(DOING)?,
        _ = interrupt.recv() => Some(130),
        _ = terminate.recv() => Some(130),
    };
    if let (None, Ok(run)) = (interrupted, said.trim().parse()) {
        return Ok(Start::Begun { run, pid });
    }
    if interrupted.is_some() {
        let child = Pid::from_raw(pid.try_into().doing(DOING)?);
        // as a terminal would, its whole group; one that is gone already has ended as it wanted
        let _ = killpg(child, Signal::SIGINT).or_else(|_| kill(child, Signal::SIGINT));
    }
    let ended = child.wait().await.doing(DOING)?;
    let status = ended.code().and_then(|code| code.try_into().ok()).or(interrupted);
    status.map(Start::Stopped).ok_or_else(|| Error::unverified(DOING, ended.to_string()))
}

/// Leaves the shell that started this process: a session of its own has no terminal, and nobody's hanging
/// up ends it.
pub fn leave() -> Result<()> {
    // whoever has listened once is never ended by it again; children do not inherit that
    drop(signal(SignalKind::hangup()).doing(DOING)?);
    setsid().map(drop).doing(DOING)
}

/// Says that the drill has begun to whoever waits for it, and speaks to the log from then on.
pub struct Announcement {
    /// The directory for evidence, with one directory a run in it.
    pub evidence: PathBuf,
}

impl Reporter for Announcement {
    fn event(&mut self, event: &Event) {
        let Event::DrillStarted { run, .. } = event else { return };
        let log = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(self.evidence.join(run.as_str()).join(LOG))
            // a full disk shows in the ledger, as an error
            .or_else(|_| File::options().write(true).open("/dev/null"));
        let Ok(log) = log else { return };
        let _ = dup2_stderr(&log);
        let mut out = std::io::stdout();
        // whoever stopped waiting does not stop the drill
        let _ = writeln!(out, "{run}").and_then(|()| out.flush());
        let _ = dup2_stdout(&log);
    }
}
