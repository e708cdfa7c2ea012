//! The ledger's cost per commit: the same inserts with and without it, in alternating rounds, against
//! a real PostgreSQL whose own commits are as cheap as they get (`fsync` off).

use crate::{
    house::{House, Storage},
    sample::Sample,
    say,
};
use futures::join;
use miette::{Context, IntoDiagnostic, Result};
use phoenix_core::{Commit, Digest, Entry, Lsn, Moment, RowId, Xid};
use phoenix_drill::{Error, Ledger, Wait, wait_for};
use std::{
    fs,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio_postgres::{Client, Config, NoTls, Row, Statement, types::ToSql};
use uuid::Uuid;

const SERVER: &str = include_str!("../server.sh");
const ROWS: u32 = 2000;
const RUN: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
const CREATE_TABLE: &str = "CREATE TABLE memories (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    content text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    row_id uuid NOT NULL UNIQUE,
    run_id text NOT NULL)";
const INSERT: &str = "INSERT INTO memories (content, row_id, run_id) VALUES ($1, $2, $3)
    RETURNING pg_current_xact_id()::text, pg_current_wal_insert_lsn()::text";
const POSITION: &str = "SELECT pg_current_wal_insert_lsn()::text";

/// Microseconds per commit with the server on one storage.
pub struct Commits {
    /// Where the server is; the ledger is on disk.
    pub storage: Storage,
    /// Insert and answer, without a ledger.
    pub without: Sample,
    /// The same, with the attempt and its outcome in the ledger.
    pub with: Sample,
    /// The ledger alone: digest, attempt, outcome.
    pub ledger: Sample,
}

/// Inserts as many rows with as without in every round; the first does not count.
pub async fn measure(house: &House, rounds: u32) -> Result<Commits> {
    let root = house.room("server")?;
    let mut command = house.script(SERVER);
    let _server = command.env("ROOT", &root).stdout(Stdio::null()).spawn().into_diagnostic()?;
    let mut config = Config::new();
    config.host_path(root.join("socket")).user("postgres").dbname("postgres");
    let client = connect(&config).await.wrap_err("PostgreSQL does not start")?;
    client.batch_execute(CREATE_TABLE).await.into_diagnostic()?;
    let statements = Statements {
        insert: client.prepare(INSERT).await.into_diagnostic()?,
        position: client.prepare(POSITION).await.into_diagnostic()?,
    };
    let mut commits = Commits {
        storage: house.storage,
        without: Sample::default(),
        with: Sample::default(),
        ledger: Sample::default(),
    };
    for round in 0..=rounds {
        let path = house.disk().join(format!("ledger-{}-{round}.jsonl", house.storage.word()));
        let ledger = Ledger::create(&path).into_diagnostic()?;
        let (mut without, mut with) = (0.0, 0.0);
        for half in 0..2 {
            match (round + half) % 2 {
                0 => without = inserts(&client, &statements, None).await?,
                _ => with = inserts(&client, &statements, Some(&ledger)).await?,
            }
        }
        let alone = entries_alone(&ledger)?;
        fs::remove_file(&path).into_diagnostic()?;
        say(&format!(
            "µs per commit on {}, round {round}: {without:.1} without, {with:.1} with, ledger alone {alone:.1}",
            house.storage.word()
        ));
        if round > 0 {
            commits.without.push(without);
            commits.with.push(with);
            commits.ledger.push(alone);
        }
    }
    Ok(commits)
}

async fn connect(config: &Config) -> Result<Client> {
    let tried =
        wait_for("PostgreSQL to answer", Duration::from_secs(60), Duration::from_millis(10), || async {
            match config.connect(NoTls).await {
                Ok((client, connection)) => {
                    tokio::spawn(connection);
                    Ok::<_, Error>(Wait::Ready(client))
                }
                Err(error) => Ok(Wait::NotYet(error.to_string())),
            }
        });
    tried.await.into_diagnostic()
}

struct Statements {
    insert: Statement,
    position: Statement,
}

/// Microseconds per row, one transaction a row; the position after each in the same round trip, as the
/// drill's writers do it.
async fn inserts(client: &Client, statements: &Statements, ledger: Option<&Ledger>) -> Result<f64> {
    let start = Instant::now();
    for number in 0..ROWS {
        let row = RowId(Uuid::new_v4());
        let content = format!("{RUN} row {number} by writer 1 in life 0");
        if let Some(ledger) = ledger {
            ledger.append(&[invoked(row, &content, start)]).into_diagnostic()?;
        }
        let values: [&(dyn ToSql + Sync); 3] = [&content, &row.0, &RUN];
        let (inserted, after) = join!(
            client.query_one(&statements.insert, &values),
            client.query_one(&statements.position, &[]),
        );
        let (inserted, after) = (inserted.into_diagnostic()?, after.into_diagnostic()?);
        if let Some(ledger) = ledger {
            let commit = Commit {
                xid: Xid(text(&inserted, 0)?.parse().into_diagnostic()?),
                lsn_before: text(&inserted, 1)?.parse().into_diagnostic()?,
                lsn_after: text(&after, 0)?.parse().into_diagnostic()?,
            };
            ledger.append(&[Entry::Ok { row, commit, at: moment(start) }]).into_diagnostic()?;
        }
    }
    Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(ROWS))
}

/// Microseconds per row for the ledger's part alone.
fn entries_alone(ledger: &Ledger) -> Result<f64> {
    let start = Instant::now();
    for number in 0..ROWS {
        let row = RowId(Uuid::new_v4());
        let content = format!("{RUN} row {number} by writer 1 in life 0");
        ledger.append(&[invoked(row, &content, start)]).into_diagnostic()?;
        let lsn = Lsn(u64::from(number) << 8);
        let commit = Commit { xid: Xid(u64::from(number)), lsn_before: lsn, lsn_after: lsn };
        ledger.append(&[Entry::Ok { row, commit, at: moment(start) }]).into_diagnostic()?;
    }
    Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(ROWS))
}

fn invoked(row: RowId, content: &str, start: Instant) -> Entry {
    let label = content[RUN.len()..].trim_start().to_owned();
    Entry::Invoked { row, label, digest: Digest::of(RUN, content), life: 0, at: moment(start) }
}

fn moment(start: Instant) -> Moment {
    Moment(u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX))
}

fn text(row: &Row, column: usize) -> Result<&str> {
    row.try_get(column).into_diagnostic()
}
