//! Why rows did not come back: what the store and the server know of it, put before the diagnosis.

use crate::{Host, find_commits};
use phoenix_core::{Certainty, Finding, Lsn};
use phoenix_drill::Loss;
use phoenix_postgres::{
    Sql,
    diagnosis::{self, LossScene, Record, Table},
};
use std::collections::BTreeMap;

/// Why rows did not come back, from the archive in the store and this log of the server that came back,
/// which may be empty. A store that cannot be listed now is evidence itself.
pub async fn explain(host: &dyn Host, recovery_log: &str, sql: &Sql, loss: &Loss) -> Vec<Finding> {
    let archive = host.vault().archive().await.map_err(|error| error.chain());
    let histories = match &archive {
        Ok(archive) => host.vault().histories(archive).await,
        Err(_) => BTreeMap::new(),
    };
    let archive = archive.as_ref().map_err(String::as_str);
    let (table, record) = (table(sql).await, Record::Unknown);
    let scene = LossScene { loss, archive, histories: &histories, recovery_log, table, record };
    let found = diagnosis::lost(&scene);
    // whether a row was replayed and removed, or never was in what was replayed, the WAL itself says
    match found.first() {
        Some(first) if first.code == "rows-tampered" && first.certainty == Certainty::Likely => {
            diagnosis::lost(&LossScene { record: self::record(host, loss).await, ..scene })
        }
        _ => found,
    }
}

async fn table(sql: &Sql) -> Table {
    let answer = sql.one("looking for the table", "SELECT to_regclass('memories') IS NOT NULL").await;
    match answer.ok().and_then(|row| row.try_get(0).ok()) {
        Some(true) => Table::There,
        Some(false) => Table::Gone,
        None => Table::Unknown,
    }
}

/// Looks for the commit of the first lost row in the archived WAL: a segment of the right name may be
/// another cluster's.
async fn record(host: &dyn Host, loss: &Loss) -> Record {
    let row = loss.promise.broken_by(&loss.account).into_iter().next();
    let known = row.filter(|row| row.commit.lsn_after != Lsn::UNKNOWN);
    let (Some(row), Some(backup)) = (known, loss.backups.last()) else { return Record::Unknown };
    let mut backup = backup.clone();
    backup.timeline = loss.timeline(row).unwrap_or(backup.timeline);
    let within = |lsn: &Lsn| *lsn >= row.commit.lsn_before && *lsn <= row.commit.lsn_after;
    match find_commits(host, &[row.commit], &backup).await {
        Ok(found) if found.get(&row.commit.xid).is_some_and(within) => Record::Commit,
        Ok(_) => Record::Other,
        Err(_) => Record::Unknown,
    }
}
