//! The drill's own object store: MinIO in a container, over TLS with a CA made for the drill.

use crate::{
    ContainersConfig,
    engine::Engine,
    image,
    names::{self, Role},
    plant::{self, Plant},
    runbook::Deed,
    victim,
};
use phoenix_drill::{Doing, Error, Resource, Result, Scene, Wait, wait_for};
use phoenix_postgres::pgbackrest::S3;
use phoenix_repository::inspect;
use phoenix_store::{Certificates, Credentials, Inspector};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use testcontainers::{
    CopyTargetOptions, ImageExt,
    core::{IntoContainerPort, Mount},
    runners::AsyncRunner,
};

pub(crate) const PORT: u16 = 9000;
const BUCKET: &str = "phoenix";
const REGION: &str = "us-east-1";
const START_DEADLINE: Duration = Duration::from_secs(60);

/// The drill's own store.
#[derive(Debug, Clone)]
pub(crate) struct StoreContainer {
    pub name: String,
    /// The CA's certificate on this machine.
    pub ca_file: PathBuf,
}

impl StoreContainer {
    /// A client that looks into the store from here; it moves when its network changes.
    pub async fn inspector(&self, engine: &Engine, repository: &S3) -> Result<Inspector> {
        inspect(repository, &format!("https://{}:{}", engine.host, self.port(engine).await?), &self.ca_file)
    }

    /// The port of this machine at which the store is published now.
    pub async fn port(&self, engine: &Engine) -> Result<u16> {
        let settings = engine.container(&self.name).await?.and_then(|container| container.network_settings);
        let port = crate::engine::published(settings.as_ref(), PORT);
        port.ok_or_else(|| Error::unverified("looking for the store", "its port is not published"))
    }
}

/// The store of a drill, as far as it is known before it runs.
pub(crate) struct Chosen {
    /// As the victim sees it.
    pub repository: S3,
    /// The CAs of the store and of the proxy.
    pub ca_pem: String,
    /// What the store, if it is the drill's own, and the proxy present.
    pub certificates: Certificates,
    /// The drill's own store; `None` if it is there already.
    pub container: Option<StoreContainer>,
}

/// Chooses where the store is and who may use it. Nothing is made yet.
pub(crate) fn choose(config: &ContainersConfig, engine: &Engine, scene: &Scene) -> Result<Chosen> {
    if let Some(external) = &config.store {
        let repository = external.repository(&scene.run.slug(), Path::new(victim::CA_FILE));
        let ca_pem =
            fs::read_to_string(&external.ca_file).doing(format!("reading {}", external.ca_file.display()))?;
        let certificates = certificates(plant::PROXY_HOST, engine)?;
        let ca_pem = format!("{}\n{}", ca_pem.trim_end(), certificates.ca_pem);
        return Ok(Chosen { repository, ca_pem, certificates, container: None });
    }
    let name = names::name(&scene.run, "store");
    let certificates = certificates(&name, engine)?;
    let ca_file = scene.evidence.directory().join("ca.pem");
    fs::write(&ca_file, &certificates.ca_pem).doing("writing the store's CA")?;
    let credentials = Credentials::generate();
    let repository = S3 {
        path: format!("/{}", scene.run.slug()),
        bucket: BUCKET.to_owned(),
        host: name.clone(),
        port: PORT,
        region: REGION.to_owned(),
        access_key: credentials.access_key,
        secret_key: credentials.secret_key,
        ca_file: victim::CA_FILE.to_owned(),
        connect_to: None,
    };
    let (ca_pem, container) = (certificates.ca_pem.clone(), Some(StoreContainer { name, ca_file }));
    Ok(Chosen { repository, ca_pem, certificates, container })
}

