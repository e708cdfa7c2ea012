//! A file's bytes, opened if they are encrypted, and what they say.

use crate::{
    cipher,
    seen::{Pair, Reading},
    source::{SourceError, chain},
};
use phoenix_core::Secret;
use std::fmt::Display;

/// Opens what is encrypted, if it can.
#[derive(Debug, Clone)]
pub(super) struct Opener(Option<Secret>);

/// What became of a file's bytes.
type Opened = Result<Vec<u8>, Reading<()>>;

impl Opener {
    pub(super) fn new(passphrase: Option<Secret>) -> Self {
        Self(passphrase)
    }

    /// The plain bytes, or why there are none.
    pub(super) fn open(&self, got: Result<Vec<u8>, SourceError>) -> Opened {
        self.open_ref(&got)
    }

    fn open_ref(&self, got: &Result<Vec<u8>, SourceError>) -> Opened {
        match (got, &self.0) {
            (Err(SourceError::Absent(_)), _) => Err(Reading::Missing),
            (Err(other), _) => Err(Reading::Refused(chain(other))),
            (Ok(bytes), Some(passphrase)) if cipher::is_encrypted(bytes) => {
                // a damaged file and a wrong passphrase look the same
                cipher::open(bytes, passphrase).map_err(|error| Reading::Refused(error.to_string()))
            }
            (Ok(bytes), None) if cipher::is_encrypted(bytes) => Err(Reading::Sealed),
            (Ok(bytes), _) => Ok(bytes.clone()),
        }
    }

    /// A file and its copy. A copy with the same bytes is not read twice.
    pub(super) fn pair<T: Clone, E: Display>(
        &self,
        main: &Result<Vec<u8>, SourceError>,
        copy: &Result<Vec<u8>, SourceError>,
        parse: impl Fn(&[u8]) -> Result<T, E>,
    ) -> Pair<T> {
        let read = |got| said(self.open_ref(got), &parse);
        let first = read(main);
        let second = match (main, copy) {
            (Ok(one), Ok(other)) if one == other => first.clone(),
            _ => read(copy),
        };
        Pair { main: first, copy: second }
    }
}

/// What opened bytes say.
pub(super) fn said<T, E: Display>(opened: Opened, parse: impl Fn(&[u8]) -> Result<T, E>) -> Reading<T> {
    match opened {
        Ok(bytes) => parse(&bytes).map_or_else(|error| Reading::Damaged(error.to_string()), Reading::Whole),
        Err(trouble) => trouble.without(),
    }
}
