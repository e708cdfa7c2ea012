//! Backups, commit records, and what a failed restore says.

use crate::{Host, Ran, Vault, victim::must};
use phoenix_core::{Commit, Finding, Lsn, WalSegment, Xid, report::BackupRecord};
use phoenix_drill::{Doing, Error, Result, Span};
use phoenix_postgres::{
    diagnosis::{self, Encryption, Symptoms},
    pgbackrest::newest_backup,
    waldump,
};
use std::collections::BTreeMap;

/// Takes a backup into every repository, each as `take` has it taken; gives the one in the first, which is
/// the store.
pub async fn take_backup<T: Future<Output = Result<()>>>(
    host: &dyn Host,
    span: &Span,
    take: impl Fn(u8) -> T,
) -> Result<BackupRecord> {
    let pgbackrest = host.pgbackrest();
    let mut newest = None;
    for repository in 1..=host.vault().repositories() {
        let name = format!("backup to repo{repository}");
        span.run(&name, async |_| take(repository).await).await?;
        let info = must(host, "info", &pgbackrest.info(repository)).await?;
        let record = newest_backup(&info, &pgbackrest.stanza).doing("reading pgbackrest info")?;
        newest.get_or_insert(record);
    }
    let newest: BackupRecord = newest.ok_or_else(|| Error::Demand("no repository took a backup".into()))?;
    host.vault().note_cluster_bytes(newest.cluster_bytes);
    Ok(newest)
}

/// Fetches the segments around the commits from the archive and reads them with `pg_waldump`. What is
/// not found is left out.
pub async fn find_commits(
    host: &dyn Host,
    commits: &[Commit],
    backup: &BackupRecord,
) -> Result<BTreeMap<Xid, Lsn>> {
    let (pgbackrest, directory, size) = (host.pgbackrest(), host.spool(), host.vault().segment_size());
    let ends = commits.iter().map(|commit| commit.lsn_after).filter(|lsn| *lsn != Lsn::UNKNOWN);
    let (Some(from), Some(to)) = (commits.iter().map(|commit| commit.lsn_before).min(), ends.max()) else {
        return Ok(BTreeMap::new());
    };
    let first = WalSegment::containing(backup.timeline, from, size);
    let last = WalSegment::ending_at(backup.timeline, to, size);
    let names: Vec<_> = first.through(last).map(|segment| segment.name(size)).collect();
    for name in &names {
        must(host, "archive-get", &pgbackrest.archive_get(name, &format!("{directory}/{name}"))).await?;
    }
    let program = format!("{}/pg_waldump", host.postgres_bin().await?);
    let mut found = BTreeMap::new();
    for (index, name) in names.iter().enumerate() {
        let next = names.get(index + 1).map(String::as_str);
        let argv = waldump::argv(program.clone(), &directory, name, next);
        found.extend(waldump::commits(&host.run("pg_waldump", &argv).await?.stdout));
    }
    Ok(waldump::records_of(commits.iter().map(|commit| commit.xid), &found))
}

/// Why a restore failed. Where pgBackRest found no backup, the store says whether there is one.
pub(crate) async fn failed_restore(vault: &Vault, ran: &Ran, encrypted: Option<Encryption>) -> Finding {
    let restore_output = format!("{}{}", ran.stdout, ran.stderr);
    let finding = diagnosis::not_reborn(&Symptoms {
        restore_status: ran.status,
        restore_output,
        server_log: String::new(),
        encrypted,
    });
    if finding.code == "no-backup-set" { vault.look_for_backups(finding).await } else { finding }
}
