//! pgBackRest's backup and restore with the embedded store beside MinIO, in alternating rounds.

use crate::{
    house::House,
    keeper::{Keeper, Kind},
    occasion::Occasion,
    sample::Sample,
    say,
    yard::Yard,
};
use miette::{Context, IntoDiagnostic, Result, bail, miette};
use phoenix_postgres::{
    pgbackrest::{Config, Repository, newest_backup},
    settings::Pace,
};
use std::{collections::BTreeMap, path::Path, process::Stdio};

const SCRIPT: &str = include_str!("../repository.sh");
const STANZA: &str = "castle";
const BYTES: u64 = 1 << 30;
/// A round takes minutes.
const MOST_ROUNDS: u32 = 3;
const KINDS: [Kind; 3] = [Kind::Embedded, Kind::MinIo, Kind::MinIoNear];

/// How pgBackRest is told to work.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// Its own word for how it compresses.
    pub compress_type: &'static str,
    /// How many processes it uses.
    pub process_max: u32,
}

/// The drill's own manner, and one that carries every byte with as many processes as hide a store's waiting.
const MANNERS: [Manner; 2] =
    [Manner { compress_type: "zst", process_max: 1 }, Manner { compress_type: "none", process_max: 4 }];

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// A full backup.
    Backup,
    /// A restore right after it.
    Restore,
    /// A restore for which everything is read from the disk.
    ColdRestore,
}

/// All that is timed, in order.
pub const WORKS: [Work; 3] = [Work::Backup, Work::Restore, Work::ColdRestore];

/// Seconds in one manner.
pub struct InManner {
    /// Which.
    pub manner: Manner,
    /// What the database takes, and what its backup does.
    pub megabytes: [f64; 2],
    times: BTreeMap<(Kind, Work), Sample>,
}

impl InManner {
    /// One store's seconds.
    pub fn of(&self, kind: Kind, work: Work) -> Sample {
        self.times.get(&(kind, work)).cloned().unwrap_or_default()
    }
}

/// Everything.
pub struct Repositories {
    /// When, and how often.
    pub occasion: Occasion,
    /// By manner.
    pub manners: Vec<InManner>,
}

/// Backs up into and restores from every store in every round, each round beginning with another.
pub async fn measure(house: &House, yard: &Yard, rounds: u32) -> Result<Repositories> {
    let rounds = rounds.min(MOST_ROUNDS);
    let occasion = Occasion::begin(rounds);
    let root = house.room("repository")?;
    say("filling a database with 1 GiB");
    step(house, &root, "prepare", &[("BYTES", &BYTES.to_string())]).await?;
    let mut server = house.script(SCRIPT);
    server.env("ROOT", &root).env("STEP", "serve").env("PGBACKREST", &house.tools.pgbackrest_program);
    let _server = server.stdout(Stdio::null()).spawn().into_diagnostic()?;
    let mut manners = MANNERS.map(|manner| InManner { manner, megabytes: [0.0; 2], times: BTreeMap::new() });
    for round in 0..=rounds {
        for one in &mut manners {
            let mut order = KINDS;
            order.rotate_left(round as usize % KINDS.len());
            for kind in order {
                let (seconds, megabytes) = turn(house, yard, &root, kind, one.manner).await?;
                let shown: Vec<_> = WORKS
                    .iter()
                    .zip(seconds)
                    .map(|(work, seconds)| format!("{work:?} {seconds:.2} s"))
                    .collect();
                say(&format!("{:?}, {kind:?}, round {round}: {}", one.manner, shown.join(", ")));
                one.megabytes = megabytes;
                if round > 0 {
                    for (work, seconds) in WORKS.into_iter().zip(seconds) {
                        one.times.entry((kind, work)).or_default().push(seconds);
                    }
                }
            }
        }
    }
    Ok(Repositories { occasion: occasion.end(), manners: manners.into() })
}

/// One backup and two restores with a fresh store: the seconds of each, and the sizes.
async fn turn(
    house: &House,
    yard: &Yard,
    root: &Path,
    kind: Kind,
    manner: Manner,
) -> Result<([f64; 3], [f64; 2])> {
    let keeper = Keeper::start(kind, house, yard).await?;
    let conf = conf(root, &keeper);
    let Manner { compress_type, process_max } = manner;
    let options = format!("--process-max={process_max}");
    let backup_options = format!("{options} --compress-type={compress_type}");
    step(house, root, "stanza", &[("CONF", &conf)]).await?;
    nix::unistd::sync();
    let printed = step(house, root, "backup", &[("OPTIONS", &backup_options)]).await?;
    let (backup, info) = printed.split_once('\n').ok_or_else(|| miette!("pgBackRest printed no info"))?;
    let record = newest_backup(info, STANZA).into_diagnostic()?;
    let megabytes = [record.cluster_bytes, record.stored_bytes].map(|bytes| bytes as f64 / 1e6);
    nix::unistd::sync();
    let restore = step(house, root, "restore", &[("OPTIONS", &options)]).await?;
    keeper.forget_content()?;
    let cold = step(house, root, "restore", &[("OPTIONS", &options)]).await?;
    let found = step(house, root, "check", &[]).await?;
    let found: Vec<_> = found.lines().collect();
    if found.len() != 2 || found[0] != found[1] {
        bail!("another database came back: {found:?}");
    }
    keeper.end().await?;
    let seconds = |text: &str| text.trim().parse::<f64>().into_diagnostic();
    Ok(([seconds(backup)?, seconds(&restore)?, seconds(&cold)?], megabytes))
}

fn conf(root: &Path, keeper: &Keeper) -> String {
    let path = |what: &str| root.join(what).to_string_lossy().into_owned();
    let config = Config {
        stanza: STANZA.to_owned(),
        repositories: vec![Repository::S3(Box::new(keeper.repository.clone()), None)],
        data_directory: path("data"),
        port: 5432,
        socket_directory: path("socket"),
        work_directory: path("work"),
        pace: Pace::Fast,
        shipped: None,
    };
    config.text()
}

/// One step of the script; gives what it printed.
async fn step(house: &House, root: &Path, step: &str, given: &[(&str, &str)]) -> Result<String> {
    let mut command = house.script(SCRIPT);
    command.env("ROOT", root).env("STEP", step).env("PGBACKREST", &house.tools.pgbackrest_program);
    command.envs(given.iter().copied());
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().into_diagnostic()?;
    let output = output.wait_with_output().await.into_diagnostic()?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!("repository.sh failed at '{step}' ({}): {why}", output.status);
    }
    String::from_utf8(output.stdout)
        .into_diagnostic()
        .wrap_err("repository.sh printed something else than text")
}
