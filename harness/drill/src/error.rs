//! What stops a drill short of its judgement.

use phoenix_core::Finding;
use std::{error::Error as StdError, time::Duration};

/// The result of anything that a drill does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What stops a drill short of its judgement.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It was asked for something that cannot be: exit status 2.
    #[error("{what}")]
    Usage {
        /// What is wrong.
        what: String,
        /// What to do.
        advice: String,
    },
    /// What a drill needs is not there: exit status 3.
    #[error("{what}")]
    Missing {
        /// What is missing.
        what: String,
        /// How to get it.
        advice: String,
    },
    /// The cluster did not come back: the verdict is `Invalid(NotReborn)`.
    #[error("not reborn: {}", .0.sentence)]
    NotReborn(Box<Finding>),
    /// Something that the proof needs did not happen: the verdict is `Unknown`.
    #[error("{doing}")]
    Unverified {
        /// What was being done.
        doing: String,
        /// What went wrong.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Something was awaited in vain: the verdict is `Unknown`.
    #[error("waited {after:?} in vain for {what}; last seen: {last}")]
    Timeout {
        /// What was awaited.
        what: String,
        /// What was last seen.
        last: String,
        /// How long.
        after: Duration,
    },
    /// Faults that were planted never happened: the verdict is `Unknown`.
    #[error("what was planted never happened: {}", .0.join(", "))]
    Unfired(Vec<String>),
    /// The drill fell short of what it must do to prove anything: the verdict is `Unknown`.
    #[error("the drill proves nothing: {0}")]
    Demand(String),
}

impl Error {
    /// Something that cannot be, and what to do about it.
    pub fn usage(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Usage { what: what.into(), advice: advice.into() }
    }

    /// What a drill needs is not there, and how to get it.
    pub fn missing(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Missing { what: what.into(), advice: advice.into() }
    }

    /// What to do about it, where that is known.
    pub fn advice(&self) -> Option<&str> {
        match self {
            Self::Usage { advice, .. } | Self::Missing { advice, .. } => Some(advice),
            Self::NotReborn(finding) => Some(&finding.fix),
            Self::Unverified { .. } | Self::Timeout { .. } | Self::Unfired(_) | Self::Demand(_) => None,
        }
    }

    /// Something that went wrong, in words.
    pub fn unverified(doing: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Unverified { doing: doing.into(), source: why.into().into() }
    }

    /// The error and its causes on one line.
    pub fn chain(&self) -> String {
        chain(self)
    }
}

/// An error and its causes on one line, each said once.
pub fn chain(error: &dyn StdError) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.ends_with(&text) {
            line = format!("{line}: {text}");
        }
        cause = error.source();
    }
    line
}

/// Says what was being done when an error came.
pub trait Doing<T> {
    /// Turns any error into [`Error::Unverified`].
    fn doing(self, what: impl Into<String>) -> Result<T>;
}

impl<T, E: Into<Box<dyn StdError + Send + Sync>>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl Into<String>) -> Result<T> {
        self.map_err(|error| {
            let source = error.into();
            // an error that already says how the drill ends keeps saying it
            match source.downcast::<Error>() {
                Ok(error) if !matches!(*error, Error::Unverified { .. }) => *error,
                Ok(error) => Error::Unverified { doing: what.into(), source: error },
                Err(source) => Error::Unverified { doing: what.into(), source },
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_its_kind_and_gains_its_context() {
        let io = std::io::Error::other("no space left");
        let error = Err::<(), _>(io).doing("writing the ledger").doing("inserting DATO_A").unwrap_err();
        assert_eq!(error.chain(), "inserting DATO_A: writing the ledger: no space left");
        let kept = Err::<(), _>(Error::usage("no rows", "give some")).doing("x").unwrap_err();
        assert!(matches!(kept, Error::Usage { .. }));
    }
}
