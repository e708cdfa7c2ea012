//! How the scenarios' tests play a scenario: one case more for each environment.

use crate::run::{Production, produce};
use phoenix_core::{Entry, Report};
use phoenix_drill::{Result, Settings, ledger, stage::Played};
use phoenix_local::LocalConfig;
use std::path::PathBuf;

/// Where a scenario is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On this machine.
    Local,
}

/// Plays a scenario as the tests do it: evidence in the workspace's `target/phoenix`.
pub async fn play(
    place: Place,
    scenario: &str,
    change: impl FnOnce(&mut Settings, &mut LocalConfig),
) -> Result<Played> {
    let Place::Local = place;
    let (mut settings, mut local) =
        (Settings { evidence: evidence(), ..Settings::default() }, LocalConfig::default());
    change(&mut settings, &mut local);
    produce(Production { scenario: scenario.to_owned(), local, settings, reporters: Vec::new() }).await
}

/// `target/phoenix` of the workspace, wherever cargo puts `target`.
pub fn evidence() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target
        .unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target")))
        .join("phoenix")
}

/// Fails unless the drill ended as its scenario expects, for the expected reason, with clean logs.
#[track_caller]
pub fn assert_as_expected(played: &Played) {
    let Report { verdict, expected, findings, .. } = &played.report;
    let evidence = played.directory.display();
    assert!(
        played.report.as_expected(),
        "expected {expected:?}, got {verdict:?}; {findings:#?}\nevidence: {evidence}"
    );
    let gate = findings.iter().find(|finding| finding.code == "log-gate" || finding.code == "left-behind");
    assert!(gate.is_none(), "{gate:#?}\nevidence: {evidence}");
}

/// The ledger of a drill that was played.
pub fn ledger_of(played: &Played) -> Result<Vec<Entry>> {
    ledger::read(&played.directory.join("ledger.jsonl"))
}
