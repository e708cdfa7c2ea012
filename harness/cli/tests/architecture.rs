//! Who may know whom, and what no source file may hold: the house's rules, so that they stay true.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod house;

use house::Tree;
use std::collections::{BTreeMap, BTreeSet};

/// What a crate is for, by where it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Vocabulary and judgement.
    Core,
    /// The stage on which drills are played.
    Stage,
    /// PostgreSQL and pgBackRest.
    Postgres,
    /// The object store.
    Store,
    /// Any repository of pgBackRest's, judged before anything burns.
    Inspection,
    /// pgBackRest's repository in an object store, as every environment uses it.
    Repository,
    /// A Docker engine, as every environment that needs one uses it.
    Docker,
    /// A place where castles are born.
    Environment,
    /// A family of scenarios.
    Scenario,
    /// What is told of a drill.
    Reports,
    /// The program.
    Program,
    /// What measures the rest.
    Bench,
}

impl Role {
    /// The role of the crate in this directory, seen from the root.
    fn of(home: &str) -> Option<Self> {
        match home {
            "harness/core" => Some(Self::Core),
            "harness/drill" => Some(Self::Stage),
            "harness/postgres" => Some(Self::Postgres),
            "harness/store" => Some(Self::Store),
            "harness/inspection" => Some(Self::Inspection),
            "harness/repository" => Some(Self::Repository),
            "harness/docker" => Some(Self::Docker),
            "harness/local" | "harness/containers" | "harness/cluster" => Some(Self::Environment),
            "harness/cli" => Some(Self::Program),
            "reports" => Some(Self::Reports),
            "bench" => Some(Self::Bench),
            family if family.starts_with("scenarios/") => Some(Self::Scenario),
            _ => None,
        }
    }
}

/// What `core` and everything below it may never bring in: it does no I/O and is not async.
const ASYNC_AND_IO: &[&str] = &[
    "async-std",
    "futures",
    "hyper",
    "mio",
    "nix",
    "rustix",
    "smol",
    "socket2",
    "tempfile",
    "tokio",
    "ureq",
];

/// What nobody may bring in: cryptography that needs a C toolchain of its own, or the system's.
const FOR_NOBODY: &[&str] = &["aws-lc-rs", "aws-lc-sys", "native-tls", "openssl", "openssl-sys"];

/// What a role may depend on directly besides crates of ours; no list: whatever it needs.
fn may_use(role: Role) -> Option<&'static [&'static str]> {
    match role {
        Role::Core => Some(&["chrono", "schemars", "serde", "sha2", "thiserror", "ulid", "uuid"]),
        Role::Scenario => Some(&[]),
        _ => None,
    }
}

/// What a role may never depend on directly.
fn may_not_use(role: Role) -> &'static [&'static str] {
    match role {
        // the stage knows no PostgreSQL, no store and no containers
        Role::Stage => &["aws-sdk-s3", "bollard", "kube", "s3s", "testcontainers", "tokio-postgres"],
        // it reads stores and directories, and needs neither a server nor an engine
        Role::Inspection => &["bollard", "kube", "s3s", "testcontainers", "tokio-postgres"],
        // what is to be said lies in the evidence
        Role::Reports => {
            &["aws-sdk-s3", "bollard", "kube", "s3s", "testcontainers", "tokio", "tokio-postgres"]
        }
        _ => &[],
    }
}

/// Which roles a role may know.
fn may_know(role: Role) -> &'static [Role] {
    match role {
        Role::Core => &[],
        Role::Stage | Role::Store | Role::Reports => &[Role::Core],
        Role::Postgres | Role::Scenario => &[Role::Core, Role::Stage],
        Role::Inspection => &[Role::Core, Role::Store],
        Role::Repository => &[Role::Core, Role::Stage, Role::Postgres, Role::Store, Role::Inspection],
        Role::Docker => &[Role::Core, Role::Stage, Role::Postgres, Role::Store, Role::Repository],
        Role::Environment => &[
            Role::Core,
            Role::Stage,
            Role::Postgres,
            Role::Store,
            Role::Inspection,
            Role::Repository,
            Role::Docker,
        ],
        Role::Program | Role::Bench => &[
            Role::Core,
            Role::Stage,
            Role::Postgres,
            Role::Store,
            Role::Inspection,
            Role::Repository,
            Role::Docker,
            Role::Environment,
            Role::Scenario,
            Role::Reports,
            Role::Program,
        ],
    }
}

