//! What an inspection says: the document that `phoenix inspect --json` prints.

use crate::history::Fork;
use chrono::{DateTime, Utc};
use phoenix_core::{Finding, Lsn, SegmentSize, Timeline};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of this document's format.
pub const SCHEMA: &str = "phoenix.inspection/1";

/// A repository, judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Inspection {
    /// The version of this format.
    pub schema: String,
    /// Where the repository lies, as it was given.
    pub repository: String,
    /// When it was read.
    pub looked_at: DateTime<Utc>,
    /// What the exit status says.
    pub grade: Grade,
    /// Its stanzas, by name.
    pub stanzas: Vec<Stanza>,
    /// What is wrong, and what is worth knowing; the worst first.
    pub remarks: Vec<Remark>,
    /// What could not be seen, and why.
    pub unseen: Vec<Unseen>,
    /// What the reference says is missing, if one was given.
    pub reference: Option<Held>,
}

impl Inspection {
    /// 0 restorable, 1 harmed, 3 not known.
    pub fn exit_status(&self) -> u8 {
        match self.grade {
            Grade::Restorable => 0,
            Grade::Harmed => 1,
            Grade::Unknown => 3,
        }
    }
}

/// What an inspection comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Every backup can be restored, and no WAL is missing in between.
    Restorable,
    /// Recovery is impossible, or loses what was archived.
    Harmed,
    /// No harm was found, and what decides could not be seen.
    Unknown,
}

/// How much a remark weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Recovery is impossible, or loses what was archived.
    Harm,
    /// Recovery works; the next damage may end that.
    Warning,
    /// Worth knowing.
    Note,
}

/// A finding about one stanza.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Remark {
    /// How much it weighs.
    pub severity: Severity,
    /// The stanza.
    pub stanza: String,
    /// What it is, its evidence and what to do.
    #[serde(flatten)]
    pub finding: Finding,
}

/// How much it matters that something was not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bearing {
    /// Without it nobody can say that the backups can be restored.
    Decisive,
    /// The judgement stands without it.
    Aside,
}

/// Something that could not be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unseen {
    /// How much it matters.
    pub bearing: Bearing,
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

impl Unseen {
    /// Something without which the judgement stands.
    pub fn aside(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { bearing: Bearing::Aside, what: what.into(), why: why.into() }
    }

    /// Something without which nobody can say that the backups can be restored.
    pub fn decisive(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { bearing: Bearing::Decisive, what: what.into(), why: why.into() }
    }
}

/// A stanza.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stanza {
    /// Its name.
    pub name: String,
    /// The clusters that it knows.
    pub clusters: Vec<Cluster>,
    /// Its backups, the oldest first.
    pub backups: Vec<Backup>,
    /// The WAL of each cluster.
    pub archives: Vec<Archive>,
    /// Where a restore goes that is asked for nothing special.
    pub latest: Option<Latest>,
}

/// A PostgreSQL cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cluster {
    /// Its number in the stanza.
    pub db_id: u64,
    /// `pg_control`'s system identifier. A text, for it is beyond what JSON's readers hold exactly.
    pub system_identifier: String,
    /// PostgreSQL's version.
    pub version: String,
}

/// A backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Backup {
    /// Its label.
    pub label: String,
    /// `full`, `diff` or `incr`.
    pub kind: String,
    /// The cluster it is of.
    pub db_id: u64,
    /// When it was complete.
    pub stopped_at: DateTime<Utc>,
    /// The WAL that it needs; nothing if the server stood still.
    pub wal: Option<NeededWal>,
    /// Whether all files that it needs are there, as long as its manifest says and, if they were read, with
    /// the content that it says; `null` if nobody knows.
    pub is_complete: Option<bool>,
    /// Whether all WAL that it needs is there; `null` if nobody knows.
    pub has_its_wal: Option<bool>,
}

