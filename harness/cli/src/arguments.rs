//! The command line.

mod inspect;

pub use inspect::{ChecksumsName, InspectArguments};

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Deserialize;
use std::path::PathBuf;

/// Proves that PostgreSQL comes back: raises one with backups in an object store, burns it, brings it
/// back from the store alone, and accounts for every acknowledged row.
#[derive(Debug, Parser)]
#[command(name = "phoenix", version, about, long_about = None, max_term_width = 100, after_help = "\
Exit status: 0 valid · 1 invalid · 2 usage or configuration · 3 could not verify · 4 valid but over a \
budget · 130 interrupted, after cleaning up")]
pub struct Arguments {
    /// The configuration; without it ./castle.toml is read if it is there
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Burn a castle and bring it back: the Phoenix Protocol
    #[command(after_help = "\
Examples:
  phoenix drill                          the protocol, on this machine
  phoenix drill --target immediate       INVALID: shows exactly the rows that live in WAL alone
  phoenix drill --scenario second-life   two fires, three timelines
  phoenix drill --size 1GiB --storage disk
  phoenix drill --environment containers in containers, against MinIO
  phoenix drill --environment cluster    on Kubernetes, by the Crunchy Postgres Operator
  phoenix drill --prove-detector         plants a loss first, and proves that it is found
  phoenix drill --json | jq -c .event
  phoenix drill --detach                 goes on when this shell goes away; phoenix attach shows it")]
    Drill(DrillArguments),
    /// Follow a drill: what happened so far, and what happens, until it ends
    #[command(after_help = "\
Any drill can be followed, by as many as like, while it goes on and afterwards; `phoenix drill --detach` \
begins one that outlives its shell. Ctrl-C ends the following and never the drill: kill -INT its process \
to stop that, and it cleans up.

Exit status: the drill's own · 2 there is no such run · 3 also if the drill was killed · 130 if the drill \
was interrupted, or the following

Examples:
  phoenix attach                         the newest run
  phoenix attach 01M7Y8                  the run whose id begins so
  phoenix attach latest --json | jq -c .event")]
    Attach(AttachArguments),
    /// List the scenarios and what each promises
    Scenarios {
        /// The defects instead, each with how a drill with it must end
        #[arg(long)]
        catalogue: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Say what each environment needs, whether it is there, and how to get it
    #[command(after_help = "\
Exit status 3 if the environment that is asked for, or that castle.toml names, lacks anything")]
    Doctor {
        /// The environment that must be complete
        #[arg(long, value_enum)]
        environment: Option<EnvironmentName>,
    },
    /// Remove what drills left whose process is gone
    Sweep {
        /// Also what was kept on purpose (--keep)
        #[arg(long)]
        kept: bool,
    },
    /// Serve the embedded object store alone, until interrupted
    Store(StoreArguments),
    /// Show the account of a drill again
    Report {
        /// The drill's directory of evidence
        #[arg(value_name = "DIR", default_value = "target/phoenix/latest")]
        directory: PathBuf,
    },
    /// Say to where a pgBackRest repository can be restored, before anything burns
    #[command(after_help = "\
Nothing is written, and no PostgreSQL is needed. What decides is read from names, sizes, info files, \
manifests and histories; --checksums reads the content of segments and backups too.

Exit status: 0 every backup can be restored, and no WAL is missing in between · 1 harm · 2 usage · 3 what \
decides could not be seen

Examples:
  phoenix inspect /var/lib/pgbackrest
  phoenix inspect s3://backups/pgbackrest/repo1 --endpoint minio.example:9000 --ca-file ca.crt
  phoenix inspect s3://backups/repo1 --stanza main --checksums
  phoenix inspect                                        the store that castle.toml names
  phoenix inspect /var/lib/pgbackrest --retention-archive 2      tell retention from loss
  phoenix inspect /var/lib/pgbackrest --reference 0/3000148      what is missing up to there
  phoenix inspect /var/lib/pgbackrest --json | jq -r '.remarks[].code'")]
    Inspect(Box<InspectArguments>),
    /// Print the JSON Schema of report.json, of a line of ledger.jsonl, or of phoenix inspect --json
    Schema {
        /// Which
        #[arg(value_enum, default_value_t = Document::Report)]
        document: Document,
    },
    /// Print completions for a shell
    Completions {
        /// Which
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// A document with a schema.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Document {
    /// report.json
    Report,
    /// A line of ledger.jsonl
    Ledger,
    /// What phoenix inspect --json prints
    Inspection,
}

/// What a drill is asked to do. What is not said here is taken from castle.toml.
#[derive(Debug, Args)]
pub struct DrillArguments {
    /// What to play: see `phoenix scenarios`
    #[arg(long, value_name = "NAME")]
    pub scenario: Option<String>,
    /// Where to play it
    #[arg(long, value_enum)]
    pub environment: Option<EnvironmentName>,
    /// A context that no drill made and that may be drilled on, by its full name
    #[arg(long, value_name = "CONTEXT")]
    pub i_own: Vec<String>,
    /// Where to the protocol goes back: latest, immediate, time, lsn, xid, name (the moment after the
    /// last row), or one with a value, such as lsn:0/3000148
    #[arg(long, value_name = "TARGET")]
    pub target: Option<phoenix_drill::Target>,
    /// Go to a unique restore point, with every archive error fatal
    #[arg(long, conflicts_with = "target")]
    pub sealed: bool,
    /// Rows that the workload inserts before and after the backup, each
    #[arg(long, value_name = "N")]
    pub rows: Option<u64>,
    /// Writers at the same time
    #[arg(long, value_name = "N")]
    pub writers: Option<u32>,
    /// Random text added to each row, such as 2KiB
    #[arg(long, value_name = "SIZE", value_parser = crate::castle_file::parse_bytes)]
    pub pad: Option<u64>,
    /// Bulk data in the cluster before the backup, such as 1GiB
    #[arg(long, value_name = "SIZE", value_parser = crate::castle_file::parse_bytes)]
    pub size: Option<u64>,
    /// Everything random follows from it
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Where the victim and the store live
    #[arg(long, value_enum)]
    pub storage: Option<StorageName>,
    /// Where evidence goes: one directory a run is made in it
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// When what the drill made is kept for a look
    #[arg(long, value_enum)]
    pub keep: Option<KeepName>,
    /// Fail with exit status 4 if the RTO is longer, such as 30s
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub rto_budget: Option<std::time::Duration>,
    /// Fail with exit status 4 if more acknowledged rows are lost (unassisted)
    #[arg(long, value_name = "N")]
    pub rpo_rows_budget: Option<u64>,
    /// First plant a loss in a short drill of its own; if it is not found, nothing is proved and the
    /// exit status is 3. The seed picks which
    #[arg(long)]
    pub prove_detector: bool,
    /// How it is shown
    #[command(flatten)]
    pub show: ShowArguments,
    /// Return once the drill has begun, and let it go on by itself: it outlives this shell, logs to its
    /// evidence and is followed by phoenix attach. What stops it before it begins is said here
    #[arg(long)]
    pub detach: bool,
    /// This is the process that goes on by itself
    #[arg(long, hide = true)]
    pub detached: bool,
}

/// What is followed, and how it is shown.
#[derive(Debug, Args)]
pub struct AttachArguments {
    /// The run: its id, a beginning of it that no other run has, or latest
    #[arg(value_name = "RUN", default_value = "latest")]
    pub run: String,
    /// Where evidence goes, as for the drill; without it castle.toml says where
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// How it is shown
    #[command(flatten)]
    pub show: ShowArguments,
}

/// How a drill is shown.
#[derive(Debug, Args)]
pub struct ShowArguments {
    /// Show the spans within each span
    #[arg(long)]
    pub verbose: bool,
    /// Print events as JSON lines instead
    #[arg(long)]
    pub json: bool,
}

/// An environment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnvironmentName {
    /// Processes on this machine, embedded object store
    #[default]
    Local,
    /// Containers of a Docker engine, MinIO
    Containers,
    /// Kubernetes by kind with the Crunchy Postgres Operator, MinIO
    Cluster,
}

impl EnvironmentName {
    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Containers => "containers",
            Self::Cluster => "cluster",
        }
    }
}

/// Where the victim and the store live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StorageName {
    /// In memory (/dev/shm)
    Tmpfs,
    /// On disk (/var/tmp)
    Disk,
}

/// When what the drill made is kept for a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeepName {
    /// Never
    Never,
    /// When the verdict is not the expected one
    OnFailure,
    /// Always
    Always,
}

/// How the store is served.
#[derive(Debug, Args)]
pub struct StoreArguments {
    /// Where it keeps everything: empty, or a store's own
    #[arg(long, value_name = "DIR")]
    pub directory: PathBuf,
    /// The port on 127.0.0.1; 0 is any free one
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// A bucket that is made if it is not there
    #[arg(long, default_value = "phoenix")]
    pub bucket: String,
    /// The access key; its secret is taken from PHOENIX_STORE_SECRET_KEY, or made and written to a file
    #[arg(long, env = "PHOENIX_STORE_ACCESS_KEY")]
    pub access_key: Option<String>,
    /// Faults to arm: a JSON file, see docs/store.md
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
}
