//! Each bad input gives one clear message with what to do, the right exit status, and nothing left.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use phoenix_store::{Credentials, Inspector, StoreConfig, StoreServer, Target};
use rstest::rstest;
use std::{fs, os::unix::fs::PermissionsExt, path::Path};
use support::{evidence, folder, phoenix, ran, remains, report, run};

#[rstest]
#[case::no_scenario(&["drill", "--scenario", "nonesuch"], 2, "there is no scenario 'nonesuch'")]
#[case::no_rows(&["drill", "--rows", "0"], 2, "a drill without rows or writers proves nothing")]
#[case::no_writers(&["drill", "--writers", "0"], 2, "a drill without rows or writers proves nothing")]
#[case::no_target(&["drill", "--target", "yesterday"], 2, "'yesterday' is not a recovery target")]
#[case::no_size(&["drill", "--size", "1 bushel"], 2, "'1 bushel' is not a size")]
#[case::no_environment(&["drill", "--environment", "moon"], 2, "possible values: local")]
#[case::no_config(&["--config", "absent.toml", "drill"], 2, "absent.toml cannot be read")]
#[case::unwritable(&["drill", "--report", "/dev/null/evidence"], 2, "the evidence cannot be written to /dev/null/evidence")]
#[case::no_report(&["report", "nowhere"], 2, "the evidence cannot be read")]
#[tokio::test]
async fn on_the_command_line(#[case] arguments: &[&str], #[case] status: i32, #[case] said: &str) {
    let folder = folder();
    run(folder.path(), arguments).await.assert(status, said);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "it left something");
}

#[rstest]
#[case::unknown_setting("[drill]\nrows = 10\nrowz = 1\n", 2, "castle.toml:3")]
#[case::no_rows("[drill]\nrows = 0\n", 2, "castle.toml:2")]
#[case::no_toml("[drill\n", 2, "castle.toml:1")]
#[case::odd_segments("[local]\nwal-segment-size = \"3MiB\"\n", 2, "a power of two from 1 MiB to 1 GiB")]
#[case::no_postgresql(
    "[local]\npostgres-bin = \"/nowhere\"\n",
    3,
    "there is no postgres with initdb in /nowhere"
)]
#[case::no_pgbackrest("[local]\npgbackrest = \"/nowhere\"\n", 3, "there is no pgBackRest on this machine")]
#[case::no_credentials(STORE, 2, "the environment variable PHOENIX_NO_SUCH_VARIABLE is not set")]
#[tokio::test]
async fn in_castle_toml(#[case] text: &str, #[case] status: i32, #[case] said: &str) {
    let folder = folder();
    fs::write(folder.path().join("castle.toml"), text).unwrap();
    run(folder.path(), ["drill"]).await.assert(status, said);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "it left something");
}

const STORE: &str = r#"[local.store]
host = "localhost"
port = 1
bucket = "b"
prefix = "/p"
region = "r"
ca-file = "ca.pem"
access-key-variable = "PHOENIX_NO_SUCH_VARIABLE"
secret-key-variable = "PHOENIX_NO_SUCH_VARIABLE"
"#;

