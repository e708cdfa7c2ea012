//! A store that keeps one backup: the embedded one, or MinIO in a container. Each time a fresh one, on the
//! storage that is measured.

use crate::{
    house::{House, Store},
    yard::{Yard, docker},
};
use miette::{IntoDiagnostic, Result, miette};
use nix::{
    fcntl::{PosixFadviseAdvice, posix_fadvise},
    unistd::{getgid, getuid},
};
use phoenix_containers::Images;
use phoenix_drill::{Error, Wait, wait_for};
use phoenix_postgres::pgbackrest::S3;
use phoenix_store::{Certificates, Credentials, Inspector, Target, Validity};
use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

const BUCKET: &str = "phoenix";
const REGION: &str = "us-east-1";

/// Which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `phoenix store --directory DIR`.
    Embedded,
    /// MinIO in a container whose port is published on 127.0.0.1.
    MinIo,
    /// MinIO in a container on this machine's own network: nothing between it and its clients.
    MinIoNear,
}

/// A store, as pgBackRest is told of it.
pub struct Keeper {
    /// What it says.
    pub repository: S3,
    directory: PathBuf,
    /// Dies with this.
    _embedded: Option<Store>,
    container: Option<String>,
}

impl Keeper {
    /// Starts it.
    pub async fn start(kind: Kind, house: &House, yard: &Yard) -> Result<Self> {
        let name = yard.name(&uuid::Uuid::new_v4().simple().to_string()[..8]);
        let directory = house.ground().join(&name);
        fs::create_dir(&directory).into_diagnostic()?;
        if kind != Kind::Embedded {
            return minio(kind, name, directory, yard).await;
        }
        let store = Store::serve(&house.phoenix(), &directory).await?;
        let ca_file = store.ca_file.clone();
        let repository = described(&name, store.port, &store.credentials, &ca_file);
        Ok(Self { repository, directory, _embedded: Some(store), container: None })
    }

    /// Lets the kernel forget the content of the store's files: what is read next comes from the disk.
    pub fn forget_content(&self) -> Result<()> {
        // what is not written yet cannot be forgotten
        nix::unistd::sync();
        forget(&self.directory)
    }

    /// Ends it, and removes all that it kept.
    pub async fn end(self) -> Result<()> {
        let Self { directory, _embedded: embedded, container, .. } = self;
        if let Some(name) = container {
            docker(&["rm", "--force", "--volumes", &name]).await?;
        }
        if let Some(mut store) = embedded {
            store.end().await?;
        }
        fs::remove_dir_all(directory).into_diagnostic()
    }
}

fn described(name: &str, port: u16, credentials: &Credentials, ca_file: &Path) -> S3 {
    S3 {
        path: format!("/{name}"),
        bucket: BUCKET.to_owned(),
        host: "localhost".to_owned(),
        port,
        region: REGION.to_owned(),
        access_key: credentials.access_key.clone(),
        secret_key: credentials.secret_key.clone(),
        ca_file: ca_file.to_string_lossy().into_owned(),
        connect_to: None,
    }
}

/// MinIO with its data in a directory beside the embedded store's, over TLS with a CA made for it.
async fn minio(kind: Kind, name: String, directory: PathBuf, yard: &Yard) -> Result<Keeper> {
    let names = ["localhost", "127.0.0.1"].map(str::to_owned);
    let certificates = Certificates::generate(&names, Validity::current()).into_diagnostic()?;
    let credentials = Credentials::generate();
    let path = |what: &str| directory.join(what);
    for what in ["data", "certs"] {
        fs::create_dir(path(what)).into_diagnostic()?;
    }
    let keys = format!(
        "MINIO_ROOT_USER={}\nMINIO_ROOT_PASSWORD={}\nMINIO_UPDATE=off\n",
        credentials.access_key,
        credentials.secret_key.expose()
    );
    for (what, text, mode) in [
        ("certs/public.crt", certificates.certificate_pem.as_str(), 0o644),
        ("certs/private.key", certificates.key_pem.expose(), 0o600),
        ("ca.pem", certificates.ca_pem.as_str(), 0o644),
        ("keys", keys.as_str(), 0o600),
    ] {
        fs::write(path(what), text).into_diagnostic()?;
        fs::set_permissions(path(what), fs::Permissions::from_mode(mode)).into_diagnostic()?;
    }
    let own = free_port()?;
    let (network, publish, address) = match kind {
        Kind::MinIoNear => ("--network=host", "--publish-all=false", format!("127.0.0.1:{own}")),
        Kind::MinIo | Kind::Embedded => ("--network=bridge", "--publish=127.0.0.1::9000", ":9000".to_owned()),
    };
    let volume = |what: &str, place: &str| format!("--volume={}:{place}", path(what).display());
    let image = Images::default().overridden(|name| std::env::var(name).ok()).store;
    let words = [
        "run",
        "--detach",
        &format!("--name={name}"),
        &format!("--label={}", yard.label()),
        &format!("--user={}:{}", getuid(), getgid()),
        network,
        publish,
        &volume("data", "/data"),
        &volume("certs", "/certs:ro"),
        &format!("--env-file={}", path("keys").display()),
        &image,
        "server",
        "/data",
        "--certs-dir",
        "/certs",
        "--address",
        &address,
    ];
    docker(&words).await?;
    let port = match kind {
        Kind::MinIoNear => own,
        Kind::MinIo | Kind::Embedded => {
            let published = docker(&["port", &name, "9000/tcp"]).await?;
            let port = published.rsplit(':').next().and_then(|port| port.parse().ok());
            port.ok_or_else(|| miette!("docker port said '{published}'"))?
        }
    };
    let repository = described(&name, port, &credentials, &path("ca.pem"));
    make_bucket(port, credentials, path("ca.pem")).await?;
    Ok(Keeper { repository, directory, _embedded: None, container: Some(name) })
}

/// Waits until MinIO answers, and makes the bucket, which keeps every version as the embedded store does.
async fn make_bucket(port: u16, credentials: Credentials, ca_file: PathBuf) -> Result<()> {
    let target = Target {
        endpoint: format!("https://localhost:{port}"),
        region: REGION.to_owned(),
        bucket: BUCKET.to_owned(),
        credentials,
        ca_file: Some(ca_file),
    };
    let inspector = Inspector::new(target).into_diagnostic()?;
    let (deadline, look) = (Duration::from_secs(60), Duration::from_millis(20));
    let made = wait_for("MinIO to answer", deadline, look, || async {
        Ok::<_, Error>(match inspector.create_bucket().await {
            Ok(()) => Wait::Ready(()),
            Err(error) => Wait::NotYet(phoenix_drill::error::chain(&error)),
        })
    });
    made.await.into_diagnostic()?;
    inspector.enable_versioning().await.into_diagnostic()
}

fn free_port() -> Result<u16> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).into_diagnostic()?;
    Ok(listener.local_addr().into_diagnostic()?.port())
}

fn forget(directory: &Path) -> Result<()> {
    for entry in fs::read_dir(directory).into_diagnostic()? {
        let path = entry.into_diagnostic()?.path();
        if path.is_dir() {
            forget(&path)?;
        } else {
            let file = File::open(&path).into_diagnostic()?;
            posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED).into_diagnostic()?;
        }
    }
    Ok(())
}
