//! `pgbackrest info --output=json`. It exits 0 on every error: only its `status` tells.

use chrono::DateTime;
use phoenix_core::{BackupInterval, Timeline, report::BackupRecord};
use serde::Deserialize;

#[derive(Deserialize)]
struct Stanza {
    name: String,
    status: Status,
    cipher: Option<String>,
    #[serde(default)]
    backup: Vec<Backup>,
}

#[derive(Deserialize)]
struct Status {
    code: u32,
    message: String,
}

#[derive(Deserialize)]
struct Backup {
    label: String,
    #[serde(rename = "type")]
    kind: String,
    lsn: Option<Range>,
    timestamp: Times,
    archive: Archive,
    info: Info,
    error: Option<bool>,
}

#[derive(Deserialize)]
struct Archive {
    /// The name of the first segment that it needs.
    start: Option<String>,
}

#[derive(Deserialize)]
struct Times {
    /// Unix seconds.
    stop: i64,
}

#[derive(Deserialize)]
struct Range {
    start: String,
    stop: String,
}

#[derive(Deserialize)]
struct Info {
    size: u64,
    repository: Stored,
}

#[derive(Deserialize)]
struct Stored {
    // bundled or block-incremental backups have no size of their own in some versions
    delta: Option<u64>,
    size: Option<u64>,
}

/// What `info` says is no use.
#[derive(Debug, thiserror::Error)]
pub enum InfoError {
    /// It is not the JSON that is expected.
    #[error("pgbackrest info printed something else than JSON")]
    Format(#[from] serde_json::Error),
    /// The stanza is not there.
    #[error("pgbackrest info does not know stanza '{0}'")]
    NoStanza(String),
    /// The stanza is not well.
    #[error("pgbackrest info says of the stanza: {message} (status {code})")]
    Status {
        /// pgBackRest's code for the stanza's state.
        code: u32,
        /// pgBackRest's words for it.
        message: String,
    },
    /// The newest backup is damaged or says too little.
    #[error("backup {0} has page checksum errors or no WAL positions")]
    Damaged(String),
}

/// The newest backup of a stanza.
pub fn newest_backup(json: &str, stanza: &str) -> Result<BackupRecord, InfoError> {
    let stanzas: Vec<Stanza> = serde_json::from_str(json)?;
    let found = stanzas.into_iter().find(|candidate| candidate.name == stanza);
    let Stanza { status, mut backup, cipher, .. } =
        found.ok_or_else(|| InfoError::NoStanza(stanza.to_owned()))?;
    let Some(newest) = backup.pop().filter(|_| status.code == 0) else {
        return Err(InfoError::Status { code: status.code, message: status.message });
    };
    let damaged = || InfoError::Damaged(newest.label.clone());
    let range = newest.lsn.as_ref().filter(|_| newest.error != Some(true)).ok_or_else(damaged)?;
    let lsn = |text: &str| text.parse().map_err(|_| damaged());
    let interval = BackupInterval { start: lsn(&range.start)?, stop: lsn(&range.stop)? };
    let stored_bytes = newest.info.repository.delta.or(newest.info.repository.size).unwrap_or_default();
    let (cluster_bytes, kind) = (newest.info.size, newest.kind.clone());
    let completed_at = DateTime::from_timestamp(newest.timestamp.stop, 0).ok_or_else(damaged)?;
    let cipher = cipher.unwrap_or_else(|| "none".to_owned());
    let first = newest.archive.start.as_ref().and_then(|name| name.get(..8)).ok_or_else(damaged)?;
    let timeline = Timeline(u32::from_str_radix(first, 16).map_err(|_| damaged())?);
    let label = newest.label.clone();
    Ok(BackupRecord { label, kind, timeline, interval, completed_at, cluster_bytes, stored_bytes, cipher })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(status: u32, backups: &str) -> String {
        format!(
            r#"[{{"name":"castle","status":{{"code":{status},"message":"no valid backups"}},"backup":[{backups}]}}]"#
        )
    }
    const BACKUP: &str = r#"{"label":"20261121-101500F","type":"full","error":false,
        "lsn":{"start":"0/3000028","stop":"0/3000100"},"timestamp":{"start":1,"stop":2},
        "archive":{"start":"000000020000000000000003","stop":"000000020000000000000003"},"info":{"size":22,"repository":{"delta":3,"size":4}}}"#;

    #[test]
    fn the_newest_backup_is_read() {
        let backup = newest_backup(&info(0, BACKUP), "castle").unwrap();
        assert_eq!(
            (backup.label.as_str(), backup.interval.stop.to_string()),
            ("20261121-101500F", "0/3000100".into())
        );
        assert_eq!((backup.cluster_bytes, backup.stored_bytes, backup.timeline), (22, 3, Timeline(2)));
    }

    #[test]
    fn what_is_not_well_is_an_error_although_info_exits_0() {
        let error = |json: &str, stanza| newest_backup(json, stanza).unwrap_err().to_string();
        assert_eq!(error("", "castle"), "pgbackrest info printed something else than JSON");
        assert_eq!(error(&info(0, BACKUP), "keep"), "pgbackrest info does not know stanza 'keep'");
        assert_eq!(
            error(&info(2, ""), "castle"),
            "pgbackrest info says of the stanza: no valid backups (status 2)"
        );
        let broken = BACKUP.replace("false", "true");
        assert_eq!(
            error(&info(0, &broken), "castle"),
            "backup 20261121-101500F has page checksum errors or no WAL positions"
        );
    }
}
