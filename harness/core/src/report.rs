//! The evidence of one drill, as `report.json` holds it.

use crate::{
    Account, Budget, Commit, Deeds, Finding, LayerRecord, Promise, Provenance, RecoveryTarget, RowId, RunId,
    SpanRecord, SystemIdentifier, Timeline, Verdict,
    detector::{Proof, Testimony},
    provenance::BackupInterval,
    rpo::Rpo,
};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// The version of this format. It grows when a field is removed or changes its meaning.
pub const SCHEMA: &str = "phoenix.report/1";

/// A backup, as `pgbackrest info` gives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackupRecord {
    /// pgBackRest's label.
    pub label: String,
    /// `full`, `diff` or `incr`.
    pub kind: String,
    /// The timeline it was taken on.
    pub timeline: Timeline,
    /// The WAL it needs.
    pub interval: BackupInterval,
    /// When it was complete, by the server's clock, to the second: no earlier time can be recovered to.
    pub completed_at: DateTime<Utc>,
    /// The cluster's size, in bytes.
    pub cluster_bytes: u64,
    /// What it takes in the store, in bytes.
    pub stored_bytes: u64,
    /// How the repository is encrypted: `none` or `aes-256-cbc`.
    pub cipher: String,
}

/// What was found after a wipe. Everything must be zero.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Inventory {
    /// How it was destroyed: `SIGKILL` or `graceful`.
    pub method: String,
    /// What was looked at and how much of it was left, by kind: processes, files, containers, volumes.
    pub left: BTreeMap<String, u64>,
    /// What was left, by name.
    pub remains: Vec<String>,
    /// Objects in the store that the wipe left in place.
    pub store_objects: u64,
    /// Objects that appeared in the store between the order and the end of the wipe.
    pub store_added: Vec<String>,
}

impl Inventory {
    /// Whether anything was left.
    pub fn is_clean(&self) -> bool {
        self.remains.is_empty() && self.left.values().all(|&count| count == 0)
    }
}

/// A rebirth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RebirthRecord {
    /// To where.
    pub target: RecoveryTarget,
    /// The timeline it came up on.
    pub timeline: Timeline,
    /// The cluster's identity; it must be the source's.
    pub system_identifier: SystemIdentifier,
}

/// A rebirth that was to fail, did, and was overcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Setback {
    /// What was wrong on purpose.
    pub planted: String,
    /// Why it failed, as it was found.
    pub finding: Finding,
    /// From the order to come back until the reason was known, in seconds.
    #[serde(rename = "seconds", with = "crate::seconds")]
    #[schemars(with = "f64")]
    pub elapsed: Duration,
}

/// One of the rows that a person wants to see: DATO_A, DATO_B.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Memory {
    /// The row.
    pub row: RowId,
    /// The database's own number.
    pub id: i64,
    /// Its content.
    pub content: String,
    /// When the server wrote it.
    pub created_at: DateTime<Utc>,
    /// Where its commit lies.
    pub commit: Option<Commit>,
    /// Where it came back from.
    pub provenance: Option<Provenance>,
}

/// How many rows came back from where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProvenanceCount {
    /// Committed before the backup's start.
    pub backup: u64,
    /// Committed while the backup ran.
    pub backup_wal: u64,
    /// Committed after the backup's stop.
    pub wal_alone: u64,
    /// Not decided by the observed positions alone.
    pub straddles: u64,
}

/// The evidence of one drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// The run.
    pub run: RunId,
    /// The scenario's name.
    pub scenario: String,
    /// What the scenario promises, in its own words.
    pub about: String,
    /// The environment's name.
    pub environment: String,
    /// What it ran on, and with what: versions, segment size, storage, `archive_timeout`.
    pub properties: BTreeMap<String, String>,
    /// The number from which everything random in this drill follows.
    pub seed: u64,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended; absent while it runs.
    pub finished_at: Option<DateTime<Utc>>,
    /// The whole, in seconds.
    #[serde(rename = "total_seconds", with = "crate::seconds")]
    #[schemars(with = "f64")]
    pub total: Duration,
    /// The time that no span covered, in seconds.
    #[serde(rename = "no_span_seconds", with = "crate::seconds")]
    #[schemars(with = "f64")]
    pub no_span: Duration,
    /// The verdict; absent while the drill runs, and for ever if it was killed.
    pub verdict: Option<Verdict>,
    /// The verdict that this scenario is expected to reach.
    pub expected: Verdict,
    /// The code of the finding that this scenario is expected to end with, if it must fail for one reason only.
    pub expected_finding: Option<String>,
    /// What was promised.
    pub promise: Option<Promise>,
    /// What came back and what did not.
    pub account: Option<Account>,
    /// What the drill did, counted.
    pub deeds: Deeds,
    /// What it had to do at least.
    pub demand: Deeds,
    /// From the order to destroy to the first row answered, in seconds.
    #[serde(rename = "rto_seconds", with = "crate::seconds::option", default)]
    #[schemars(with = "Option<f64>")]
    pub rto: Option<Duration>,
    /// How much was lost.
    pub rpo: Option<Rpo>,
    /// The limits.
    pub budget: Budget,
    /// What was over its limit: one sentence each.
    pub over_budget: Vec<String>,
    /// The rows that a person wants to see.
    pub memories: Vec<Memory>,
    /// How many rows came back from where.
    pub provenance: ProvenanceCount,
    /// The backups.
    pub backups: Vec<BackupRecord>,
    /// The wipes.
    pub wipes: Vec<Inventory>,
    /// The rebirths.
    pub rebirths: Vec<RebirthRecord>,
    /// Rebirths that were to fail and were overcome.
    #[serde(default)]
    pub setbacks: Vec<Setback>,
    /// Why it failed, and what to change.
    pub findings: Vec<Finding>,
    /// Faults that really happened, one line each.
    pub faults: Vec<String>,
    /// The loss that was planted in another drill beforehand, to see whether it is found.
    #[serde(default)]
    pub proof: Option<Proof>,
    /// What others said of the castle, if they were asked.
    #[serde(default)]
    pub testimonies: Vec<Testimony>,
    /// The layers that rose, where a castle has any.
    #[serde(default)]
    pub layers: Vec<LayerRecord>,
    /// Where the time went.
    pub spans: Vec<SpanRecord>,
}