impl Backup {
    /// Whether it can be restored, as far as that is known.
    pub fn is_restorable(&self) -> Option<bool> {
        match (self.is_complete, self.has_its_wal) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        }
    }
}

/// The WAL that a backup needs to be consistent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NeededWal {
    /// Where replay begins.
    pub start: Lsn,
    /// Where it is consistent.
    pub stop: Lsn,
    /// The first segment.
    pub first: String,
    /// The last segment.
    pub last: String,
}

/// The WAL of one cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Archive {
    /// Its folder, such as `15-1`.
    pub id: String,
    /// The size of its segments.
    pub segment_size: SegmentSize,
    /// What it takes in the store.
    pub stored_bytes: u64,
    /// The segment that was archived last.
    pub newest: Option<Newest>,
    /// Its timelines, the oldest first.
    pub timelines: Vec<Line>,
    /// The ways that history took, and how far recovery gets along each.
    pub paths: Vec<Path>,
}

/// The segment that was archived last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Newest {
    /// Its name.
    pub segment: String,
    /// When it was archived, by the store's clock.
    pub archived_at: DateTime<Utc>,
    /// How long ago that was when the repository was read.
    pub age_seconds: i64,
}

/// What the archive holds of a timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    /// Which.
    pub timeline: Timeline,
    /// The first segment that is there.
    pub first: String,
    /// The last segment that is there.
    pub last: String,
    /// How many are there.
    pub segments: u64,
    /// Where segments are missing in between.
    pub gaps: Vec<Gap>,
}

/// Segments that are missing, with others of the same history before and after them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// The first that is missing.
    pub first: String,
    /// The last that is missing.
    pub last: String,
    /// How many are.
    pub segments: u64,
}

/// A way that history took: a timeline and its ancestors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Path {
    /// Where it leads: `--target-timeline`.
    pub timeline: Timeline,
    /// Where its ancestors were left, the oldest first.
    pub forks: Vec<Fork>,
    /// To what recovery is possible; nothing if no backup leads onto this path.
    pub intervals: Vec<Interval>,
    /// Where segments are missing along it.
    pub gaps: Vec<Gap>,
}

/// A stretch of history that recovery can go to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// The earliest target: where the first of these backups is consistent.
    pub from: Lsn,
    /// When that backup was complete.
    pub from_time: DateTime<Utc>,
    /// The latest target: no record at or after this position can be replayed.
    pub to: Lsn,
    /// The last segment that is replayed.
    pub last: String,
    /// When that was archived, by the store's clock: about the latest time that recovery can go to.
    pub to_time: DateTime<Utc>,
    /// The backups that lead here, the oldest first.
    pub backups: Vec<String>,
}

/// Where a restore goes that is asked for nothing special: the newest backup, the newest timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Latest {
    /// The backup.
    pub backup: String,
    /// The archive.
    pub archive: String,
    /// The timeline that it follows.
    pub timeline: Timeline,
    /// How far it gets: no record of its path at or after this is replayed; `null` if it does not come up.
    pub to: Option<Lsn>,
    /// How far it goes on along WAL that its path had left; `null` if it does not.
    pub strays_to: Option<Lsn>,
    /// The last segment that it replays.
    pub last: Option<String>,
}

/// What a reference says is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Held {
    /// What was held against the store.
    pub reference: String,
    /// One sentence.
    pub sentence: String,
    /// The segments between what recovery reaches and the reference; nothing if none is missing.
    pub missing: Option<Gap>,
    /// Acknowledged rows of a ledger that no recovery along the latest path brings back.
    pub rows_beyond: Option<u64>,
    /// Acknowledged rows of a ledger.
    pub rows: Option<u64>,
    /// Whether all of it is within what recovery reaches.
    pub is_reached: bool,
}

/// The schema of this document. Only the version that this program writes is valid under it.
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Inspection).to_value();
    schema["properties"]["schema"] =
        serde_json::json!({ "description": "The version of this format.", "const": SCHEMA });
    schema
}
