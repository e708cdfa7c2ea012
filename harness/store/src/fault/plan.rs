//! What shall go wrong, and when. A plan is data: it can be read from JSON or TOML.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::glob;

/// Faults in the order in which they are asked: within a layer the first that fires is the one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultPlan {
    /// The faults; their labels differ.
    pub faults: Vec<Fault>,
}

/// One thing that shall go wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Names the fault in the evidence.
    pub label: String,
    /// What goes wrong.
    pub effect: Effect,
    /// Which keys it is for.
    #[serde(default)]
    pub key: KeyMatch,
    /// Which operations it is for.
    #[serde(default)]
    pub operation: Operation,
    /// Which of the matching requests it is for.
    #[serde(default)]
    pub occurrences: Occurrences,
}

impl Fault {
    /// A fault for every key, every operation and every time.
    #[must_use]
    pub fn new(label: impl Into<String>, effect: impl Into<Effect>) -> Self {
        Self {
            label: label.into(),
            effect: effect.into(),
            key: KeyMatch::default(),
            operation: Operation::default(),
            occurrences: Occurrences::default(),
        }
    }

    /// The same fault, for these keys.
    #[must_use]
    pub fn on_keys(self, key: KeyMatch) -> Self {
        Self { key, ..self }
    }

    /// The same fault, for this operation.
    #[must_use]
    pub fn on(self, operation: Operation) -> Self {
        Self { operation, ..self }
    }

    /// The same fault, at most so many times.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        Self { occurrences: Occurrences { times: Some(times), ..self.occurrences }, ..self }
    }

    /// The same fault, after so many requests that it would have been for.
    #[must_use]
    pub fn after(self, skip: u64) -> Self {
        Self { occurrences: Occurrences { skip, ..self.occurrences }, ..self }
    }
}

/// What goes wrong, by the layer at which it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "layer", rename_all = "snake_case")]
pub enum Effect {
    /// The store answers something else, or late.
    Answer(AnswerFault),
    /// The answer is damaged on its way.
    Wire(WireFault),
    /// The store holds something else.
    Storage(StorageFault),
}

impl From<AnswerFault> for Effect {
    fn from(fault: AnswerFault) -> Self {
        Self::Answer(fault)
    }
}

impl From<WireFault> for Effect {
    fn from(fault: WireFault) -> Self {
        Self::Wire(fault)
    }
}

impl From<StorageFault> for Effect {
    fn from(fault: StorageFault) -> Self {
        Self::Storage(fault)
    }
}

/// What the store answers. Nothing is read or written but for `Delay`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum AnswerFault {
    /// 403.
    AccessDenied,
    /// 404.
    NoSuchKey,
    /// 503.
    SlowDown,
    /// The right answer, but only after `delay_ms`.
    Delay {
        /// How long the request waits before it is handled.
        #[serde(rename = "delay_ms", with = "milliseconds")]
        delay: Duration,
    },
}

/// How the answer is damaged on its way. Offsets count in the body and start at 0; an answer that
/// is too short for the offset, is an error, or has no body passes and is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum WireFault {
    /// The header promises the whole body; the connection ends after this much of it.
    Truncate {
        /// How much of the body is sent.
        after_bytes: u64,
    },
    /// One bit is another.
    FlipBit {
        /// The byte that it is in.
        at_byte: u64,
        /// Counted from the lowest; modulo 8.
        #[serde(default)]
        bit: u8,
    },
    /// A TCP reset in place of the answer.
    Reset {
        /// Whether the request was carried out.
        #[serde(default)]
        moment: ResetMoment,
    },
}

/// When the connection is reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetMoment {
    /// The request is not carried out.
    #[default]
    BeforeHandling,
    /// The request is carried out and the client never hears of it.
    AfterHandling,
}

/// What the store seems to hold. What it does hold stays, and is seen again once disarmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum StorageFault {
    /// GET and HEAD find nothing and LIST does not show it. LIST counts once if it hid any key.
    Lost,
    /// The version before the latest, even under a delete marker; keys without one are as they are.
    Old,
    /// GET and HEAD find no bytes. A LIST whose *prefix* matches finds nothing.
    Empty,
}

/// Which keys a fault is for. A LIST is matched by its prefix, unless the fault is `Lost` or `Old`,
/// which are for the keys that it shows. Deleting many keys in one request has no key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyMatch {
    /// Every key, and requests that have none.
    #[default]
    Any,
    /// This key.
    Exact(String),
    /// Keys that start so.
    Prefix(String),
    /// Keys that end so.
    Suffix(String),
    /// Keys that hold this.
    Contains(String),
    /// Keys of this shape: `*` is any characters, slashes too, and `?` is one.
    Glob(String),
}

impl KeyMatch {
    /// Whether a fault is for this key.
    #[must_use]
    pub fn matches(&self, key: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(text) => key == text,
            Self::Prefix(text) => key.starts_with(text.as_str()),
            Self::Suffix(text) => key.ends_with(text.as_str()),
            Self::Contains(text) => key.contains(text.as_str()),
            Self::Glob(pattern) => glob::matches(pattern, key),
        }
    }
}

