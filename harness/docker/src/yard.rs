//! Where a drill makes its things in an engine. Each is written down before it is made, and no request
//! is forgotten half-way.

use crate::{Deed, Engine, Role, image, names};
use phoenix_drill::{Doing, Error, Resource, Result, Scene, Span};
use phoenix_repository::decisive;
use std::{fs, net::IpAddr, sync::Arc};
use testcontainers::{ContainerRequest, GenericImage, ImageExt, runners::AsyncRunner};
use tokio::sync::RwLock;

/// Where a drill makes its things: an engine, and the scene whose register names them.
#[derive(Clone)]
pub struct Yard {
    /// The engine.
    pub engine: Engine,
    /// The drill's scene.
    pub scene: Arc<Scene>,
    /// Held while the engine makes something for this drill; whoever cleans up takes all of it (`write`).
    pub making: Arc<RwLock<()>>,
}

impl Yard {
    /// Opens a yard in an engine, which is entered in the register.
    pub fn open(engine: Engine, scene: Arc<Scene>, making: Arc<RwLock<()>>) -> Result<Self> {
        let (id, endpoint) = (engine.id.clone(), engine.endpoint.clone());
        scene.register.record(&Resource::Engine { id, endpoint })?;
        Ok(Self { engine, scene, making })
    }

    /// Makes something in a task of its own: dropped half-way, a request may still be carried out by the
    /// engine, and what it made would be missed by whoever cleans up. `making` is held until it is made.
    pub async fn make<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let held = self.making.clone().read_owned().await;
        let task = tokio::spawn(async move {
            let _held = held;
            work.await
        });
        task.await.doing("making something in the engine")?
    }

    /// Makes a network, entered in the register and labelled.
    pub async fn make_network(&self, name: &str, role: Role) -> Result<()> {
        self.scene.register.record(&Resource::Network { name: name.to_owned() })?;
        let (engine, name, labels) =
            (self.engine.clone(), name.to_owned(), names::labels(&self.scene.run, role));
        self.make(async move { engine.create_network(&name, labels).await }).await
    }

    /// The gateway of a network, if it is an address of this machine.
    pub async fn gateway(&self, network: &str) -> Result<Option<IpAddr>> {
        let found = self.engine.network(network).await?.and_then(|network| network.ipam?.config);
        let gateway = found.into_iter().flatten().find_map(|config| config.gateway?.parse().ok());
        Ok(gateway.filter(|gateway| std::net::TcpListener::bind((*gateway, 0)).is_ok()))
    }

    /// Makes a volume, entered in the register and labelled.
    pub async fn make_volume(&self, name: &str, role: Role) -> Result<()> {
        self.scene.register.record(&Resource::Volume { name: name.to_owned() })?;
        let (engine, name, labels) =
            (self.engine.clone(), name.to_owned(), names::labels(&self.scene.run, role));
        self.make(async move { engine.create_volume(&name, labels).await }).await
    }

    /// Starts a container of this name and role, entered in the register and labelled. It outlives the
    /// request; the deed ends with it.
    pub async fn make_container(
        &self,
        name: &str,
        role: Role,
        deed: Deed,
        request: ContainerRequest<GenericImage>,
    ) -> Result<()> {
        self.scene.register.record(&Resource::Container { name: name.to_owned() })?;
        let request = request.with_container_name(name).with_labels(names::labels(&self.scene.run, role));
        let started = self.make(async move { request.start().await.map(std::mem::forget).doing("") }).await;
        let ended = if started.is_ok() { "started" } else { "failed" };
        deed.end(&self.scene.evidence, ended, String::new())?;
        started
    }

    /// An error with the decisive line of its log, if a container that should run does not.
    pub async fn died(&self, name: &str) -> Result<Option<Error>> {
        let state = self.engine.container(name).await?.and_then(|container| container.state);
        let ended = match state {
            Some(state) if state.running == Some(true) => return Ok(None),
            Some(state) => format!("it ended with exit {}", state.exit_code.unwrap_or_default()),
            None => "it is gone".to_owned(),
        };
        let log = self.keep_log(name).await.unwrap_or_default();
        let why = format!("{ended}: {}", decisive(&log));
        Ok(Some(Error::unverified(format!("the container {name} died"), why)))
    }

    /// Copies a container's log into the evidence, and gives it.
    pub async fn keep_log(&self, name: &str) -> Result<String> {
        keep_log(&self.engine, &self.scene, name).await
    }

    /// The id of an image, which is pulled if it is not here. `setting` in this `section` of `castle.toml`,
    /// such as `[containers]`, is what names it.
    pub async fn have(&self, image: &str, setting: &str, section: &str, span: &Span) -> Result<String> {
        image::have(&self.engine, image, setting, section, span).await
    }
}

/// Copies a container's log into the evidence, and gives it.
pub async fn keep_log(engine: &Engine, scene: &Scene, name: &str) -> Result<String> {
    let text = engine.logs(name).await?;
    let short =
        name.rsplit_once(scene.run.slug().as_str()).map_or(name, |(_, what)| what.trim_start_matches('-'));
    let path = scene.evidence.log(&format!("{short}.log"));
    fs::write(&path, &text).doing(format!("writing {}", path.display()))?;
    Ok(text)
}
