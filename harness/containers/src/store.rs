//! The drill's own object store: MinIO in a container, over TLS with a CA made for the drill.

use crate::{
    ContainersConfig,
    engine::Engine,
    image,
    names::{self, Role},
    plant::{self, make, make_volume},
    runbook::Deed,
    victim,
};
use phoenix_core::Secret;
use phoenix_drill::{Doing, Error, Resource, Result, Scene, Wait, wait_for};
use phoenix_postgres::pgbackrest::S3;
use phoenix_repository::inspect;
use phoenix_store::{Certificates, Credentials, Inspector};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use testcontainers::{
    CopyTargetOptions, ImageExt,
    core::{IntoContainerPort, Mount},
    runners::AsyncRunner,
};
use tokio::sync::RwLock;

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

/// A store that is ready for this drill.
pub(crate) struct Opened {
    /// As the victim sees it.
    pub repository: S3,
    pub inspector: Inspector,
    pub ca_pem: String,
    pub certificates: Certificates,
    pub container: Option<StoreContainer>,
}

/// Starts MinIO, or checks that this drill's path in the given store is empty.
pub(crate) async fn open(
    config: &ContainersConfig,
    engine: &Engine,
    making: &Arc<RwLock<()>>,
    scene: &Arc<Scene>,
    store_image: &str,
    network: &str,
) -> Result<Opened> {
    if let Some(external) = &config.store {
        let repository = external.repository(&scene.run.slug(), Path::new(victim::CA_FILE));
        let inspector = external.open(&repository, "[containers.store]").await?;
        let ca_pem =
            fs::read_to_string(&external.ca_file).doing(format!("reading {}", external.ca_file.display()))?;
        let certificates = certificates(plant::PROXY_HOST, engine)?;
        let ca_pem = format!("{}\n{}", ca_pem.trim_end(), certificates.ca_pem);
        return Ok(Opened { repository, inspector, ca_pem, certificates, container: None });
    }
    let name = names::name(&scene.run, "store");
    let certificates = certificates(&name, engine)?;
    let ca_file = scene.evidence.directory().join("ca.pem");
    fs::write(&ca_file, &certificates.ca_pem).doing("writing the store's CA")?;
    let credentials = Credentials::generate();
    make_volume(engine, making, scene, &name, Role::Store).await?;
    start(engine, making, scene, &name, store_image, network, &certificates, &credentials).await?;
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
    let container = StoreContainer { name, ca_file };
    let inspector = bucket(engine, scene, &container, &repository).await?;
    let ca_pem = certificates.ca_pem.clone();
    Ok(Opened { repository, inspector, ca_pem, certificates, container: Some(container) })
}

/// For the store as the victim knows it and as this machine does, and for the proxy before it.
fn certificates(host: &str, engine: &Engine) -> Result<Certificates> {
    let names = [host, plant::PROXY_HOST, &engine.host].map(str::to_owned);
    Certificates::generate(&names, phoenix_store::Validity::current())
        .doing("making the store's certificates")
}

#[expect(clippy::too_many_arguments, reason = "one call, and each argument is a thing of its own")]
async fn start(
    engine: &Engine,
    making: &Arc<RwLock<()>>,
    scene: &Scene,
    name: &str,
    store_image: &str,
    network: &str,
    certificates: &Certificates,
    credentials: &Credentials,
) -> Result<()> {
    scene.register.record(&Resource::Container { name: name.to_owned() })?;
    let command = ["server", "/data", "--certs-dir", "/certs", "--address", ":9000"];
    let volume = format!("{name}:/data");
    let on = engine.publishes_on();
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
    let secret = |secret: &Secret| secret.expose().as_bytes().to_vec();
    let file = |path: &str, mode| CopyTargetOptions::new(path.to_owned()).with_mode(mode);
    let request = image::generic(store_image)
        .with_exposed_port(PORT.tcp())
        .with_cmd(command)
        .with_container_name(name)
        .with_network(network)
        .with_labels(names::labels(&scene.run, Role::Store))
        .with_mount(Mount::volume_mount(name, "/data"))
        .with_copy_to(file("/certs/public.crt", 0o644), certificates.certificate_pem.clone().into_bytes())
        .with_copy_to(file("/certs/private.key", 0o644), secret(&certificates.key_pem))
        .with_copy_to(file("/run/secrets/user", 0o644), credentials.access_key.clone().into_bytes())
        .with_copy_to(file("/run/secrets/password", 0o644), secret(&credentials.secret_key))
        .with_env_var("MINIO_ROOT_USER_FILE", "/run/secrets/user")
        .with_env_var("MINIO_ROOT_PASSWORD_FILE", "/run/secrets/password")
        .with_env_var("MINIO_UPDATE", "off")
        .with_host_config_modifier(move |host| victim::publish(host, on, PORT));
    let started = make(making, async move { request.start().await.map(std::mem::forget).doing("") }).await;
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
async fn bucket(
    engine: &Engine,
    scene: &Scene,
    container: &StoreContainer,
    repository: &S3,
) -> Result<Inspector> {
    wait_for("the store to answer", START_DEADLINE, Duration::from_millis(20), || async {
        if let Some(died) = plant::died(engine, scene, &container.name).await? {
            return Err(died);
        }
        let inspector = container.inspector(engine, repository).await?;
        Ok(match inspector.create_bucket().await {
            Ok(()) => {
                inspector.enable_versioning().await.doing("turning the bucket's versioning on")?;
                Wait::Ready(inspector)
            }
            Err(error) => Wait::NotYet(phoenix_drill::error::chain(&error)),
        })
    })
    .await
}
