//! A repository as pgBackRest would write it, with one full backup of one file.

use super::SIZE;
use phoenix_core::{Timeline, WalSegment};
use sha1::{Digest, Sha1};
use std::collections::BTreeMap;

pub(crate) const LABEL: &str = "20260101-000000F";

/// Sections of keys and JSON values, closed by their checksum.
fn sealed(sections: &[(&str, &[(&str, String)])]) -> Vec<u8> {
    let (mut text, mut json) = (String::new(), Vec::new());
    for (section, lines) in sections {
        text += &format!("[{section}]\n");
        let lines = lines.iter().map(|(key, value)| {
            text += &format!("{key}={value}\n");
            format!("\"{key}\":{value}")
        });
        let lines: Vec<_> = lines.collect();
        json.push(format!("\"{section}\":{{{}}}", lines.join(",")));
        text.push('\n');
    }
    let hash = Sha1::digest(format!("{{{}}}", json.join(",")));
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    (text + &format!("[backrest]\nbackrest-checksum=\"{hash}\"\n")).into_bytes()
}

pub(crate) fn name(number: u64) -> String {
    WalSegment { timeline: Timeline(1), number }.name(SIZE)
}

/// Where a segment lies.
pub(crate) fn key(number: u64) -> String {
    let name = name(number);
    format!("archive/main/15-1/{}/{name}-{number:040x}.zst", &name[..16])
}

/// `backup.info` with these backups, each of which needs the second segment alone.
pub(crate) fn backup_info(labels: &[&str]) -> Vec<u8> {
    let backup = format!(
        r#"{{"backup-archive-start":"{name}","backup-archive-stop":"{name}","backup-error":false,"backup-lsn-start":"0/200028","backup-lsn-stop":"0/200100","backup-timestamp-stop":1767225600,"backup-type":"full","db-id":1,"option-archive-copy":false}}"#,
        name = name(2)
    );
    let backups: Vec<_> = labels.iter().map(|label| (*label, backup.clone())).collect();
    let format = [("backrest-format", "5".to_owned()), ("backrest-version", "\"2.45\"".to_owned())];
    let db =
        [("db-id", "1".to_owned()), ("db-system-id", "77".to_owned()), ("db-version", "\"15\"".to_owned())];
    let history = [("1", r#"{"db-system-id":77,"db-version":"15"}"#.to_owned())];
    sealed(&[("backrest", &format), ("backup:current", &backups), ("db", &db), ("db:history", &history)])
}

/// The backup's manifest, with these files of the cluster, compressed in this way.
pub(crate) fn manifest(compress_type: &str, files: &[(&str, String)]) -> Vec<u8> {
    let format = [("backrest-format", "5".to_owned()), ("backrest-version", "\"2.45\"".to_owned())];
    let label = [("backup-label", format!("\"{LABEL}\""))];
    let options = [("option-compress-type", format!("\"{compress_type}\""))];
    let sections: [(&str, &[_]); 4] =
        [("backrest", &format), ("backup", &label), ("backup:option", &options), ("target:file", files)];
    sealed(&sections)
}

/// A repository that holds these segments.
pub(crate) fn repository(numbers: impl IntoIterator<Item = u64>) -> BTreeMap<String, Vec<u8>> {
    let format = [("backrest-format", "5".to_owned()), ("backrest-version", "\"2.45\"".to_owned())];
    let db =
        [("db-id", "1".to_owned()), ("db-system-id", "77".to_owned()), ("db-version", "\"15\"".to_owned())];
    let history = [("1", r#"{"db-id":77,"db-version":"15"}"#.to_owned())];
    let archive_info = sealed(&[("backrest", &format), ("db", &db), ("db:history", &history)]);
    let manifest =
        manifest("none", &[("pg_data/PG_VERSION", r#"{"size":3,"timestamp":1767225600}"#.to_owned())]);
    let mut objects: BTreeMap<_, _> =
        numbers.into_iter().map(|number| (key(number), b"segment".to_vec())).collect();
    for (path, bytes) in [
        ("archive/main/archive.info".to_owned(), archive_info),
        ("backup/main/backup.info".to_owned(), backup_info(&[LABEL])),
        (format!("backup/main/{LABEL}/backup.manifest"), manifest),
    ] {
        objects.insert(format!("{path}.copy"), bytes.clone());
        objects.insert(path, bytes);
    }
    objects.insert(format!("backup/main/{LABEL}/pg_data/PG_VERSION"), b"15\n".to_vec());
    objects
}
