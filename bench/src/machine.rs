//! What was measured on, without a name or a path of the machine.

use miette::{IntoDiagnostic, Result};
use phoenix_local::{LocalConfig, tools::Tools};
use std::fs;

/// The machine and the versions.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Name and value, in the order of the table.
    pub list: Vec<(&'static str, String)>,
}

impl Facts {
    /// Looks around.
    pub async fn gather() -> Result<Self> {
        let tools = Tools::find(&LocalConfig::default()).await.into_diagnostic()?;
        let cores = std::thread::available_parallelism().into_diagnostic()?;
        let model = line_of("/proc/cpuinfo", "model name").unwrap_or_default();
        let memory = line_of("/proc/meminfo", "MemTotal").unwrap_or_default();
        let kilobytes: f64 = memory.trim_end_matches(" kB").parse().unwrap_or_default();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").into_diagnostic()?;
        let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
        let list = vec![
            ("day", day()),
            ("processor", format!("{model}, {cores} cores")),
            ("memory", format!("{:.0} GiB", kilobytes / 1024.0 / 1024.0)),
            ("kernel", format!("Linux {}", kernel.trim())),
            ("PostgreSQL", tools.postgres.to_string()),
            ("pgBackRest", tools.pgbackrest.to_string()),
            ("phoenix", format!("{}, profile {profile}", env!("CARGO_PKG_VERSION"))),
        ];
        let mut facts = Self { list };
        facts.note_load("load before the run");
        Ok(facts)
    }

    /// Notes how many processes want to run, over the last 1, 5 and 15 minutes.
    pub fn note_load(&mut self, when: &'static str) {
        self.list.push((when, load()));
    }
}

/// Today.
pub fn day() -> String {
    chrono::Utc::now().format("%Y-%m-%d").to_string()
}

/// How many processes want to run, over the last 1, 5 and 15 minutes.
pub fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// The value of the first line `name : value`.
fn line_of(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim().to_owned())
}
