//! The victim's PostgreSQL server: its start, and what its log says.

use crate::plant::Plant;
use phoenix_core::Lsn;
use phoenix_drill::{Error, Result, Span, Wait, wait_for};
use phoenix_postgres::Sql;
use std::{
    fs,
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// Recovery may replay gigabytes; what fails on the way ends the wait at once.
const START_DEADLINE: Duration = Duration::from_secs(3600);
const LOOK: Duration = Duration::from_millis(5);

/// How a start ended that did not end well.
pub(crate) enum StartError {
    /// The server went away; this is its log.
    Died { ended: String, log: String },
    /// Something else.
    Other(Error),
}

impl From<Error> for StartError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl From<StartError> for Error {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Died { ended, log } => {
                let last = crate::process::decisive(&log).to_owned();
                Error::unverified("PostgreSQL does not start", format!("{ended}: {last}"))
            }
            StartError::Other(error) => error,
        }
    }
}

/// Starts the server and waits until it is a primary that answers.
pub(crate) async fn start(plant: &Plant, span: &Span) -> Result<Arc<Sql>, StartError> {
    let number = plant.starts.fetch_add(1, Ordering::Relaxed) + 1;
    let log = plant.scene.evidence.log(&format!("postgres-{number}.log"));
    let program = plant.tools.postgres_bin.join("postgres").display().to_string();
    let argv = [program, "-D".to_owned(), plant.data().display().to_string()];
    let member = plant.capsule.start(&plant.scene.evidence, "postgres", &argv, &log)?;
    *plant.server.lock().await = Some(member);
    let sql = plant.sql();
    let died = wait_for("PostgreSQL to answer as a primary", START_DEADLINE, LOOK, || async {
        if let Some(ended) = plant.server.lock().await.as_mut().and_then(crate::process::Member::ended) {
            return Ok(Wait::Ready(Some(ended)));
        }
        match sql.one("asking whether recovery is over", "SELECT pg_is_in_recovery()").await {
            Ok(row) if matches!(row.try_get(0), Ok(false)) => Ok(Wait::Ready(None)),
            Ok(_) => Ok(Wait::NotYet("in recovery".to_owned())),
            Err(error) => Ok(Wait::NotYet(error.chain())),
        }
    })
    .await?;
    if let Some(ended) = died {
        return Err(StartError::Died { ended, log: read(&log) });
    }
    if let Some(replay) = replay(&read(&log)) {
        span.detail(replay);
    }
    Ok(sql)
}

fn read(log: &PathBuf) -> String {
    fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// What was replayed and how fast, from `redo starts at …` and `redo done at … elapsed: 0.05 s`.
fn replay(log: &str) -> Option<String> {
    let after = |mark: &str| log.rsplit_once(mark).map(|(_, rest)| rest);
    let lsn = |text: &str| text.split_whitespace().next()?.parse::<Lsn>().ok();
    let (from, done) = (lsn(after("redo starts at ")?)?, after("redo done at ")?);
    let to = lsn(done)?;
    let elapsed: f64 =
        done.lines().next()?.rsplit_once("elapsed: ")?.1.split_whitespace().next()?.parse().ok()?;
    let megabytes = to.bytes_since(from) as f64 / 1e6;
    let rate = if elapsed > 0.0 { format!(" · {:.0} MB/s", megabytes / elapsed) } else { String::new() };
    Some(format!("replayed {from} to {to} · {megabytes:.1} MB in {elapsed:.2} s{rate}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_replay_is_read_from_the_log() {
        let log = "LOG:  redo starts at 0/300000\nLOG:  redo done at 0/700000 system usage: CPU: user: 0.01 s, system: 0.00 s, elapsed: 0.50 s\n";
        assert_eq!(replay(log).unwrap(), "replayed 0/300000 to 0/700000 · 4.2 MB in 0.50 s · 8 MB/s");
        assert_eq!(replay("LOG:  database system is ready"), None);
    }
}
