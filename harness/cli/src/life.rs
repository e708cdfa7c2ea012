//! The life of a run's process, written into its evidence: `pid`, which the process holds locked for as
//! long as it lives, and `exit-status` once it has ended. The lock goes with the process, whatever ends it:
//! by it alone whoever follows a drill knows whether it goes on.

use phoenix_core::Event;
use phoenix_drill::Reporter;
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Error, ErrorKind, Read, Result, Write},
    path::{Path, PathBuf},
    str::FromStr,
    sync::{Arc, OnceLock},
};

/// This process plays the run: it holds the lock.
#[derive(Debug)]
pub struct Life {
    directory: PathBuf,
    _lock: File,
}

impl Life {
    /// Writes this process down in a run's evidence.
    pub fn begin(directory: &Path) -> Result<Self> {
        let (path, new) = (directory.join("pid"), directory.join(".pid"));
        let mut lock = OpenOptions::new().write(true).create_new(true).open(&new)?;
        lock.lock()?;
        writeln!(lock, "{}", std::process::id())?;
        // whoever sees it sees it locked
        fs::rename(new, path)?;
        Ok(Self { directory: directory.to_owned(), _lock: lock })
    }

    /// Writes down how the process is about to end.
    pub fn end(&self, exit_status: u8) -> Result<()> {
        fs::write(self.directory.join("exit-status"), format!("{exit_status}\n"))
    }
}

/// Begins the life of a run as soon as the drill has begun.
pub struct Birth {
    /// The directory for evidence, with one directory a run in it.
    pub evidence: PathBuf,
    /// Where the life is kept.
    pub life: Arc<OnceLock<Life>>,
}

impl Reporter for Birth {
    fn event(&mut self, event: &Event) {
        if let Event::DrillStarted { run, .. } = event {
            // who cannot write this cannot write the evidence either, and that stops the drill
            if let Ok(life) = Life::begin(&self.evidence.join(run.as_str())) {
                let _ = self.life.set(life);
            }
        }
    }
}

/// What a look at a run's evidence says of its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// No process was written down (yet).
    Nobody,
    /// It lives.
    Alive {
        /// Its number.
        pid: u32,
    },
    /// It is gone, with the exit status that it wrote down; none if it was killed.
    Gone(Option<u8>),
}

/// Looks whether the process of a run lives. It disturbs neither that process nor others who look.
pub fn look(directory: &Path) -> Result<Seen> {
    let Some(mut file) = there(File::open(directory.join("pid")))? else { return Ok(Seen::Nobody) };
    let mut text = String::new();
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {
            file.read_to_string(&mut text)?;
            Ok(Seen::Alive { pid: number(&text)? })
        }
        Ok(()) => {
            let status = there(fs::read_to_string(directory.join("exit-status")))?;
            Ok(Seen::Gone(status.map(|text| number(&text)).transpose()?))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn number<N: FromStr>(text: &str) -> Result<N> {
    let odd = || Error::new(ErrorKind::InvalidData, format!("'{text}' is no number"));
    text.trim().parse().map_err(|_| odd())
}

fn there<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_seen_until_it_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let seen = || look(folder.path()).unwrap();
        assert_eq!(seen(), Seen::Nobody);
        let life = Life::begin(folder.path()).unwrap();
        let pid = std::process::id();
        assert_eq!((seen(), seen()), (Seen::Alive { pid }, Seen::Alive { pid }));
        life.end(130).unwrap();
        assert_eq!(seen(), Seen::Alive { pid });
        drop(life);
        assert_eq!(seen(), Seen::Gone(Some(130)));
    }

    #[test]
    fn whoever_was_killed_left_no_exit_status() {
        let folder = tempfile::tempdir().unwrap();
        drop(Life::begin(folder.path()).unwrap());
        assert_eq!(look(folder.path()).unwrap(), Seen::Gone(None));
        fs::write(folder.path().join("exit-status"), "soon").unwrap();
        assert_eq!(look(folder.path()).unwrap_err().to_string(), "'soon' is no number");
    }
}
