//! Finding a run in a directory of evidence, by as much of its id as a person types.

use phoenix_core::RunId;
use phoenix_drill::{Error, Result};
use std::{fs, path::Path};

/// How many runs are named to somebody who asked for another one.
const NAMED: usize = 10;

/// The run that is meant: by its id, a beginning of it that no other run has, or `latest`.
pub fn find(evidence: &Path, wanted: &str) -> Result<RunId> {
    let runs = runs(evidence);
    let place = evidence.display();
    if runs.is_empty() {
        let advice = "begin one with: phoenix drill --detach, or say where evidence is with: --report DIR";
        return Err(Error::usage(format!("there is no run in {place}"), advice));
    }
    let beginning = match wanted {
        "latest" => latest(evidence),
        _ => Some(wanted.to_ascii_uppercase()),
    };
    let is_meant = |run: &&RunId| beginning.as_ref().is_some_and(|text| run.as_str().starts_with(text));
    let meant: Vec<_> = runs.iter().filter(is_meant).collect();
    match meant[..] {
        [run] => Ok(run.clone()),
        [] => {
            let all = named(&runs.iter().collect::<Vec<_>>());
            Err(Error::usage(format!("there is no run '{wanted}' in {place}"), format!("there are {all}")))
        }
        _ => {
            let what = format!("{} runs in {place} begin with '{wanted}'", meant.len());
            Err(Error::usage(what, format!("say more of one of {}", named(&meant))))
        }
    }
}

/// All runs, the newest first. What bears no run's name is none.
fn runs(evidence: &Path) -> Vec<RunId> {
    let entries = fs::read_dir(evidence).into_iter().flatten().flatten();
    let mut runs: Vec<RunId> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    runs.sort_by(|one, other| other.cmp(one));
    runs
}

fn latest(evidence: &Path) -> Option<String> {
    fs::read_link(evidence.join("latest")).ok()?.to_str().map(str::to_owned)
}

fn named(runs: &[&RunId]) -> String {
    let mut names: Vec<_> = runs.iter().take(NAMED).map(ToString::to_string).collect();
    if runs.len() > NAMED {
        names.push(format!("{} older ones", runs.len() - NAMED));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNS: [&str; 3] =
        ["01M7Y8WBZS88W90Z5PZBR6906C", "01M7Y9AAAA0000000000000000", "01M8000000000000000000000"];

    /// Evidence of the first two runs, and of something else.
    fn evidence() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in [RUNS[0], RUNS[1], "nextest"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        folder
    }

    fn error(evidence: &Path, wanted: &str) -> String {
        let error = find(evidence, wanted).unwrap_err();
        assert!(matches!(error, Error::Usage { .. }));
        let place = evidence.display().to_string();
        format!("{error}; {}", error.advice().unwrap()).replace(&place, "E")
    }

    #[test]
    fn a_run_is_found_by_what_no_other_begins_with() {
        let folder = evidence();
        for wanted in [RUNS[0], "01M7Y8", "01m7y8wb"] {
            assert_eq!(find(folder.path(), wanted).unwrap().as_str(), RUNS[0]);
        }
        std::os::unix::fs::symlink(RUNS[1], folder.path().join("latest")).unwrap();
        assert_eq!(find(folder.path(), "latest").unwrap().as_str(), RUNS[1]);
    }

    #[test]
    fn whoever_asks_for_no_run_is_told_which_there_are() {
        let folder = evidence();
        let both = format!("{}, {}", RUNS[1], RUNS[0]);
        assert_eq!(
            error(folder.path(), RUNS[2]),
            format!("there is no run '{}' in E; there are {both}", RUNS[2])
        );
        assert_eq!(
            error(folder.path(), "latest"),
            format!("there is no run 'latest' in E; there are {both}")
        );
        // neither another directory nor a way out of this one is a run
        assert_eq!(
            error(folder.path(), "nextest"),
            format!("there is no run 'nextest' in E; there are {both}")
        );
        assert_eq!(error(folder.path(), ".."), format!("there is no run '..' in E; there are {both}"));
        assert_eq!(
            error(folder.path(), "01M7"),
            format!("2 runs in E begin with '01M7'; say more of one of {both}")
        );
        let nothing = error(&folder.path().join("nextest"), "latest");
        assert!(nothing.starts_with("there is no run in E; begin one with: phoenix drill"), "{nothing}");
    }

    #[test]
    fn many_runs_are_not_all_named() {
        let runs: Vec<_> = (0..12).map(|ms| RunId::new(ms, 0)).collect();
        let named = named(&runs.iter().collect::<Vec<_>>());
        assert!(named.ends_with(", 2 older ones") && named.matches(", ").count() == 10, "{named}");
    }
}