/// Starts MinIO and makes its bucket, or checks that this drill's path in the given store is empty.
pub(crate) async fn open(plant: &Plant) -> Result<Inspector> {
    if let Some(external) = &plant.config.store {
        return external.open(&plant.vault.store, "[containers.store]").await;
    }
    let container = plant.store.as_ref().ok_or_else(|| Error::Demand("a drill has a store".into()))?;
    plant.make_volume(&container.name, Role::Store).await?;
    start(plant, &container.name).await?;
    bucket(plant, container).await
}

/// For the store as the victim knows it and as this machine does, and for the proxy before it.
fn certificates(host: &str, engine: &Engine) -> Result<Certificates> {
    let names = [host, plant::PROXY_HOST, &engine.host].map(str::to_owned);
    Certificates::generate(&names, phoenix_store::Validity::current())
        .doing("making the store's certificates")
}

async fn start(plant: &Plant, name: &str) -> Result<()> {
    let (scene, store_image, network) = (&plant.scene, plant.images.store.as_str(), plant.network.as_str());
    scene.register.record(&Resource::Container { name: name.to_owned() })?;
    let command = ["server", "/data", "--certs-dir", "/certs", "--address", ":9000"];
    let volume = format!("{name}:/data");
    let on = plant.engine.publishes_on();
    let publish = format!("{on}::{PORT}");
    let mut words = vec![
        "run",
        "--detach",
        "--name",
        name,
        "--network",
        network,
        "--volume",
        &volume,
        "--publish",
        &publish,
        store_image,
    ];
    words.extend(command);
    let deed = Deed::begin("store", &words);
    let (certificates, S3 { access_key, secret_key, .. }) = (&plant.certificates, &plant.vault.store);
    let user = format!("MINIO_ROOT_USER={access_key}\nMINIO_ROOT_PASSWORD={}\n", secret_key.expose());
    let file = |path: &str, mode| CopyTargetOptions::new(path.to_owned()).with_mode(mode);
    let request = image::generic(store_image)
        .with_exposed_port(PORT.tcp())
        .with_cmd(command)
        .with_container_name(name)
        .with_network(network)
        .with_labels(names::labels(&scene.run, Role::Store))
        .with_mount(Mount::volume_mount(name, "/data"))
        .with_copy_to(file("/certs/public.crt", 0o644), certificates.certificate_pem.clone().into_bytes())
        .with_copy_to(file("/certs/private.key", 0o644), certificates.key_pem.expose().as_bytes().to_vec())
        .with_copy_to(file("/certs/user", 0o644), user.into_bytes())
        .with_env_var("MINIO_CONFIG_ENV_FILE", "/certs/user")
        .with_env_var("MINIO_UPDATE", "off")
        .with_host_config_modifier(move |host| victim::publish(host, on, PORT));
    let started = plant.make(async move { request.start().await.map(std::mem::forget).doing("") }).await;
    let ended = if started.is_ok() { "started" } else { "failed" };
    deed.end(&scene.evidence, ended, String::new())?;
    started.map_err(|error| {
        let why = error.chain();
        let what =
            format!("the store's image {store_image} does not start: {}", why.trim_start_matches(": "));
        Error::missing(what, "name another as store-image in [containers] of castle.toml")
    })
}

/// Waits until the store answers, and makes the bucket, which keeps every version.
async fn bucket(plant: &Plant, container: &StoreContainer) -> Result<Inspector> {
    if let Some(died) = plant.died(&container.name).await? {
        return Err(died);
    }
    let inspector = container.inspector(&plant.engine, &plant.vault.store).await?;
    wait_for("the store to answer", START_DEADLINE, Duration::from_millis(10), || async {
        match inspector.probe().await {
            Ok(()) => Ok(Wait::Ready(())),
            Err(error) => match plant.died(&container.name).await? {
                Some(died) => Err(died),
                None => Ok(Wait::NotYet(phoenix_drill::error::chain(&error))),
            },
        }
    })
    .await?;
    inspector.create_bucket().await.doing("making the bucket")?;
    inspector.enable_versioning().await.doing("turning the bucket's versioning on")?;
    Ok(inspector)
}