/// A crate of ours, or one that is not.
#[derive(Debug, Clone, Default)]
struct Package {
    /// Where it lives in the house; `None` if it is not ours.
    home: Option<String>,
    /// What its library and program need.
    normal: BTreeSet<String>,
    /// What its tests need besides.
    dev: BTreeSet<String>,
}

/// All packages that are built, by name.
type Graph = BTreeMap<String, Package>;

/// The graph of this workspace on this platform, as cargo resolves it.
fn graph() -> Graph {
    let metadata = house::metadata();
    let root = metadata.workspace_root.clone();
    let ours: BTreeSet<_> = metadata.workspace_members.iter().cloned().collect();
    let names: BTreeMap<_, _> =
        metadata.packages.iter().map(|p| (p.id.clone(), p.name.to_string())).collect();
    let mut graph = Graph::new();
    for node in metadata.resolve.expect("cargo resolves the workspace").nodes {
        // several versions of a package share an entry: none may break the rules
        let entry = graph.entry(names[&node.id].clone()).or_default();
        if ours.contains(&node.id) {
            let manifest =
                &metadata.packages.iter().find(|p| p.id == node.id).expect("a package").manifest_path;
            let home =
                manifest.parent().and_then(|home| home.strip_prefix(&root).ok()).expect("in the house");
            entry.home = Some(home.to_string());
        }
        for dep in node.deps {
            let name = &names[&dep.pkg];
            for kind in dep.dep_kinds {
                match kind.kind {
                    cargo_metadata::DependencyKind::Development => entry.dev.insert(name.clone()),
                    _ => entry.normal.insert(name.clone()),
                };
            }
        }
    }
    graph
}

/// Every breach of the house's rules, one sentence each.
fn breaches(graph: &Graph) -> Vec<String> {
    let mut breaches = Vec::new();
    for name in FOR_NOBODY.iter().filter(|name| graph.contains_key(**name)) {
        let who: Vec<_> =
            graph.iter().filter(|(_, p)| p.normal.contains(*name)).map(|(n, _)| n.as_str()).collect();
        breaches.push(format!("nobody may use {name}: {} does", who.join(", ")));
    }
    for (name, package) in graph {
        let Some(home) = &package.home else { continue };
        let Some(role) = Role::of(home) else {
            breaches.push(format!("{name} lives in {home}: give it a role in this test"));
            continue;
        };
        breaches.extend(of_one(graph, name, package, role));
    }
    breaches
}

fn of_one(graph: &Graph, name: &str, package: &Package, role: Role) -> Vec<String> {
    let mut breaches = Vec::new();
    let home = |other: &String| graph.get(other).and_then(|package| package.home.clone());
    // a scenario's tests wire environments in; all other tests keep to what their crate may know
    let tests = if role == Role::Scenario { BTreeSet::new() } else { package.dev.clone() };
    for other in package.normal.union(&tests) {
        match home(other).map(|home| Role::of(&home)) {
            Some(Some(known)) if !may_know(role).contains(&known) => {
                breaches.push(format!("{name} ({role:?}) may not know {other} ({known:?})"));
            }
            _ => {}
        }
    }
    for other in package.normal.iter().filter(|other| home(other).is_none()) {
        let allowed = may_use(role).is_none_or(|list| list.contains(&other.as_str()));
        if !allowed || may_not_use(role).contains(&other.as_str()) {
            breaches.push(format!("{name} ({role:?}) may not use {other}"));
        }
    }
    if role == Role::Core {
        let below = below(graph, name);
        let stray = ASYNC_AND_IO.iter().filter(|stray| below.contains(**stray));
        breaches.extend(stray.map(|stray| format!("{name} (Core) brings {stray} in")));
    }
    breaches
}

/// Everything that a package is built with.
fn below(graph: &Graph, name: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut next = vec![name.to_owned()];
    while let Some(name) = next.pop() {
        if let Some(package) = graph.get(&name).filter(|_| seen.insert(name)) {
            next.extend(package.normal.iter().cloned());
        }
    }
    seen
}

#[test]
fn everybody_knows_only_whom_they_may() {
    let graph = graph();
    assert!(
        graph.values().filter(|package| package.home.is_some()).count() >= 9,
        "that is not all of the house"
    );
    assert_eq!(breaches(&graph), [""; 0]);
}

