//! A realistic size: one drill with 1 GiB on disk, as its report tells it.

use crate::{drill, house::House, say};
use miette::{Result, miette};
use phoenix_core::{Report, SpanRecord};

/// The arguments of the drill. Its writers fill enough WAL after the backup for a replay to be timed.
pub const ARGUMENTS: &[&str] =
    &["--storage", "disk", "--size", "1GiB", "--rows", "20000", "--writers", "4", "--pad", "2KiB"];

/// What the report says.
pub struct Large {
    /// What was timed, how long it took in seconds, and what the drill says of it.
    pub rows: Vec<(&'static str, f64, String)>,
}

/// Plays the drill once.
pub async fn measure(house: &House) -> Result<Large> {
    say("a drill with 1 GiB on disk");
    let (report, whole) = drill::play(house, ARGUMENTS).await?;
    let backup = report.backups.last().ok_or_else(|| miette!("the drill took no backup"))?;
    let megabytes = backup.cluster_bytes as f64 / 1e6;
    let mut rows = Vec::new();
    for (what, name) in [("backup", "backup"), ("restore", "restore")] {
        let seconds = span(&report, name)?.elapsed.as_secs_f64();
        let detail = format!("{megabytes:.0} MB, {:.0} MB/s", megabytes / seconds);
        rows.push((what, seconds, detail));
    }
    let recovery = span(&report, "recovery")?;
    rows.push(("replay and promotion", recovery.elapsed.as_secs_f64(), recovery.detail.clone()));
    let rto = report.rto.ok_or_else(|| miette!("the drill has no recovery time"))?;
    rows.push(("from the order to destroy to the first row answered", rto.as_secs_f64(), String::new()));
    let alone = format!("{} rows from WAL alone", report.deeds.wal_only_rows);
    rows.push(("the whole drill", whole, alone));
    Ok(Large { rows })
}

/// The first span of this name, or of this name and a target.
fn span<'a>(report: &'a Report, name: &str) -> Result<&'a SpanRecord> {
    let is = |span: &&SpanRecord| span.name.split(' ').next() == Some(name);
    report.spans.iter().find(is).ok_or_else(|| miette!("the drill has no span '{name}'"))
}
