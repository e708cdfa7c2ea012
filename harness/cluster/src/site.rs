//! What one drill on a cluster has in hand whatever it stands on.

use crate::ClusterConfig;
use phoenix_docker::{Minio, Registry, Yard};
use phoenix_drill::{Command, Doing, Resource, Result, Scene};
use std::{fs, path::PathBuf, sync::Arc, time::Instant};

/// What one drill has in hand.
pub(crate) struct Site {
    pub scene: Arc<Scene>,
    pub config: ClusterConfig,
    /// A directory that only this user may read: the kubeconfig is in it.
    pub directory: PathBuf,
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
        fs::write(directory.join(".phoenix-run"), scene.run.as_str()).doing(doing())?;
        Ok(Self { scene, config, directory })
    }

    /// The kubeconfig of the cluster, as soon as its API answers.
    pub fn kubeconfig(&self) -> PathBuf {
        self.directory.join("kubeconfig")
    }

    /// Removes the directory.
    pub fn clear(&self) -> Result<()> {
        fs::remove_dir_all(&self.directory).doing(format!("removing {}", self.directory.display()))
    }

    /// The namespace of the castle.
    pub fn namespace(&self) -> &str {
        &self.config.names.namespace
    }

    /// Keeps the PostgresCluster that is applied in the evidence: it holds no secret.
    pub fn keep_manifest(&self, manifest: &serde_json::Value, birth: bool) -> Result<()> {
        let name = if birth { "birth".to_owned() } else { format!("rebirth-{}", self.scene.life() + 1) };
        let path = self.scene.evidence.directory().join(format!("postgrescluster-{name}.json"));
        let text = serde_json::to_string_pretty(manifest).doing("writing the manifest")?;
        fs::write(&path, text).doing(format!("writing {}", path.display()))
    }

    /// Enters something that was done into the runbook.
    pub fn note(&self, purpose: &str, line: String, ended: &str, began: Instant) -> Result<()> {
        let (purpose, ended, elapsed) = (purpose.to_owned(), ended.to_owned(), began.elapsed());
        self.scene.evidence.command(&Command { purpose, line, ended, elapsed, output: String::new() })
    }
}
