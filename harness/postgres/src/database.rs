//! A castle's SQL, on `tokio-postgres`.

use crate::{
    connect::{self, Administer, Connect},
    workload,
};
use chrono::{DateTime, Utc};
use phoenix_core::{
    Commit, Digest, Entry, Lsn, Object, ReadRow, RowId, SegmentSize, SystemIdentifier, Timeline, Xid,
    report::Memory,
};
use phoenix_drill::{
    Archiver, Database, Doing, Error, Identity, Inserted, NewRow, Result, Scene, Span, Work, Workload,
    WorkloadDone,
};
use std::sync::Arc;
use tokio::sync::OnceCell;
use tokio_postgres::{Client, Row, Statement, error::Severity, types::ToSql};

const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS memories (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    content text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    row_id uuid NOT NULL UNIQUE, -- chosen by the client: the row's identity
    run_id text NOT NULL         -- yesterday's repository cannot pass for today's
)";
const INSERT: &str = "INSERT INTO memories (content, row_id, run_id) VALUES ($1, $2, $3)
    RETURNING pg_current_xact_id()::text, pg_current_wal_insert_lsn()::text";
const INSERT_POSITION: &str = "SELECT pg_current_wal_insert_lsn()::text";
/// What may begin again, or is not logged, promises nothing; a sequence that is not logged cannot even be asked
/// after a recovery (`bad magic number`).
const OBJECTS: &str = "SELECT coalesce(json_agg(object), '[]')::text FROM (
    SELECT 'database' AS kind, datname::text AS name, NULL::bigint AS value FROM pg_database
    UNION ALL SELECT 'role', rolname, NULL FROM pg_roles WHERE rolname !~ '^pg_'
    UNION ALL SELECT 'extension', extname, NULL FROM pg_extension
    UNION ALL SELECT CASE relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, format('%I.%I', nspname, relname),
            CASE WHEN relkind = 'S' THEN CASE WHEN NOT seqcycle AND has_sequence_privilege(c.oid, 'USAGE, SELECT')
                THEN pg_sequence_last_value(c.oid) * sign(seqincrement)::bigint END END
        FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace LEFT JOIN pg_sequence ON seqrelid = c.oid
        WHERE (relkind IN ('r', 'p') AND relpersistence <> 't' OR relkind = 'S' AND relpersistence = 'p')
            AND nspname !~ '^pg_|^information_schema$'
    ) object";
/// The longest part of a row's content that a person needs to recognise it.
const LABEL_CHARS: usize = 60;

/// A server, as an application reaches it.
pub struct Sql {
    connect: Box<dyn Connect>,
    /// Who may do what an application may not; the application itself, if absent.
    administrator: Option<Box<dyn Administer>>,
    session: tokio::sync::Mutex<Option<Arc<Session>>>,
}

impl Sql {
    /// The server that is reached so, by a superuser. Nothing is connected yet.
    pub fn new(connect: impl Connect + 'static) -> Self {
        Self { connect: Box::new(connect), administrator: None, session: tokio::sync::Mutex::default() }
    }

    /// The server that is reached so by an ordinary user, and its administrator.
    pub fn of_application(connect: impl Connect + 'static, administrator: impl Administer + 'static) -> Self {
        Self { administrator: Some(Box::new(administrator)), ..Self::new(connect) }
    }

    /// A connection of its own.
    pub(crate) async fn connect(&self) -> Result<Session> {
        Ok(Session { client: self.connect.connect().await?, statements: OnceCell::new() })
    }

    /// Asks as whoever may.
    async fn administer(&self, purpose: &str, query: &str) -> Result<String> {
        match &self.administrator {
            Some(administrator) => administrator.ask(purpose, query).await,
            None => connect::ask(&self.session().await?.client, purpose, query).await,
        }
    }

    async fn session(&self) -> Result<Arc<Session>> {
        let mut session = self.session.lock().await;
        if let Some(open) = session.as_ref().filter(|open| !open.client.is_closed()) {
            return Ok(open.clone());
        }
        Ok(session.insert(Arc::new(self.connect().await?)).clone())
    }

    /// Runs one query that gives one row.
    pub async fn one(&self, what: &str, query: &str) -> Result<Row> {
        self.session().await?.client.query_one(query, &[]).await.doing(what)
    }

    /// Whether `memories` is there: a table that is gone holds no row.
    async fn has_table(&self) -> Result<bool> {
        let doing = "looking for memories";
        self.one(doing, "SELECT to_regclass('memories') IS NOT NULL").await?.try_get(0).doing(doing)
    }

    async fn lsn(&self, what: &str, query: &str) -> Result<Lsn> {
        text(&self.one(what, query).await?, 0)?.parse().doing(what)
    }
}

/// One connection, and the statements that a writer needs once it writes.
pub(crate) struct Session {
    client: Client,
    statements: OnceCell<[Statement; 2]>,
}

