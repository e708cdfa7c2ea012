//! What one local drill stands on: its directories, its store, its server, and how to run things.

use crate::{
    LocalConfig,
    inventory::MARK_FILE,
    process::{Capsule, Member, SharedMemory},
    tools::Tools,
};
use nix::unistd::{Gid, Uid, User, chown};
use phoenix_core::SegmentSize;
use phoenix_drill::{CastlePlan, Doing, Error, KeyAfterFire, Repositories, Resource, Result, Scene, Work};
use phoenix_postgres::{
    ConnectConfig, Sql,
    pgbackrest::{self, PgBackRest, Repository, S3},
    settings::{Listen, ServerSettings, postgresql_conf},
};
use phoenix_repository::{Ran, STANZA, Vault, Victim, inspect, segment_size_for};
use phoenix_store::{Credentials, Durability, Inspector, StoreConfig, StoreServer};
use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU32},
};
use tokio::sync::Mutex;

const BUCKET: &str = "phoenix";
/// The number in the socket's name: the socket's directory is the drill's own.
pub(crate) const PORT: u16 = 5432;

/// What one local drill stands on.
pub(crate) struct Plant {
    pub scene: Arc<Scene>,
    pub config: LocalConfig,
    pub tools: Tools,
    /// Holds everything of this drill; survives the fire but for `victim`.
    pub root: PathBuf,
    pub capsule: Capsule,
    pub vault: Vault,
    pub embedded: Option<Mutex<Option<StoreServer>>>,
    pub server: Mutex<Option<Member>>,
    pub starts: AtomicU32,
    pub segment_size: SegmentSize,
}

impl Plant {
    /// Lays the ground: directories with the drill's mark, and the store. All is registered before it is made.
    pub async fn lay(config: LocalConfig, tools: Tools, scene: Arc<Scene>, plan: CastlePlan) -> Result<Self> {
        let ground = ground(&config)?;
        room_for(scene.settings.size_bytes, &ground, config.storage)?;
        let root = ground.join(scene.run.slug());
        scene.register.record(&Resource::Capsule { mark: scene.run.to_string() })?;
        scene.register.record(&Resource::Directory { path: root.clone() })?;
        fs::create_dir(&root).doing(format!("making {}", root.display()))?;
        fs::write(root.join(MARK_FILE), scene.run.as_str()).doing("marking the drill's directory")?;
        let (store, inspector, embedded) = open_store(&config, &root, &scene).await?;
        let capsule = Capsule {
            kind: tools.capsule,
            mark: scene.run.to_string(),
            user: tools.victim_user.clone(),
            directory: root.clone(),
            bin: tools.postgres_bin.clone(),
            shared_memory: SharedMemory::Allowed,
        };
        let (server, starts) = (Mutex::default(), AtomicU32::new(0));
        let segment_size = config.segment_size.unwrap_or_else(|| segment_size_for(scene.settings.size_bytes));
        let vault = Vault::new(store, segment_size, plan);
        vault.look_through(inspector);
        Ok(Self { scene, config, tools, root, capsule, vault, embedded, server, starts, segment_size })
    }

    /// Everything that burns.
    pub fn victim(&self) -> PathBuf {
        self.root.join("victim")
    }

    /// PGDATA.
    pub fn data(&self) -> PathBuf {
        self.victim().join("data")
    }

    pub fn in_victim(&self, name: &str) -> String {
        self.victim().join(name).display().to_string()
    }

    /// Every process of the victim that lives.
    pub fn processes(&self) -> BTreeSet<u32> {
        crate::process::found(&self.capsule.mark, &self.victim())
    }

    /// The path of the wrapper that makes archive errors fatal.
    pub fn seal(&self) -> String {
        self.in_victim("seal")
    }

    /// How pgBackRest is called.
    pub fn pgbackrest(&self) -> PgBackRest {
        let program = self.tools.pgbackrest_program.display().to_string();
        PgBackRest { program, config: Some(self.in_victim("pgbackrest.conf")), stanza: STANZA.to_owned() }
    }

