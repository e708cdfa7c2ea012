//! Templates: a castle with one backup is made once, stopped in good order and copied for each drill that
//! begins with one. What is copied is PGDATA and the objects of the repository; whatever a drill writes comes
//! after. A template lies in a directory of the harness's own, below cargo's `target` for the tests: `cargo
//! clean` removes it, and the next drill makes it anew.

use crate::{LocalConfig, plant::Plant, tools::Tools};
use futures::{StreamExt, TryStreamExt, stream};
use nix::unistd::{Gid, Uid, chown};
use phoenix_core::{Lsn, WalSegment, report::BackupRecord};
use phoenix_drill::{CastlePlan, Doing, Encrypted, Error, Result, Settings, Wait, wait_for};
use phoenix_repository::{must, segment_size_for};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, TryLockError},
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

/// Grows when a template is made in another way than before.
const VERSION: u32 = 1;
/// For the drill that makes the template while this one waits.
const DEADLINE: Duration = Duration::from_secs(100);
/// Objects that are under way at the same time.
const AT_ONCE: usize = 8;
/// Written last: what there is in the template.
const CONTENTS: &str = "contents.json";

/// A template: of one kind of castle, made with one set of programs.
pub(crate) struct Template {
    path: PathBuf,
}

/// What there is in a template.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Contents {
    /// The backup in its repository.
    pub backup: BackupRecord,
    /// All that was copied.
    pub tally: Tally,
}

/// How much lies below a directory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Files and symbolic links.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Template {
    /// The template for such a castle, if there may be one. An encrypted repository has a passphrase of its
    /// own, and bulk data is its own drill's.
    pub fn of(config: &LocalConfig, tools: &Tools, plan: CastlePlan, settings: &Settings) -> Option<Self> {
        let directory = config.template.as_ref()?;
        if plan.encrypted != Encrypted::No || settings.size_bytes > 0 {
            return None;
        }
        let segment_size = config.segment_size.unwrap_or_else(|| segment_size_for(settings.size_bytes));
        // another release of the compiler may hash otherwise: then the template is made anew, no more
        let mut hasher = DefaultHasher::new();
        let kind = format!("{tools:?} {plan:?} {:?} {}", config.shipped, config.archive_timeout_s);
        (VERSION, kind, segment_size.bytes()).hash(&mut hasher);
        let (postgres, pgbackrest) = (tools.postgres, tools.pgbackrest);
        let key = format!("postgresql-{postgres}-pgbackrest-{pgbackrest}-{:016x}", hasher.finish());
        Some(Self { path: directory.join(key) })
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        PathBuf::from(format!("{}{suffix}", self.path.display()))
    }

    /// Waits until nobody else makes this template. The lock goes with the process, whatever ends it.
    pub async fn lock(&self) -> Result<File> {
        let path = self.beside(".lock");
        let doing = || format!("locking {}", path.display());
        fs::create_dir_all(path.parent().unwrap_or(&path)).doing(doing())?;
        let file = fs::OpenOptions::new().create(true).append(true).open(&path).doing(doing())?;
        wait_for("the template that another drill makes", DEADLINE, Duration::from_millis(10), || async {
            match file.try_lock() {
                Ok(()) => Ok(Wait::Ready(())),
                Err(TryLockError::WouldBlock) => Ok(Wait::NotYet("it is being made".to_owned())),
                Err(TryLockError::Error(error)) => Err(error).doing(doing()),
            }
        })
        .await?;
        Ok(file)
    }

    /// What there is in the template, if it is whole. The caller holds the lock.
    pub fn contents(&self) -> Option<Contents> {
        let contents: Contents = serde_json::from_slice(&fs::read(self.path.join(CONTENTS)).ok()?).ok()?;
        let there = tally(&self.path).ok()?;
        let own = fs::metadata(self.path.join(CONTENTS)).ok()?.len();
        let whole = Tally { files: contents.tally.files + 1, bytes: contents.tally.bytes + own };
        (there == whole).then_some(contents)
    }

    /// Makes the template of a drill's castle, whose server was stopped in good order. The caller holds the
    /// lock; others see the template once it is whole.
    pub async fn take(&self, plant: &Plant, backup: &BackupRecord) -> Result<Contents> {
        require_all_archived(plant, backup).await?;
        let (new, doing) = (self.beside(".new"), || format!("making the template {}", self.path.display()));
        for old in [&new, &self.path] {
            if old.exists() {
                fs::remove_dir_all(old).doing(doing())?;
            }
        }
        fs::create_dir_all(&new).doing(doing())?;
        for (from, to) in parts(plant) {
            copied(from, new.join(to), None).await.doing(doing())?;
        }
        self.take_objects(plant, &new.join("objects")).await?;
        let contents = Contents { backup: backup.clone(), tally: tally(&new).doing(doing())? };
        let text = serde_json::to_vec_pretty(&contents).doing(doing())?;
        fs::write(new.join(CONTENTS), text).and_then(|()| fs::rename(&new, &self.path)).doing(doing())?;
        Ok(contents)
    }

    async fn take_objects(&self, plant: &Plant, directory: &Path) -> Result<()> {
        let (inspector, prefix) = (plant.vault.inspector()?, format!("{}/", plant.vault.prefix()));
        let keys = inspector.list(&prefix).await.doing("listing the repository")?;
        let get = |key: String| async {
            let body = inspector.get(&key).await.doing("copying the repository")?;
            let path = directory.join(key.trim_start_matches(&prefix));
            fs::create_dir_all(path.parent().unwrap_or(&path))
                .and_then(|()| fs::write(&path, body))
                .doing(key)
        };
        stream::iter(keys.into_iter().map(|object| get(object.key)))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    /// Copies the template into a drill that has its directories and an empty repository. Its server can be
    /// started then.
    pub async fn give(&self, plant: &Plant, contents: &Contents) -> Result<()> {
        let owner = plant.owner()?;
        for (to, from) in parts(plant) {
            copied(self.path.join(from), to, owner).await.doing("copying the template")?;
        }
        self.give_objects(plant).await?;
        plant.vault.note_cluster_bytes(contents.backup.cluster_bytes);
        let Tally { files, bytes } = contents.tally;
        let (label, megabytes) = (&contents.backup.label, bytes as f64 / 1e6);
        plant.scene.evidence.remark(&format!(
            "PGDATA and the repository with backup {label} were copied from a template: {files} files, {megabytes:.1} MB"
        ))
    }

    async fn give_objects(&self, plant: &Plant) -> Result<()> {
        let (inspector, prefix) = (plant.vault.inspector()?, plant.vault.prefix());
        let root = self.path.join("objects");
        let mut files = Vec::new();
        list(&root, &mut files).doing("listing the template's repository")?;
        let put = |path: PathBuf| {
            let (inspector, root) = (&inspector, &root);
            async move {
                let key = path.strip_prefix(root).doing("naming an object")?.display().to_string();
                let body = fs::read(&path).doing(format!("reading {}", path.display()))?;
                inspector.put(&format!("{prefix}/{key}"), body).await.doing("filling the repository")
            }
        };
        stream::iter(files.into_iter().map(put)).buffer_unordered(AT_ONCE).try_collect().await
    }
}

