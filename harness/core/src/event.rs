//! What happens during a drill, as it happens: the stream that reporters read.

use crate::{Report, RunId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How a span ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpanStatus {
    /// It did what it was for.
    Done,
    /// It failed.
    Failed,
    /// It was cut off by an interrupt or by the failure of a span around it.
    Interrupted,
}

/// A stretch of time with a name. Spans nest and may run side by side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SpanRecord {
    /// Its number in this drill, from 1.
    pub id: u32,
    /// The span it lies in.
    pub parent: Option<u32>,
    /// Its name: `birth`, `backup`, `wipe`.
    pub name: String,
    /// From the beginning of the drill to its own, in seconds.
    #[serde(rename = "start_seconds", with = "crate::seconds")]
    #[schemars(with = "f64")]
    pub start: Duration,
    /// How long it took, in seconds.
    #[serde(rename = "elapsed_seconds", with = "crate::seconds")]
    #[schemars(with = "f64")]
    pub elapsed: Duration,
    /// How it ended.
    pub status: SpanStatus,
    /// What to know about it: `20261121-101500F · full · 22.4 MB`.
    pub detail: String,
}

/// What happens during a drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A drill begins.
    DrillStarted {
        /// The run.
        run: RunId,
        /// The scenario's name.
        scenario: String,
        /// The environment's name.
        environment: String,
        /// What it runs on: `postgresql 15.18`, `pgbackrest 2.45`.
        versions: Vec<String>,
    },
    /// A span begins.
    SpanStarted {
        /// Its number in this drill, from 1.
        id: u32,
        /// The span it lies in.
        parent: Option<u32>,
        /// Its name.
        name: String,
    },
    /// How far a span has come: `350 of 1 000 rows`.
    Progress {
        /// The span.
        id: u32,
        /// How far.
        detail: String,
    },
    /// What a person should see, in whole lines: `diff -u` of a manifest.
    Notice {
        /// The lines.
        text: String,
    },
    /// A span ends.
    SpanFinished(SpanRecord),
    /// The drill ends.
    DrillFinished(Box<Report>),
}
