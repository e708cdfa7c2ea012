//! What one drill in containers stands on: its network, its store, its victim, and how to run things.

use crate::{
    ContainersConfig,
    image::{self, Ready},
    store,
    victim::{self, Container, Furniture},
};
use phoenix_core::{Secret, SegmentSize};
use phoenix_docker::{Deed, Detour, Minio, Role, Yard, names};
use phoenix_drill::{CastlePlan, Error, KeyAfterFire, Result, Span, Work};
use phoenix_postgres::{
    ConnectConfig, Sql,
    pgbackrest::{self, PgBackRest},
};
use phoenix_repository::{Ran, STANZA, Vault, Victim, segment_size_for};
use phoenix_store::{Certificates, Credentials};
use std::{
    net::IpAddr,
    sync::{Arc, atomic::AtomicU32},
};
use testcontainers::core::Host;
use tokio::sync::Mutex;

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
    pub yard: Yard,
    pub config: ContainersConfig,
    pub images: Ready,
    pub plan: CastlePlan,
    pub network: String,
    pub proxy_reach: Reach,
    /// The CAs of the store and of the proxy, in PEM.
    pub ca_pem: String,
    pub vault: Vault,
    /// The drill's own store; `None` if it was there already.
    pub store: Option<Minio>,
    /// The victim's container, from its birth to its removal.
    pub victim: Mutex<Option<Container>>,
    /// How many containers the victim has had.
    pub containers: AtomicU32,
    /// The proxy before the store, once faults were asked for, and how the victim reaches it.
    pub detour: Detour,
    /// What the proxy presents.
    pub certificates: Certificates,
    /// What was done to the castle besides the fire.
    pub deeds: std::sync::Mutex<Vec<String>>,
    pub segment_size: SegmentSize,
    pub password: Secret,
}

impl Plant {
    /// Lays the ground: the images and the network, and chooses the store. All is registered before it is
    /// made.
    pub async fn lay(config: ContainersConfig, yard: Yard, plan: CastlePlan, span: &Span) -> Result<Self> {
        let images = span.run("images", async |span| image::ready(&yard, &config, span).await);
        let images = images.await?;
        let network = names::name(&yard.scene.run, "net");
        let proxy_reach = span.run("network", async |_| lay_network(&yard, &network).await).await?;
        let store::Chosen { repository, ca_pem, certificates, container } = store::choose(&config, &yard)?;
        let segment_size =
            config.segment_size.unwrap_or_else(|| segment_size_for(yard.scene.settings.size_bytes));
        let vault = Vault::new(repository, segment_size, plan);
        Ok(Self {
            yard,
            config,
            images,
            plan,
            network,
            proxy_reach,
            ca_pem,
            vault,
            store: container,
            victim: Mutex::default(),
            containers: AtomicU32::new(0),
            detour: Detour::default(),
            certificates,
            deeds: std::sync::Mutex::default(),
            segment_size,
            password: Credentials::generate().secret_key,
        })
    }

    /// The repository as the victim is to reach it: straight, or through the proxy once there is one.
    pub fn repository(&self, key: KeyAfterFire) -> pgbackrest::Repository {
        let mut repository = self.vault.repository(key);
        if let pgbackrest::Repository::S3(store, _) = &mut repository {
            store.connect_to = self.detour.at().cloned();
        }
        repository
    }

    /// How pgBackRest is called.
    pub fn pgbackrest(&self) -> PgBackRest {
        PgBackRest {
            program: "pgbackrest".to_owned(),
            config: Some(victim::PGBACKREST_CONF.to_owned()),
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
        let ran = self.yard.engine.exec(container, user, argv, stdin).await?;
        deed.end(&self.yard.scene.evidence, &ran.ended, format!("{}{}", ran.stdout, ran.stderr))?;
        Ok(ran)
    }

    /// The server's SQL.
    pub fn sql(&self, container: &Container) -> Arc<Sql> {
        let mut config = ConnectConfig::new();
        config.host(&self.yard.engine.host).port(container.port).user("postgres").dbname("postgres");
        config.password(self.password.expose()).application_name("phoenix");
        Arc::new(Sql::new(config))
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

/// Makes the network, and finds out how its containers reach this machine.
async fn lay_network(yard: &Yard, network: &str) -> Result<Reach> {
    let deed = Deed::begin("network", &["network", "create", network]);
    yard.make_network(network, Role::Store).await?;
    deed.end(&yard.scene.evidence, "made", String::new())?;
    Ok(yard.gateway(network).await?.map_or(Reach::Forwarded, Reach::Gateway))
}