impl Report {
    /// Whether the drill ended as it was expected to, and for the expected reason.
    pub fn as_expected(&self) -> bool {
        let found = |code: &String| self.findings.iter().any(|finding| finding.code == *code);
        self.verdict.as_ref().is_some_and(|verdict| verdict.meets(&self.expected))
            && self.expected_finding.as_ref().is_none_or(found)
    }

    /// The program's exit status: 0 valid, 1 invalid, 3 could not verify, 4 valid but over a budget.
    pub fn exit_status(&self) -> u8 {
        match &self.verdict {
            Some(Verdict::Valid) if self.over_budget.is_empty() => 0,
            Some(Verdict::Valid) => 4,
            Some(Verdict::Invalid { .. }) => 1,
            Some(Verdict::Unknown { .. }) | None => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fault;

    fn report(verdict: Option<Verdict>, expected: Verdict) -> Report {
        Report {
            schema: SCHEMA.into(),
            run: RunId::new(1, 1),
            scenario: "protocol".into(),
            about: String::new(),
            environment: "local".into(),
            properties: BTreeMap::new(),
            seed: 1,
            started_at: DateTime::UNIX_EPOCH,
            finished_at: None,
            total: Duration::ZERO,
            no_span: Duration::ZERO,
            verdict,
            expected,
            expected_finding: None,
            promise: None,
            account: None,
            deeds: Deeds::NONE,
            demand: Deeds::PROTOCOL,
            rto: None,
            rpo: None,
            budget: Budget::default(),
            over_budget: Vec::new(),
            memories: Vec::new(),
            provenance: ProvenanceCount::default(),
            backups: Vec::new(),
            wipes: Vec::new(),
            rebirths: Vec::new(),
            setbacks: Vec::new(),
            findings: Vec::new(),
            faults: Vec::new(),
            proof: None,
            testimonies: Vec::new(),
            layers: Vec::new(),
            spans: Vec::new(),
        }
    }

    #[test]
    fn the_exit_status_is_the_verdicts_whatever_was_expected() {
        let invalid = Verdict::invalid;
        let table = [
            (Some(Verdict::Valid), 0, 4),
            (Some(invalid(Fault::Loss)), 1, 1),
            (Some(invalid(Fault::NotReborn)), 1, 1),
            (Some(invalid(Fault::Overshot)), 1, 1),
            (Some(invalid(Fault::Corrupt)), 1, 1),
            (Some(Verdict::unknown("no row")), 3, 3),
            (None, 3, 3),
        ];
        for (verdict, within, over) in table {
            for expected in [Verdict::Valid, invalid(Fault::Loss)] {
                let mut report = report(verdict.clone(), expected);
                assert_eq!(report.exit_status(), within, "{verdict:?}");
                report.over_budget.push("RTO 2.00 s is over its budget of 1.00 s".into());
                assert_eq!(report.exit_status(), over, "{verdict:?}");
            }
        }
    }

    #[test]
    fn only_the_expected_verdict_for_the_expected_reason_is_as_expected() {
        let (loss, corrupt) = (Verdict::invalid(Fault::Loss), Verdict::invalid(Fault::Corrupt));
        let as_expected = |verdict: Option<&Verdict>, expected: &Verdict| {
            report(verdict.cloned(), expected.clone()).as_expected()
        };
        assert!(as_expected(Some(&Verdict::Valid), &Verdict::Valid));
        assert!(as_expected(Some(&loss), &loss));
        assert!(as_expected(Some(&Verdict::unknown("a")), &Verdict::unknown("b")));
        for expected in [&Verdict::Valid, &loss, &Verdict::unknown("a")] {
            assert!(!as_expected(None, expected), "a drill that was killed");
            assert!(!as_expected(Some(&corrupt), expected));
        }
        assert!(!as_expected(Some(&Verdict::unknown("a")), &Verdict::Valid));
        assert!(!as_expected(Some(&Verdict::Valid), &loss), "a defect that was not noticed");

        let mut report = report(Some(loss.clone()), loss);
        report.expected_finding = Some("wal-missing".into());
        assert!(!report.as_expected(), "for no reason");
        report.findings.push(Finding::certain("repository-key-missing", "the key is gone", "keep it"));
        assert!(!report.as_expected(), "for another reason");
        report.findings.push(Finding::certain("wal-missing", "a segment is gone", "keep it"));
        assert!(report.as_expected());
        report.verdict = Some(corrupt);
        assert!(!report.as_expected(), "the reason alone is not enough");
    }

    #[test]
    fn an_inventory_is_clean_when_nothing_of_any_kind_is_left() {
        let left = |processes, files| Inventory {
            left: [("processes".to_owned(), processes), ("files".to_owned(), files)].into(),
            ..Inventory::default()
        };
        assert!(left(0, 0).is_clean());
        assert!(!left(0, 1).is_clean() && !left(1, 0).is_clean());
        assert!(!Inventory { remains: vec!["/dev/shm/PostgreSQL.7".into()], ..left(0, 0) }.is_clean());
    }
}
