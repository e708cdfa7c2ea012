//! What one drill in containers stands on: its network, its store, its victim, and how to run things.

use crate::{
    ContainersConfig,
    engine::Engine,
    image::{self, Ready},
    names::{self, Role},
    runbook::Deed,
    store::{self, StoreContainer},
    victim::{self, Container, Furniture},
};
use phoenix_core::{Secret, SegmentSize};
use phoenix_drill::{CastlePlan, Doing, Error, KeyAfterFire, Resource, Result, Scene, Span, Work};
use phoenix_postgres::{
    ConnectConfig, Sql,
    pgbackrest::{self, PgBackRest},
};
use phoenix_repository::{Ran, STANZA, Vault, Victim, decisive, segment_size_for};
use phoenix_store::{Certificates, Credentials, FaultProxy};
use std::{
    fs,
    net::IpAddr,
    sync::{Arc, OnceLock, atomic::AtomicU32},
};
use testcontainers::core::Host;
use tokio::sync::{Mutex, RwLock};

/// The name by which a victim reaches the harness's proxy.
pub(crate) const PROXY_HOST: &str = "faults";

/// How a container reaches a port that the harness listens on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reach {
    /// The network's gateway is an address of this machine.
    Gateway(IpAddr),
    /// The engine runs elsewhere, in a virtual machine say, and forwards to this machine's loopback.
    Forwarded,
}

impl Reach {
    pub fn host(self) -> Host {
        match self {
            Self::Gateway(address) => Host::Addr(address),
            Self::Forwarded => Host::HostGateway,
        }
    }

    /// The address to listen on.
    pub fn address(self) -> IpAddr {
        match self {
            Self::Gateway(address) => address,
            Self::Forwarded => IpAddr::from([127, 0, 0, 1]),
        }
    }
}

/// What one drill in containers stands on.
pub(crate) struct Plant {
    pub scene: Arc<Scene>,
    pub config: ContainersConfig,
    pub engine: Engine,
    pub images: Ready,
    pub plan: CastlePlan,
    pub network: String,
    pub proxy_reach: Reach,
    /// The CAs of the store and of the proxy, in PEM.
    pub ca_pem: String,
    pub vault: Vault,
    /// The drill's own store; `None` if it was there already.
    pub store: Option<StoreContainer>,
    /// The victim's container, from its birth to its removal.
    pub victim: Mutex<Option<Container>>,
    /// How many containers the victim has had.
    pub containers: AtomicU32,
    pub proxy: Mutex<Option<FaultProxy>>,
    /// How the victim reaches the proxy, once there is one.
    pub detour: OnceLock<(String, u16)>,
    /// What the proxy presents.
    pub certificates: Certificates,
    /// What was done to the castle besides the fire.
    pub deeds: std::sync::Mutex<Vec<String>>,
    pub segment_size: SegmentSize,
    pub password: Secret,
    making: Arc<RwLock<()>>,
}

impl Plant {
    /// Lays the ground: the images and the network, and chooses the store. All is registered before it is
    /// made.
    pub async fn lay(
        config: ContainersConfig,
        engine: Engine,
        making: Arc<RwLock<()>>,
        scene: Arc<Scene>,
        plan: CastlePlan,
        span: &Span,
    ) -> Result<Self> {
        let (id, endpoint) = (engine.id.clone(), engine.endpoint.clone());
        scene.register.record(&Resource::Engine { id, endpoint })?;
        let images = span.run("images", async |span| image::ready(&engine, &scene, &config, span).await);
        let images = images.await?;
        let network = names::name(&scene.run, "net");
        let proxy_reach =
            span.run("network", async |_| lay_network(&engine, &making, &scene, &network).await);
        let proxy_reach = proxy_reach.await?;
        let store::Chosen { repository, ca_pem, certificates, container } =
            store::choose(&config, &engine, &scene)?;
        let segment_size = config.segment_size.unwrap_or_else(|| segment_size_for(scene.settings.size_bytes));
        let vault = Vault::new(repository, segment_size, plan);
        Ok(Self {
            scene,
            config,
            engine,
            images,
            plan,
            network,
            proxy_reach,
            ca_pem,
            vault,
            store: container,
            victim: Mutex::default(),
            containers: AtomicU32::new(0),
            proxy: Mutex::default(),
            detour: OnceLock::new(),
            certificates,
            deeds: std::sync::Mutex::default(),
            segment_size,
            password: Credentials::generate().secret_key,
            making,
        })
    }