impl Session {
    async fn statements(&self) -> Result<&[Statement; 2]> {
        let prepare =
            async || Ok([self.client.prepare(INSERT).await?, self.client.prepare(INSERT_POSITION).await?]);
        self.statements.get_or_try_init(prepare).await.map_err(|error: tokio_postgres::Error| {
            Error::Unverified { doing: "preparing to insert".into(), source: error.into() }
        })
    }

    /// Inserts a row in a transaction of its own. The ledger has the attempt before it is made and its
    /// outcome after; the position after the commit is asked for in the same round trip.
    pub(crate) async fn insert(&self, scene: &Scene, new: &NewRow) -> Result<Attempted> {
        let row = new.row;
        let [insert, position] = self.statements().await?;
        let (label, digest) = (new.label.clone(), Digest::of(scene.run.as_str(), &new.content));
        let at = scene.now();
        scene.ledger.append(&[Entry::Invoked { row, label, digest, life: scene.life(), at }])?;
        let run = scene.run.as_str();
        let values: [&(dyn ToSql + Sync); 3] = [&new.content, &row.0, &run];
        let (inserted, after) =
            futures::join!(self.client.query_one(insert, &values), self.client.query_one(position, &[]),);
        let at = scene.now();
        let answer = match inserted {
            Ok(answer) => answer,
            Err(error) => {
                let refused =
                    error.as_db_error().is_some_and(|e| e.parsed_severity() == Some(Severity::Error));
                let error = phoenix_drill::error::chain(&error);
                let (entry, attempted) = match refused {
                    true => (Entry::Failed { row, error: error.clone(), at }, Attempted::Failed(error)),
                    false => (
                        Entry::Indeterminate { row, error: error.clone(), at },
                        Attempted::Indeterminate(error),
                    ),
                };
                scene.ledger.append(&[entry])?;
                return Ok(attempted);
            }
        };
        let xid = Xid(text(&answer, 0)?.parse().doing("reading a transaction id")?);
        let lsn_before = text(&answer, 1)?.parse().doing("reading a WAL position")?;
        // the commit was acknowledged even if the server died before it could say where it stands
        let lsn_after = match after {
            Ok(row) => text(&row, 0)?.parse().doing("reading a WAL position")?,
            Err(_) => Lsn::UNKNOWN,
        };
        let commit = Commit { xid, lsn_before, lsn_after };
        scene.ledger.append(&[Entry::Ok { row, commit, at }])?;
        Ok(Attempted::Ok(Inserted { row, commit }))
    }
}

/// What became of an insert.
pub(crate) enum Attempted {
    Ok(Inserted),
    Failed(String),
    Indeterminate(String),
}

fn text(row: &Row, column: usize) -> Result<&str> {
    row.try_get(column).doing("reading an answer")
}

