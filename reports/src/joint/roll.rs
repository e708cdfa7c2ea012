//! The roll: every drill of a run of nextest, one JSON object a line, in the order of beginning.

use crate::{WriteError, junit::NoEvidence};
use phoenix_core::RunId;
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// A drill that began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Enlisted {
    /// The run.
    pub run: RunId,
    /// Where its evidence lies, absolute.
    pub directory: PathBuf,
    /// Which attempt at the test it belongs to.
    pub attempt: String,
    /// The test.
    pub test: String,
    /// The process.
    pub pid: u32,
}

/// Adds a line and makes it durable. The caller holds the lock.
pub(super) fn append(path: &Path, enlisted: &Enlisted) -> Result<(), WriteError> {
    let add = || {
        let mut line = serde_json::to_string(enlisted)?;
        // a process that died while it wrote left half a line: it must not spoil this one
        let torn = std::fs::read(path).is_ok_and(|text| text.last().is_some_and(|byte| *byte != b'\n'));
        if torn {
            line.insert(0, '\n');
        }
        line.push('\n');
        let mut file = File::options().create(true).append(true).open(path)?;
        file.write_all(line.as_bytes())?;
        file.sync_data()
    };
    add().map_err(WriteError::at(path))
}

/// Every line; for one that cannot be read, why not.
pub(super) fn read(path: &Path) -> Result<Vec<Result<Enlisted, NoEvidence>>, WriteError> {
    let text = match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        text => text.map_err(WriteError::at(path))?,
    };
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let parse = |line: &[u8]| {
        serde_json::from_slice(line).map_err(|error| {
            let line = String::from_utf8_lossy(line);
            NoEvidence::Unreadable(format!("a line of the roll is torn ({error}): {line}"))
        })
    };
    Ok(lines.map(parse).collect())
}
