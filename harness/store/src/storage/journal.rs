//! The append-only file that makes a write last: one JSON line for each record.
//!
//! A line carries its number and a sum over its record, so that a line that was lost, moved or
//! altered is noticed. Only the last line may be incomplete: that is what a killed server leaves
//! behind, its record was never acknowledged, and it is cut off at the next opening.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::record::Record;
use crate::config::Durability;
use crate::digest::hex;
use crate::error::StoreError;

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    number: u64,
    sum: String,
    #[serde(borrow)]
    entry: &'a RawValue,
}

/// The open journal.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    durability: Durability,
    lines: u64,
    length_bytes: u64,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Sound,
    /// A write failed half-way: what the file holds is unknown, so nothing more is written.
    Broken,
}

impl Journal {
    /// Opens or makes the journal and hands every record to `replay`, which says why one does not fit.
    pub(crate) fn open(
        path: &Path,
        durability: Durability,
        mut replay: impl FnMut(Record) -> Result<(), String>,
    ) -> Result<Self, StoreError> {
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).open(path);
        let mut file = file.map_err(StoreError::file("open", path))?;
        let mut reader = BufReader::new(&file);
        let (mut lines, mut length_bytes) = (0, 0);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line).map_err(StoreError::file("read", path))?;
            if line.pop_if(|last| *last == b'\n').is_none() {
                break;
            }
            lines += 1;
            let damaged = |reason| StoreError::DamagedJournal { path: path.to_owned(), line: lines, reason };
            let record = decode(&line, lines).map_err(damaged)?;
            replay(record).map_err(damaged)?;
            length_bytes += read as u64;
        }
        cut(&mut file, length_bytes).map_err(StoreError::file("cut the torn end of", path))?;
        Ok(Self { file, durability, lines, length_bytes, state: State::Sound })
    }

    /// Appends a record; when this returns, the record lasts.
    pub(crate) fn append(&mut self, record: &Record) -> io::Result<()> {
        if self.state == State::Broken {
            return Err(io::Error::other("an earlier write to the journal failed"));
        }
        let line = encode(record, self.lines + 1)?;
        if let Err(error) = self.write(&line) {
            // What was not acknowledged must not come back: undo it or write nothing more.
            if cut(&mut self.file, self.length_bytes).is_err() {
                self.state = State::Broken;
            }
            return Err(error);
        }
        self.lines += 1;
        self.length_bytes += line.len() as u64;
        Ok(())
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.file.write_all(line)?;
        if self.durability == Durability::Fsync {
            self.file.sync_data()?;
        }
        Ok(())
    }
}

fn encode(record: &Record, number: u64) -> io::Result<Vec<u8>> {
    let entry = RawValue::from_string(serde_json::to_string(record)?)?;
    let line = Line { number, sum: sum(number, entry.get()), entry: &entry };
    let mut bytes = serde_json::to_vec(&line)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn decode(line: &[u8], number: u64) -> Result<Record, String> {
    let line: Line = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    if line.number != number {
        return Err(format!("it is numbered {}", line.number));
    }
    if line.sum != sum(number, line.entry.get()) {
        return Err("its sum does not match".to_owned());
    }
    serde_json::from_str(line.entry.get()).map_err(|error| error.to_string())
}

/// Half a SHA-256: an accident cannot match it.
fn sum(number: u64, entry: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(number.to_be_bytes());
    hasher.update(entry);
    hex(&hasher.finalize()[..16])
}

fn cut(file: &mut File, length_bytes: u64) -> io::Result<()> {
    if file.metadata()?.len() > length_bytes {
        file.set_len(length_bytes)?;
        file.sync_all()?;
    }
    file.seek(SeekFrom::End(0)).map(drop)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use chrono::Utc;

    use super::*;

    fn bucket(name: &str) -> Record {
        Record::Bucket { bucket: name.to_owned(), at: Utc::now() }
    }

    /// A journal of three records, closed.
    fn three_records() -> (tempfile::TempDir, PathBuf, Vec<Record>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal.jsonl");
        let records = vec![bucket("one"), bucket("two"), bucket("three")];
        let mut journal = Journal::open(&path, Durability::Fsync, |_| Ok(())).unwrap();
        for record in &records {
            journal.append(record).unwrap();
        }
        (directory, path, records)
    }

    fn read(path: &Path) -> Result<Vec<Record>, StoreError> {
        let mut records = Vec::new();
        Journal::open(path, Durability::Fsync, |record| {
            records.push(record);
            Ok(())
        })?;
        Ok(records)
    }

    fn damaged_line(path: &Path) -> u64 {
        match read(path).unwrap_err() {
            StoreError::DamagedJournal { line, .. } => line,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_appended_is_read_back() {
        let (_directory, path, records) = three_records();
        assert_eq!(read(&path).unwrap(), records);
    }

    #[test]
    fn a_journal_cut_at_any_byte_holds_its_whole_lines_and_goes_on() {
        let (_directory, path, records) = three_records();
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let lines = whole[..length].iter().filter(|byte| **byte == b'\n').count();
            let mut journal = Journal::open(&path, Durability::Buffered, |_| Ok(())).unwrap();
            journal.append(&records[0]).unwrap();
            let expected: Vec<_> = records[..lines].iter().chain(&records[..1]).cloned().collect();
            assert_eq!(read(&path).unwrap(), expected, "cut at {length}");
        }
    }

    #[test]
    fn any_altered_bit_in_a_whole_line_is_damage() {
        let (_directory, path, _) = three_records();
        let whole = fs::read(&path).unwrap();
        let second = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        let end = second + whole[second..].iter().position(|byte| *byte == b'\n').unwrap();
        for at in second..end {
            let mut altered = whole.clone();
            altered[at] ^= 1;
            fs::write(&path, &altered).unwrap();
            assert_eq!(damaged_line(&path), 2, "byte {at}");
        }
    }

    #[test]
    fn a_lost_line_is_damage() {
        let (_directory, path, _) = three_records();
        let text = fs::read_to_string(&path).unwrap();
        let without_second: Vec<_> = text.lines().enumerate().filter(|(n, _)| *n != 1).collect();
        let text: String = without_second.iter().map(|(_, line)| format!("{line}\n")).collect();
        fs::write(&path, text).unwrap();
        assert_eq!(damaged_line(&path), 2);
    }

    #[test]
    fn a_record_that_does_not_fit_is_damage() {
        let (_directory, path, _) = three_records();
        let opened = Journal::open(&path, Durability::Fsync, |_| Err("does not fit".to_owned()));
        assert!(matches!(opened, Err(StoreError::DamagedJournal { line: 1, .. })), "{opened:?}");
    }
}
