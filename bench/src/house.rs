//! What all measurements share: a directory on the storage that is measured, another on disk for
//! evidence, the programs, and one embedded store, served beside by `phoenix store --directory DIR`. All of it goes
//! when the house does.

use clap::ValueEnum;
use miette::{Context, IntoDiagnostic, Result, miette};
use phoenix_core::Secret;
use phoenix_local::{LocalConfig, tools::Tools};
use phoenix_store::{Credentials, Inspector, Target};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// Makes /dev/shm read-only but for a directory of ours: `initdb` tries POSIX shared memory, which would
/// outlive a SIGKILL, before any setting can be made.
const FORBID_SHARED_MEMORY: &str =
    r#"mount --bind "$0" "$0" && mount -o remount,bind,ro /dev/shm && exec "$@""#;

/// Where everything lives while it is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Storage {
    /// In memory (/dev/shm)
    Tmpfs,
    /// On disk (/var/tmp)
    Disk,
}

impl Storage {
    /// Its name on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tmpfs => "tmpfs",
            Self::Disk => "disk",
        }
    }
}

/// What all measurements share.
pub struct House {
    /// Where it stands.
    pub storage: Storage,
    /// PostgreSQL, pgBackRest and the unprivileged user.
    pub tools: Tools,
    /// The store beside; declared before the directories, so that it is gone before they are.
    pub store: Store,
    ground: TempDir,
    disk: TempDir,
}

/// The embedded store beside.
pub struct Store {
    /// Its port on localhost.
    pub port: u16,
    /// The bucket.
    pub bucket: String,
    /// The region.
    pub region: String,
    /// The keys.
    pub credentials: Credentials,
    /// The CA's certificate, for everybody to read.
    pub ca_file: PathBuf,
    server: Child,
}

impl House {
    /// Makes the directories and starts the store.
    pub async fn build(storage: Storage) -> Result<Self> {
        let disk = directory("/var/tmp")?;
        let ground = match storage {
            Storage::Tmpfs => directory("/dev/shm")?,
            Storage::Disk => directory("/var/tmp")?,
        };
        let tools = Tools::find(&LocalConfig::default()).await.into_diagnostic()?;
        // a copy, so that a build under way does not change what is measured
        let built = std::env::current_exe().into_diagnostic()?.with_file_name("phoenix");
        fs::copy(&built, disk.path().join("phoenix"))
            .into_diagnostic()
            .wrap_err("there is no phoenix beside phoenix-bench: run `just bench`, which builds both")?;
        let store = Store::serve(&disk.path().join("phoenix"), ground.path()).await?;
        Ok(Self { storage, tools, store, ground, disk })
    }

    /// The program `phoenix`.
    pub fn phoenix(&self) -> PathBuf {
        self.disk.path().join("phoenix")
    }

    /// A directory on disk, for evidence.
    pub fn disk(&self) -> &Path {
        self.disk.path()
    }

    /// The directory on the storage that is measured.
    pub fn ground(&self) -> &Path {
        self.ground.path()
    }

    /// A fresh directory on the storage that is measured, of the unprivileged user's.
    pub fn room(&self, name: &str) -> Result<PathBuf> {
        let room = self.ground.path().join(name);
        fs::create_dir(&room).into_diagnostic()?;
        if let Some(name) = &self.tools.victim_user {
            let user = nix::unistd::User::from_name(name).into_diagnostic()?;
            let (uid, gid) = (user.as_ref().map(|user| user.uid), user.as_ref().map(|user| user.gid));
            nix::unistd::chown(&room, uid, gid).into_diagnostic()?;
        }
        Ok(room)
    }

