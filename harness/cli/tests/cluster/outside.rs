//! The clients that anybody has, to plant things and to look at what is left.
#![expect(clippy::disallowed_types, reason = "other clients are the independent witness of these tests")]

use std::process::Command;

/// Runs a client that must succeed, and gives what it printed.
#[track_caller]
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    printed.trim().to_owned()
}

/// Runs `kubectl` on a run's cluster and gives what it printed.
#[track_caller]
pub fn kubectl(slug: &str, words: &[&str]) -> String {
    let kubeconfig = std::env::temp_dir().join(format!("phoenix-{slug}-cluster/kubeconfig"));
    run(Command::new("kubectl").env("KUBECONFIG", kubeconfig).args(words))
}

/// The names of everything of a run: what bears its label, its nodes, its directory.
pub fn left(run_id: &str) -> Vec<String> {
    let slug = run_id.to_ascii_lowercase();
    let (label, nodes) =
        (format!("label=phoenix.run={run_id}"), format!("label=io.x-k8s.kind.cluster=phoenix-{slug}"));
    let lists: [&[&str]; 4] = [
        &["ps", "--all", "--format", "container {{.Names}}", "--filter", &label],
        &["ps", "--all", "--format", "node {{.Names}}", "--filter", &nodes],
        &["volume", "ls", "--format", "volume {{.Name}}", "--filter", &label],
        &["network", "ls", "--format", "network {{.Name}}", "--filter", &label],
    ];
    let mut left: Vec<_> = lists
        .iter()
        .flat_map(|words| {
            let listed = run(Command::new("docker").args(*words));
            listed.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    let directory = std::env::temp_dir().join(format!("phoenix-{slug}-cluster"));
    left.extend(directory.exists().then(|| directory.display().to_string()));
    left
}

/// Volumes that no container holds and nobody named: what nodes leave that are removed without them.
pub fn dangling_volumes() -> Vec<String> {
    let listed = run(Command::new("docker").args(["volume", "ls", "--quiet", "--filter", "dangling=true"]));
    listed.lines().filter(|name| name.len() == 64).map(str::to_owned).collect()
}
