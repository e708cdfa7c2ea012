//! What a restore that failed, or a server that did not come up, says of the cause.

use super::causes::{CAUSES, Cause};
use phoenix_core::{Certainty, Finding};
use std::collections::BTreeSet;

/// What is known after a restore or a start failed.
#[derive(Debug, Clone, Default)]
pub struct Symptoms {
    /// pgBackRest's exit status, if it was the restore that failed.
    pub restore_status: Option<i32>,
    /// What pgBackRest printed.
    pub restore_output: String,
    /// What the server logged.
    pub server_log: String,
    /// Whether the repository's `backup.info` begins like something encrypted (`Salted__`).
    pub encrypted: Option<Encryption>,
}

/// Whether the repository's files are encrypted, and whether the restore had a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// The files are in the clear.
    None,
    /// Encrypted, and a key was configured.
    WithKey,
    /// Encrypted, and no key was configured.
    WithoutKey,
}

/// The DETAIL below the FATAL line that names both major versions.
const VERSIONS: &str = "The data directory was initialized by PostgreSQL version";
/// What the server says of a target that its WAL does not hold.
pub const TARGET_MISSED: &str = "recovery ended before configured recovery target was reached";

/// What the server says when it was told to end at its target.
pub(super) const SHUT_DOWN: &str = "shutdown at recovery target";

/// The most telling cause of a rebirth that failed.
pub fn not_reborn(symptoms: &Symptoms) -> Finding {
    let lines = alarming(symptoms);
    let said = |words: &[&str]| words.iter().all(|word| lines.iter().any(|line| line.contains(word)));
    let fits = |cause: &&Cause| {
        cause.says.iter().any(|words| said(words))
            || symptoms.restore_status.is_some_and(|status| cause.statuses.contains(&status))
    };
    let finding = if symptoms.encrypted == Some(Encryption::WithoutKey) {
        Finding::certain(
            "repository-key-missing",
            "the repository is encrypted and its key is gone",
            "keep repo1-cipher-pass outside everything that can burn with the castle, and drill with that copy",
        )
        .with_evidence(["backup.info in the store begins with Salted__"])
    } else if let Some(cause) = CAUSES.iter().find(fits) {
        Finding::certain(cause.code, cause.sentence, cause.fix).with_certainty(cause.certainty)
    } else {
        let fix = "read the logs in the evidence: logs/ and runbook.md";
        Finding::certain("not-reborn", "the cluster did not come back, and the cause is not known", fix)
            .with_certainty(Certainty::Unsure)
    };
    let status = symptoms.restore_status.map(|status| format!("pgbackrest restore: exit {status}"));
    finding.with_evidence(status).with_evidence(lines)
}

