//! The ledger on disk: append-only, off the victim, one JSON object a line.

use crate::{Doing, Result};
use phoenix_core::Entry;
use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::Mutex,
};

/// Writes what was attempted before it is attempted, and what became of it.
pub struct Ledger {
    path: PathBuf,
    file: Mutex<File>,
}

impl Ledger {
    /// Opens a new ledger.
    pub fn create(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).open(path);
        let file = file.doing(format!("creating the ledger {}", path.display()))?;
        Ok(Self { path: path.to_owned(), file: Mutex::new(file) })
    }

    /// Hands entries to the operating system: they survive this process, not yet a power cut.
    pub fn append(&self, entries: &[Entry]) -> Result<()> {
        let mut lines = Vec::with_capacity(256 * entries.len());
        for entry in entries {
            serde_json::to_writer(&mut lines, entry).doing("writing the ledger")?;
            lines.push(b'\n');
        }
        self.locked(|file| file.write_all(&lines))
    }

    /// Makes every entry durable.
    pub fn sync(&self) -> Result<()> {
        self.locked(|file| file.sync_data())
    }

    fn locked(&self, work: impl FnOnce(&mut File) -> std::io::Result<()>) -> Result<()> {
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        work(&mut file).doing(format!("writing the ledger {}", self.path.display()))
    }

    /// Reads the whole ledger back from disk: what is judged is what was written.
    pub fn read_back(&self) -> Result<Vec<Entry>> {
        read(&self.path)
    }
}

/// Reads a ledger.
pub fn read(path: &Path) -> Result<Vec<Entry>> {
    let doing = || format!("reading the ledger {}", path.display());
    let text = std::fs::read_to_string(path).doing(doing())?;
    text.lines().map(|line| serde_json::from_str(line).doing(doing())).collect()
}