    /// A shell script as the unprivileged user, in namespaces that go when this process does, and with
    /// them everything that it started and the shared memory that it made.
    pub fn script(&self, text: &str) -> Command {
        let mut command = Command::new("setpriv");
        let line = "--pdeathsig KILL -- unshare --pid --ipc --mount-proc --fork --kill-child=SIGKILL";
        command.args(line.split(' '));
        if self.tools.victim_user.is_none() {
            command.args(["--user", "--map-current-user", "--keep-caps"]);
        }
        command.args(["--", "sh", "-c"]);
        command.arg(FORBID_SHARED_MEMORY).arg(self.ground.path()).args(["setpriv", "--pdeathsig", "KILL"]);
        match &self.tools.victim_user {
            Some(user) => command.args(["--reuid", user, "--regid", user, "--init-groups"]),
            None => command.args(["--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all"]),
        };
        command.args(["--", "bash", "-c", text]);
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", self.tools.postgres_bin.display());
        command.env_clear().env("PATH", path).env("LC_ALL", "C").env("TZ", "UTC");
        command.current_dir(self.ground.path()).stdin(Stdio::null()).kill_on_drop(true);
        command
    }
}

impl Drop for House {
    fn drop(&mut self) {
        // one that is gone already need not be killed
        let _ = self.store.server.start_kill();
        let directories = [self.ground.path(), self.disk.path()];
        // what was killed a moment ago may still be writing
        for _ in 0..500 {
            let gone = |path: &Path| fs::remove_dir_all(path).is_ok() || !path.exists();
            if directories.map(gone) == [true, true] {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }
}

impl Store {
    /// Starts it with everything in a directory.
    pub async fn serve(phoenix: &Path, ground: &Path) -> Result<Self> {
        let (bucket, credentials) = ("phoenix".to_owned(), Credentials::generate());
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(phoenix).args(["store", "--bucket", &bucket]);
        command.arg("--directory").arg(ground.join("store"));
        command.env("PHOENIX_STORE_ACCESS_KEY", &credentials.access_key);
        command.env("PHOENIX_STORE_SECRET_KEY", credentials.secret_key.expose());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut server = command.spawn().into_diagnostic().wrap_err("phoenix store does not start")?;
        let output = server.stdout.take().ok_or_else(|| miette!("phoenix store has no output"))?;
        let mut said = BTreeMap::new();
        let mut lines = BufReader::new(output).lines();
        while !said.contains_key("secret key") {
            let line = lines.next_line().await.into_diagnostic()?;
            let line = line.ok_or_else(|| miette!("phoenix store did not say where it is"))?;
            let (name, value) = line.split_once("  ").unwrap_or((&line, ""));
            said.insert(name.to_owned(), value.trim().to_owned());
        }
        let value = |name: &str| said.get(name).cloned().unwrap_or_default();
        let port = value("endpoint").rsplit(':').next().and_then(|port| port.parse().ok());
        let port = port.ok_or_else(|| miette!("phoenix store did not say its port"))?;
        let ca_file = ground.join("ca.pem");
        fs::copy(value("ca"), &ca_file).into_diagnostic()?;
        fs::set_permissions(&ca_file, fs::Permissions::from_mode(0o644)).into_diagnostic()?;
        Ok(Self { port, bucket, region: value("region"), credentials, ca_file, server })
    }

    /// Ends it.
    pub async fn end(&mut self) -> Result<()> {
        self.server.kill().await.into_diagnostic()
    }

    /// Looks into it.
    pub fn inspector(&self) -> Result<Inspector> {
        let target = Target {
            endpoint: format!("https://localhost:{}", self.port),
            region: self.region.clone(),
            bucket: self.bucket.clone(),
            credentials: self.credentials.clone(),
            ca_file: Some(self.ca_file.clone()),
        };
        Inspector::new(target).into_diagnostic()
    }

    /// The key that signs.
    pub fn secret(&self) -> &Secret {
        &self.credentials.secret_key
    }
}

fn directory(parent: &str) -> Result<TempDir> {
    let made = tempfile::Builder::new().prefix("phoenix-bench-").tempdir_in(parent).into_diagnostic()?;
    fs::set_permissions(made.path(), fs::Permissions::from_mode(0o755)).into_diagnostic()?;
    Ok(made)
}
