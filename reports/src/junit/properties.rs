//! What a machine may want to know about a drill, as properties of its suite.
//!
//! The drill's own properties keep their names (`postgresql`, `archive_timeout`); what the report
//! measured is named `phoenix.…`, so that neither hides the other. Times are in seconds, sizes in bytes.

use crate::{
    format::plain,
    rise::{Rise, rises},
    words::assistance,
};
use phoenix_core::{Deeds, Report, report::Memory};
use std::time::Duration;

/// Names and values, in a fixed order.
pub(super) fn of(report: &Report) -> Vec<(String, String)> {
    let mut all: Vec<_> = report.properties.clone().into_iter().collect();
    all.extend(own(report).into_iter().map(|(name, value)| (format!("phoenix.{name}"), value)));
    all.into_iter().map(|(name, value)| (plain(&name), plain(&value))).collect()
}

fn own(report: &Report) -> Vec<(String, String)> {
    let verdict = report.verdict.as_ref().map_or("none", |verdict| verdict.word());
    let mut own = vec![
        named("run", &report.run),
        named("scenario", &report.scenario),
        named("environment", &report.environment),
        named("about", &report.about),
        named("seed", report.seed),
        named("verdict", verdict),
        named("expected", report.expected.word()),
    ];
    own.extend(report.expected_finding.iter().map(|code| named("expected_finding", code)));
    own.extend(report.promise.map(|promise| named("promise", promise)));
    own.extend(account(report));
    own.push(named("no_span_seconds", decimal(report.no_span)));
    own.extend(report.rto.map(|rto| named("rto_seconds", decimal(rto))));
    own.extend(rpo(report));
    own.extend(report.memories.iter().flat_map(memory));
    own.extend(backups(report));
    own.extend(report.rebirths.last().map(|rebirth| named("timeline", rebirth.timeline)));
    own.extend(rises(report).iter().flat_map(rise));
    own.extend(deeds("deeds", &report.deeds));
    own.extend(deeds("demand", &report.demand));
    own
}

fn account(report: &Report) -> Vec<(String, String)> {
    let Some(account) = &report.account else { return Vec::new() };
    vec![
        named("rows.acknowledged", account.acknowledged),
        named("rows.came_back", account.came_back),
        named("rows.lost", account.lost.len()),
        named("rows.from_backup", report.provenance.backup),
        named("rows.from_wal_alone", report.provenance.wal_alone),
    ]
}

fn rpo(report: &Report) -> Vec<(String, String)> {
    let Some(rpo) = &report.rpo else { return Vec::new() };
    vec![
        named("rpo_assistance", assistance(rpo.assistance)),
        named("rpo_rows", rpo.rows),
        named("rpo_seconds", decimal(rpo.duration)),
        named("rpo_wal_bytes", rpo.wal_bytes),
    ]
}

/// The position and the transaction of a row that a person wants to see: `row.DATO_A_NEL_BACKUP_S3.lsn`.
fn memory(memory: &Memory) -> Vec<(String, String)> {
    let Some(commit) = memory.commit else { return Vec::new() };
    let of = |what: &str| format!("row.{}.{what}", memory.content);
    vec![(of("lsn"), commit.lsn_after.to_string()), (of("xid"), commit.xid.to_string())]
}

fn backups(report: &Report) -> Vec<(String, String)> {
    let numbered = report.backups.iter().enumerate();
    let properties = numbered.flat_map(|(index, backup)| {
        let of = |what: &str| format!("backup.{}.{what}", index + 1);
        [
            (of("label"), backup.label.clone()),
            (of("kind"), backup.kind.clone()),
            (of("start_lsn"), backup.interval.start.to_string()),
            (of("stop_lsn"), backup.interval.stop.to_string()),
        ]
    });
    properties.collect()
}

/// The layers of a life, and what it had to wait for: `life.1.layer.platform.ready_seconds`.
fn rise(rise: &Rise) -> Vec<(String, String)> {
    let of = |what: &str| format!("life.{}.{what}", rise.life);
    let mut properties = Vec::new();
    for layer in &rise.layers {
        let of = |what: &str| of(&format!("layer.{}.{what}", layer.name));
        properties.push((of("up_seconds"), decimal(layer.up)));
        properties.push((of("ready_seconds"), decimal(layer.ready)));
        properties.extend(layer.budget.map(|budget| (of("budget_seconds"), decimal(budget))));
    }
    if let Some(whole) = &rise.whole {
        properties.push((of("critical_path"), whole.path_line()));
        properties.push((of("no_layer_seconds"), decimal(whole.no_layer)));
    }
    properties
}

fn deeds(whose: &str, deeds: &Deeds) -> [(String, String); 4] {
    let of = |what: &str, count: u64| (format!("{whose}.{what}"), count.to_string());
    [
        of("wal_only_rows", deeds.wal_only_rows),
        of("segments_after_backup", deeds.segments_after_backup),
        of("wipes", deeds.wipes),
        of("restores", deeds.restores),
    ]
}

fn named(name: &str, value: impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}

/// Seconds for a machine, to the microsecond.
fn decimal(duration: Duration) -> String {
    format!("{:.6}", duration.as_secs_f64())
}