/// A graph that breaks a rule is caught, and the same graph without the breach is not.
#[test]
fn every_breach_is_caught() {
    let package = |home: Option<&str>, normal: &[&str], dev: &[&str]| Package {
        home: home.map(str::to_owned),
        normal: normal.iter().map(|name| (*name).to_owned()).collect(),
        dev: dev.iter().map(|name| (*name).to_owned()).collect(),
    };
    let sound: Graph = [
        ("core", package(Some("harness/core"), &["serde"], &["proptest"])),
        ("drill", package(Some("harness/drill"), &["core", "tokio"], &[])),
        ("postgres", package(Some("harness/postgres"), &["core", "drill"], &[])),
        ("store", package(Some("harness/store"), &["core"], &[])),
        ("inspection", package(Some("harness/inspection"), &["core", "store"], &[])),
        ("local", package(Some("harness/local"), &["core", "drill", "postgres", "store"], &[])),
        ("docker", package(Some("harness/docker"), &["core", "drill", "store"], &[])),
        ("cluster", package(Some("harness/cluster"), &["core", "drill", "docker"], &[])),
        ("fires", package(Some("scenarios/fires"), &["core", "drill"], &["program", "rstest"])),
        ("reports", package(Some("reports"), &["core", "serde"], &[])),
        ("program", package(Some("harness/cli"), &["local", "fires", "reports"], &[])),
        ("serde", package(None, &[], &[])),
        ("tokio", package(None, &["mio"], &[])),
        ("mio", package(None, &[], &[])),
        ("rstest", package(None, &[], &[])),
        ("proptest", package(None, &[], &[])),
    ]
    .map(|(name, package)| (name.to_owned(), package))
    .into();
    assert_eq!(breaches(&sound), [""; 0]);

    let broken = |who: &str, whom: &str| {
        let mut graph = sound.clone();
        graph.entry(whom.to_owned()).or_default();
        graph.get_mut(who).unwrap().normal.insert(whom.to_owned());
        breaches(&graph).join("; ")
    };
    assert_eq!(broken("local", "cluster"), "local (Environment) may not know cluster (Environment)");
    assert_eq!(broken("docker", "cluster"), "docker (Docker) may not know cluster (Environment)");
    assert_eq!(broken("fires", "local"), "fires (Scenario) may not know local (Environment)");
    assert_eq!(broken("fires", "tokio"), "fires (Scenario) may not use tokio");
    assert_eq!(broken("reports", "drill"), "reports (Reports) may not know drill (Stage)");
    assert_eq!(broken("inspection", "drill"), "inspection (Inspection) may not know drill (Stage)");
    assert_eq!(broken("store", "drill"), "store (Store) may not know drill (Stage)");
    assert_eq!(broken("drill", "tokio-postgres"), "drill (Stage) may not use tokio-postgres");
    assert_eq!(
        broken("core", "drill"),
        "core (Core) may not know drill (Stage); core (Core) brings mio in; core (Core) brings tokio in"
    );
    assert_eq!(broken("serde", "mio"), "core (Core) brings mio in");
    assert_eq!(broken("serde", "openssl-sys"), "nobody may use openssl-sys: serde does");

    let mut graph = sound.clone();
    graph.get_mut("store").unwrap().dev.insert("local".to_owned());
    assert_eq!(breaches(&graph), ["store (Store) may not know local (Environment)"]);
    graph = sound.clone();
    graph.insert("shed".to_owned(), package(Some("garden/shed"), &[], &[]));
    assert_eq!(breaches(&graph), ["shed lives in garden/shed: give it a role in this test"]);
}

/// Files that may be longer than 400 lines, and why. An entry that is not needed is a fault.
const MAY_BE_LONG: &[(&str, &str)] = &[];

