//! What is special about the environment on Kubernetes.

mod wipes;

use phoenix_cli::{
    run::Place,
    testing::{cluster, evidence, play_in},
};
use phoenix_cluster::ClusterConfig;
use phoenix_drill::{Keep, Result, Settings, stage::Played};

/// Plays a scenario on a cluster that is set up in its own way.
async fn play(scenario: &str, set_up: impl FnOnce(&mut ClusterConfig)) -> Result<Played> {
    let mut config = cluster();
    set_up(&mut config);
    let settings = Settings { evidence: evidence(), keep: Keep::Never, rows: 200, ..Settings::default() };
    play_in(Place::Cluster(Box::new(config)), scenario, settings).await
}
