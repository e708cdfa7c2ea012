//! `castle.toml`: what a drill is asked to do when the command line does not say.

use crate::{arguments::EnvironmentName, run::Place};
use miette::{Diagnostic, NamedSource, SourceSpan};
use phoenix_cluster::ClusterConfig;
use phoenix_containers::{ContainersConfig, Images};
use phoenix_core::{Secret, SegmentSize};
use phoenix_drill::{Keep, Settings};
use phoenix_local::{LocalConfig, Storage};
use phoenix_postgres::settings::Shipped;
use phoenix_repository::ExternalStore;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct CastleFile {
    drill: DrillSection,
    local: LocalSection,
    containers: ContainersSection,
    cluster: ClusterSection,
    budget: BudgetSection,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct DrillSection {
    environment: Option<EnvironmentName>,
    scenario: Option<String>,
    rows: Option<std::num::NonZeroU64>,
    writers: Option<std::num::NonZeroU32>,
    pad: Option<Bytes>,
    size: Option<Bytes>,
    seed: Option<u64>,
    target: Option<TargetText>,
    report: Option<PathBuf>,
    keep: Option<KeepWord>,
    prove_detector: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct LocalSection {
    storage: Option<StorageWord>,
    postgres_bin: Option<PathBuf>,
    pgbackrest: Option<PathBuf>,
    wal_segment_size: Option<Bytes>,
    archive_timeout: Option<Period>,
    postgresql_conf: Option<PathBuf>,
    pgbackrest_conf: Option<PathBuf>,
    victim_user: Option<String>,
    store_port: Option<u16>,
    store: Option<StoreSection>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct ContainersSection {
    store_image: Option<String>,
    base_image: Option<String>,
    postgresql: Option<String>,
    pgbackrest: Option<String>,
    victim_image: Option<String>,
    rebirth_image: Option<String>,
    postgresql_conf: Option<PathBuf>,
    pgbackrest_conf: Option<PathBuf>,
    victim_user: Option<String>,
    wal_segment_size: Option<Bytes>,
    archive_timeout: Option<Period>,
    store: Option<StoreSection>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct StoreSection {
    host: String,
    port: u16,
    bucket: String,
    prefix: String,
    region: String,
    ca_file: PathBuf,
    access_key_variable: String,
    secret_key_variable: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct BudgetSection {
    rto: Option<Period>,
    rpo: Option<Period>,
    rpo_rows: Option<u64>,
    rpo_wal: Option<Bytes>,
}

#[macro_use]
mod values;
mod cluster;
use cluster::ClusterSection;
pub use values::parse_bytes;
use values::{Bytes, KeepWord, Period, StorageWord, TargetText};

/// What the file asks for.
#[derive(Debug, Clone, Default)]
pub struct Castle {
    /// Where it is to be played.
    pub environment: EnvironmentName,
    /// The scenario, if it names one.
    pub scenario: Option<String>,
    /// What a drill is asked to do.
    pub settings: Settings,
    /// Whether a loss is planted beforehand, to prove the detector.
    pub prove_detector: bool,
    /// How the local environment is set up.
    pub local: LocalConfig,
    /// How the containers environment is set up.
    pub containers: ContainersConfig,
    /// How the cluster environment is set up.
    pub cluster: ClusterConfig,
}

impl Castle {
    /// The environment that is asked for, as it is set up.
    pub fn place(&self) -> Place {
        match self.environment {
            EnvironmentName::Local => Place::Local(Box::new(self.local.clone())),
            EnvironmentName::Containers => Place::Containers(Box::new(self.containers.clone())),
            EnvironmentName::Cluster => Place::Cluster(Box::new(self.cluster.clone())),
        }
    }

    /// The store that is there already, if the environment that is asked for has one, and the section of the
    /// file that describes it.
    pub fn store(&self) -> (Option<&ExternalStore>, &'static str) {
        match self.environment {
            EnvironmentName::Local => (self.local.store.as_ref(), "[local.store]"),
            EnvironmentName::Containers => (self.containers.store.as_ref(), "[containers.store]"),
            EnvironmentName::Cluster => (self.cluster.store.as_ref(), "[cluster.store]"),
        }
    }
}

/// What is wrong with a `castle.toml`.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum CastleFileError {
    /// It cannot be read.
    #[error("{path} cannot be read: {source}")]
    #[diagnostic(help(
        "check the name, and who may read it; castle.toml itself is given with --config FILE"
    ))]
    Unreadable {
        /// Where.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("{message}")]
    #[diagnostic(help("the commented castle.toml in the repository shows every setting"))]
    Wrong {
        /// What.
        message: String,
        /// The whole text.
        #[source_code]
        text: NamedSource<String>,
        /// Where.
        #[label("here")]
        place: SourceSpan,
    },
    /// A variable that it names is not set.
    #[error("the environment variable {0} is not set, and castle.toml takes the store's credentials from it")]
    #[diagnostic(help("export it; secrets are never written into castle.toml"))]
    NoCredentials(String),
}

/// Reads the given file, or `castle.toml` here if there is one, or nothing.
pub fn read(given: Option<&Path>) -> Result<Castle, CastleFileError> {
    let default = Path::new("castle.toml");
    let path = match given {
        Some(path) => path,
        None if default.exists() => default,
        None => return parse("castle.toml", "", |name| std::env::var(name).ok()),
    };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|source| CastleFileError::Unreadable { path: name.clone(), source })?;
    parse(&name, &text, |name| std::env::var(name).ok())
}

/// Reads a file's text; credentials are taken from the variables that it names.
pub fn parse(
    name: &str,
    text: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Castle, CastleFileError> {
    let wrong = |message: String, place: std::ops::Range<usize>| CastleFileError::Wrong {
        message,
        text: NamedSource::new(name, text.to_owned()),
        place: place.into(),
    };
    let segment_size = |section: &str, size: Option<Bytes>| {
        let read = size.map(|Bytes(bytes)| SegmentSize::new(bytes)).transpose();
        read.map_err(|error| {
            let section = text.find(section).unwrap_or(0);
            let start = section + text[section..].find("wal-segment-size").unwrap_or(0);
            wrong(error.to_string(), start..text[start..].find('\n').map_or(text.len(), |end| start + end))
        })
    };
    let file: CastleFile = toml::from_str(text)
        .map_err(|error| wrong(error.message().to_owned(), error.span().unwrap_or(0..text.len())))?;
    let CastleFile { drill, local, containers, mut cluster, budget } = file;
    let environment = drill.environment.unwrap_or_default();
    let (scenario, prove_detector) = (drill.scenario, drill.prove_detector);
    let mut castle = Castle { environment, scenario, prove_detector, ..Castle::default() };
    let settings = &mut castle.settings;
    set(&mut settings.rows, drill.rows.map(Into::into));
    set(&mut settings.writers, drill.writers.map(Into::into));
    set(&mut settings.pad_bytes, drill.pad.and_then(|size| size.0.try_into().ok()));
    set(&mut settings.size_bytes, drill.size.map(|size| size.0));
    set(&mut settings.seed, drill.seed);
    set(&mut settings.target, drill.target.map(|target| target.0));
    set(&mut settings.evidence, drill.report);
    set(
        &mut settings.keep,
        drill.keep.map(|keep| match keep {
            KeepWord::Never => Keep::Never,
            KeepWord::OnFailure => Keep::OnFailure,
            KeepWord::Always => Keep::Always,
        }),
    );
    settings.budget.rto = budget.rto.map(|period| period.0);
    settings.budget.rpo = budget.rpo.map(|period| period.0);
    settings.budget.rpo_rows = budget.rpo_rows;
    settings.budget.rpo_wal_bytes = budget.rpo_wal.map(|size| size.0);
    let config = &mut castle.local;
    set(
        &mut config.storage,
        local.storage.map(|storage| match storage {
            StorageWord::Tmpfs => Storage::Tmpfs,
            StorageWord::Disk => Storage::Disk,
        }),
    );
    config.segment_size = segment_size("[local]", local.wal_segment_size)?;
    set(&mut config.archive_timeout_s, local.archive_timeout.and_then(|p| p.0.as_secs().try_into().ok()));
    (config.postgres_bin, config.pgbackrest) = (local.postgres_bin, local.pgbackrest);
    (config.victim_user, config.store_port) = (local.victim_user, local.store_port);
    config.shipped = shipped(local.postgresql_conf, local.pgbackrest_conf)?;
    config.store = local.store.map(|store| external(store, &variable)).transpose()?;
    let config = &mut castle.containers;
    set(&mut config.victim_user, containers.victim_user);
    set(
        &mut config.archive_timeout_s,
        containers.archive_timeout.and_then(|p| p.0.as_secs().try_into().ok()),
    );
    config.segment_size = segment_size("[containers]", containers.wal_segment_size)?;
    config.shipped = shipped(containers.postgresql_conf, containers.pgbackrest_conf)?;
    config.store = containers.store.map(|store| external(store, &variable)).transpose()?;
    let mut images = Images {
        postgresql: containers.postgresql,
        pgbackrest: containers.pgbackrest,
        victim: containers.victim_image,
        rebirth: containers.rebirth_image,
        ..Images::default()
    };
    set(&mut images.store, containers.store_image);
    set(&mut images.base, containers.base_image);
    config.images = images.overridden(&variable);
    let store = cluster.store.take().map(|store| external(store, &variable)).transpose()?;
    castle.cluster = ClusterConfig { store, ..cluster.config().overridden(&variable) };
    Ok(castle)
}

fn shipped(postgresql: Option<PathBuf>, pgbackrest: Option<PathBuf>) -> Result<Shipped, CastleFileError> {
    let text = |path: PathBuf| {
        let unreadable = |source| CastleFileError::Unreadable { path: path.display().to_string(), source };
        std::fs::read_to_string(&path).map_err(unreadable)
    };
    let (postgresql, pgbackrest) = (postgresql.map(text).transpose()?, pgbackrest.map(text).transpose()?);
    Ok(Shipped { postgresql, pgbackrest })
}

fn external(
    store: StoreSection,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<ExternalStore, CastleFileError> {
    let take = |name: &str| variable(name).ok_or_else(|| CastleFileError::NoCredentials(name.to_owned()));
    Ok(ExternalStore {
        access_key: take(&store.access_key_variable)?,
        secret_key: Secret::new(take(&store.secret_key_variable)?),
        host: store.host,
        port: store.port,
        bucket: store.bucket,
        prefix: store.prefix,
        region: store.region,
        ca_file: store.ca_file,
    })
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phoenix_core::layers::Need;

    fn parse_text(text: &str) -> Result<Castle, CastleFileError> {
        let variable = |name: &str| (!name.starts_with("PHOENIX_")).then(|| format!("value of {name}"));
        parse("castle.toml", text, variable)
    }

    /// The line and the message that an error points to.
    fn error(text: &str) -> (usize, String) {
        match parse_text(text).unwrap_err() {
            CastleFileError::Wrong { message, place, .. } => {
                (text[..place.offset()].matches('\n').count() + 1, message)
            }
            other => panic!("{other}"),
        }
    }

    #[test]
    fn the_example_is_valid_and_says_the_defaults() {
        let example = include_str!("../../../castle.toml");
        let castle = parse_text(example).unwrap();
        let (settings, default) = (castle.settings, Settings::default());
        assert_eq!(
            (settings.rows, settings.writers, settings.pad_bytes),
            (default.rows, default.writers, default.pad_bytes)
        );
        assert_eq!(
            (settings.target, settings.keep, settings.budget),
            (default.target, default.keep, default.budget)
        );
        assert_eq!(castle.local.segment_size, LocalConfig::default().segment_size);
        assert_eq!(castle.containers.images, Images::default());
        assert_eq!(castle.containers.victim_user, ContainersConfig::default().victim_user);
        // what the example shows in comments is valid too
        let lines = example.lines().map(|line| match line.strip_prefix("#:") {
            Some(setting) => setting.trim(),
            None => line,
        });
        let all: Vec<_> = lines.collect();
        let castle = parse_text(&all.join("\n")).unwrap();
        assert_eq!(castle.local.store.unwrap().access_key, "value of CASTLE_ACCESS_KEY");
        assert_eq!(castle.containers.store.unwrap().host, "minio.example");
        assert_eq!(castle.containers.images.postgresql.as_deref(), Some("17"));
        let layer = &castle.cluster.layers[0];
        assert_eq!(
            (layer.name.as_str(), &layer.needs[..]),
            ("external-secrets", &[Need::up("platform")][..])
        );
        assert_eq!(castle.cluster.budgets["platform"], std::time::Duration::from_secs(120));
    }

    #[test]
    fn errors_point_at_the_line() {
        let (line, message) = error("[drill]\nrows = 10\nrowz = 5\n");
        assert_eq!(line, 3);
        assert!(message.starts_with("unknown field `rowz`, expected one of"), "{message}");
        assert_eq!(error("[drill]\nrows = 0\n").0, 2);
        assert_eq!(
            error("[drill]\n\nsize = \"1 bushel\"\n"),
            (3, "'1 bushel' is not a size, such as 64MB or 1GiB".into())
        );
        assert_eq!(error("[local]\nwal-segment-size = \"3MiB\"\n").0, 2);
        assert_eq!(error("[drill\n").0, 1);
        let circle = "[[cluster.layer]]\nname = \"a\"\nup = \"true\"\nneeds = [\"b:soon\"]\n";
        assert_eq!(error(circle), (4, "'b:soon' is no need, such as platform or platform:ready".into()));
    }
}
