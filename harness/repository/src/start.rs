//! Waiting for a server to be a primary that answers, wherever it runs; and the signs by which it is plain that it
//! never will be.

use crate::{Ground, StartError};
use phoenix_core::Finding;
use phoenix_drill::{Doing, Error, Result, Wait, wait_for};
use phoenix_postgres::{
    Sql,
    diagnosis::{Postmaster, standing},
};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Recovery may replay gigabytes; what fails on the way ends the wait at once.
const START_DEADLINE: Duration = Duration::from_secs(3600);
/// Between two looks for signs.
const SIGNS: Duration = Duration::from_secs(1);
/// How long a server that says that it is ready may not be reached.
const UNREACHED: Duration = Duration::from_secs(5);
/// How long a standby may replay nothing.
const STILL: Duration = Duration::from_secs(10);
/// How a server turns away whoever asks too early, which it does in other words once it is ready.
const TOO_EARLY: &str = "the database system is";

/// How a wait ended.
enum End<D> {
    Primary,
    Died(D),
    Stuck(Finding),
}

/// Waits until the server is a primary that answers, looking as often as `interval` says. `died` says that its
/// process ended, and how; then that is what is given.
pub async fn until_primary<D, Died: Future<Output = Result<Option<D>>>>(
    ground: &dyn Ground,
    sql: &Sql,
    interval: Duration,
    died: impl Fn() -> Died,
) -> Result<Option<D>, StartError> {
    let signs = Mutex::new(Signs::default());
    let end = wait_for("PostgreSQL to answer as a primary", START_DEADLINE, interval, || async {
        let asked = sql.one("asking whether recovery is over", "SELECT pg_is_in_recovery()").await;
        let answer = match asked.and_then(|row| row.try_get(0).doing("reading whether recovery is over")) {
            Ok(false) => return Ok(Wait::Ready(End::Primary)),
            Ok(true) => Ok(()),
            Err(error) => Err(error),
        };
        if let Some(died) = died().await? {
            return Ok(Wait::Ready(End::Died(died)));
        }
        // a look that fails is made again: the server may have died under it
        if let Ok(Some(finding)) = signs.lock().await.look(ground, sql, &answer).await {
            return Ok(Wait::Ready(End::Stuck(finding)));
        }
        Ok(Wait::NotYet(answer.map_or_else(|error| error.chain(), |()| "in recovery".to_owned())))
    });
    match end.await? {
        End::Primary => Ok(None),
        End::Died(died) => Ok(Some(died)),
        End::Stuck(finding) => Err(StartError::Stuck(Box::new(finding))),
    }
}

/// What was seen of a server that does not answer as a primary.
#[derive(Default)]
struct Signs {
    looked: Option<Instant>,
    /// Since when it has been ready and unreached.
    unreached: Option<Instant>,
    /// How far a standby has come, and since when.
    still: Option<(String, Instant)>,
}

impl Signs {
    /// Why it never will be one, once that is plain. It answers that it is in recovery, or with an error.
    async fn look(&mut self, ground: &dyn Ground, sql: &Sql, answer: &Result<()>) -> Result<Option<Finding>> {
        if self.looked.is_some_and(|looked| looked.elapsed() < SIGNS) {
            return Ok(None);
        }
        // a server that comes back at once is not looked at
        let first = self.looked.replace(Instant::now()).is_none();
        if first {
            return Ok(None);
        }
        match answer {
            Err(error) if !error.chain().contains(TOO_EARLY) => self.unreached(ground, error).await,
            _ => {
                self.unreached = None;
                self.stands_still(ground, sql).await
            }
        }
    }

    /// It is ready, and is not reached.
    async fn unreached(&mut self, ground: &dyn Ground, error: &Error) -> Result<Option<Finding>> {
        let text = ground.data_file("postmaster.pid").await?.unwrap_or_default();
        let Some(Postmaster { address, ready: true }) = Postmaster::read(&text) else {
            self.unreached = None;
            return Ok(None);
        };
        let since = *self.unreached.get_or_insert_with(Instant::now);
        let told = || standing::unreached(&address, &ground.address(), &ground.data(), &error.chain());
        Ok((since.elapsed() >= UNREACHED).then(told))
    }

    /// It is paused, or is a standby that replays nothing.
    async fn stands_still(&mut self, ground: &dyn Ground, sql: &Sql) -> Result<Option<Finding>> {
        let log = ground.recovery_log().await?;
        if standing::tells_of_a_pause(&log) && is_paused(sql).await {
            return Ok(Some(standing::paused(&log)));
        }
        let come = format!("{:?}, {} segments", replayed(sql).await, standing::restored(&log));
        let since = match &self.still {
            Some((before, since)) if *before == come => *since,
            _ => self.still.insert((come, Instant::now())).1,
        };
        if since.elapsed() < STILL || ground.data_file("standby.signal").await?.is_none() {
            return Ok(None);
        }
        Ok(Some(standing::standby(&log, &ground.data())))
    }
}

/// Whether replay is paused. A server that has just become a primary takes the question for an error and logs it:
/// it is asked only where its log tells of a pause.
async fn is_paused(sql: &Sql) -> bool {
    let row = sql.one("asking whether recovery is paused", "SELECT pg_is_wal_replay_paused()").await;
    row.is_ok_and(|row| matches!(row.try_get(0), Ok(true)))
}

/// How far replay has come, if the server says so.
async fn replayed(sql: &Sql) -> Option<String> {
    let query = "SELECT pg_last_wal_replay_lsn()::text";
    sql.one("asking how far recovery is", query).await.ok()?.try_get(0).ok()?
}
