//! Families of defects, as the scenarios read them, and what is to be said of a drill with one of them.

use crate::{Error, Result, Scenario, Settings, Target};
use phoenix_core::{Defect, RecoveryTarget, defect::Ending};
use serde::Deserialize;

/// The file of a family.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Family {
    defect: Vec<Defect>,
}

/// Reads the defects of a family from TOML that is part of the program; each is named `family/name`.
pub fn family(family: &str, text: &str) -> Vec<Defect> {
    #[expect(clippy::expect_used, reason = "the file is part of the program, and its tests read it")]
    let mut defects = toml::from_str::<Family>(text).expect("the defects of a family").defect;
    for defect in &mut defects {
        defect.name = format!("{family}/{}", defect.name);
    }
    defects
}

impl Scenario {
    /// What a drill with a defect says of itself, as the recovery that is asked for ends with it.
    pub fn of(defect: &'static Defect, settings: &Settings) -> Result<Self> {
        let ending = ending(defect, settings)?;
        Ok(Self {
            name: &defect.name,
            family: defect.name.split('/').next().unwrap_or_default(),
            promise: &defect.about,
            expected: ending.verdict(),
            finding: ending.finding.as_deref(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use phoenix_core::{Fault, Verdict};

    const FILE: &str = r#"
        [[defect]]
        name = "tail-gone"
        about = "the tail is gone"
        after-fire = [{ delete = "last-segment" }]
        latest = { verdict = "loss", lost = "tail", finding = "wal-tail-missing" }
    "#;

    #[test]
    fn a_defect_is_a_scenario_for_each_recovery_that_it_can_be_played_with() {
        let defect: &'static Defect = &*Box::leak(Box::new(family("silent-loss", FILE).remove(0)));
        let settings = |target| Settings { target, ..Settings::default() };
        let scenario = Scenario::of(defect, &settings(Target::Given(RecoveryTarget::Latest))).unwrap();
        assert_eq!((scenario.name, scenario.family), ("silent-loss/tail-gone", "silent-loss"));
        assert_eq!(scenario.expected, Verdict::invalid(Fault::Loss));
        assert_eq!(scenario.finding, Some("wal-tail-missing"));
        for target in [Target::Sealed, Target::Here("lsn"), Target::Given(RecoveryTarget::Immediate)] {
            assert!(matches!(Scenario::of(defect, &settings(target)), Err(Error::Usage { .. })));
        }
    }
}
