//! The platform of containers: a cluster by kind, on the drill's own network, with the drill's own
//! kubeconfig.

use super::{Platform, Remains};
use crate::{
    kubernetes::Kubernetes,
    site::{Beside, Site},
};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Node;
use kube::{ResourceExt, api::ListParams, config::Kubeconfig};
use phoenix_docker::Deed;
use phoenix_drill::{Doing, Error, Resource, Result, Span, Wait, Work, wait_for};
use std::{
    collections::BTreeSet,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::Mutex, task::JoinHandle};

/// The label that kind gives to its nodes.
pub(crate) const LABEL: &str = "io.x-k8s.kind.cluster";
const API_PORT: u16 = 6443;
const LOOK: Duration = Duration::from_millis(50);
const API_DEADLINE: Duration = Duration::from_secs(180);
const NODES_DEADLINE: Duration = Duration::from_secs(180);
const NODES_ASKED_DEADLINE: Duration = Duration::from_secs(30);
/// Where kubeadm puts the administrator's kubeconfig. The first works before any right is granted; older
/// versions lack it.
const ADMIN: [&str; 2] = ["/etc/kubernetes/super-admin.conf", "/etc/kubernetes/admin.conf"];
/// How setpriv ends if there is no such program.
const NOT_FOUND: i32 = 127;
/// Where local-path, kind's storage, keeps volumes on a node.
const CLASS: &str = "standard";
const VOLUMES: &str = "/var/local-path-provisioner";

/// A cluster by kind.
pub(crate) struct Kind {
    site: Arc<Site>,
    beside: Arc<Beside>,
    workers: u8,
    name: String,
    /// Where containerd is told of the registry.
    mirrors: Option<PathBuf>,
    /// `kind create cluster`, while it is at work.
    creation: Mutex<Option<JoinHandle<Result<()>>>>,
    /// Volumes that its nodes had when they were destroyed.
    volumes: std::sync::Mutex<BTreeSet<String>>,
}

impl Kind {
    /// A cluster that is not there yet; `mirrors` is a directory of containerd's `hosts.toml`.
    pub fn new(site: Arc<Site>, beside: Arc<Beside>, workers: u8, mirrors: Option<PathBuf>) -> Self {
        let name = format!("phoenix-{}", site.scene.run.slug());
        let (creation, volumes) = (Mutex::default(), std::sync::Mutex::default());
        Self { site, beside, workers, name, mirrors, creation, volumes }
    }

    fn control_plane(&self) -> String {
        format!("{}-control-plane", self.name)
    }

    /// The names of its nodes, which are containers.
    async fn nodes(&self) -> Result<BTreeSet<String>> {
        self.beside.yard.engine.containers_with(&[format!("{LABEL}={}", self.name)]).await
    }

    fn config(&self) -> String {
        let mut text = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n".to_owned();
        if self.mirrors.is_some() {
            // nodes of 2025 and later look there by themselves, in another section
            text.push_str("containerdConfigPatches:\n- |-\n  [plugins.\"io.containerd.grpc.v1.cri\".registry]\n    config_path = \"/etc/containerd/certs.d\"\n");
        }
        text.push_str("nodes:\n");
        let mirrors = self.mirrors.as_ref().map(|path| path.display().to_string());
        for role in std::iter::once("control-plane").chain((0..self.workers).map(|_| "worker")) {
            let _ = writeln!(text, "- role: {role}");
            if role == "control-plane" {
                // it takes pods too: nobody waits for the workers to join
                text.push_str("  kubeadmConfigPatches:\n  - |\n    kind: InitConfiguration\n    nodeRegistration:\n      taints: []\n");
            }
            if let Some(mirrors) = &mirrors {
                let _ = writeln!(
                    text,
                    "  extraMounts:\n  - hostPath: {mirrors}\n    containerPath: /etc/containerd/certs.d\n    readOnly: true"
                );
            }
        }
        text
    }

    async fn rise(&self, span: &Span) -> Result<Kubernetes> {
        let site = &self.site;
        site.scene.register.record(&Resource::KindCluster { name: self.name.clone() })?;
        let config = site.directory.join("kind.yaml");
        fs::write(&config, self.config()).doing("writing kind's configuration")?;
        let image = &site.config.images.node;
        let argv = [
            "kind",
            "create",
            "cluster",
            "--name",
            &self.name,
            "--image",
            image,
            "--config",
            &config.display().to_string(),
            "--kubeconfig",
            // kind writes it at its end; whoever is earlier has one of the same cluster
            &site.directory.join("kubeconfig-of-kind").display().to_string(),
        ];
        let creation = create(site.clone(), self.beside.network.clone(), argv.map(str::to_owned).to_vec());
        *self.creation.lock().await = Some(tokio::spawn(creation));
        let kubernetes = span.run("control plane", async |_| self.api().await).await?;
        span.detail(format!("kind · {} nodes · {image}", self.workers + 1));
        Ok(kubernetes)
    }

