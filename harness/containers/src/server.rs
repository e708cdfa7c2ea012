//! The victim's PostgreSQL server in its container: its start, and what its log says.

use crate::{plant::Plant, victim::DATA};
use phoenix_drill::{Result, Span};
use phoenix_postgres::Sql;
use phoenix_repository::{StartError, must, until_primary};
use std::{sync::Arc, time::Duration};

const LOOK: Duration = Duration::from_millis(20);

/// Tells the container's first process to run the server, and waits until it is a primary that answers.
pub(crate) async fn start(plant: &Plant, span: &Span) -> Result<Arc<Sql>, StartError> {
    let container = plant.container().await?;
    let line = format!("echo '{}/postgres -D {DATA}' >/tmp/.phoenix", container.bin);
    must(plant, "start", &["sh".to_owned(), "-c".to_owned(), line]).await?;
    let (sql, name) = (plant.sql(&container), &container.name);
    let died = until_primary(plant, &sql, LOOK, || plant.yard.died(name)).await?;
    let log = plant.yard.keep_log(name).await?;
    if let Some(error) = died {
        return Err(StartError::Died { error, log });
    }
    if let Some(replay) = phoenix_postgres::replay::summary(&log) {
        span.detail(replay);
    }
    Ok(sql)
}
