//! What one drill on a cluster has in hand whatever it stands on.

use crate::{ClusterConfig, built_in::Phase, masked::masked};
use phoenix_docker::{Deed, Minio, Registry, Yard};
use phoenix_drill::{Doing, Error, Resource, Result, Scene};
use std::{
    fs,
    path::PathBuf,
    process::{Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};
use tokio::process::Command;

/// The file that says whose a directory is.
const MARK: &str = ".phoenix-run";

/// Removes the directories that a run named, if they bear its mark.
pub(crate) fn clear(run: &str, resources: &[Resource]) -> Result<()> {
    for resource in resources {
        let Resource::Directory { path } = resource else { continue };
        if fs::read_to_string(path.join(MARK)).is_ok_and(|mark| mark == run) {
            fs::remove_dir_all(path).doing(format!("removing {}", path.display()))?;
        }
    }
    Ok(())
}

/// What one drill has in hand.
pub(crate) struct Site {
    pub scene: Arc<Scene>,
    pub config: ClusterConfig,
    /// A directory that only this user may read: the kubeconfig is in it.
    pub directory: PathBuf,
    /// How often a rebirth was asked for.
    attempts: AtomicU32,
}

/// What stands beside the cluster, in containers, and outlives the fire.
pub(crate) struct Beside {
    pub yard: Yard,
    /// The network of the nodes, the store and the registry.
    pub network: String,
    /// From which the nodes pull.
    pub registry: Registry,
    /// The drill's own store; `None` if there is one already.
    pub store: Option<Minio>,
}

impl Site {
    /// Makes the directory; it is registered before.
    pub fn new(scene: Arc<Scene>, config: ClusterConfig) -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let directory = std::env::temp_dir().join(format!("phoenix-{}-cluster", scene.run.slug()));
        let doing = || format!("making {}", directory.display());
        scene.register.record(&Resource::Directory { path: directory.clone() })?;
        fs::DirBuilder::new().mode(0o700).create(&directory).doing(doing())?;
        fs::write(directory.join(MARK), scene.run.as_str()).doing(doing())?;
        Ok(Self { scene, config, directory, attempts: AtomicU32::new(0) })
    }

    /// The kubeconfig of the cluster, as soon as its API answers.
    pub fn kubeconfig(&self) -> PathBuf {
        self.directory.join("kubeconfig")
    }

    /// The namespace of the castle.
    pub fn namespace(&self) -> &str {
        &self.config.names.namespace
    }

    /// Keeps the PostgresCluster that is applied in the evidence, without secrets; each attempt at a rebirth
    /// has its own number.
    pub fn keep_manifest(&self, phase: &Phase, manifest: &serde_json::Value) -> Result<()> {
        let name = match phase {
            Phase::Birth => "birth".to_owned(),
            Phase::Rebirth(_) => format!("rebirth-{}", self.attempts.fetch_add(1, Ordering::Relaxed) + 1),
        };
        let path = self.scene.evidence.directory().join(format!("postgrescluster-{name}.json"));
        let text = serde_json::to_string_pretty(&masked(manifest.clone())).doing("writing the manifest")?;
        fs::write(&path, text).doing(format!("writing {}", path.display()))
    }

    /// Runs a program of this machine's to its end and enters it into the runbook, as `line`. It dies with
    /// whoever drops this.
    pub async fn run(&self, purpose: &str, line: String, mut command: Command, get: &str) -> Result<Output> {
        let deed = Deed::typed(purpose, line);
        command.stdin(Stdio::null()).kill_on_drop(true);
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        let output = command.output().await;
        let output =
            output.map_err(|error| Error::missing(format!("{program} does not start: {error}"), get))?;
        // what it gives is to be used, and what it says is to be read
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        deed.end(&self.scene.evidence, &output.status.to_string(), said)?;
        Ok(output)
    }
}