/// What is copied file by file: where a drill has it, and its name in the template.
fn parts(plant: &Plant) -> [(PathBuf, &'static str); 2] {
    [(plant.data(), "data"), (plant.victim().join("repository"), "repository")]
}

/// Whoever goes on from here archives from the segment of the last checkpoint on: the store holds what is
/// before it, from the backup's start without a gap.
async fn require_all_archived(plant: &Plant, backup: &BackupRecord) -> Result<()> {
    let program = plant.tools.postgres_bin.join("pg_controldata").display().to_string();
    let argv = [program, "-D".to_owned(), plant.data().display().to_string()];
    let printed = must(plant, "pg_controldata", &argv).await?;
    let value = |name: &str| printed.lines().find_map(|line| line.strip_prefix(name)).map_or("", str::trim);
    if value("Database cluster state:") != "shut down" {
        return Err(Error::unverified("stopping the template's server", value("Database cluster state:")));
    }
    let checkpoint: Lsn = value("Latest checkpoint location:").parse().doing("reading pg_controldata")?;
    let (timeline, size) = (backup.timeline, plant.vault.segment_size());
    let next = WalSegment::containing(timeline, checkpoint, size).number;
    let held = plant.vault.segments().await?;
    let first = WalSegment::containing(timeline, backup.interval.start, size);
    let missing = (first.number..next)
        .map(|number| WalSegment { timeline, number })
        .find(|segment| !held.contains(segment));
    match missing {
        None => Ok(()),
        Some(missing) => Err(Error::unverified("archiving the template's WAL", missing.name(size))),
    }
}

type Owner = Option<(Uid, Gid)>;

async fn copied(from: PathBuf, to: PathBuf, owner: Owner) -> Result<()> {
    let doing = format!("copying {} to {}", from.display(), to.display());
    tokio::task::spawn_blocking(move || copy(&from, &to, owner)).await.doing(doing.clone())?.doing(doing)
}

/// Copies a tree with its modes, and gives it to its new owner.
fn copy(from: &Path, to: &Path, owner: Owner) -> io::Result<()> {
    let kind = fs::symlink_metadata(from)?;
    if kind.is_symlink() {
        // pgBackRest's own, within its repository: relative
        return std::os::unix::fs::symlink(fs::read_link(from)?, to);
    }
    if kind.is_dir() {
        fs::create_dir_all(to)?;
        fs::set_permissions(to, kind.permissions())?;
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            copy(&from.join(&name), &to.join(&name), owner)?;
        }
    } else {
        fs::copy(from, to)?;
    }
    match owner {
        Some((user, group)) => Ok(chown(to, Some(user), Some(group))?),
        None => Ok(()),
    }
}

/// Every file and symbolic link below a directory.
fn list(directory: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => list(&entry.path(), found)?,
            false => found.push(entry.path()),
        }
    }
    Ok(())
}

fn tally(directory: &Path) -> io::Result<Tally> {
    let mut found = Vec::new();
    list(directory, &mut found)?;
    let mut tally = Tally { files: found.len() as u64, bytes: 0 };
    for path in found {
        tally.bytes += fs::symlink_metadata(path)?.len();
    }
    Ok(tally)
}
