//! The vocabulary and the judgement of Phoenix: what was attempted, what came back, what was
//! promised and what follows from it. Every other crate may use it. It does no I/O, reads no clock
//! and is not async: whatever it judges is handed to it as data, so that a verdict can be reached
//! again from `ledger.jsonl` alone.

pub mod account;
pub mod defect;
pub mod detector;
pub mod event;
pub mod finding;
pub mod ids;
pub mod layers;
pub mod ledger;
pub mod objects;
pub mod promise;
pub mod provenance;
pub mod recovery;
pub mod report;
pub mod rpo;
pub mod seconds;
pub mod secret;
pub mod verdict;
pub mod wal;
pub mod words;

pub use account::{Account, LostRow};
pub use defect::Defect;
pub use event::{Event, SpanRecord, SpanStatus};
pub use finding::{Certainty, Finding};
pub use ids::{Digest, RowId, RunId, SystemIdentifier, Xid};
pub use layers::LayerRecord;
pub use ledger::{Commit, Entry, Moment, ReadRow};
pub use objects::{Object, ObjectKind};
pub use promise::{Budget, Promise};
pub use provenance::{BackupInterval, Provenance};
pub use recovery::RecoveryTarget;
pub use report::Report;
pub use rpo::Rpo;
pub use secret::Secret;
pub use verdict::{Deeds, Fault, Verdict};
pub use wal::{Lsn, SegmentSize, Timeline, WalSegment};