#[tokio::test]
async fn a_postgresql_that_is_too_old() {
    let folder = folder();
    for (program, prints) in
        [("postgres", "postgres (PostgreSQL) 12.22"), ("initdb", "initdb (PostgreSQL) 12.22")]
    {
        let path = folder.path().join(program);
        fs::write(&path, format!("#!/bin/sh\necho '{prints}'\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let bin = folder.path().display();
    fs::write(folder.path().join("castle.toml"), format!("[local]\npostgres-bin = \"{bin}\"\n")).unwrap();
    run(folder.path(), ["drill"]).await.assert(3, "PostgreSQL 12.22 is too old: drills need 13.0 or newer");
    run(folder.path(), ["doctor"]).await.assert(3, "PostgreSQL 12.22 is too old");
}

#[tokio::test]
async fn a_port_in_use() {
    let folder = folder();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    fs::write(folder.path().join("castle.toml"), format!("[local]\nstore-port = {port}\n")).unwrap();
    let ran = run(folder.path(), ["drill", "--keep", "never"]).await;
    ran.assert(2, "the embedded store does not start");
    ran.assert(2, "free the port, or leave store-port out of castle.toml");
    let report = report(&evidence(folder.path()));
    assert_eq!(remains(report.run.as_str()), [""; 0]);
}

#[tokio::test]
async fn bulk_data_that_does_not_fit() {
    let folder = folder();
    let ran = run(folder.path(), ["drill", "--size", "900GiB", "--keep", "never"]).await;
    ran.assert(2, "966367 MB of bulk data need 2899102 MB in /dev/shm");
    ran.assert(2, "choose a smaller --size, or another --storage (disk, tmpfs)");
    assert_eq!(remains(report(&evidence(folder.path())).run.as_str()), [""; 0]);
}

/// A full disk is said to be full, and nothing is left on it. The disk is a small tmpfs in a mount
/// namespace of the test's own.
#[tokio::test]
async fn a_full_disk() {
    let folder = folder();
    let mut command = tokio::process::Command::new("unshare");
    if !nix::unistd::getuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    let script = "mount -t tmpfs -o size=30m tmpfs /dev/shm && \"$0\" drill --keep never; status=$?; ls -A /dev/shm/phoenix-*; exit $status";
    command.args(["--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_phoenix")]).current_dir(folder.path());
    for variable in support::NEXTEST {
        command.env_remove(variable);
    }
    let ran = ran(command.output().await.unwrap());
    ran.assert(3, "No space left on device");
    assert!(
        ran.out.trim_end().lines().last().is_some_and(|line| line.starts_with("evidence:")),
        "{}",
        ran.out
    );
}

/// A store outside the drill, for `[local.store]`.
struct Outside {
    server: StoreServer,
    inspector: Inspector,
    credentials: Credentials,
}

impl Outside {
    async fn start(directory: &Path) -> Self {
        let credentials = Credentials::generate();
        let mut config = StoreConfig::new(directory.join("store"), "castle", credentials.clone());
        config.ca_file = Some(directory.join("ca.pem"));
        let server = StoreServer::start(config).await.unwrap();
        fs::set_permissions(server.ca_file(), fs::Permissions::from_mode(0o644)).unwrap();
        let target = Target {
            endpoint: server.endpoint(),
            region: "us-east-1".into(),
            bucket: "castle".into(),
            credentials: credentials.clone(),
            ca_file: Some(server.ca_file().to_owned()),
        };
        Self { inspector: Inspector::new(target).unwrap(), server, credentials }
    }

    /// A castle.toml that leads here, with something in it replaced.
    fn castle(&self, replace: (&str, &str)) -> String {
        let (port, ca) = (self.server.port(), self.server.ca_file().display());
        let text = format!(
            "[drill]\nrows = 50\n[local.store]\nhost = \"localhost\"\nport = {port}\nbucket = \"castle\"\nprefix = \"/drills\"\n\
             region = \"us-east-1\"\nca-file = \"{ca}\"\naccess-key-variable = \"CASTLE_KEY\"\nsecret-key-variable = \"CASTLE_SECRET\"\n"
        );
        assert!(text.contains(replace.0));
        text.replace(replace.0, replace.1)
    }
}

#[rstest]
#[case::itself("castle", "castle", 0, "VALID")]
#[case::wrong_bucket("bucket = \"castle\"", "bucket = \"keep\"", 3, "the store does not let itself be used")]
#[case::nobody_there("port = ", "port = 1 #", 3, "the store does not let itself be used")]
#[case::wrong_secret("CASTLE_SECRET", "PATH", 3, "the store does not let itself be used")]
#[tokio::test(flavor = "multi_thread")]
async fn a_store_outside_is_used_or_refused(
    #[case] replaced: &str,
    #[case] by: &str,
    #[case] status: i32,
    #[case] said: &str,
) {
    let folder = folder();
    let outside = Outside::start(folder.path()).await;
    fs::write(folder.path().join("castle.toml"), outside.castle((replaced, by))).unwrap();
    let mut command = phoenix(folder.path());
    command.arg("drill").env("CASTLE_KEY", &outside.credentials.access_key);
    command.env("CASTLE_SECRET", outside.credentials.secret_key.expose());
    let ran = ran(command.args(["--keep", "never"]).output().await.unwrap());
    ran.assert(status, said);

    // what the drill put into the store lies under its own path, and no secret is in the evidence
    let run = report(&evidence(folder.path())).run;
    let objects = outside.inspector.list("").await.unwrap();
    let own = format!("drills/{}/", run.slug());
    assert!(objects.iter().all(|object| object.key.starts_with(&own)), "{objects:?}");
    assert_eq!(objects.is_empty(), status != 0);
    assert_no_secret(&folder.path().join("target"), outside.credentials.secret_key.expose());
    assert!(!format!("{}{}", ran.out, ran.err).contains(outside.credentials.secret_key.expose()));
    assert_eq!(remains(run.as_str()), [""; 0]);
    outside.server.shutdown().await;
}

fn assert_no_secret(path: &Path, secret: &str) {
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_symlink() {
            continue;
        } else if path.is_dir() {
            assert_no_secret(&path, secret);
        } else {
            let bytes = fs::read(&path).unwrap();
            assert!(
                !bytes.windows(secret.len()).any(|window| window == secret.as_bytes()),
                "a secret is in {}",
                path.display()
            );
        }
    }
}
