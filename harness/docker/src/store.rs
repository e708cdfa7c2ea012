//! A drill's own object store: MinIO in a container, over TLS with a CA made for the drill.

use crate::{Deed, Engine, Role, Yard, generic, names, ports::publish};
use phoenix_drill::{Doing, Error, Result, Wait, wait_for};
use phoenix_postgres::pgbackrest::S3;
use phoenix_repository::inspect;
use phoenix_store::{Certificates, Credentials, Inspector, Validity};
use std::{fs, path::PathBuf, time::Duration};
use testcontainers::{
    CopyTargetOptions, ImageExt,
    core::{IntoContainerPort, Mount},
};

/// MinIO's image, unless another is named.
pub const MINIO_IMAGE: &str = "quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z";
const PORT: u16 = 9000;
const REGION: &str = "us-east-1";
const START_DEADLINE: Duration = Duration::from_secs(60);

/// What a drill's MinIO is to be.
#[derive(Debug, Clone)]
pub struct MinioPlan<'a> {
    /// The bucket that is made.
    pub bucket: &'a str,
    /// Who may use it.
    pub credentials: Credentials,
    /// By what others know it besides its container's name and the engine's host: these are in its
    /// certificate too. IP addresses may be among them, but pgBackRest 2.45 ignores them there.
    pub also_known_as: &'a [&'a str],
    /// Where the victim finds the CA's certificate.
    pub ca_file: &'a str,
}

/// A drill's MinIO: the name of its container and of the volume that it writes to, and what is known of
/// it before it runs.
#[derive(Debug, Clone)]
pub struct Minio {
    /// Its container's name, by which other containers on its network reach it.
    pub name: String,
    /// The CA's certificate on this machine.
    pub ca_file: PathBuf,
    /// What it presents, and the CA's certificate for the victim.
    pub certificates: Certificates,
    /// The drill's path in its bucket, as a container on its network sees it.
    pub repository: S3,
}

impl Minio {
    /// Says what the store will be, and writes its CA's certificate into the evidence. Nothing is made in
    /// the engine yet.
    pub fn plan(yard: &Yard, plan: MinioPlan<'_>) -> Result<Self> {
        let (scene, MinioPlan { bucket, credentials, also_known_as, ca_file: victims_ca_file }) =
            (&yard.scene, plan);
        let name = names::name(&scene.run, "store");
        let hosts: Vec<_> = std::iter::once(name.as_str())
            .chain(also_known_as.iter().copied())
            .chain([yard.engine.host.as_str()])
            .map(str::to_owned)
            .collect();
        let certificates = certificates(&hosts)?;
        let ca_file = scene.evidence.directory().join("ca.pem");
        fs::write(&ca_file, &certificates.ca_pem).doing("writing the store's CA")?;
        let repository = S3 {
            path: format!("/{}", scene.run.slug()),
            bucket: bucket.to_owned(),
            host: name.clone(),
            port: PORT,
            region: REGION.to_owned(),
            access_key: credentials.access_key,
            secret_key: credentials.secret_key,
            ca_file: victims_ca_file.to_owned(),
            connect_to: None,
        };
        Ok(Self { name, ca_file, certificates, repository })
    }

    /// Starts it on a network, waits until it answers, and makes the bucket, which keeps every version.
    /// The setting `store-image` in this `section` of `castle.toml`, such as `[containers]`, names the
    /// image.
    pub async fn open(&self, yard: &Yard, network: &str, image: &str, section: &str) -> Result<Inspector> {
        yard.make_volume(&self.name, Role::Store).await?;
        self.start(yard, network, image, section).await?;
        if let Some(died) = yard.died(&self.name).await? {
            return Err(died);
        }
        let inspector = self.inspector(&yard.engine).await?;
        wait_for("the store to answer", START_DEADLINE, Duration::from_millis(10), || async {
            match inspector.probe().await {
                Ok(()) => Ok(Wait::Ready(())),
                Err(error) => match yard.died(&self.name).await? {
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

    async fn start(&self, yard: &Yard, network: &str, image: &str, section: &str) -> Result<()> {
        let name = self.name.as_str();
        let command = ["server", "/data", "--certs-dir", "/certs", "--address", ":9000"];
        let (volume, on) = (format!("{name}:/data"), yard.engine.publishes_on());
        let port = format!("{on}::{PORT}");
        let mut words = vec!["run", "--detach", "--name", name, "--network", network];
        words.extend(["--volume", &volume, "--publish", &port, image]);
        words.extend(command);
        let deed = Deed::begin("store", &words);
        let (certificates, S3 { access_key, secret_key, .. }) = (&self.certificates, &self.repository);
        let user = format!("MINIO_ROOT_USER={access_key}\nMINIO_ROOT_PASSWORD={}\n", secret_key.expose());
        let file = |path: &str, mode| CopyTargetOptions::new(path.to_owned()).with_mode(mode);
        let key = certificates.key_pem.expose().as_bytes().to_vec();
        let request = generic(image)
            .with_exposed_port(PORT.tcp())
            .with_cmd(command)
            .with_network(network)
            .with_mount(Mount::volume_mount(name, "/data"))
            .with_copy_to(file("/certs/public.crt", 0o644), certificates.certificate_pem.clone().into_bytes())
            .with_copy_to(file("/certs/private.key", 0o644), key)
            .with_copy_to(file("/certs/user", 0o644), user.into_bytes())
            .with_env_var("MINIO_CONFIG_ENV_FILE", "/certs/user")
            .with_env_var("MINIO_UPDATE", "off")
            .with_host_config_modifier(move |host| publish(host, on, PORT));
        yard.make_container(name, Role::Store, deed, request).await.map_err(|error| {
            let why = error.chain();
            let what = format!("the store's image {image} does not start: {}", why.trim_start_matches(": "));
            Error::missing(what, format!("name another as store-image in {section} of castle.toml"))
        })
    }

    /// A client that looks into the store from here; it moves when the store's network changes.
    pub async fn inspector(&self, engine: &Engine) -> Result<Inspector> {
        let endpoint = format!("https://{}:{}", engine.host, self.port(engine).await?);
        inspect(&self.repository, &endpoint, &self.ca_file)
    }

    /// The port of the engine's machine at which the store is published now.
    pub async fn port(&self, engine: &Engine) -> Result<u16> {
        engine.published(&self.name, PORT).await
    }
}

/// A store's certificates for these host names and IP addresses.
pub fn certificates(hosts: &[String]) -> Result<Certificates> {
    Certificates::generate(hosts, Validity::current()).doing("making the store's certificates")
}
