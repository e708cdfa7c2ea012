//! Durations as decimal seconds in JSON: `"elapsed_seconds": 0.71`.

use serde::{Deserialize, Deserializer, Serializer};
use std::time::Duration;

/// Writes a duration as seconds, to the microsecond.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_micros() as f64 / 1e6)
}

/// Reads seconds; negative or endless ones are refused.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    let duration = Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)?;
    // to the microsecond, as it was written, so that what is read equals what was meant
    Ok(Duration::from_micros((duration.as_secs_f64() * 1e6).round() as u64))
}

/// The same for a duration that may be absent.
pub mod option {
    use super::*;

    /// Writes seconds or `null`.
    pub fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::serialize(duration, serializer),
            None => serializer.serialize_none(),
        }
    }

    /// Reads seconds or `null`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        #[derive(Deserialize)]
        struct Seconds(#[serde(with = "super")] Duration);
        Ok(Option::<Seconds>::deserialize(deserializer)?.map(|seconds| seconds.0))
    }
}
