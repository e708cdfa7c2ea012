//! The victim's PostgreSQL server in its container: its start, and what its log says.

use crate::{plant::Plant, victim::DATA};
use phoenix_drill::{Result, Span, Wait, wait_for};
use phoenix_postgres::Sql;
use phoenix_repository::{StartError, must};
use std::{sync::Arc, time::Duration};

/// Recovery may replay gigabytes; what fails on the way ends the wait at once.
const START_DEADLINE: Duration = Duration::from_secs(3600);
const LOOK: Duration = Duration::from_millis(20);

/// Tells the container's first process to run the server, and waits until it is a primary that answers.
pub(crate) async fn start(plant: &Plant, span: &Span) -> Result<Arc<Sql>, StartError> {
    let container = plant.container().await?;
    let line = format!("echo '{}/postgres -D {DATA}' >/tmp/.phoenix", container.bin);
    must(plant, "start", &["sh".to_owned(), "-c".to_owned(), line]).await?;
    let (sql, name) = (plant.sql(&container), &container.name);
    let died = wait_for("PostgreSQL to answer as a primary", START_DEADLINE, LOOK, || async {
        match sql.one("asking whether recovery is over", "SELECT pg_is_in_recovery()").await {
            Ok(row) if matches!(row.try_get(0), Ok(false)) => Ok(Wait::Ready(None)),
            answer => {
                if let Some(error) = plant.yard.died(name).await? {
                    return Ok(Wait::Ready(Some(error)));
                }
                let seen = answer.map_or_else(|error| error.chain(), |_| "in recovery".to_owned());
                Ok(Wait::NotYet(seen))
            }
        }
    })
    .await?;
    let log = plant.yard.keep_log(name).await?;
    if let Some(error) = died {
        return Err(StartError::Died { error, log });
    }
    if let Some(replay) = phoenix_postgres::replay::summary(&log) {
        span.detail(replay);
    }
    Ok(sql)
}
