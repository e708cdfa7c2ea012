//! Why rows did not come back: what the store and the server know of it, put before the diagnosis.

use crate::Vault;
use phoenix_core::Finding;
use phoenix_drill::Loss;
use phoenix_postgres::{
    Sql,
    diagnosis::{self, LossScene, Table},
};

/// Why rows did not come back, from the archive in the store and this log of the server that came back,
/// which may be empty. A store that cannot be listed now is evidence itself.
pub async fn explain(vault: &Vault, recovery_log: &str, sql: &Sql, loss: &Loss) -> Vec<Finding> {
    let archive = vault.archive().await.map_err(|error| error.chain());
    let histories = match &archive {
        Ok(archive) => vault.histories(archive).await,
        Err(_) => Default::default(),
    };
    let archive = archive.as_ref().map_err(String::as_str);
    let table = table(sql).await;
    diagnosis::lost(&LossScene { loss, archive, histories: &histories, recovery_log, table })
}

async fn table(sql: &Sql) -> Table {
    let answer = sql.one("looking for the table", "SELECT to_regclass('memories') IS NOT NULL").await;
    match answer.ok().and_then(|row| row.try_get(0).ok()) {
        Some(true) => Table::There,
        Some(false) => Table::Gone,
        None => Table::Unknown,
    }
}