    /// An error if the cluster's creation ended in one.
    async fn not_failed(&self) -> Result<()> {
        let mut creation = self.creation.lock().await;
        if let Some(task) = creation.as_mut().filter(|task| task.is_finished()) {
            let ended = task.await.doing("creating the cluster")?;
            *creation = None;
            ended?;
        }
        Ok(())
    }

    /// The API, as soon as it answers: kind itself goes on to join the other nodes.
    async fn api(&self) -> Result<Kubernetes> {
        let node = self.control_plane();
        let engine = &self.beside.yard.engine;
        let kubeconfig = wait_for("the control plane's kubeconfig", API_DEADLINE, LOOK, || async {
            self.not_failed().await?;
            let Some(container) = engine.container(&node).await? else {
                return Ok(Wait::NotYet("there is no control plane yet".to_owned()));
            };
            let Some(port) = phoenix_docker::published(container.network_settings.as_ref(), API_PORT) else {
                return Ok(Wait::NotYet("its port is not published yet".to_owned()));
            };
            for file in ADMIN {
                let argv = ["cat", file].map(str::to_owned);
                let Ok(ran) = engine.exec(&node, "root", &argv, None).await else { continue };
                if ran.status == Some(0) && ran.stdout.contains("client-key-data") {
                    return Ok(Wait::Ready(from_here(&ran.stdout, &engine.host, port)?));
                }
            }
            Ok(Wait::NotYet("it has no kubeconfig yet".to_owned()))
        })
        .await?;
        let text = serde_json::to_string(&kubeconfig).doing("writing the kubeconfig")?;
        fs::write(self.site.kubeconfig(), text).doing("writing the kubeconfig")?;
        let kubernetes = Kubernetes::of(kubeconfig, None).await?;
        wait_for("the API server to answer its administrator", API_DEADLINE, LOOK, || async {
            self.not_failed().await?;
            match kubernetes.may_do_anything().await {
                Ok(true) => Ok(Wait::Ready(())),
                Ok(false) => Ok(Wait::NotYet("it has not granted its administrator's rights yet".to_owned())),
                Err(error) => Ok(Wait::NotYet(crate::kubernetes::short(&error))),
            }
        })
        .await?;
        Ok(kubernetes)
    }

    async fn all_ready(&self, kubernetes: &Kubernetes, span: &Span) -> Result<()> {
        let wanted = usize::from(self.workers) + 1;
        let nodes = kubernetes.global::<Node>();
        let began = Instant::now();
        wait_for("every node to be ready", NODES_DEADLINE, Duration::from_millis(200), || async {
            self.not_failed().await?;
            let found = match nodes.list(&ListParams::default()).await {
                Ok(found) => found.items,
                Err(error) => return Ok(Wait::NotYet(crate::kubernetes::short(&error))),
            };
            let ready: Vec<_> =
                found.iter().filter(|node| is_ready(node)).map(ResourceExt::name_any).collect();
            let seen = format!("{} of {wanted} nodes are ready: {}", ready.len(), ready.join(", "));
            span.progress(&seen);
            Ok(if ready.len() >= wanted { Wait::Ready(()) } else { Wait::NotYet(seen) })
        })
        .await?;
        span.detail(format!("{wanted} nodes ready after {:.1} s more", began.elapsed().as_secs_f64()));
        let task = self.creation.lock().await.take();
        match task {
            Some(task) => task.await.doing("creating the cluster")?,
            None => Ok(()),
        }
    }

    /// Ends `kind create cluster`. Nodes that it has asked for would come after it was killed, and be missed
    /// by whoever cleans up: they are waited for.
    async fn stop_creation(&self) -> Result<()> {
        let mut creation = self.creation.lock().await;
        let Some(task) = creation.as_mut() else { return Ok(()) };
        let wanted = usize::from(self.workers) + 1;
        let asked = wait_for("every node that kind asked for", NODES_ASKED_DEADLINE, LOOK, || async {
            let there = self.nodes().await?.len();
            let seen = format!("{there} of {wanted} nodes are there");
            Ok(if task.is_finished() || there >= wanted { Wait::Ready(()) } else { Wait::NotYet(seen) })
        });
        let asked = asked.await;
        task.abort();
        // it is killed by then, or had ended in its own way
        let _ = task.await;
        *creation = None;
        asked
    }

    /// Kills every node at once, and removes them with their volumes.
    async fn burn(&self) -> Result<()> {
        self.stop_creation().await?;
        let engine = &self.beside.yard.engine;
        let nodes = self.nodes().await?;
        for node in &nodes {
            let mounts = engine.container(node).await?.and_then(|container| container.mounts);
            let names = mounts.into_iter().flatten().filter_map(|mount| mount.name);
            self.volumes.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(names);
        }
        if nodes.len() != usize::from(self.workers) + 1 {
            let found = format!("{} of {} nodes are there", nodes.len(), self.workers + 1);
            return Err(Error::unverified("burning the cluster", found));
        }
        let begin = |purpose: &str, verb: &[&str]| {
            let words: Vec<_> = verb.iter().copied().chain(nodes.iter().map(String::as_str)).collect();
            Deed::begin(purpose, &words)
        };
        let evidence = &self.site.scene.evidence;
        let deed = begin("kill every node", &["kill", "--signal", "SIGKILL"]);
        try_join_all(nodes.iter().map(|node| engine.kill(node))).await?;
        deed.end(evidence, "killed", String::new())?;
        let deed = begin("remove every node", &["rm", "--force", "--volumes"]);
        try_join_all(nodes.iter().map(|node| engine.remove_container(node))).await?;
        deed.end(evidence, "removed", String::new())
    }

