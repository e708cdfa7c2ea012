//! What a restore that failed, or a server that did not come up, says of the cause.

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

/// The most telling cause of a rebirth that failed.
pub fn not_reborn(symptoms: &Symptoms) -> Finding {
    let lines = alarming(symptoms);
    let says = |text: &str| lines.iter().any(|line| line.contains(text));
    let finding = if symptoms.encrypted == Some(Encryption::WithoutKey) {
        Finding::certain(
            "repository-key-missing",
            "the repository is encrypted and its key is gone",
            "keep repo1-cipher-pass outside everything that can burn with the castle, and drill with that copy",
        )
        .with_evidence(["backup.info in the store begins with Salted__"])
    } else if says(TARGET_MISSED) {
        Finding::certain(
            "target-not-reached",
            "the recovery target does not lie in the archived WAL",
            "choose a target that the archive holds, or find out why the WAL after it is not there",
        )
    } else if says("database files are incompatible with server") {
        let fix = "restore with the major version that the backup was taken with, and upgrade after that";
        Finding::certain("version-mismatch", "the backup is of another major version of PostgreSQL", fix)
    } else if says("could not restore file") {
        Finding::certain(
            "archive-get-failed",
            "a segment could not be fetched from the archive",
            "read pgBackRest's message above the FATAL line: key, network, or a damaged segment",
        )
    } else if says("could not locate required checkpoint record")
        || says("could not locate a valid checkpoint record")
    {
        let fix =
            "the backup's own WAL is missing or damaged: restore an older backup, and look at the archive";
        Finding::certain(
            "backup-wal-missing",
            "the WAL that the backup needs for consistency is not there",
            fix,
        )
    } else if says("403 (Forbidden)") {
        let fix = "check repo1-s3-key and repo1-s3-key-secret, and what they may read";
        Finding::certain("store-denied", "the store refused the credentials", fix)
    } else if says("[HostConnectError]") || says("ERROR: [049]") {
        let fix = "check repo1-s3-endpoint and repo1-storage-port, and whether the store is up";
        Finding::certain("store-unreachable", "the store could not be reached", fix)
    } else if says("unable to verify certificate") {
        let fix = "give the CA of the store's certificate as repo1-storage-ca-file";
        Finding::certain("store-untrusted", "the store's certificate is not trusted", fix)
    } else if symptoms.restore_status == Some(37) {
        let fix = "list the Secret with the credentials where the restore takes its configuration from, too: \
                   dataSource.pgbackrest.configuration, beside spec.backups.pgbackrest.configuration";
        Finding::certain("option-missing", "pgBackRest was not given an option that the restore needs", fix)
    } else if matches!(symptoms.restore_status, Some(29 | 32 | 96)) {
        let fix = "correct the option that pgBackRest's message names";
        Finding::certain("option-invalid", "pgBackRest refuses an option of the restore", fix)
    } else if symptoms.restore_status == Some(40) {
        let fix = "give the restore an empty directory: what is there belongs to somebody else";
        Finding::certain("data-directory-not-empty", "there are files where the restore is to go", fix)
    } else if matches!(symptoms.restore_status, Some(55 | 75)) {
        let fix =
            "check repo1-path and the bucket against where the objects really are: `pgbackrest repo-ls`";
        Finding::certain("no-backup-set", "pgBackRest found no backup to restore", fix)
            .with_certainty(Certainty::Likely)
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
    lines.extend(of(&symptoms.server_log, &["FATAL:", "PANIC:", " WARN: ", " ERROR: ", VERSIONS]));
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
}
