//! The register of resources: each is written down before it is made, and what the register does not
//! name is never removed. A living harness holds a lock on its register; one that can be locked
//! belongs to a harness that is gone.

use crate::{Doing, Error, Result};
use phoenix_core::RunId;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::Write,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    sync::Mutex,
};

/// Something that must not outlive the drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "resource", rename_all = "snake_case")]
pub enum Resource {
    /// A directory with everything in it. It holds the file `.phoenix-run` with the run's id.
    Directory {
        /// Where.
        path: PathBuf,
    },
    /// Processes whose environment holds `PHOENIX_CAPSULE=<mark>`, and all below them.
    Capsule {
        /// The mark.
        mark: String,
    },
    /// The container engine that holds every container, network, volume and image below.
    Engine {
        /// The id that it gives itself.
        id: String,
        /// Where it was reached.
        endpoint: String,
    },
    /// A container with the label `phoenix.run=<run>`.
    Container {
        /// Its name.
        name: String,
    },
    /// A network with the label `phoenix.run=<run>`.
    Network {
        /// Its name.
        name: String,
    },
    /// A volume with the label `phoenix.run=<run>`.
    Volume {
        /// Its name.
        name: String,
    },
    /// An image under construction, with the label `phoenix.run=<run>`.
    Image {
        /// Its name and tag.
        reference: String,
    },
    /// A Kubernetes cluster by kind: containers of the engine above, which bear its name as a label.
    KindCluster {
        /// Its name, which holds the run's.
        name: String,
    },
    /// A namespace with the label `phoenix.run=<run>`.
    Namespace {
        /// Its name.
        name: String,
        /// The kubeconfig that reaches it; the usual one, if absent.
        kubeconfig: Option<PathBuf>,
        /// The context in it.
        context: String,
        /// The uid of the cluster's namespace `kube-system`: another cluster may have a context of this name.
        cluster: String,
    },
    /// Everything above is to be kept: sweep leaves it unless told otherwise.
    Kept {
        /// Why.
        why: String,
    },
}

/// One run's register.
pub struct Register {
    path: PathBuf,
    file: Mutex<File>,
}

impl Register {
    /// Opens the register of a new run in the machine's register directory.
    pub fn open(run: &RunId) -> Result<Self> {
        let path = directory()?.join(format!("{run}.jsonl"));
        let doing = format!("opening the register {}", path.display());
        let file = OpenOptions::new().append(true).create_new(true).open(&path).doing(&doing)?;
        file.lock().doing(&doing)?;
        Ok(Self { path, file: Mutex::new(file) })
    }

    /// Writes down a resource, durably, before it is made.
    pub fn record(&self, resource: &Resource) -> Result<()> {
        let doing = || format!("writing the register {}", self.path.display());
        let mut line = serde_json::to_vec(resource).doing(doing())?;
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.write_all(&line).and_then(|()| file.sync_data()).doing(doing())
    }

    /// What is written down, in order.
    pub fn resources(&self) -> Result<Vec<Resource>> {
        read(&self.path)
    }

    /// Forgets the run: everything it named is gone.
    pub fn forget(&self) -> Result<()> {
        fs::remove_file(&self.path).doing(format!("removing the register {}", self.path.display()))
    }
}

fn read(path: &Path) -> Result<Vec<Resource>> {
    let doing = || format!("reading the register {}", path.display());
    let text = fs::read_to_string(path).doing(doing())?;
    // a torn last line names something that was not made yet
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| serde_json::from_str(line).doing(doing())).collect()
}

/// The machine's register directory of this user: `/var/tmp/phoenix-<uid>/register`.
pub fn directory() -> Result<PathBuf> {
    let directory = home()?.join("register");
    owned_directory(&directory)?;
    Ok(directory)
}

/// Phoenix's own directory of this user on disk: `/var/tmp/phoenix-<uid>`. It is the same whatever the
/// working directory, so that a later run finds what an earlier one left.
pub fn home() -> Result<PathBuf> {
    let home = PathBuf::from(format!("/var/tmp/phoenix-{}", nix::unistd::getuid()));
    owned_directory(&home)?;
    Ok(home)
}

/// Makes a directory, or checks that the one there is a directory of this user's.
pub fn owned_directory(path: &Path) -> Result<()> {
    let made = fs::DirBuilder::new().mode(0o755).create(path);
    if made.as_ref().is_err_and(|error| error.kind() != std::io::ErrorKind::AlreadyExists) {
        return made.doing(format!("making the directory {}", path.display()));
    }
    let found = fs::symlink_metadata(path).doing(format!("looking at {}", path.display()))?;
    if found.is_dir() && found.uid() == nix::unistd::getuid().as_raw() {
        return Ok(());
    }
    let what = format!("{} is not a directory of this user's", path.display());
    Err(Error::usage(what, "remove it, or ask whoever put it there"))
}

/// A register whose harness is gone; it is locked while this lives.
pub struct Orphan {
    /// The run.
    pub run: String,
    /// What it made, in order.
    pub resources: Vec<Resource>,
    path: PathBuf,
    _lock: File,
}

impl Orphan {
    /// Its register.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Why its resources were kept on purpose, if they were.
    pub fn kept(&self) -> Option<&str> {
        self.resources.iter().find_map(|resource| match resource {
            Resource::Kept { why } => Some(why.as_str()),
            _ => None,
        })
    }

    /// Forgets the run: everything it named is gone.
    pub fn close(self) -> Result<()> {
        fs::remove_file(&self.path).doing(format!("removing the register {}", self.path.display()))
    }
}

/// The registers in a directory whose harness is gone.
pub(crate) fn orphans(directory: &Path) -> Result<Vec<Orphan>> {
    let doing = || format!("reading {}", directory.display());
    let mut orphans = Vec::new();
    for entry in fs::read_dir(directory).doing(doing())? {
        let path = entry.doing(doing())?.path();
        let Some(run) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".jsonl")) else {
            continue;
        };
        let Ok(lock) = File::open(&path) else { continue };
        match lock.try_lock() {
            Ok(()) if path.exists() => {}
            Ok(()) | Err(TryLockError::WouldBlock) => continue,
            Err(TryLockError::Error(error)) => return Err(error).doing(doing()),
        }
        let (run, resources) = (run.to_owned(), read(&path)?);
        orphans.push(Orphan { run, resources, path, _lock: lock });
    }
    Ok(orphans)
}
