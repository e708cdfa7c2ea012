//! The form of pgBackRest's info files and manifests: INI whose values are JSON, closed by a SHA-1 over
//! all of it. Pure.
//!
//! Source: pgBackRest, `info/info.c` (the checksum is that of the same content written as one JSON
//! object of sections) and `common/ini.c`.

use serde_json::Value;
use sha1::{Digest, Sha1};
use std::{collections::BTreeMap, fmt::Write};

/// Why a file is not what pgBackRest wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// It is not text.
    #[error("it is not text")]
    NotText,
    /// A line that is neither a section nor a key with its value.
    #[error("line {line} is neither a section nor a key with a JSON value")]
    Line {
        /// Counted from 1.
        line: usize,
    },
    /// It ends before its checksum.
    #[error("it ends before its checksum")]
    NoChecksum,
    /// It does not hash to its checksum.
    #[error("its checksum is {found}, and it says {said}")]
    Checksum {
        /// Computed.
        found: String,
        /// Written in the file.
        said: String,
    },
    /// A value that is needed is not there, or of another kind.
    #[error("it has no usable {key} in [{section}]")]
    Lacks {
        /// The section.
        section: String,
        /// The key.
        key: String,
    },
    /// Written by a pgBackRest with another format of repositories.
    #[error("its format is {0}, and only 5 is known")]
    Format(u64),
}

/// A file whose checksum is right: sections of keys with JSON values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sections(BTreeMap<String, BTreeMap<String, Value>>);

impl Sections {
    /// Reads a file; an error unless every line and the checksum are right.
    pub fn parse(bytes: &[u8]) -> Result<Self, TextError> {
        let text = str::from_utf8(bytes).map_err(|_| TextError::NotText)?;
        let (mut sections, mut section, mut said) = (Self::default(), String::new(), None);
        let (mut hash, mut hashed) = (Sha1::new(), String::new());
        hash.update("{");
        for (line, content) in text.lines().enumerate().filter(|(_, content)| !content.is_empty()) {
            if let Some(name) = content.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                name.clone_into(&mut section);
                continue;
            }
            let wrong = TextError::Line { line: line + 1 };
            let (key, value, json) = key_and_value(content).filter(|_| !section.is_empty()).ok_or(wrong)?;
            if (section.as_str(), key) == ("backrest", "backrest-checksum") {
                said = value.as_str().map(str::to_owned);
                continue;
            }
            if hashed == section {
                hash.update(",");
            } else {
                hash.update(if hashed.is_empty() { "\"" } else { "},\"" });
                hash.update(&section);
                hash.update("\":{");
                hashed.clone_from(&section);
            }
            hash.update(Value::from(key).to_string());
            hash.update(":");
            hash.update(json);
            sections.0.entry(section.clone()).or_default().insert(key.to_owned(), value);
        }
        hash.update("}}");
        let (found, said) = (hex(&hash.finalize()), said.ok_or(TextError::NoChecksum)?);
        if found != said {
            return Err(TextError::Checksum { found, said });
        }
        match sections.number("backrest", "backrest-format")? {
            5 => Ok(sections),
            other => Err(TextError::Format(other)),
        }
    }

    /// The keys of a section, none if it is not there.
    pub fn section(&self, name: &str) -> impl Iterator<Item = (&str, &Value)> {
        self.0.get(name).into_iter().flatten().map(|(key, value)| (key.as_str(), value))
    }

    /// A value, if it is there.
    pub fn value(&self, section: &str, key: &str) -> Option<&Value> {
        self.0.get(section)?.get(key)
    }

    /// A number that must be there.
    pub fn number(&self, section: &str, key: &str) -> Result<u64, TextError> {
        self.value(section, key).and_then(Value::as_u64).ok_or_else(|| lacks(section, key))
    }

    /// A text that must be there.
    pub fn text(&self, section: &str, key: &str) -> Result<&str, TextError> {
        self.value(section, key).and_then(Value::as_str).ok_or_else(|| lacks(section, key))
    }

    /// The passphrase of what this file leads to, in an encrypted repository.
    pub fn passphrase(&self) -> Option<phoenix_core::Secret> {
        let text = self.value("cipher", "cipher-pass")?.as_str()?;
        Some(phoenix_core::Secret::new(text.to_owned()))
    }
}

/// The error of a value that is not there.
pub(crate) fn lacks(section: &str, key: &str) -> TextError {
    TextError::Lacks { section: section.to_owned(), key: key.to_owned() }
}

/// The key may hold `=` itself: the first one behind which all is JSON divides.
fn key_and_value(line: &str) -> Option<(&str, Value, &str)> {
    line.match_indices('=').find_map(|(at, _)| {
        let json = &line[at + 1..];
        let value = serde_json::from_str(json).ok()?;
        (at > 0).then(|| (&line[..at], value, json))
    })
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{ARCHIVE_INFO, BACKUP_INFO};

    #[test]
    fn what_pgbackrest_wrote_is_read_with_its_checksum() {
        let info = Sections::parse(ARCHIVE_INFO.as_bytes()).unwrap();
        assert_eq!(info.number("db", "db-id"), Ok(1));
        assert_eq!(info.text("db", "db-version"), Ok("15"));
        assert_eq!(Sections::parse(BACKUP_INFO.as_bytes()).unwrap().section("backup:current").count(), 4);
    }

    /// No byte of it can change unseen, and no line can be cut off.
    #[test]
    fn every_damage_is_seen() {
        for at in 0..ARCHIVE_INFO.len() {
            let mut bytes = ARCHIVE_INFO.as_bytes().to_vec();
            bytes[at] ^= 1;
            let read = Sections::parse(&bytes);
            assert!(read.is_err(), "a flipped bit at {at}: {read:?}");
        }
        let last = ARCHIVE_INFO.trim_end().rfind('\n').unwrap();
        assert_eq!(Sections::parse(&ARCHIVE_INFO.as_bytes()[..last]), Err(TextError::NoChecksum));
        assert_eq!(Sections::parse(b""), Err(TextError::NoChecksum));
        assert_eq!(Sections::parse(b"Salted__\xff\xfe"), Err(TextError::NotText));
    }

    #[test]
    fn a_key_may_hold_what_divides() {
        let (key, value, _) = key_and_value(r#"pg_data/a=b={"size":1}"#).unwrap();
        assert_eq!((key, value["size"].as_u64()), ("pg_data/a=b", Some(1)));
    }
}