    /// Makes the victim's directories and pgBackRest's configuration, with these repositories and key.
    pub fn furnish(&self, repositories: Repositories, key: KeyAfterFire) -> Result<()> {
        let mut list = self.vault.in_store(self.vault.repository(key));
        if repositories == Repositories::StoreAndLocal {
            list.push(Repository::Directory(self.in_victim("repository")));
        }
        let config = pgbackrest::Config {
            stanza: STANZA.to_owned(),
            repositories: list,
            data_directory: self.data().display().to_string(),
            port: PORT,
            socket_directory: self.in_victim("socket"),
            work_directory: self.in_victim("work"),
            pace: self.config.shipped.pace(),
            shipped: self.config.shipped.pgbackrest.clone(),
        };
        for directory in ["", "data", "socket", "work", "work/log", "work/lock", "work/spool", "repository"] {
            let path = self.victim().join(directory);
            fs::create_dir_all(&path).doing(format!("making {}", path.display()))?;
            self.give(&path, if directory == "data" { 0o700 } else { 0o755 })?;
        }
        self.place("pgbackrest.conf", &self.vault.altered(&config.text()), 0o600)?;
        self.place("seal", pgbackrest::seal_script(), 0o755)?;
        let shown = format!("`pgbackrest.conf`:\n```ini\n{}```", self.vault.altered(&config.redacted()));
        self.scene.evidence.remark(&shown)
    }

    /// Sets up a fresh PGDATA to listen and to archive. The server works in it and finds from there what lies
    /// beside it: nothing names this drill's own directory, so that a backup comes back in any drill's.
    pub fn configure(&self) -> Result<()> {
        let victim = self.victim().display().to_string();
        let server = ServerSettings {
            listen: Listen::Socket,
            socket_directory: "../socket".to_owned(),
            port: PORT,
            archive_command: self.pgbackrest().archive_command().replace(&victim, r#""$PWD"/.."#),
            archive_timeout_s: self.config.archive_timeout_s,
            pace: self.config.shipped.pace(),
            shipped: self.config.shipped.postgresql.clone(),
        };
        let text = postgresql_conf(&server);
        let path = self.data().join("postgresql.conf");
        let mut whole = fs::read_to_string(&path).doing("reading postgresql.conf")?;
        whole.push_str(&text);
        fs::write(&path, whole).doing("writing postgresql.conf")?;
        fs::write(self.data().join("pg_hba.conf"), Listen::Socket.pg_hba_conf())
            .doing("writing pg_hba.conf")?;
        self.scene
            .evidence
            .remark(&format!("appended to `postgresql.conf`:\n```ini\n{}```", text.trim_start()))
    }

    fn place(&self, name: &str, text: &str, mode: u32) -> Result<()> {
        let path = self.victim().join(name);
        let doing = || format!("writing {}", path.display());
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(&path)
            .doing(doing())?;
        std::io::Write::write_all(&mut file, text.as_bytes()).doing(doing())?;
        self.give(&path, mode)
    }

    /// Gives something to the victim's user.
    fn give(&self, path: &Path, mode: u32) -> Result<()> {
        let doing = || format!("giving {} to the victim", path.display());
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).doing(doing())?;
        if let Some((user, group)) = self.owner()? {
            chown(path, Some(user), Some(group)).doing(doing())?;
        }
        Ok(())
    }

    /// To whom the victim's files belong, if that is not the harness itself.
    pub fn owner(&self) -> Result<Option<(Uid, Gid)>> {
        let Some(name) = &self.tools.victim_user else { return Ok(None) };
        let user = User::from_name(name).doing(format!("looking for the user {name}"))?;
        Ok(user.map(|user| (user.uid, user.gid)))
    }

    /// The server's SQL.
    pub fn sql(&self) -> Arc<Sql> {
        let mut config = ConnectConfig::new();
        config.host_path(self.victim().join("socket")).port(PORT).user("postgres").dbname("postgres");
        config.application_name("phoenix");
        Arc::new(Sql::new(config))
    }
}