/// Lines that say why: at WARN and above from pgBackRest, at FATAL and above from the server.
fn alarming(symptoms: &Symptoms) -> Vec<String> {
    // whoever asks before recovery is over is turned away, many times; the others any healthy restore says
    const NOISE: [&str; 3] =
        ["the database system is", "--delta or --force specified", "unable to open log file"];
    let noise = |line: &str| NOISE.iter().any(|noise| line.contains(noise));
    let of = |text: &str, words: &[&str]| -> Vec<String> {
        let telling = |line: &&str| words.iter().any(|word| line.contains(word)) && !noise(line);
        text.lines().filter(telling).map(|line| line.trim().chars().take(400).collect()).collect()
    };
    let mut lines = of(&symptoms.restore_output, &["WARN:", "ERROR:", "Error: "]);
    // pgBackRest's own begin a line where it writes them to standard error, and are continued below
    let server = ["FATAL:", "PANIC:", " WARN: ", "WARN: repo", " ERROR: ", "ERROR: [", "Error: "];
    let told = [VERSIONS, SHUT_DOWN, "is a lower setting than on the primary server"];
    lines.extend(of(&symptoms.server_log, &[&server[..], &told[..]].concat()));
    let mut said = BTreeSet::new();
    lines.retain(|line| said.insert(line.clone()));
    lines.truncate(20);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(symptoms: Symptoms) -> String {
        not_reborn(&symptoms).code
    }

    #[test]
    fn each_cause_has_its_code() {
        let server = |log: &str| Symptoms { server_log: log.into(), ..Symptoms::default() };
        let restore = |output: &str| {
            let (restore_status, restore_output) = (Some(75), output.to_owned());
            Symptoms { restore_status, restore_output, ..Symptoms::default() }
        };
        let turned_away = "FATAL:  the database system is starting up\n".repeat(100);
        assert_eq!(code(server(&format!("{turned_away}[9] FATAL:  {TARGET_MISSED}"))), "target-not-reached");
        let incompatible = "FATAL:  database files are incompatible with server";
        assert_eq!(code(server(incompatible)), "version-mismatch");
        assert_eq!(
            code(server("FATAL:  could not restore file \"0001\" from archive")),
            "archive-get-failed"
        );
        assert_eq!(code(server("FATAL:  could not locate required checkpoint record")), "backup-wal-missing");
        assert_eq!(
            code(restore("WARN: [ProtocolError] HTTP request failed with 403 (Forbidden)")),
            "store-denied"
        );
        let below = "WARN: repo1: [ProtocolError] unable to load info file\n   ProtocolError: HTTP request failed with 403 (Forbidden):\n";
        assert_eq!(code(restore(below)), "store-denied");
        let below = "WARN: repo1: [CryptoError] unable to load info file\n   CryptoError: unable to verify certificate presented by 'x'\n";
        assert_eq!(code(restore(below)), "store-untrusted");
        assert_eq!(code(restore("WARN: [HostConnectError] unable to connect")), "store-unreachable");
        assert_eq!(
            code(restore("WARN: [CryptoError] unable to verify certificate presented")),
            "store-untrusted"
        );
        assert_eq!(code(restore("ERROR: [075]: no backup set found to restore")), "no-backup-set");
        let ended = |status: i32, output: &str| Symptoms { restore_status: Some(status), ..restore(output) };
        assert_eq!(code(ended(37, "ERROR: [037]: requires option: repo1-s3-key")), "option-missing");
        assert_eq!(code(ended(32, "ERROR: [032]: 'x' must begin with /")), "option-invalid");
        assert_eq!(code(ended(40, "ERROR: [040]: it contains files")), "data-directory-not-empty");
        assert_eq!(code(server("LOG:  all is well")), "not-reborn");
        let burned = Symptoms { encrypted: Some(Encryption::WithoutKey), ..restore("ERROR: [075]: x") };
        assert_eq!(code(burned), "repository-key-missing");
    }

    /// As pgBackRest 2.45 and PostgreSQL 15 said it.
    #[test]
    fn each_recorded_failure_has_its_code() {
        let info = "WARN: repo1: [X] unable to load info file '/x/backup/castle/backup.info' or \
                    '/x/backup/castle/backup.info.copy':\n      ";
        let end = "\n      HINT: has a stanza-create been performed?\nERROR: [075]: no backup set found to restore\n";
        for (why, expected) in [
            (
                "HostConnectError: unable to connect to 'localhost:5595': [111] Connection refused",
                "store-unreachable",
            ),
            (
                "HostConnectError: unable to get address for 'no-such-store.invalid': [-2] Name or service not known",
                "store-unreachable",
            ),
            (
                "FileReadError: timeout after 1000ms waiting for read from 'localhost:5596'",
                "store-unreachable",
            ),
            ("ServiceError: TLS error [1:167772427] wrong version number", "store-not-tls"),
            ("ServiceError: HTTP request failed with 503 (Service Unavailable):", "store-failed"),
            ("ServiceError: [503] Service Unavailable", "store-failed"),
            (
                "FormatError: key/value found outside of section at line 1: \u{fffd}\"x\u{fffd}WZ",
                "repository-key-wrong",
            ),
            ("CryptoError: cipher header invalid", "repository-key-wrong"),
            ("JsonFormatError: required key 'backup-type' not found", "backup-info-damaged"),
            ("FormatError: invalid JSON value at line 6 '20261127-115024F={'", "backup-info-damaged"),
            ("ChecksumError: invalid checksum, actual '7cc0' but expected '87b5'", "backup-info-damaged"),
            (
                "FileMissingError: unable to open missing file '/x/backup/castle/backup.info' for read",
                "no-backup-set",
            ),
        ] {
            assert_eq!(code(restored(75, &format!("{info}{why}{end}"))), expected, "{why}");
        }
        for (status, said, expected) in [
            (
                75,
                "unable to find backup set with stop time less than '2020-01-01 00:00:00+00'",
                "target-before-backup",
            ),
            (75, "backup set 20200101-000000F is not valid", "no-backup-set"),
            (
                95,
                "unable to set user-defined CA certificate location: [2147483650] no details available",
                "ca-file-missing",
            ),
            (
                55,
                "raised from local-1 protocol: unable to open missing file '/drill/backup/castle/20261127-084603F/bundle/1' for read",
                "backup-file-missing",
            ),
            (
                55,
                "unable to load backup manifest file '/drill/backup/castle/20261127-084603F/backup.manifest' or 'x':",
                "backup-file-missing",
            ),
            (55, "unable to open missing file '/drill/pgbackrest.conf' for read", "configuration-missing"),
            (
                26,
                "unable to load backup manifest file '/drill/backup/castle/20261127-084603F/backup.manifest' or 'x':",
                "backup-damaged",
            ),
            (29, "raised from local-1 protocol: zst error: [-20] Data corruption detected", "backup-damaged"),
            (29, "raised from local-1 protocol: unexpected eof in compressed data", "backup-damaged"),
            (
                29,
                "automatic backup set selection cannot be performed with provided time 'yesterday'",
                "option-invalid",
            ),
            (31, "option 'stanza' cannot be set multiple times", "option-invalid"),
            (38, "unable to restore while PostgreSQL is running", "postgres-running"),
            (
                40,
                "unable to restore to path '/drill/data' because it contains files",
                "data-directory-not-empty",
            ),
            (
                53,
                "unable to restore to path '/drill/data' without rwx permissions",
                "data-directory-not-writable",
            ),
            (
                50,
                "unable to acquire lock on file '/drill/lock/castle-restore.lock': Resource temporarily unavailable",
                "restore-running",
            ),
            (62, "stop file exists for stanza castle", "pgbackrest-stopped"),
            (28, "backup info file and archive info file do not match", "stanza-mismatch"),
        ] {
            let output = format!("P00   INFO: restore command begin 2.45:\nERROR: [{status:03}]: {said}\n");
            assert_eq!(code(restored(status, &output)), expected, "{said}");
        }
        // an exit status alone, which is all that a pod may leave behind
        assert_eq!(code(restored(55, "")), "no-backup-set");
        assert_eq!(
            code(restored(0, "P00   INFO: restore command end: completed successfully (4955ms)")),
            "not-reborn"
        );
    }

    #[test]
    fn each_recorded_start_has_its_code() {
        let fatal = "[9] FATAL:  could not locate required checkpoint record\n";
        for (log, expected) in [
            ("ERROR: [062]: stop file exists for stanza castle\n", "pgbackrest-stopped"),
            (
                "WARN: repo1: [FileMissingError] unable to load info file '/x/archive/castle/archive.info' or 'y':\n      FileMissingError: unable to open missing file '/x/archive/castle/archive.info' for read\nERROR: [103]: unable to find a valid repository\n",
                "archive-info-missing",
            ),
            (
                "WARN: repo1: [CryptoError] unable to load info file '/x/archive/castle/archive.info' or 'y':\n      CryptoError: cipher header invalid\nERROR: [103]: unable to find a valid repository\n",
                "repository-key-wrong",
            ),
            (
                "WARN: repo1: [ProtocolError] unable to load info file '/x/archive/castle/archive.info' or 'y':\n      ProtocolError: HTTP request failed with 403 (Forbidden):\n",
                "store-denied",
            ),
            ("ERROR: [103]: unable to find a valid repository\n", "stanza-mismatch"),
            ("", "backup-wal-missing"),
        ] {
            let server_log = format!("{log}{fatal}");
            assert_eq!(code(Symptoms { server_log, ..Symptoms::default() }), expected, "{log}");
        }
        for (log, expected) in [
            ("[9] FATAL:  recovery target timeline 5 does not exist\n", "timeline-absent"),
            (
                "[9] FATAL:  archive file \"00000001000000000000000A\" has wrong size: 500000 instead of 1048576\n",
                "wal-damaged",
            ),
            (
                "[9] FATAL:  recovery aborted because of insufficient parameter settings\n",
                "settings-too-small",
            ),
            ("[9] LOG:  shutdown at recovery target\n", "shut-down-at-target"),
            (include_str!("recorded/control.txt"), "not-reborn"),
        ] {
            assert_eq!(code(Symptoms { server_log: log.into(), ..Symptoms::default() }), expected, "{log}");
        }
    }

    fn restored(status: i32, output: &str) -> Symptoms {
        Symptoms { restore_status: Some(status), restore_output: output.into(), ..Symptoms::default() }
    }
}
