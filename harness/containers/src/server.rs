//! The victim's PostgreSQL server in its container: its start, and what its log says.

use crate::{
    plant::{Plant, keep_log},
    victim::{Container, DATA},
};
use phoenix_drill::{Error, Result, Span, Wait, environment::not_reborn, wait_for};
use phoenix_postgres::{
    Sql,
    diagnosis::{self, Symptoms},
};
use phoenix_repository::must;
use std::{sync::Arc, time::Duration};

/// Recovery may replay gigabytes; what fails on the way ends the wait at once.
const START_DEADLINE: Duration = Duration::from_secs(3600);
const LOOK: Duration = Duration::from_millis(20);

/// How a start ended that did not end well.
pub(crate) enum StartError {
    /// The container went away; this is why, and its log.
    Died { error: Error, log: String },
    /// Something else.
    Other(Error),
}

impl From<Error> for StartError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl StartError {
    /// The error of a birth.
    pub fn at_birth(self) -> Error {
        match self {
            Self::Died { error, .. } | Self::Other(error) => error,
        }
    }

    /// The error of a rebirth: a server that went away says why the castle does not come back.
    pub fn at_rebirth(self) -> Error {
        match self {
            Self::Died { log, .. } => {
                not_reborn(diagnosis::not_reborn(&Symptoms { server_log: log, ..Symptoms::default() }))
            }
            Self::Other(error) => error,
        }
    }
}

/// Tells the container's first process to run the server, and waits until it is a primary that answers.
pub(crate) async fn start(plant: &Plant, container: &Container, span: &Span) -> Result<Arc<Sql>, StartError> {
    let line = format!("echo '{}/postgres -D {DATA}' >/tmp/.phoenix", container.bin);
    must(plant, "start", &["sh".to_owned(), "-c".to_owned(), line]).await?;
    let (sql, name) = (plant.sql(container), &container.name);
    let died = wait_for("PostgreSQL to answer as a primary", START_DEADLINE, LOOK, || async {
        match sql.one("asking whether recovery is over", "SELECT pg_is_in_recovery()").await {
            Ok(row) if matches!(row.try_get(0), Ok(false)) => Ok(Wait::Ready(None)),
            answer => {
                if let Some(error) = plant.died(name).await? {
                    return Ok(Wait::Ready(Some(error)));
                }
                let seen = answer.map_or_else(|error| error.chain(), |_| "in recovery".to_owned());
                Ok(Wait::NotYet(seen))
            }
        }
    })
    .await?;
    let log = keep_log(&plant.engine, &plant.scene, name).await?;
    if let Some(error) = died {
        return Err(StartError::Died { error, log });
    }
    if let Some(replay) = phoenix_postgres::replay::summary(&log) {
        span.detail(replay);
    }
    Ok(sql)
}