    async fn left(&self) -> Result<Remains> {
        let engine = &self.beside.yard.engine;
        let had = self.volumes.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let mut volumes = BTreeSet::new();
        for volume in had {
            if engine.volume(&volume).await?.is_some() {
                volumes.insert(volume);
            }
        }
        Ok(vec![("nodes", self.nodes().await?), ("node volumes", volumes)])
    }

    async fn directories(&self, namespace: &str) -> Result<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        let part = format!("_{namespace}_");
        for node in self.nodes().await? {
            let script = format!("ls {VOLUMES} 2>/dev/null || true");
            let argv = ["sh".to_owned(), "-c".to_owned(), script];
            let listed = self.beside.yard.engine.exec(&node, "root", &argv, None).await?;
            let listed = listed.must("listing the node's volumes")?;
            let ours = listed.lines().filter(|line| line.contains(&part));
            found.extend(ours.map(|line| format!("{node}:{VOLUMES}/{line}")));
        }
        Ok(found)
    }
}

impl Platform for Kind {
    fn name(&self) -> &'static str {
        "kind"
    }

    fn operator_is_given(&self) -> bool {
        false
    }

    fn up<'a>(&'a self, span: &'a Span) -> Work<'a, Kubernetes> {
        Box::pin(self.rise(span))
    }

    fn ready<'a>(&'a self, kubernetes: &'a Kubernetes, span: &'a Span) -> Work<'a, ()> {
        Box::pin(self.all_ready(kubernetes, span))
    }

    fn halt(&self) -> Work<'_, ()> {
        Box::pin(self.stop_creation())
    }

    fn destroy(&self) -> Work<'_, ()> {
        Box::pin(self.burn())
    }

    fn remains(&self) -> Work<'_, Remains> {
        Box::pin(self.left())
    }

    fn volume_directories<'a>(&'a self, namespace: &'a str) -> Work<'a, Option<BTreeSet<String>>> {
        Box::pin(async move {
            let config = &self.site.config;
            let is_anothers = config.layers.iter().any(|layer| layer.name == "storage");
            // volumes of another provisioner are not there
            if is_anothers || config.storage_class.as_deref().is_some_and(|class| class != CLASS) {
                return Ok(None);
            }
            self.directories(namespace).await.map(Some)
        })
    }
}

/// Runs `kind create cluster` to its end. It dies with the harness, and with whoever drops this.
async fn create(site: Arc<Site>, network: String, argv: Vec<String>) -> Result<()> {
    let mut command = tokio::process::Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).args(&argv);
    command.env("KIND_EXPERIMENTAL_DOCKER_NETWORK", &network).env("KIND_EXPERIMENTAL_PROVIDER", "docker");
    let line = format!("KIND_EXPERIMENTAL_DOCKER_NETWORK={} {}", network, argv.join(" "));
    let get = "install kind (https://kind.sigs.k8s.io), or name a context of your own: see docs/cluster.md";
    let output = site.run("create the cluster", line, command, get).await?;
    if output.status.success() {
        return Ok(());
    }
    if output.status.code() == Some(NOT_FOUND) {
        return Err(Error::missing("kind is not installed", get));
    }
    let printed = String::from_utf8_lossy(&output.stderr);
    let why =
        printed.lines().find(|line| line.contains("ERROR")).or(printed.lines().last()).unwrap_or_default();
    Err(Error::unverified("kind did not create the cluster", why.to_owned()))
}

/// A kubeconfig as it is used from this machine.
fn from_here(text: &str, host: &str, port: u16) -> Result<Kubeconfig> {
    let mut kubeconfig = Kubeconfig::from_yaml(text).doing("reading the control plane's kubeconfig")?;
    let host = if host == "localhost" { "127.0.0.1" } else { host };
    for cluster in &mut kubeconfig.clusters {
        if let Some(cluster) = &mut cluster.cluster {
            cluster.server = Some(format!("https://{host}:{port}"));
        }
    }
    Ok(kubeconfig)
}

fn is_ready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Tells containerd to ask a registry for the images of each of these hosts, under a path of the host's own.
pub(crate) fn write_mirrors(directory: &Path, registry: &str, hosts: &BTreeSet<String>) -> Result<PathBuf> {
    let mirrors = directory.join("certs.d");
    for host in hosts {
        let folder = mirrors.join(host);
        let text = format!(
            "[host.\"http://{registry}/v2/{host}\"]\n  capabilities = [\"pull\", \"resolve\"]\n  override_path = true\n"
        );
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(folder.join("hosts.toml"), text))
            .doing("telling the nodes of the registry")?;
    }
    Ok(mirrors)
}
