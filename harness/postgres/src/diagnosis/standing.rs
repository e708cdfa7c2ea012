//! A server that runs and is no primary that answers: why it never will be.

use phoenix_core::{Certainty, Finding};
use std::path::{Component, Path, PathBuf};

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Its port, which is in the socket's name too.
    pub port: u16,
    /// The directory of its Unix socket; empty if it has none.
    pub socket_directory: String,
    /// The first of its `listen_addresses`; empty if it has none.
    pub host: String,
}

/// What `postmaster.pid` says of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postmaster {
    /// Where it listens.
    pub address: Address,
    /// Whether it takes connections.
    pub ready: bool,
}

impl Postmaster {
    /// Reads `postmaster.pid`; nothing from one that is not written whole yet.
    pub fn read(text: &str) -> Option<Self> {
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        let [_pid, _data, _start, port, socket_directory, host, _shared_memory, status, ..] = lines[..]
        else {
            return None;
        };
        let (port, socket_directory, host) = (port.parse().ok()?, socket_directory.into(), host.into());
        Some(Self { address: Address { port, socket_directory, host }, ready: status == "ready" })
    }
}

/// A server that is ready and that nobody reaches where it is asked for. `data` is its data directory, and
/// `error` what whoever asked was told.
pub fn unreached(found: &Address, expected: &Address, data: &str, error: &str) -> Finding {
    let socket = |address: &Address| absolute(data, &address.socket_directory);
    let mut settings = Vec::new();
    if found.port != expected.port {
        settings.push(format!("port = {}", expected.port));
    }
    if socket(found) != socket(expected) {
        settings.push(format!("unix_socket_directories = '{}'", expected.socket_directory));
    }
    if !expected.host.is_empty() && found.host != expected.host {
        settings.push(format!("listen_addresses = '{}'", expected.host));
    }
    let place = |address: &Address| {
        let Address { port, host, .. } = address;
        let socket = socket(address);
        let host = if host.is_empty() { String::new() } else { format!(", address {host}") };
        format!("port {port}, socket in {}{host}", socket.display())
    };
    let finding = if settings.is_empty() {
        let fix = "look at pg_hba.conf and max_connections of what was restored, and at hba_file in postgresql.conf and postgresql.auto.conf";
        let sentence = "the server is ready, and turns away whoever asks";
        Finding::certain("server-refuses", sentence, fix).with_certainty(Certainty::Likely)
    } else {
        let sentence = format!(
            "the server is ready, but not where it is asked: {}; asked: {}",
            place(found),
            place(expected)
        );
        let settings = settings.join(", ");
        let fix = format!(
            "set {settings} where the castle is restored: postgresql.auto.conf wins over postgresql.conf, and both come from the backup and the restore's --recovery-option"
        );
        Finding::certain("server-elsewhere", sentence, fix)
    };
    finding.with_evidence([
        format!("postmaster.pid: ready, {}", place(found)),
        format!("whoever asked was told: {error}"),
    ])
}

/// Whether a log tells of a recovery that was paused.
pub fn tells_of_a_pause(log: &str) -> bool {
    ["recovery has paused", "pausing at the end of recovery"].iter().any(|words| log.contains(words))
}

/// A recovery that is paused, with its log.
pub fn paused(log: &str) -> Finding {
    let fix = "restore with --target-action=promote; `SELECT pg_wal_replay_resume()` lets this one go on";
    let sentence = match log.contains("pausing at the end of recovery") {
        true => "recovery has reached its target and is paused there: recovery_target_action is pause",
        false => "recovery is paused, and nobody lets it go on",
    };
    let told = ["recovery stopping ", "recovery has paused", "pausing at the end", "insufficient parameter"];
    Finding::certain("recovery-paused", sentence, fix)
        .with_evidence(["pg_is_wal_replay_paused() is true"])
        .with_evidence(lines(log, &told))
}

