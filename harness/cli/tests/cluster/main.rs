//! What is special about the environment on Kubernetes: its wipes and their proof, what is lost in silence
//! there, and what it leaves. It needs a Docker engine, kind and the operator's images; its tests run in the
//! profile `cluster`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod detached;
mod existing;
mod killed;
mod layers;
mod lost_wal;
mod mute;
mod outside;
mod own;
#[path = "../support/mod.rs"]
mod support;
mod wipes;

use phoenix_cli::{
    run::Place,
    testing::{cluster, evidence, play_in},
};
use phoenix_cluster::{Cluster, ClusterConfig};
use phoenix_core::Verdict;
use phoenix_drill::{
    BackupKind, Castle, Drill, Inserted, Keep, Result, Scenario, Settings,
    stage::{self, Played},
};

fn settings() -> Settings {
    Settings { evidence: evidence(), keep: Keep::Never, rows: 200, ..Settings::default() }
}

/// Plays a scenario on a cluster that is set up in its own way.
async fn play(scenario: &str, set_up: impl FnOnce(&mut ClusterConfig)) -> Result<Played> {
    let mut config = cluster();
    set_up(&mut config);
    play_in(Place::Cluster(Box::new(config)), scenario, settings()).await
}

/// Plays something that is no scenario of the catalogue.
async fn act(
    set_up: impl FnOnce(&mut ClusterConfig),
    expected: Verdict,
    play: impl AsyncFnOnce(&mut Drill, &Cluster) -> Result<Verdict>,
) -> Played {
    let mut config = cluster();
    set_up(&mut config);
    let about = Scenario {
        name: "self-test",
        family: "self-test",
        promise: "what is planted is found",
        expected,
        finding: None,
    };
    let place = Cluster::new(config).await.unwrap();
    stage::play(stage::new_run(), &about, &place, settings(), Vec::new(), play).await.unwrap()
}

/// The protocol until everything is archived.
async fn until_archived(drill: &mut Drill, place: &Cluster) -> Result<(Box<dyn Castle>, Inserted)> {
    let castle = drill.birth(place).await?;
    drill.workload(&*castle).await?;
    drill.insert(&*castle, "DATO_A").await?;
    drill.backup(&*castle, BackupKind::Full).await?;
    drill.workload(&*castle).await?;
    let b = drill.insert(&*castle, "DATO_B").await?;
    drill.archive_everything(&*castle).await?;
    Ok((castle, b))
}
