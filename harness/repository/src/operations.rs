//! Backups, commit records, and what a failed restore says.

use crate::{Ran, Victim, victim::must};
use phoenix_core::{Commit, Finding, Lsn, SegmentSize, WalSegment, Xid, report::BackupRecord};
use phoenix_drill::{BackupKind, Doing, Error, Result, Span};
use phoenix_postgres::{
    diagnosis::{self, Encryption, Symptoms},
    pgbackrest::{PgBackRest, newest_backup},
    waldump,
};
use std::collections::BTreeMap;

/// Takes a backup into every repository, the first of which is the store; gives that one's.
pub async fn take_backup(
    victim: &dyn Victim,
    pgbackrest: &PgBackRest,
    repositories: u8,
    kind: BackupKind,
    span: &Span,
) -> Result<BackupRecord> {
    let mut newest = None;
    for repository in 1..=repositories {
        let argv = pgbackrest.backup(kind.word(), repository);
        let name = format!("backup to repo{repository}");
        span.run(&name, async |_| must(victim, "backup", &argv).await).await?;
        let info = must(victim, "info", &pgbackrest.info(repository)).await?;
        let record = newest_backup(&info, &pgbackrest.stanza).doing("reading pgbackrest info")?;
        newest.get_or_insert(record);
    }
    newest.ok_or_else(|| Error::Demand("no repository took a backup".into()))
}

/// How archived WAL is read.
pub struct Waldump<'a> {
    /// Where the commands run.
    pub victim: &'a dyn Victim,
    /// How segments are fetched.
    pub pgbackrest: PgBackRest,
    /// The program `pg_waldump`.
    pub program: String,
    /// A directory of the victim's that takes the segments.
    pub directory: String,
    /// The size of a segment.
    pub segment_size: SegmentSize,
}

/// Fetches the segments around the commits from the archive and reads them with `pg_waldump`. What is
/// not found is left out.
pub async fn find_commits(
    how: &Waldump<'_>,
    commits: &[Commit],
    backup: &BackupRecord,
) -> Result<BTreeMap<Xid, Lsn>> {
    let Waldump { victim, pgbackrest, program, directory, segment_size: size } = how;
    let ends = commits.iter().map(|commit| commit.lsn_after).filter(|lsn| *lsn != Lsn::UNKNOWN);
    let (Some(from), Some(to)) = (commits.iter().map(|commit| commit.lsn_before).min(), ends.max()) else {
        return Ok(BTreeMap::new());
    };
    let first = WalSegment::containing(backup.timeline, from, *size);
    let last = WalSegment::ending_at(backup.timeline, to, *size);
    let names: Vec<_> = first.through(last).map(|segment| segment.name(*size)).collect();
    for name in &names {
        must(*victim, "archive-get", &pgbackrest.archive_get(name, &format!("{directory}/{name}"))).await?;
    }
    let mut found = BTreeMap::new();
    for (index, name) in names.iter().enumerate() {
        let next = names.get(index + 1).map(String::as_str);
        let argv = waldump::argv(program.clone(), directory, name, next);
        found.extend(waldump::commits(&victim.run("pg_waldump", &argv).await?.stdout));
    }
    Ok(waldump::records_of(commits.iter().map(|commit| commit.xid), &found))
}

/// Why a restore failed.
pub fn failed_restore(ran: &Ran, encrypted: Option<Encryption>) -> Finding {
    let restore_output = format!("{}{}", ran.stdout, ran.stderr);
    diagnosis::not_reborn(&Symptoms {
        restore_status: ran.status,
        restore_output,
        server_log: String::new(),
        encrypted,
    })
}