/// What a request does, and which requests a fault is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// In a fault: every operation. No request is this.
    #[default]
    Any,
    /// In a fault: every step of an upload in parts. No request is this.
    Multipart,
    /// In a fault: `Put`, `Copy` and every step of an upload in parts. No request is this.
    Write,
    /// Reads an object.
    Get,
    /// Asks for an object's size and ETag.
    Head,
    /// Writes an object in one piece.
    Put,
    /// Writes an object from another.
    Copy,
    /// Deletes one key, or many in one request.
    Delete,
    /// Lists keys.
    List,
    /// Lists versions.
    ListVersions,
    /// Begins an upload in parts.
    CreateUpload,
    /// Writes a part.
    UploadPart,
    /// Makes an object of the parts.
    CompleteUpload,
    /// Gives an upload up.
    AbortUpload,
    /// Lists the parts of an upload.
    ListParts,
    /// Anything about a bucket, or about all of them.
    Bucket,
}

impl Operation {
    /// Whether a fault for `self` is for a request that does `actual`.
    #[must_use]
    pub fn covers(self, actual: Self) -> bool {
        match self {
            Self::Any => true,
            Self::Multipart => actual.is_multipart(),
            Self::Write => actual.is_multipart() || matches!(actual, Self::Put | Self::Copy),
            same => same == actual,
        }
    }

    fn is_multipart(self) -> bool {
        matches!(
            self,
            Self::CreateUpload
                | Self::UploadPart
                | Self::CompleteUpload
                | Self::AbortUpload
                | Self::ListParts
        )
    }
}

/// Which of the matching requests a fault is for. A client that retries absorbs a single one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Occurrences {
    /// So many pass first.
    #[serde(default)]
    pub skip: u64,
    /// Then it fires so many times; always if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
}

mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_from_json() {
        let text = r#"{"faults": [
            {"label": "wal lost", "effect": {"layer": "storage", "kind": "lost"}, "key": {"suffix": ".zst"}},
            {"label": "slow", "effect": {"layer": "answer", "kind": "delay", "delay_ms": 1500},
             "operation": "get", "occurrences": {"skip": 2, "times": 3}},
            {"label": "flip", "effect": {"layer": "wire", "kind": "flip_bit", "at_byte": 9}},
            {"label": "reset", "effect": {"layer": "wire", "kind": "reset"}, "operation": "complete_upload"}
        ]}"#;
        let plan: FaultPlan = serde_json::from_str(text).unwrap();
        let slow = AnswerFault::Delay { delay: Duration::from_millis(1500) };
        let expected = vec![
            Fault::new("wal lost", StorageFault::Lost).on_keys(KeyMatch::Suffix(".zst".to_owned())),
            Fault::new("slow", slow).on(Operation::Get).after(2).times(3),
            Fault::new("flip", WireFault::FlipBit { at_byte: 9, bit: 0 }),
            Fault::new("reset", WireFault::Reset { moment: ResetMoment::BeforeHandling })
                .on(Operation::CompleteUpload),
        ];
        assert_eq!(plan.faults, expected);
        let again: FaultPlan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
        assert_eq!(again, plan);
    }

    #[test]
    fn a_misspelt_plan_is_refused() {
        let misspelt = r#"{"faults": [{"label": "x", "efect": {"layer": "storage", "kind": "lost"}}]}"#;
        assert!(serde_json::from_str::<FaultPlan>(misspelt).unwrap_err().to_string().contains("efect"));
        let unknown = r#"{"faults": [{"label": "x", "effect": {"layer": "wire", "kind": "lost"}}]}"#;
        assert!(serde_json::from_str::<FaultPlan>(unknown).unwrap_err().to_string().contains("lost"));
    }

    #[test]
    fn groups_cover_their_members_only() {
        assert!(Operation::Multipart.covers(Operation::UploadPart));
        assert!(!Operation::Multipart.covers(Operation::Put));
        assert!(Operation::Write.covers(Operation::Copy));
        assert!(!Operation::Write.covers(Operation::Delete));
        assert!(Operation::Any.covers(Operation::Bucket));
        assert!(!Operation::Get.covers(Operation::Head));
    }

    #[test]
    fn keys_match_as_told() {
        let key = "archive/demo/15-1/000000010000000000000002-ab.zst";
        let text = str::to_owned;
        assert!(KeyMatch::Prefix(text("archive/")).matches(key));
        assert!(KeyMatch::Suffix(text(".zst")).matches(key));
        assert!(KeyMatch::Contains(text("000000010000000000000002")).matches(key));
        assert!(KeyMatch::Glob(text("*/15-1/*.zst")).matches(key));
        assert!(KeyMatch::Exact(text(key)).matches(key));
        assert!(!KeyMatch::Exact(text("archive/")).matches(key));
    }
}
