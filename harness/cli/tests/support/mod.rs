//! Runs the program `phoenix` as a user does, and looks for what it leaves.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test binary uses its own part, and fails by panicking"
)]

use phoenix_drill::{Wait, wait_for};
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use tokio::process::Command;

/// A directory of the test's own, which an unprivileged victim may traverse.
pub fn folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("phoenix-test-").tempdir().unwrap();
    fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    folder
}

/// What tells a drill that it belongs to a test run.
pub const NEXTEST: [&str; 5] =
    ["NEXTEST_RUN_ID", "NEXTEST_ATTEMPT", "NEXTEST_TEST_NAME", "NEXTEST_BINARY_ID", "NEXTEST_PROFILE"];

/// `phoenix` in a directory of its own, without a terminal.
pub fn phoenix(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_phoenix"));
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // a drill of the program's is none of the test run's
    for variable in NEXTEST {
        command.env_remove(variable);
    }
    command
}

/// A run of the program to its end.
pub struct Ran {
    /// The exit status.
    pub status: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Runs `phoenix` with these arguments.
pub async fn run(folder: &Path, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Ran {
    ran(phoenix(folder).args(arguments).output().await.unwrap())
}

/// What a run left to see.
pub fn ran(output: Output) -> Ran {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { status: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

impl Ran {
    /// Fails unless the program ended so and said this.
    #[track_caller]
    pub fn assert(&self, status: i32, said: &str) {
        let all = format!("{}{}", self.out, self.err);
        assert_eq!(self.status, Some(status), "{all}");
        // miette wraps long lines
        let flat = |text: &str| {
            text.split(|c: char| c.is_whitespace() || c == '│')
                .filter(|w| !w.is_empty())
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert!(flat(&all).contains(&flat(said)), "'{said}' was not said:\n{all}");
    }
}

/// The only run in `<folder>/target/phoenix`.
pub fn evidence(folder: &Path) -> PathBuf {
    fs::canonicalize(folder.join("target/phoenix/latest")).unwrap()
}

/// The report of a run.
pub fn report(evidence: &Path) -> phoenix_core::Report {
    phoenix_reports::read(evidence).unwrap()
}

/// Everything that a run left on this machine: directories, registers, processes.
pub fn remains(run: &str) -> Vec<String> {
    let uid = nix::unistd::getuid();
    let slug = run.to_ascii_lowercase();
    let places = [
        format!("/dev/shm/phoenix-{uid}/{slug}"),
        format!("/var/tmp/phoenix-{uid}/drills/{slug}"),
        format!("/var/tmp/phoenix-{uid}/register/{run}.jsonl"),
    ];
    let mut remains: Vec<String> = places.into_iter().filter(|place| Path::new(place).exists()).collect();
    remains.extend(processes(run));
    remains
}

/// Waits until nothing is left of a run: another test's drill may be the one that sweeps it.
pub async fn assert_gone(run: &str) {
    let gone =
        wait_for("the run to be swept", Duration::from_secs(30), Duration::from_millis(10), || async {
            let remains = remains(run);
            Ok(if remains.is_empty() { Wait::Ready(()) } else { Wait::NotYet(remains.join(", ")) })
        });
    gone.await.unwrap();
}

/// The processes of a run that live: by their mark, or by where they stand.
pub fn processes(run: &str) -> Vec<String> {
    let uid = nix::unistd::getuid();
    let directory = format!("/dev/shm/phoenix-{uid}/{}", run.to_ascii_lowercase());
    let found = phoenix_local::process::found(run, Path::new(&directory));
    found.iter().map(|pid| format!("process {pid}")).collect()
}