/// What no source file may hold.
fn faults_of_file(path: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let in_tests = path.contains("/tests/") || path.ends_with("/tests.rs") || path.ends_with("_test.rs");
    let code = match text.find("\n#[cfg(test)]\nmod tests {") {
        Some(tests) if !in_tests => &text[..tests],
        _ => text,
    };
    let long = code.lines().count() > 400 && !in_tests;
    match (long, MAY_BE_LONG.iter().any(|(file, _)| *file == path)) {
        (true, false) => faults.push(format!("it has {} lines; 400 are enough", code.lines().count())),
        (false, true) => {
            faults.push("it may be longer than 400 lines, and is not: strike it off the list".into())
        }
        _ => {}
    }
    if !text.starts_with("//!") {
        faults.push("it does not open with //!".to_owned());
    }
    // written in halves, so that this file does not hold what it looks for
    let words = [["to", "do!("], ["unimple", "mented!("], ["db", "g!("]];
    for word in words.map(|halves| halves.concat()) {
        if text.contains(&word) {
            faults.push(format!("it holds {word}"));
        }
    }
    let sleep = ["thread::", "sleep("].concat();
    if text.contains(&sleep) {
        faults.push(format!("it holds {sleep}: say what is waited for"));
    }
    for opening in [["#[al", "low("], ["#![al", "low("], ["#[ex", "pect("], ["#![ex", "pect("]]
        .map(|halves| halves.concat())
    {
        let reasonless = text.match_indices(&opening).filter(|(at, _)| {
            let attribute = &text[*at..];
            !attribute[..attribute.find(")]").unwrap_or(attribute.len())].contains("reason = \"")
        });
        faults.extend(reasonless.map(|_| format!("{opening} gives no reason")));
    }
    if path.starts_with("scenarios/") && path.contains("/src/") {
        let foreign =
            ["std::process", "std::fs", "std::net", "std::env", "std::thread", "Command::", "unwrap("];
        faults.extend(
            foreign
                .iter()
                .filter(|word| code.contains(**word))
                .map(|word| format!("a scenario holds {word}")),
        );
    }
    faults
}

#[test]
fn every_source_file_is_tidy() {
    let tree = Tree::of_the_house();
    let sources: Vec<_> = tree.files(".rs").collect();
    assert!(sources.len() > 50, "those are not all sources: {sources:?}");
    let faults: Vec<_> = sources
        .iter()
        .flat_map(|path| {
            faults_of_file(path, &tree.read(path)).into_iter().map(move |fault| format!("{path}: {fault}"))
        })
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    for (path, why) in MAY_BE_LONG {
        assert!(
            sources.iter().any(|source| source == path),
            "{path} ({why}) is gone: strike it off the list"
        );
    }
}

#[test]
fn every_untidy_file_is_caught() {
    let faults = |path: &str, text: &str| faults_of_file(path, text).join("; ");
    assert_eq!(faults("harness/x/src/a.rs", "//! What it is.\n"), "");
    assert_eq!(faults("harness/x/src/a.rs", "fn f() {}\n"), "it does not open with //!");
    let long = format!("//! Long.\n{}", "fn f() {}\n".repeat(400));
    assert_eq!(faults("harness/x/src/a.rs", &long), "it has 401 lines; 400 are enough");
    assert_eq!(faults("harness/x/tests/a.rs", &long), "");
    let tests = format!("//! Short.\n\n#[cfg(test)]\nmod tests {{\n{}}}\n", "fn f() {}\n".repeat(400));
    assert_eq!(faults("harness/x/src/a.rs", &tests), "");
    let hold = |line: &str| faults("harness/x/src/a.rs", &format!("//! It.\n{line}\n"));
    assert!(hold(&["#![al", "low(dead_code)]"].concat()).ends_with("gives no reason"));
    assert_eq!(hold(&["to", "do!()"].concat()), ["it holds to", "do!("].concat());
    assert!(hold(&["thread::", "sleep(x)"].concat()).ends_with("say what is waited for"));
    assert!(hold(&["#[ex", "pect(dead_code)]"].concat()).ends_with("gives no reason"));
    assert_eq!(hold(&["#[ex", "pect(dead_code, reason = \"it is\")]"].concat()), "");
    assert_eq!(faults("scenarios/x/src/a.rs", "//! It.\nuse std::fs;\n"), "a scenario holds std::fs");
}

/// Each crate takes the lints of the house, and says in its manifest that it does.
#[test]
fn every_crate_takes_the_lints_of_the_house() {
    let tree = Tree::of_the_house();
    for manifest in tree.files("/Cargo.toml") {
        let text = tree.read(&manifest);
        assert!(text.contains("[lints]\nworkspace = true"), "{manifest} does not take the workspace's lints");
    }
}
