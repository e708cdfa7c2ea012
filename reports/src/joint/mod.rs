//! One report of many drills. `cargo nextest run` gives each test a process of its own; what belongs
//! together is known by the run's id alone, which nextest puts into the environment.
//!
//! Every drill is enlisted before it begins. From then on it is in the joint report, as an error
//! until its evidence says otherwise: a test that is killed cannot vanish from it.

mod roll;
mod summary;

use crate::{
    ReadError, WriteError, file,
    junit::{self, NoEvidence},
    lineage::unique,
    read,
};
use phoenix_core::{Report, RunId};
use roll::Enlisted;
use std::{
    collections::BTreeMap,
    error::Error,
    fs::File,
    path::{Path, PathBuf},
};
use uuid::Uuid;

/// The place of one test in a run of nextest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joint {
    /// Where evidence of all runs lies: `target/phoenix`.
    pub directory: PathBuf,
    /// The run of nextest.
    pub nextest_run: Uuid,
    /// The test with its binary: `phoenix-protocol::local both_rows_come_back`.
    pub test: String,
    /// Which attempt at the test this is, from 1; in a stress run with its iteration: `1, iteration 0`.
    pub attempt: String,
}

/// A drill and what is known of it.
struct Drill {
    test: String,
    attempt: String,
    evidence: Result<Report, NoEvidence>,
}

impl Joint {
    /// The place that the environment tells, or nothing outside nextest. `variable` looks a variable
    /// up; a relative directory lies in the workspace, because every test begins in its own package.
    ///
    /// Source: <https://nexte.st/docs/configuration/env-vars/>.
    pub fn under_nextest(directory: &Path, variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let nextest_run = variable("NEXTEST_RUN_ID")?.parse().ok()?;
        let workspace = variable("NEXTEST_WORKSPACE_ROOT").map(PathBuf::from).unwrap_or_default();
        let names = ["NEXTEST_BINARY_ID", "NEXTEST_TEST_NAME"].map(&variable);
        let test = names.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let attempt = variable("NEXTEST_ATTEMPT").unwrap_or_else(|| "1".to_owned());
        let iteration = variable("NEXTEST_STRESS_CURRENT").filter(|iteration| iteration != "none");
        let attempt = match iteration {
            None => attempt,
            Some(iteration) => format!("{attempt}, iteration {iteration}"),
        };
        Some(Self { directory: workspace.join(directory), nextest_run, test, attempt })
    }

    /// Where the joint report lies: `junit.xml`, `summary.md` and the roll `drills.jsonl`.
    pub fn reports(&self) -> PathBuf {
        self.directory.join("nextest").join(self.nextest_run.to_string())
    }

    /// Enters a drill that is about to begin, with the directory that its evidence will lie in, and
    /// writes the joint report anew. Waits for other processes that do the same.
    pub fn enlist(&self, run: &RunId, evidence: &Path) -> Result<(), WriteError> {
        let directory = std::path::absolute(evidence).map_err(WriteError::at(evidence))?;
        let (test, attempt) = (self.test.clone(), self.attempt.clone());
        let enlisted = Enlisted { run: run.clone(), directory, attempt, test, pid: std::process::id() };
        let _lock = self.lock()?;
        roll::append(&self.roll(), &enlisted)?;
        self.write()
    }

    /// Reads the evidence of every enlisted drill and writes the joint report anew. Waits for other
    /// processes that do the same.
    pub fn refresh(&self) -> Result<(), WriteError> {
        let _lock = self.lock()?;
        self.write()
    }

    /// Held until it is dropped; the system lets go of it if this process dies.
    fn lock(&self) -> Result<File, WriteError> {
        let path = self.reports().join("lock");
        let lock = || {
            std::fs::create_dir_all(self.reports())?;
            let file = File::options().create(true).append(true).open(&path)?;
            file.lock()?;
            Ok(file)
        };
        lock().map_err(WriteError::at(&path))
    }

    fn roll(&self) -> PathBuf {
        self.reports().join("drills.jsonl")
    }

    fn write(&self) -> Result<(), WriteError> {
        let mut drills: Vec<_> = roll::read(&self.roll())?.into_iter().map(drill).collect();
        drills.sort_by(|one, other| one.test.cmp(&other.test));
        let mut suites = quick_junit::Report::new("phoenix");
        suites.set_uuid(self.nextest_run);
        let mut times = BTreeMap::new();
        for drill in &drills {
            suites.add_test_suite(suite(drill, &mut times));
        }
        junit::write_suites(&suites, &self.reports().join("junit.xml"))?;
        file::write(&self.reports().join("summary.md"), summary::table(&drills).as_bytes())
    }
}

fn drill(line: Result<Enlisted, NoEvidence>) -> Drill {
    match line {
        Ok(enlisted) => {
            let evidence = evidence(&enlisted);
            Drill { test: enlisted.test, attempt: enlisted.attempt, evidence }
        }
        Err(why) => Drill { test: "unknown test".into(), attempt: "?".into(), evidence: Err(why) },
    }
}

/// The evidence that a drill left: its own, not what another run left in the same place.
fn evidence(enlisted: &Enlisted) -> Result<Report, NoEvidence> {
    match read::read(&enlisted.directory) {
        Ok(report) if report.run == enlisted.run => Ok(report),
        Ok(report) => {
            let why = format!("it is of run {}, not {}", report.run, enlisted.run);
            Err(NoEvidence::Unreadable(why))
        }
        Err(ReadError::Missing(_)) => Err(NoEvidence::NeverFinished),
        Err(error) => {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            Err(NoEvidence::Unreadable(format!("{error}{cause}")))
        }
    }
}

fn suite(drill: &Drill, times: &mut BTreeMap<String, u32>) -> quick_junit::TestSuite {
    let place = format!("{} · attempt {}", drill.test, drill.attempt);
    match &drill.evidence {
        Ok(report) => {
            junit::suite_named(report, &unique(format!("{} · {place}", junit::name(report)), times))
        }
        Err(why) => junit::suite_without_evidence(&unique(place, times), why),
    }
}

#[cfg(test)]
mod tests;
