//! The engine's own client, to plant faults and to look at what is left.
#![expect(clippy::disallowed_types, reason = "the client is the independent witness of these tests")]

use std::process::Command;

/// Runs `docker` and gives what it printed; fails if it fails.
#[track_caller]
pub fn docker(words: &[&str]) -> String {
    let output = Command::new("docker").args(words).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "docker {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    printed.trim().to_owned()
}

/// Everything that a container printed.
pub fn logs(name: &str) -> String {
    let output = Command::new("docker").args(["logs", name]).output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// The names of everything of a run, by its label.
pub fn left(run: &str) -> Vec<String> {
    let label = format!("label=phoenix.run={run}");
    let image = format!("reference=phoenix-postgres:building-{}", run.to_ascii_lowercase());
    let building = format!("label=phoenix.building={run}");
    let lists: [&[&str]; 5] = [
        &["ps", "--all", "--format", "container {{.Names}}", "--filter", &label],
        &["volume", "ls", "--format", "volume {{.Name}}", "--filter", &label],
        &["network", "ls", "--format", "network {{.Name}}", "--filter", &label],
        &["images", "--quiet", "--filter", "dangling=true", "--filter", &building],
        &["images", "--format", "image {{.Repository}}:{{.Tag}}", "--filter", &image],
    ];
    lists.iter().flat_map(|words| docker(words).lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[track_caller]
pub fn assert_nothing_left(run: &str) {
    assert_eq!(left(run), [""; 0]);
}
