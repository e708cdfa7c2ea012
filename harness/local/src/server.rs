//! The victim's PostgreSQL server: its start, and what its log says.

use crate::{plant::Plant, process::Member};
use phoenix_drill::{Doing, Error, Result, Span, Wait, wait_for};
use phoenix_postgres::Sql;
use phoenix_repository::{StartError, until_primary};
use std::{
    fs,
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

const STOP_DEADLINE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(5);

/// Starts the server and waits until it is a primary that answers.
pub(crate) async fn start(plant: &Plant, span: &Span) -> Result<Arc<Sql>, StartError> {
    plant.starts.fetch_add(1, Ordering::Relaxed);
    let log = log(plant);
    let program = plant.tools.postgres_bin.join("postgres").display().to_string();
    let argv = [program, "-D".to_owned(), plant.data().display().to_string()];
    let member = plant.capsule.start(&plant.scene.evidence, "postgres", &argv, &log)?;
    *plant.server.lock().await = Some(member);
    let sql = plant.sql();
    let died = || async { Ok(plant.server.lock().await.as_mut().and_then(Member::ended)) };
    if let Some(ended) = until_primary(plant, &sql, LOOK, died).await? {
        let log = read(&log);
        let why = format!("{ended}: {}", phoenix_repository::decisive(&log));
        return Err(StartError::Died { error: Error::unverified("PostgreSQL does not start", why), log });
    }
    if let Some(replay) = phoenix_postgres::replay::summary(&read(&log)) {
        span.detail(replay);
    }
    Ok(sql)
}

/// Stops the server as an administrator does who waits for the last client to go: it archives its last
/// segment, and writes a checkpoint into the next.
pub(crate) async fn stop(plant: &Plant) -> Result<()> {
    let doing = "stopping PostgreSQL";
    let file = fs::read_to_string(plant.data().join("postmaster.pid")).doing(doing)?;
    let number = file.lines().next().unwrap_or_default().trim().parse().doing(doing)?;
    plant.server.lock().await.as_ref().inspect(|member| member.ask_to_end(number));
    let ended = wait_for("PostgreSQL to have stopped", STOP_DEADLINE, LOOK, || async {
        let ended = plant.server.lock().await.as_mut().and_then(Member::ended);
        Ok(ended.map_or_else(|| Wait::NotYet("it runs".to_owned()), Wait::Ready))
    })
    .await?;
    *plant.server.lock().await = None;
    if ended == "exit 0" { Ok(()) } else { Err(Error::unverified(doing, ended)) }
}

/// The log of the server that was started last.
pub(crate) fn log(plant: &Plant) -> PathBuf {
    let number = plant.starts.load(Ordering::Relaxed);
    plant.scene.evidence.log(&format!("postgres-{number}.log"))
}

/// What a log says, lossily decoded; nothing if it is not there.
pub(crate) fn read(log: &PathBuf) -> String {
    fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