/// A server that stays a standby, with its log. `data` is its data directory.
pub fn standby(log: &str, data: &str) -> Finding {
    let sentence = "the server is a standby: it has replayed what it found, and waits for more for ever";
    let fix = "restore without --type=standby, so that there is no standby.signal; `SELECT pg_promote()` makes this one a primary";
    let told = ["entering standby mode", "waiting for WAL to become available", "redo starts at "];
    let restored = log.lines().rfind(|line| line.contains("restored log file")).map(str::trim);
    Finding::certain("stays-standby", sentence, fix)
        .with_evidence([format!("{data}/standby.signal is there")])
        .with_evidence(lines(log, &told))
        .with_evidence(restored)
}

/// How far a recovery has come, as its log tells: a number that grows.
pub fn restored(log: &str) -> usize {
    log.matches("restored log file").count()
}

/// The last line with each of these words.
fn lines<'a>(log: &'a str, told: &'a [&str]) -> impl Iterator<Item = String> {
    told.iter().filter_map(|word| Some(log.lines().rfind(|line| line.contains(word))?.trim().to_owned()))
}

/// A directory as the server finds it, which works in its data directory.
fn absolute(data: &str, directory: &str) -> PathBuf {
    let mut path = PathBuf::new();
    for part in Path::new(data).join(directory).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            part => path.push(part),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &str = "/drill/victim/data";

    fn pid(port: &str, socket: &str, host: &str, status: &str) -> String {
        format!("4711\n{DATA}\n1795000000\n{port}\n{socket}\n{host}\n  5432001         0\n{status}\n")
    }

    fn expected(host: &str) -> Address {
        Address { port: 5432, socket_directory: "/drill/victim/socket".into(), host: host.into() }
    }

    #[test]
    fn postmaster_pid_is_read_once_it_is_whole() {
        let read = Postmaster::read(&pid("5433", "../socket", "", "ready   ")).unwrap();
        let address = Address { port: 5433, socket_directory: "../socket".into(), host: String::new() };
        assert_eq!(read, Postmaster { address, ready: true });
        for status in ["starting", "standby ", "stopping"] {
            assert!(!Postmaster::read(&pid("5432", "/s", "*", status)).unwrap().ready, "{status}");
        }
        assert_eq!(Postmaster::read("4711\n/data\n1795000000\n5432\n"), None);
        assert_eq!(Postmaster::read(""), None);
    }

    #[test]
    fn what_is_set_otherwise_is_named_and_nothing_else() {
        let settings = |port, socket, host, wanted| {
            let found = Postmaster::read(&pid(port, socket, host, "ready")).unwrap().address;
            let finding = unreached(&found, &expected(wanted), DATA, "connection refused");
            let fix = finding.fix.split_once(" where ").map(|(settings, _)| settings.to_owned());
            (finding.code, fix.unwrap_or_default())
        };
        let elsewhere = |fix: &str| ("server-elsewhere".to_owned(), fix.to_owned());
        assert_eq!(settings("5433", "../socket", "", ""), elsewhere("set port = 5432"));
        assert_eq!(
            settings("5432", "/tmp", "", ""),
            elsewhere("set unix_socket_directories = '/drill/victim/socket'")
        );
        assert_eq!(
            settings("5432", "/drill/victim/socket", "localhost", "*"),
            elsewhere("set listen_addresses = '*'")
        );
        // where it is asked for at its socket, its addresses do not matter
        for host in ["", "localhost"] {
            assert_eq!(settings("5432", "../socket", host, "").0, "server-refuses");
        }
    }

    #[test]
    fn a_pause_says_whether_the_target_was_reached() {
        let line = "2026-11-27 10:00:00.1 UTC [9] LOG:  pausing at the end of recovery";
        let reached = paused(line);
        assert!(
            reached.sentence.contains("reached its target") && reached.evidence.contains(&line.to_owned())
        );
        assert!(tells_of_a_pause(line) && !tells_of_a_pause("LOG:  redo starts at 0/900028"));
        assert!(!paused("LOG:  recovery has paused").sentence.contains("reached its target"));
    }

    #[test]
    fn a_standby_says_what_it_replayed_last() {
        let log =
            "LOG:  entering standby mode\nLOG:  restored log file \"A\"\nLOG:  restored log file \"B\"\n";
        let evidence = standby(log, DATA).evidence;
        assert_eq!(evidence[1..], ["LOG:  entering standby mode", "LOG:  restored log file \"B\""]);
        assert_eq!(restored(log), 2);
    }
}