impl Victim for Plant {
    fn run<'a>(&'a self, purpose: &'a str, argv: &'a [String]) -> Work<'a, Ran> {
        Box::pin(self.capsule.run(&self.scene.evidence, purpose, argv))
    }
}

/// Bulk data is there three times for a while: in the cluster, in its WAL and in the store.
fn room_for(size_bytes: u64, ground: &Path, storage: crate::Storage) -> Result<()> {
    let disk =
        nix::sys::statvfs::statvfs(ground).doing(format!("asking for the room in {}", ground.display()))?;
    let free = disk.blocks_available().saturating_mul(disk.fragment_size());
    let free = match storage {
        crate::Storage::Disk => free,
        crate::Storage::Tmpfs => free.min(available_memory().unwrap_or(free)),
    };
    let needed = size_bytes.saturating_mul(3);
    if needed <= free {
        return Ok(());
    }
    let [size, needed, free] = [size_bytes, needed, free].map(|bytes| bytes / 1_000_000);
    let what =
        format!("{size} MB of bulk data need {needed} MB in {}, which has {free} MB", ground.display());
    Err(Error::usage(what, "choose a smaller --size, or another --storage (disk, tmpfs)"))
}

/// What the kernel can still give without swapping, in bytes.
fn available_memory() -> Option<u64> {
    let table = fs::read_to_string("/proc/meminfo").ok()?;
    let line = table.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes.saturating_mul(1024))
}

/// The directory of all local drills of this user, in memory or on disk.
fn ground(config: &LocalConfig) -> Result<PathBuf> {
    let home = phoenix_drill::register::home()?;
    let ground = match config.storage {
        crate::Storage::Disk => home.join("drills"),
        crate::Storage::Tmpfs => PathBuf::from(format!("/dev/shm/phoenix-{}", nix::unistd::getuid())),
    };
    phoenix_drill::register::owned_directory(&ground)?;
    Ok(ground)
}

type OpenStore = (S3, Inspector, Option<Mutex<Option<StoreServer>>>);

/// Starts the embedded store, or checks that this drill's path in the given one is empty.
async fn open_store(config: &LocalConfig, root: &Path, scene: &Scene) -> Result<OpenStore> {
    if let Some(external) = &config.store {
        let store = external.repository(&scene.run.slug(), &external.ca_file);
        let inspector = external.open(&store, "[local.store]").await?;
        return Ok((store, inspector, None));
    }
    let credentials = Credentials::generate();
    let mut settings = StoreConfig::new(root.join("store"), BUCKET, credentials.clone());
    settings.ca_file = Some(root.join("ca.pem"));
    settings.listen.set_port(config.store_port.unwrap_or(0));
    settings.access_log = Some(scene.evidence.log("store.jsonl"));
    settings.durability = match config.storage {
        crate::Storage::Tmpfs => Durability::Buffered,
        crate::Storage::Disk => Durability::Fsync,
    };
    let region = settings.region.clone();
    let server = StoreServer::start(settings).await.map_err(|error| {
        let what = phoenix_drill::error::chain(&error);
        Error::usage(
            format!("the embedded store does not start: {what}"),
            "free the port, or leave store-port out of castle.toml",
        )
    })?;
    let ca_file = server.ca_file().to_owned();
    fs::set_permissions(&ca_file, fs::Permissions::from_mode(0o644))
        .doing("showing the store's CA to the victim")?;
    let store = S3 {
        path: format!("/{}", scene.run.slug()),
        bucket: BUCKET.to_owned(),
        host: "localhost".to_owned(),
        port: server.port(),
        region,
        access_key: credentials.access_key.clone(),
        secret_key: credentials.secret_key.clone(),
        ca_file: ca_file.display().to_string(),
        connect_to: None,
    };
    let inspector = inspect(&store, &server.endpoint(), &ca_file)?;
    Ok((store, inspector, Some(Mutex::new(Some(server)))))
}
