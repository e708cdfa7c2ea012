//! To where a cluster is brought back.

use crate::{Lsn, Xid};
use chrono::{DateTime, SecondsFormat, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A recovery target, in PostgreSQL's terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "target", content = "value", rename_all = "snake_case")]
pub enum RecoveryTarget {
    /// To the end of the archived WAL: what people run. PostgreSQL takes any archive error for that end.
    Latest,
    /// To a restore point that must be reached, with every archive error made fatal: loud by itself.
    Sealed(String),
    /// To the backup's end: every row in WAL alone is lost by design.
    Immediate,
    /// To a restore point. Names match first: they must be unique.
    Name(String),
    /// To a time on the server's clock.
    Time(DateTime<Utc>),
    /// To a position, included.
    Lsn(Lsn),
    /// To a transaction's commit, included.
    Xid(Xid),
}

impl RecoveryTarget {
    /// PostgreSQL's word for the kind of target; `latest` for none.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Latest => "latest",
            Self::Sealed(_) => "sealed",
            Self::Immediate => "immediate",
            Self::Name(_) => "name",
            Self::Time(_) => "time",
            Self::Lsn(_) => "lsn",
            Self::Xid(_) => "xid",
        }
    }
}

/// A time as PostgreSQL and pgBackRest both read it, in UTC, to the microsecond.
pub fn timestamp(time: &DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, false).replace('T', " ")
}

impl fmt::Display for RecoveryTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest | Self::Immediate => f.write_str(self.kind()),
            Self::Sealed(name) | Self::Name(name) => write!(f, "{}:{name}", self.kind()),
            Self::Time(time) => write!(f, "time:{}", timestamp(time)),
            Self::Lsn(lsn) => write!(f, "lsn:{lsn}"),
            Self::Xid(xid) => write!(f, "xid:{xid}"),
        }
    }
}

/// The text is not a recovery target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a recovery target: latest, immediate, name:…, time:2026-11-21T10:15:00Z, lsn:0/3000148 or xid:742"
)]
pub struct NotATarget(String);

impl FromStr for RecoveryTarget {
    type Err = NotATarget;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let target = match text.split_once(':') {
            None if text == "latest" => Some(Self::Latest),
            None if text == "immediate" => Some(Self::Immediate),
            Some(("name", name)) if !name.is_empty() => Some(Self::Name(name.to_owned())),
            Some(("time", time)) => {
                DateTime::parse_from_rfc3339(time).ok().map(|time| Self::Time(time.with_timezone(&Utc)))
            }
            Some(("lsn", lsn)) => lsn.parse().ok().map(Self::Lsn),
            Some(("xid", xid)) => xid.parse().ok().map(|xid| Self::Xid(Xid(xid))),
            _ => None,
        };
        target.ok_or_else(|| NotATarget(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_read_as_they_are_shown() {
        for text in ["latest", "immediate", "name:before-upgrade", "lsn:0/3000148", "xid:742"] {
            assert_eq!(text.parse::<RecoveryTarget>().unwrap().to_string(), text);
        }
        let time: RecoveryTarget = "time:2026-11-21T10:15:00.5Z".parse().unwrap();
        assert_eq!(time.to_string(), "time:2026-11-21 10:15:00.500000+00:00");
        for text in ["", "lates", "name:", "time:yesterday", "lsn:1", "xid:-1"] {
            assert_eq!(text.parse::<RecoveryTarget>(), Err(NotATarget(text.into())));
        }
    }
}
