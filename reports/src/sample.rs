//! A report as a drill leaves it, for the tests of this crate.

use chrono::{DateTime, Utc};
use phoenix_core::{
    Account, Budget, Commit, Deeds, Event, Fault, Finding, LayerRecord, LostRow, Lsn, Moment, Promise,
    Provenance, RecoveryTarget, Report, RowId, Rpo, RunId, SpanRecord, SpanStatus, SystemIdentifier,
    Timeline, Verdict, Xid,
    account::NamedRow,
    layers::{self, Need},
    provenance::BackupInterval,
    report::{BackupRecord, Inventory, Memory, ProvenanceCount, RebirthRecord, SCHEMA},
    rpo::Assistance,
};
use std::{path::Path, time::Duration};
use uuid::Uuid;

pub(crate) const RUN: &str = "01JD6Z4M00PHN1XWA1ANDBACK0";

fn time(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

pub(crate) fn run(number: u64) -> RunId {
    RunId::new(1_795_256_100_000 + number, u128::from(number))
}

/// A span that began `id` seconds into the drill and took none of them.
pub(crate) fn span(id: u32, parent: Option<u32>, name: &str) -> SpanRecord {
    let (start, elapsed, status) = (Duration::from_secs(id.into()), Duration::ZERO, SpanStatus::Done);
    SpanRecord { id, parent, name: name.into(), start, elapsed, status, detail: String::new() }
}

fn spans() -> Vec<SpanRecord> {
    let timed = |id, parent, name, start, elapsed, detail: &str| {
        let (start, elapsed) = (Duration::from_millis(start), Duration::from_millis(elapsed));
        SpanRecord { start, elapsed, detail: detail.into(), ..span(id, parent, name) }
    };
    vec![
        timed(2, Some(1), "initdb", 0, 500, ""),
        timed(1, None, "birth", 0, 710, "initdb, start, stanza"),
        timed(3, None, "insert DATO_A", 710, 10, "lsn 0/3000148"),
        timed(4, None, "backup", 720, 1_020, "20261121-101500F · full · 22.4 MB · 31 MB/s"),
        timed(5, None, "wipe", 1_740, 20, "SIGKILL · nothing left: 0 processes, 0 files"),
        timed(6, None, "rebirth", 1_760, 12_390, "latest · timeline 2 · same system identifier · promoted"),
        timed(7, None, "query", 14_150, 10, ""),
    ]
}

fn memory(id: i64, content: &str, created_at: &str, provenance: Provenance) -> Memory {
    let (row, content) = (RowId(Uuid::from_u128(id.unsigned_abs().into())), content.into());
    Memory { row, id, content, created_at: time(created_at), commit: None, provenance: Some(provenance) }
}

/// A drill that kept its promise.
pub(crate) fn valid() -> Report {
    let interval = BackupInterval { start: Lsn(0x200_0028), stop: Lsn(0x200_0138) };
    let deeds = Deeds { wal_only_rows: 1_001, segments_after_backup: 4, wipes: 1, restores: 1 };
    Report {
        schema: SCHEMA.into(),
        run: RUN.parse().unwrap(),
        scenario: "protocol".into(),
        about: "one row in the backup, one in WAL alone, and a fire".into(),
        environment: "local".into(),
        properties: [("postgresql", "15.18"), ("pgbackrest", "2.45"), ("segment_bytes", "16777216")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        seed: 7,
        started_at: time("2026-11-21T10:14:58Z"),
        finished_at: Some(time("2026-11-21T10:15:01.140Z")),
        total: Duration::from_millis(3_140),
        no_span: Duration::from_millis(10),
        verdict: Some(Verdict::Valid),
        expected: Verdict::Valid,
        expected_finding: None,
        promise: Some(Promise::EveryAcknowledgedRow),
        account: Some(Account {
            attempted: 2_002,
            acknowledged: 2_002,
            came_back: 2_002,
            ..Account::default()
        }),
        deeds,
        demand: Deeds::PROTOCOL,
        rto: Some(Duration::from_millis(420)),
        rpo: Some(Rpo { assistance: Assistance::Assisted, rows: 0, duration: Duration::ZERO, wal_bytes: 0 }),
        budget: Budget::default(),
        over_budget: Vec::new(),
        layers: Vec::new(),
        memories: vec![
            memory(1, "DATO_A_NEL_BACKUP_S3", "2026-11-21T10:15:00.100Z", Provenance::Backup),
            memory(
                2,
                "DATO_B_VOLATILE_MA_IMMORTALE_WAL",
                "2026-11-21T10:15:00.123456Z",
                Provenance::WalAlone,
            ),
        ],
        provenance: ProvenanceCount { backup: 1_001, wal_alone: 1_001, ..ProvenanceCount::default() },
        backups: vec![BackupRecord {
            label: "20261121-101500F".into(),
            kind: "full".into(),
            timeline: Timeline(1),
            interval,
            completed_at: time("2026-11-21T10:15:01Z"),
            cluster_bytes: 22_400_000,
            stored_bytes: 3_000_000,
            cipher: "none".into(),
        }],
        wipes: vec![Inventory { method: "SIGKILL".into(), ..Inventory::default() }],
        rebirths: vec![RebirthRecord {
            target: RecoveryTarget::Latest,
            timeline: Timeline(2),
            system_identifier: SystemIdentifier(7_574_812_349_021),
        }],
        setbacks: Vec::new(),
        findings: Vec::new(),
        faults: Vec::new(),
        proof: None,
        testimonies: Vec::new(),
        spans: spans(),
    }
}

/// A drill that lost its last `count` rows.
pub(crate) fn lossy(count: u64) -> Report {
    let lost = |number: u64| LostRow {
        row: RowId(Uuid::from_u128(number.into())),
        label: format!("writer 1 row {number}"),
        commit: Commit {
            xid: Xid(741 + number),
            lsn_before: Lsn(0x400_0000 + number * 0x40),
            lsn_after: Lsn(0x400_0010 + number * 0x40),
        },
        acknowledged_at: Moment(number),
        life: 0,
    };
    let lost: Vec<_> = (1..=count).map(lost).collect();
    let account = Account { acknowledged: 2_002, came_back: 2_002 - count, lost, ..Account::default() };
    let duration = Duration::from_millis(310);
    Report {
        verdict: Some(Verdict::invalid(Fault::Loss)),
        account: Some(account),
        rpo: Some(Rpo { assistance: Assistance::Unassisted, rows: count, duration, wal_bytes: 1_200_000 }),
        memories: Vec::new(),
        ..valid()
    }
}

/// A drill that kept its promise with a castle of layers, one of them over its budget.
pub(crate) fn layered() -> Report {
    let layer = |name: &str, needs, [start, up, ready]: [u64; 3], budget: Option<u64>| {
        let [start, up, ready] = [start, up, ready].map(Duration::from_millis);
        let (life, budget) = (1, budget.map(Duration::from_millis));
        LayerRecord { life, name: name.into(), needs, start, up, ready, budget }
    };
    let born = |layer| LayerRecord { life: 0, ..layer };
    // in the order in which they were ready
    let layers = vec![
        born(layer("platform", vec![], [10, 300, 600], None)),
        born(layer("database", vec![Need::up("platform")], [310, 50, 390], None)),
        layer("images", vec![], [1_771, 0, 0], None),
        layer("platform", vec![], [1_770, 3_000, 9_000], Some(20_000)),
        layer("engine", vec![Need::up("platform")], [4_780, 200, 6_000], Some(5_000)),
        layer("database", vec![Need::up("images"), Need::up("engine")], [4_990, 100, 9_000], None),
        layer("service", vec![Need::ready("database")], [14_000, 0, 140], None),
    ];
    Report { environment: "cluster".into(), over_budget: layers::over_budget(&layers), layers, ..valid() }
}

/// The same report, expected to end as it did.
pub(crate) fn expected(report: Report) -> Report {
    Report { expected: report.verdict.clone().unwrap(), ..report }
}

/// A drill that was killed.
pub(crate) fn killed() -> Report {
    let (account, memories) = (None, Vec::new());
    Report { verdict: None, finished_at: None, rto: None, rpo: None, account, memories, ..valid() }
}

pub(crate) fn named(label: &str) -> NamedRow {
    NamedRow { row: RowId(Uuid::from_u128(9)), label: label.into() }
}

pub(crate) fn finding() -> Finding {
    let sentence = "the repository's passphrase is not the backup's";
    Finding::certain("cipher-key-missing", sentence, "give repo1-cipher-pass the passphrase of the source")
        .with_evidence(["ERROR: [029]: unable to load info file"])
}

/// The event that begins the drill of a report.
pub(crate) fn started(report: &Report) -> Event {
    Event::DrillStarted {
        run: report.run.clone(),
        scenario: report.scenario.clone(),
        environment: report.environment.clone(),
        versions: vec!["postgresql 15.18".into(), "pgbackrest 2.45".into()],
    }
}

/// Leaves a report where a drill leaves it.
pub(crate) fn leave(report: &Report, directory: &Path) {
    std::fs::create_dir_all(directory).unwrap();
    std::fs::write(directory.join("report.json"), serde_json::to_vec(report).unwrap()).unwrap();
}