impl Database for Sql {
    fn create_table(&self) -> Work<'_, ()> {
        Box::pin(async {
            self.session().await?.client.batch_execute(CREATE_TABLE).await.doing("creating memories")
        })
    }

    fn drop_table(&self) -> Work<'_, ()> {
        Box::pin(async {
            self.session().await?.client.batch_execute("DROP TABLE memories").await.doing("dropping memories")
        })
    }

    fn fill<'a>(&'a self, size_bytes: u64, span: &'a Span) -> Work<'a, ()> {
        Box::pin(async move {
            let session = self.session().await?;
            let client = &session.client;
            client
                .batch_execute("CREATE TABLE ballast (id bigint, payload text)")
                .await
                .doing("creating ballast")?;
            // a row takes about 1.1 kB; each statement adds up to 64 MB and is a step of the progress
            let (rows, step) = (size_bytes / 1100, 60_000);
            for first in (0..rows).step_by(step) {
                let last = rows.min(first + step as u64);
                let insert = format!(
                    "INSERT INTO ballast SELECT i, (SELECT repeat(string_agg(md5((i * 8 + j)::text), ''), 4)
                     FROM generate_series(1, 8) j) FROM generate_series({}, {last}) i",
                    first + 1
                );
                client.batch_execute(&insert).await.doing("filling ballast")?;
                span.progress(format!("{last} of {rows} rows"));
            }
            span.detail(format!("{rows} rows of ballast, {:.0} MB", size_bytes as f64 / 1e6));
            Ok(())
        })
    }

    fn insert<'a>(&'a self, scene: &'a Scene, row: NewRow) -> Work<'a, Inserted> {
        Box::pin(async move {
            match self.session().await?.insert(scene, &row).await? {
                Attempted::Ok(inserted) => Ok(inserted),
                Attempted::Failed(error) | Attempted::Indeterminate(error) => {
                    Err(Error::unverified(format!("inserting {}", row.label), error))
                }
            }
        })
    }

    fn write<'a>(
        &'a self,
        scene: &'a Scene,
        workload: Workload,
        progress: &'a Span,
    ) -> Work<'a, WorkloadDone> {
        Box::pin(workload::run(self, scene, workload, progress))
    }

    fn read<'a>(&'a self, _scene: &'a Scene) -> Work<'a, Vec<ReadRow>> {
        Box::pin(async {
            let query = "SELECT row_id, run_id, content FROM memories";
            if !self.has_table().await? {
                return Ok(Vec::new());
            }
            let rows = self.session().await?.client.query(query, &[]).await.doing("reading every row")?;
            let read = |row: &Row| {
                let (run, content): (&str, &str) = (row.try_get(1)?, row.try_get(2)?);
                let label = content.chars().take(LABEL_CHARS).collect();
                Ok(ReadRow { row: RowId(row.try_get(0)?), digest: Digest::of(run, content), label })
            };
            rows.iter().map(read).collect::<Result<_, tokio_postgres::Error>>().doing("reading every row")
        })
    }

    fn memories<'a>(&'a self, rows: &'a [RowId]) -> Work<'a, Vec<Memory>> {
        Box::pin(async move {
            if !self.has_table().await? {
                return Ok(Vec::new());
            }
            let ids: Vec<_> = rows.iter().map(|row| row.0).collect();
            let query =
                "SELECT row_id, id, content, created_at FROM memories WHERE row_id = ANY($1) ORDER BY id";
            let rows = self.session().await?.client.query(query, &[&ids]).await.doing("querying memories")?;
            let memory = |row: &Row| {
                let (id, content, created_at) = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
                Ok(Memory {
                    row: RowId(row.try_get(0)?),
                    id,
                    content,
                    created_at,
                    commit: None,
                    provenance: None,
                })
            };
            rows.iter().map(memory).collect::<Result<_, tokio_postgres::Error>>().doing("querying memories")
        })
    }

    fn switch_wal(&self) -> Work<'_, Lsn> {
        Box::pin(async {
            let doing = "switching the WAL";
            self.administer(doing, "SELECT pg_switch_wal()::text").await?.parse().doing(doing)
        })
    }

    fn restore_point<'a>(&'a self, name: &'a str) -> Work<'a, Lsn> {
        Box::pin(async move {
            let doing = "making a restore point";
            let name = name.replace('\'', "''");
            let query = format!("SELECT pg_create_restore_point('{name}')::text");
            self.administer(doing, &query).await?.parse().doing(doing)
        })
    }

    fn insert_position(&self) -> Work<'_, Lsn> {
        Box::pin(self.lsn("asking for the WAL position", INSERT_POSITION))
    }

    fn clock(&self) -> Work<'_, DateTime<Utc>> {
        Box::pin(async {
            let row = self.one("asking for the time", "SELECT clock_timestamp()").await?;
            row.try_get(0).doing("asking for the time")
        })
    }

    fn tick(&self) -> Work<'_, ()> {
        Box::pin(async {
            self.one("committing nothing", "SELECT pg_current_xact_id()::text").await.map(drop)
        })
    }

    fn objects(&self) -> Work<'_, Vec<Object>> {
        Box::pin(async {
            let doing = "looking at what stands around the rows";
            serde_json::from_str(text(&self.one(doing, OBJECTS).await?, 0)?).doing(doing)
        })
    }

    fn archiver(&self) -> Work<'_, Archiver> {
        Box::pin(async {
            let doing = "asking for the archiver";
            let query = "SELECT archived_count, last_archived_wal, failed_count, last_failed_wal
                FROM pg_stat_archiver";
            let row = self.one(doing, query).await?;
            let view = || {
                let (archived, last_archived) = (row.try_get(0)?, row.try_get(1)?);
                let (failed, last_failed) = (row.try_get(2)?, row.try_get(3)?);
                Ok::<_, tokio_postgres::Error>(Archiver { archived, last_archived, failed, last_failed })
            };
            view().doing(doing)
        })
    }

    fn identity(&self) -> Work<'_, Identity> {
        Box::pin(async {
            let doing = "asking the server who it is";
            let query = "SELECT (SELECT system_identifier::text FROM pg_control_system()),
                pg_walfile_name(pg_current_wal_lsn()),
                (SELECT setting FROM pg_settings WHERE name = 'wal_segment_size')";
            let row = self.one(doing, query).await?;
            let system_identifier = SystemIdentifier(text(&row, 0)?.parse().doing(doing)?);
            let segment_size = SegmentSize::new(text(&row, 2)?.parse().doing(doing)?).doing(doing)?;
            let timeline = text(&row, 1)?.get(..8).unwrap_or_default();
            let timeline = Timeline(u32::from_str_radix(timeline, 16).doing(doing)?);
            Ok(Identity { system_identifier, timeline, segment_size })
        })
    }
}
