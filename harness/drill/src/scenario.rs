//! What a scenario says of itself.

use crate::{Error, Result, Settings, Target};
use phoenix_core::{Defect, RecoveryTarget, Verdict, defect::Ending};

/// What a scenario says of itself.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its name on the command line: `protocol`, `target-time`.
    pub name: &'static str,
    /// The family it belongs to: `protocol`, `recovery`.
    pub family: &'static str,
    /// What it promises, as a sentence.
    pub promise: &'static str,
    /// The verdict that it must reach.
    pub expected: Verdict,
    /// The code of the finding that it must end with, where failing for another reason proves nothing.
    pub finding: Option<&'static str>,
}

impl Scenario {
    /// What a drill with a defect says of itself, as the recovery that is asked for ends with it.
    pub fn of(defect: &'static Defect, settings: &Settings) -> Result<Self> {
        let Ending { finding, .. } = ending(defect, settings)?;
        Ok(Self {
            name: &defect.name,
            family: defect.name.split('/').next().unwrap_or_default(),
            promise: &defect.about,
            expected: ending(defect, settings)?.verdict(),
            finding: finding.as_deref(),
        })
    }
}

/// How a drill with a defect must end.
pub fn ending<'a>(defect: &'a Defect, settings: &Settings) -> Result<&'a Ending> {
    let refuse = |what: String| Error::usage(what, "drill with --target latest, or with --sealed");
    match &settings.target {
        Target::Given(RecoveryTarget::Latest) => Ok(&defect.latest),
        Target::Sealed => {
            let what = || refuse(format!("{} alters what recovery is asked for", defect.name));
            defect.sealed.as_ref().ok_or_else(what)
        }
        _ => Err(refuse(format!("{} has its own target", defect.name))),
    }
}
