//! How the scenarios' tests play a scenario: one case more for each environment.

use crate::run::{self, Production, produce};
use phoenix_cluster::{ClusterConfig, WipeKind};
use phoenix_containers::ContainersConfig;
use phoenix_core::{Defect, Entry, Report};
use phoenix_drill::{Keep, Result, Settings, Target, Witnesses, ledger, stage::Played};
use phoenix_local::LocalConfig;
use std::path::PathBuf;

/// Where a scenario is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On this machine.
    Local,
    /// In containers.
    Containers,
    /// On Kubernetes.
    Cluster,
}

/// Plays a scenario as the tests do it: evidence in the workspace's `target/phoenix`.
pub async fn play(place: Place, scenario: &str, change: impl FnOnce(&mut Settings)) -> Result<Played> {
    proven(place, scenario, change, Vec::new()).await
}

/// The same, with one of these defects planted beforehand to prove the detector.
pub async fn proven(
    place: Place,
    scenario: &str,
    change: impl FnOnce(&mut Settings),
    candidates: Vec<&'static Defect>,
) -> Result<Played> {
    let mut settings = Settings { evidence: evidence(), ..Settings::default() };
    change(&mut settings);
    produce(Production {
        scenario: scenario.to_owned(),
        place: of(place),
        settings,
        candidates,
        reporters: Vec::new(),
    })
    .await
}

fn of(place: Place) -> run::Place {
    match place {
        Place::Local => run::Place::Local(Box::default()),
        Place::Containers => run::Place::Containers(Box::new(containers())),
        Place::Cluster => run::Place::Cluster(Box::new(cluster())),
    }
}

/// Plays a defect of the catalogue, with as few rows as tell the difference, and on this machine in a castle
/// from the template.
pub async fn play_defect(place: Place, defect: &str, target: Target) -> Result<Played> {
    hear_defect(place, defect, target, Witnesses::Unheard).await
}

/// The same, and asks the others what they see.
pub async fn hear_defect(place: Place, defect: &str, target: Target, witnesses: Witnesses) -> Result<Played> {
    let (rows, keep) = (200, Keep::Never);
    let settings = Settings { evidence: evidence(), rows, keep, target, witnesses, ..Settings::default() };
    let place = match place {
        Place::Local => run::Place::Local(Box::new(with_template())),
        place => of(place),
    };
    play_in(place, defect, settings).await
}

/// Plays a scenario in an environment that is set up in its own way.
pub async fn play_in(place: run::Place, scenario: &str, settings: Settings) -> Result<Played> {
    let (scenario, candidates, reporters) = (scenario.to_owned(), Vec::new(), Vec::new());
    produce(Production { scenario, place, settings, candidates, reporters }).await
}

/// The containers environment as the environment variables of its images say.
pub fn containers() -> ContainersConfig {
    let default = ContainersConfig::default();
    let images = default.images.clone().overridden(|name| std::env::var(name).ok());
    ContainersConfig { images, ..default }
}

/// The cluster environment as the environment variables of its images say. What burns is the namespace: a
/// platform takes a minute to rise, and burns in tests of its own.
pub fn cluster() -> ClusterConfig {
    ClusterConfig { wipe: Some(WipeKind::Namespace), ..ClusterConfig::default() }
        .overridden(|name| std::env::var(name).ok())
}

/// The local environment with templates: castles with their first backup are copied from
/// `target/phoenix-templates`, which `cargo clean` removes with all the rest.
pub fn with_template() -> LocalConfig {
    LocalConfig { template: Some(evidence().with_file_name("phoenix-templates")), ..LocalConfig::default() }
}

/// `target/phoenix` of the workspace, wherever cargo puts `target`.
pub fn evidence() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target
        .unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target")))
        .join("phoenix")
}

/// Fails unless the drill ended as its scenario expects, for the expected reason, with clean logs.
#[track_caller]
pub fn assert_as_expected(played: &Played) {
    let Report { verdict, expected, findings, .. } = &played.report;
    let evidence = played.directory.display();
    assert!(
        played.report.as_expected(),
        "expected {expected:?}, got {verdict:?}; {findings:#?}\nevidence: {evidence}"
    );
    let gate = findings.iter().find(|finding| finding.code == "log-gate" || finding.code == "left-behind");
    assert!(gate.is_none(), "{gate:#?}\nevidence: {evidence}");
}

/// The ledger of a drill that was played.
pub fn ledger_of(played: &Played) -> Result<Vec<Entry>> {
    ledger::read(&played.directory.join("ledger.jsonl"))
}
