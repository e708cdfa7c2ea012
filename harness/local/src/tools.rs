//! The programs that the victim is made of, where they are and which versions they have.

use crate::{CapsuleKind, LocalConfig};
use phoenix_drill::{Error, Result};
use phoenix_postgres::{
    Version,
    version::{OLDEST_PGBACKREST, OLDEST_POSTGRESQL},
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};
use tokio::process::Command;

const GET_POSTGRESQL: &str = "run bin/setup, or install a PostgreSQL server of 13 to 18 (Debian: apt install postgresql; Fedora: dnf install postgresql-server)";
const GET_PGBACKREST: &str =
    "run bin/setup, or install pgBackRest 2.39 or newer (apt install pgbackrest; dnf install pgbackrest)";

/// What the victim is made of.
#[derive(Debug, Clone)]
pub struct Tools {
    /// The directory with `postgres` and `initdb`.
    pub postgres_bin: PathBuf,
    /// PostgreSQL's version.
    pub postgres: Version,
    /// The program `pgbackrest`.
    pub pgbackrest_program: PathBuf,
    /// pgBackRest's version.
    pub pgbackrest: Version,
    /// The unprivileged user, if the harness is root.
    pub victim_user: Option<String>,
    /// How processes are bound to the harness.
    pub capsule: CapsuleKind,
}

impl Tools {
    /// Finds everything, or says what is missing and how to get it.
    pub async fn find(config: &LocalConfig) -> Result<Self> {
        let postgres_bin = find_postgres(config.postgres_bin.as_deref())?;
        let postgres = version(&postgres_bin.join("postgres"), "--version", GET_POSTGRESQL).await?;
        require(postgres, OLDEST_POSTGRESQL, "PostgreSQL", GET_POSTGRESQL)?;
        let pgbackrest_program = find_pgbackrest(config.pgbackrest.as_deref())?;
        let pgbackrest = version(&pgbackrest_program, "version", GET_PGBACKREST).await?;
        require(pgbackrest, OLDEST_PGBACKREST, "pgBackRest", GET_PGBACKREST)?;
        for program in ["setpriv", "unshare"] {
            if in_path(program).is_none() {
                let advice = "install util-linux (apt install util-linux; dnf install util-linux)";
                return Err(Error::missing(format!("the program {program} is not here"), advice));
            }
        }
        let victim_user = find_user(config.victim_user.as_deref())?;
        let capsule = CapsuleKind::detect().await;
        Ok(Self { postgres_bin, postgres, pgbackrest_program, pgbackrest, victim_user, capsule })
    }
}

/// The first program of this name in PATH.
pub fn in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
}

/// The given directory, else the newest of the places where distributions put it, else that in PATH.
fn find_postgres(given: Option<&Path>) -> Result<PathBuf> {
    let complete = |bin: &Path| ["postgres", "initdb"].iter().all(|program| bin.join(program).is_file());
    if let Some(bin) = given {
        let what = format!("there is no postgres with initdb in {}", bin.display());
        return complete(bin).then(|| bin.to_owned()).ok_or_else(|| Error::missing(what, GET_POSTGRESQL));
    }
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for (parent, prefix) in [("/usr/lib/postgresql", ""), ("/usr", "pgsql-")] {
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            let major = entry.file_name().to_str().and_then(|name| name.strip_prefix(prefix)?.parse().ok());
            found.extend(
                major.map(|major| (major, entry.path().join("bin"))).filter(|(_, bin)| complete(bin)),
            );
        }
    }
    let newest = found.into_iter().max().map(|(_, bin)| bin);
    let beside = || in_path("postgres")?.parent().map(Path::to_owned).filter(|bin| complete(bin));
    newest
        .or_else(beside)
        .ok_or_else(|| Error::missing("there is no PostgreSQL server on this machine", GET_POSTGRESQL))
}

fn find_pgbackrest(given: Option<&Path>) -> Result<PathBuf> {
    let found = match given {
        Some(program) => Some(program.to_owned()).filter(|program| program.is_file()),
        None => in_path("pgbackrest"),
    };
    found.ok_or_else(|| Error::missing("there is no pgBackRest on this machine", GET_PGBACKREST))
}

async fn version(program: &Path, argument: &str, advice: &str) -> Result<Version> {
    let output = Command::new(program).arg(argument).stdin(Stdio::null()).output().await;
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let what = || format!("{} does not say which version it is", program.display());
    Version::find(&text).ok_or_else(|| Error::missing(what(), advice))
}

fn require(found: Version, oldest: Version, name: &str, advice: &str) -> Result<()> {
    let what = || format!("{name} {found} is too old: drills need {oldest} or newer");
    if found >= oldest { Ok(()) } else { Err(Error::missing(what(), advice)) }
}

/// The user that the victim runs as: PostgreSQL refuses to run as root.
fn find_user(given: Option<&str>) -> Result<Option<String>> {
    if !nix::unistd::getuid().is_root() {
        return Ok(None);
    }
    let known =
        |name: &str| nix::unistd::User::from_name(name).ok().flatten().filter(|user| !user.uid.is_root());
    let names = given.map_or_else(|| vec!["postgres", "nobody"], |name| vec![name]);
    match names.iter().find(|name| known(name).is_some()) {
        Some(name) => Ok(Some((*name).to_owned())),
        None => {
            let what = format!("no unprivileged user to run PostgreSQL as: tried {}", names.join(" and "));
            Err(Error::missing(
                what,
                "make one (useradd --system postgres), or name one as victim-user in castle.toml",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_old_is_named_with_the_way_out() {
        let old = Version { major: 12, minor: 22 };
        let error = require(old, OLDEST_POSTGRESQL, "PostgreSQL", GET_POSTGRESQL).unwrap_err();
        assert_eq!(error.to_string(), "PostgreSQL 12.22 is too old: drills need 13.0 or newer");
        assert_eq!(error.advice(), Some(GET_POSTGRESQL));
        require(OLDEST_POSTGRESQL, OLDEST_POSTGRESQL, "PostgreSQL", GET_POSTGRESQL).unwrap();
    }
}