    /// Makes something in a task of its own, see [`make`].
    pub async fn make<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        make(&self.making, work).await
    }

    pub async fn make_volume(&self, name: &str, role: Role) -> Result<()> {
        self.scene.register.record(&Resource::Volume { name: name.to_owned() })?;
        let (engine, name, labels) =
            (self.engine.clone(), name.to_owned(), names::labels(&self.scene.run, role));
        self.make(async move { engine.create_volume(&name, labels).await }).await
    }

    /// The repository as the victim is to reach it: straight, or through the proxy once there is one.
    pub fn repository(&self, key: KeyAfterFire) -> pgbackrest::Repository {
        let mut repository = self.vault.repository(key);
        if let pgbackrest::Repository::S3(store, _) = &mut repository {
            store.connect_to = self.detour.get().cloned();
        }
        repository
    }

    /// How pgBackRest is called.
    pub fn pgbackrest(&self) -> PgBackRest {
        PgBackRest {
            program: "pgbackrest".to_owned(),
            config: victim::PGBACKREST_CONF.to_owned(),
            stanza: STANZA.to_owned(),
        }
    }

    /// Raises a victim's container and makes it the drill's.
    pub async fn raise(
        &self,
        image: &str,
        volumes: Option<[String; 2]>,
        furniture: Furniture,
    ) -> Result<Container> {
        let container = victim::raise(self, image, volumes, furniture).await?;
        *self.victim.lock().await = Some(container.clone());
        Ok(container)
    }

    /// The victim's container.
    pub async fn container(&self) -> Result<Container> {
        let victim = self.victim.lock().await.clone();
        victim.ok_or_else(|| Error::Demand("the victim has no container now".into()))
    }

    /// Runs a script of shell in a container, given on its standard input.
    pub async fn script(&self, container: &str, user: &str, purpose: &str, script: &str) -> Result<String> {
        let argv = ["sh", "-s"].map(str::to_owned);
        self.exec(container, user, purpose, &argv, Some(script)).await?.must(purpose)
    }

    /// Runs a command in a container to its end and enters it into the runbook.
    async fn exec(
        &self,
        container: &str,
        user: &str,
        purpose: &str,
        argv: &[String],
        stdin: Option<&str>,
    ) -> Result<Ran> {
        let mut words = vec!["exec"];
        words.extend(stdin.map(|_| "-i"));
        words.extend(["-u", user, container]);
        words.extend(argv.iter().map(String::as_str));
        let deed = Deed::begin(purpose, &words);
        let ran = self.engine.exec(container, user, argv, stdin).await?;
        deed.end(&self.scene.evidence, &ran.ended, format!("{}{}", ran.stdout, ran.stderr))?;
        Ok(ran)
    }

    /// The server's SQL.
    pub fn sql(&self, container: &Container) -> Arc<Sql> {
        let mut config = ConnectConfig::new();
        config.host(&self.engine.host).port(container.port).user("postgres").dbname("postgres");
        config.password(self.password.expose()).application_name("phoenix");
        Arc::new(Sql::new(config))
    }

    /// An error with the decisive line of its log, if a container that should run does not.
    pub async fn died(&self, name: &str) -> Result<Option<Error>> {
        died(&self.engine, &self.scene, name).await
    }

    /// Notes what was done to the castle, as evidence.
    pub fn note(&self, deed: String) -> String {
        let at = chrono::Utc::now().format("%H:%M:%S%.3f");
        let line = format!("{at} · {deed}");
        self.deeds.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(line.clone());
        line
    }
}

impl Victim for Plant {
    fn run<'a>(&'a self, purpose: &'a str, argv: &'a [String]) -> Work<'a, Ran> {
        Box::pin(async move {
            let container = self.container().await?;
            self.exec(&container.name, &self.config.victim_user, purpose, argv, None).await
        })
    }
}

/// Makes something in a task of its own: dropped half-way, a request may still be carried out by the
/// engine, and what it made would be missed by whoever cleans up. `making` is held until it is made.
pub(crate) async fn make<T: Send + 'static>(
    making: &Arc<RwLock<()>>,
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let held = making.clone().read_owned().await;
    let task = tokio::spawn(async move {
        let _held = held;
        work.await
    });
    task.await.doing("making something in the engine")?
}

/// Makes the network, and finds out how its containers reach this machine.
async fn lay_network(
    engine: &Engine,
    making: &Arc<RwLock<()>>,
    scene: &Scene,
    network: &str,
) -> Result<Reach> {
    scene.register.record(&Resource::Network { name: network.to_owned() })?;
    let deed = Deed::begin("network", &["network", "create", network]);
    let (worker, name, labels) = (engine.clone(), network.to_owned(), names::labels(&scene.run, Role::Store));
    make(making, async move { worker.create_network(&name, labels).await }).await?;
    deed.end(&scene.evidence, "made", String::new())?;
    let found = engine.network(network).await?.and_then(|network| network.ipam?.config);
    let gateway = found.into_iter().flatten().find_map(|config| config.gateway?.parse::<IpAddr>().ok());
    let ours = gateway.filter(|gateway| std::net::TcpListener::bind((*gateway, 0)).is_ok());
    Ok(ours.map_or(Reach::Forwarded, Reach::Gateway))
}

/// An error with the decisive line of its log, if a container that should run does not.
pub(crate) async fn died(engine: &Engine, scene: &Scene, name: &str) -> Result<Option<Error>> {
    let state = engine.container(name).await?.and_then(|container| container.state);
    let ended = match state {
        Some(state) if state.running == Some(true) => return Ok(None),
        Some(state) => format!("it ended with exit {}", state.exit_code.unwrap_or_default()),
        None => "it is gone".to_owned(),
    };
    let log = keep_log(engine, scene, name).await.unwrap_or_default();
    Ok(Some(Error::unverified(format!("the container {name} died"), format!("{ended}: {}", decisive(&log)))))
}

/// Copies a container's log into the evidence, and gives it.
pub(crate) async fn keep_log(engine: &Engine, scene: &Scene, name: &str) -> Result<String> {
    let text = engine.logs(name).await?;
    let short =
        name.rsplit_once(scene.run.slug().as_str()).map_or(name, |(_, what)| what.trim_start_matches('-'));
    let path = scene.evidence.log(&format!("{short}.log"));
    fs::write(&path, &text).doing(format!("writing {}", path.display()))?;
    Ok(text)
}
