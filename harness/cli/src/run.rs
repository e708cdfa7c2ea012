//! One drill from request to reports: what the program and the tests both do.

use crate::{catalogue, proof};
use phoenix_cluster::{Cluster, ClusterConfig};
use phoenix_containers::{Containers, ContainersConfig};
use phoenix_core::{Defect, Event, RunId};
use phoenix_drill::{
    Doing, Reporter, Result, Settings, stage,
    sweep::{self, BEFORE_A_DRILL, Reach, Swept},
};
use phoenix_local::{Local, LocalConfig};
use phoenix_reports::{Joint, Terminal, junit};
use std::{io::Write, path::Path, sync::Arc, time::Duration};

/// An environment, and how it is set up.
#[derive(Debug, Clone)]
pub enum Place {
    /// On this machine.
    Local(Box<LocalConfig>),
    /// In containers.
    Containers(Box<ContainersConfig>),
    /// On Kubernetes.
    Cluster(Box<ClusterConfig>),
}

/// A drill that is asked for.
pub struct Production {
    /// The scenario's name.
    pub scenario: String,
    /// Where it is played.
    pub place: Place,
    /// What the drill is asked to do.
    pub settings: Settings,
    /// One of these is planted first, in a drill of its own, to prove the detector; none if there are none.
    pub candidates: Vec<&'static Defect>,
    /// Who is told what happens.
    pub reporters: Vec<Box<dyn Reporter>>,
}

/// Clears what dead runs left, plays the scenario, and writes the reports. An error means that it
/// could not even begin.
pub async fn produce(production: Production) -> Result<stage::Played> {
    let Production { scenario, place, mut settings, candidates, reporters } = production;
    match place {
        Place::Local(_) => catalogue::local::knows(&scenario),
        Place::Containers(_) => catalogue::containers::knows(&scenario),
        Place::Cluster(_) => catalogue::cluster::knows(&scenario),
    }?;
    if let Some(defect) = proof::pick(&candidates, settings.seed) {
        settings.proof = Some(Arc::new(proof::Planted::new(defect, &place, &settings)?));
    }
    match place {
        Place::Local(config) => {
            let place = Local::new(*config).await?;
            staged(settings, reporters, async |run, settings, reporters| {
                catalogue::local::play(&scenario, run, &place, settings, reporters).await
            })
            .await
        }
        Place::Containers(config) => {
            let place = Containers::new(*config).await?;
            staged(settings, reporters, async |run, settings, reporters| {
                catalogue::containers::play(&scenario, run, &place, settings, reporters).await
            })
            .await
        }
        Place::Cluster(config) => {
            let place = Cluster::new(*config).await?;
            staged(settings, reporters, async |run, settings, reporters| {
                catalogue::cluster::play(&scenario, run, &place, settings, reporters).await
            })
            .await
        }
    }
}

/// Removes what dead runs left, in every environment.
pub async fn sweep(reach: Reach, patience: Duration) -> Result<Vec<(String, Swept)>> {
    // nodes stand on a network, which goes after them
    let removers: [&dyn sweep::Remover; 3] =
        [&phoenix_local::Remover, &phoenix_cluster::Remover, &phoenix_docker::Remover];
    sweep::sweep(reach, patience, &removers).await
}

/// What to tell of dead runs that could not be removed, which is no reason not to begin.
fn left_behind(swept: &[(String, Swept)]) -> Vec<Event> {
    let stuck = swept.iter().filter_map(|(run, became)| match became {
        Swept::Stuck(why) => Some(format!("left of {run}, see `phoenix sweep`: {why}")),
        Swept::Removed | Swept::Kept(_) => None,
    });
    stuck.map(|text| Event::Notice { text }).collect()
}

/// What stands around a play, wherever it is played.
async fn staged(
    settings: Settings,
    mut reporters: Vec<Box<dyn Reporter>>,
    play: impl AsyncFnOnce(RunId, Settings, Vec<Box<dyn Reporter>>) -> Result<stage::Played>,
) -> Result<stage::Played> {
    for event in left_behind(&sweep(Reach::Orphans, BEFORE_A_DRILL).await?) {
        reporters.iter_mut().for_each(|reporter| reporter.event(&event));
    }
    let run = stage::new_run();
    let joint = Joint::under_nextest(&settings.evidence, |name| std::env::var(name).ok());
    let directory = settings.evidence.join(run.as_str());
    if let Some(joint) = joint.clone() {
        let (run, directory) = (run.clone(), directory.clone());
        blocking("enlisting the drill", move || joint.enlist(&run, &directory)).await?;
    }
    let played = play(run, settings, reporters).await;
    if let Ok(played) = &played {
        let (report, path) = (played.report.clone(), played.directory.join("junit.xml"));
        blocking("writing junit.xml", move || junit::write(&report, &path)).await?;
    }
    if let Some(joint) = joint {
        blocking("refreshing the joint report", move || joint.refresh()).await?;
    }
    played
}

async fn blocking<E: std::error::Error + Send + Sync + 'static>(
    doing: &str,
    work: impl FnOnce() -> Result<(), E> + Send + 'static,
) -> Result<()> {
    tokio::task::spawn_blocking(work).await.doing(doing)?.doing(doing)
}

/// Tells a terminal, or a pipe.
pub struct ToTerminal<W: Write + Send>(pub Terminal<W>);

impl<W: Write + Send> Reporter for ToTerminal<W> {
    fn event(&mut self, event: &Event) {
        self.0.event(event);
    }
}

/// Writes each event as a line of JSON.
pub struct ToJson<W: Write + Send>(pub W);

impl<W: Write + Send> Reporter for ToJson<W> {
    fn event(&mut self, event: &Event) {
        if let Ok(line) = serde_json::to_string(event) {
            // whoever stopped listening does not stop the drill
            let _ = writeln!(self.0, "{line}").and_then(|()| self.0.flush());
        }
    }
}

/// The link to the newest run in a directory of evidence, if it leads there.
pub fn latest(directory: &Path) -> std::path::PathBuf {
    let latest = directory.with_file_name("latest");
    let leads_here = std::fs::canonicalize(&latest).ok() == std::fs::canonicalize(directory).ok();
    if leads_here { latest } else { directory.to_owned() }
}
