//! Which scenario can be played where: one registration per scenario and environment. Registering a
//! scenario for an environment that lacks a capability which it asks for does not compile.

pub mod defects;

use phoenix_cluster::Cluster;
use phoenix_containers::Containers;
use phoenix_core::RunId;
use phoenix_drill::{Error, Reporter, Result, Scenario, Settings, stage};
use phoenix_local::Local;

/// Registers scenarios for an environment: `ALL` and `play`.
macro_rules! scenarios {
    ($(#[$doc:meta])* $environment:ident: $type:ty => [$($($part:ident)::+),* $(,)?] $(, defects: $defects:ident)?) => {
        $(#[$doc])*
        pub mod $environment {
            use super::*;

            /// What each scenario says of itself, in the order in which they are told.
            pub const ALL: &[Scenario] = &[$($($part)::+::ABOUT),*];

            /// Plays the scenario of this name.
            pub async fn play(
                name: &str,
                run: RunId,
                place: &$type,
                settings: Settings,
                reporters: Vec<Box<dyn Reporter>>,
            ) -> Result<stage::Played> {
                $(
                    if name == $($part)::+::ABOUT.name {
                        let about = $($part)::+::ABOUT;
                        let play = async |drill: &mut phoenix_drill::Drill, place: &$type| {
                            $($part)::+::play(drill, place).await
                        };
                        return stage::play(run, &about, place, settings, reporters, play).await;
                    }
                )*
                $(
                    if let Some((defect, family)) = super::$defects::find(name) {
                        let about = Scenario::of(defect, &settings)?;
                        let lost = phoenix_drill::defects::ending(defect, &settings)?.lost;
                        let play = async |drill: &mut phoenix_drill::Drill, place: &$type| {
                            super::$defects::play(family, drill, place, defect, lost).await
                        };
                        return stage::play(run, &about, place, settings, reporters, play).await;
                    }
                )?
                Err(super::unknown(name, ALL))
            }

            /// Whether there is a scenario of this name here; else an error that says which there are.
            pub fn knows(name: &str) -> Result<()> {
                $(
                    if super::$defects::find(name).is_some() {
                        return Ok(());
                    }
                )?
                super::about(name, ALL).map(drop)
            }
        }
    };
}

scenarios! {
    /// On this machine.
    local: Local => [
        phoenix_protocol::protocol,
        phoenix_protocol::sealed,
        phoenix_protocol::hot_backup,
        phoenix_protocol::second_life,
        phoenix_protocol::two_disasters,
        phoenix_protocol::unassisted,
        phoenix_protocol::encrypted,
        phoenix_protocol::burned_key,
        phoenix_recovery::targets::time,
        phoenix_recovery::targets::lsn,
        phoenix_recovery::targets::xid,
        phoenix_recovery::targets::name,
        phoenix_recovery::targets::immediate,
        phoenix_recovery::unreachable,
        phoenix_recovery::logical_error,
    ],
    defects: defects
}

scenarios! {
    /// In containers.
    containers: Containers => [
        phoenix_protocol::protocol,
        phoenix_protocol::sealed,
        phoenix_protocol::hot_backup,
        phoenix_protocol::second_life,
        phoenix_protocol::two_disasters,
        phoenix_protocol::unassisted,
        phoenix_protocol::encrypted,
        phoenix_protocol::burned_key,
        phoenix_recovery::targets::time,
        phoenix_recovery::targets::lsn,
        phoenix_recovery::targets::xid,
        phoenix_recovery::targets::name,
        phoenix_recovery::targets::immediate,
        phoenix_recovery::unreachable,
        phoenix_recovery::logical_error,
    ],
    defects: defects
}

scenarios! {
    /// On Kubernetes.
    cluster: Cluster => [
        phoenix_protocol::protocol,
        phoenix_protocol::sealed,
        phoenix_protocol::hot_backup,
        phoenix_protocol::second_life,
        phoenix_protocol::two_disasters,
        phoenix_protocol::unassisted,
        phoenix_protocol::encrypted,
        phoenix_protocol::burned_key,
        phoenix_recovery::targets::time,
        phoenix_recovery::targets::lsn,
        phoenix_recovery::targets::xid,
        phoenix_recovery::targets::name,
        phoenix_recovery::targets::immediate,
        phoenix_recovery::unreachable,
        phoenix_recovery::logical_error,
        phoenix_pitfalls::credentials,
        phoenix_pitfalls::repository,
        phoenix_pitfalls::manifest,
        phoenix_pitfalls::volume,
        phoenix_pitfalls::used_path,
    ]
}

/// Every scenario, wherever it can be played, in the order in which they are told.
pub fn all() -> Vec<&'static Scenario> {
    let mut all: Vec<&Scenario> = Vec::new();
    for scenario in PLACES.iter().flat_map(|(_, scenarios)| scenarios.iter()) {
        if !all.iter().any(|known| known.name == scenario.name) {
            all.push(scenario);
        }
    }
    all
}

/// Where each scenario can be played, by the environments' names.
pub const PLACES: [(&str, &[Scenario]); 3] =
    [("local", local::ALL), ("containers", containers::ALL), ("cluster", cluster::ALL)];

/// The scenario of this name.
pub fn about<'a>(name: &str, all: &'a [Scenario]) -> Result<&'a Scenario> {
    all.iter().find(|scenario| scenario.name == name).ok_or_else(|| unknown(name, all))
}

fn unknown(name: &str, all: &[Scenario]) -> Error {
    let names: Vec<_> = all.iter().map(|scenario| scenario.name).collect();
    Error::usage(format!("there is no scenario '{name}'"), format!("choose one of {}", names.join(", ")))
}
