//! Evidence read back from disk, and told again.

use crate::{Style, Terminal};
use phoenix_core::{Event, Report, report::SCHEMA};
use serde::Deserialize;
use std::{
    io,
    path::{Path, PathBuf},
};

/// The properties of a report that name what the drill ran on, in the order of its title.
pub const VERSIONS: [&str; 6] = ["postgresql", "pgbackrest", "docker", "minio", "kubernetes", "pgo"];

/// A report could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is none.
    #[error("there is no {}", .0.display())]
    Missing(PathBuf),
    /// The file system refused.
    #[error("cannot read {}", path.display())]
    File {
        /// The report.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is no JSON, or not a report's.
    #[error("{} is not a report", path.display())]
    Json {
        /// The report.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It is of a version that this program does not know.
    #[error("{} has the schema '{found}', this program reads '{SCHEMA}'", path.display())]
    Schema {
        /// The report.
        path: PathBuf,
        /// Its version.
        found: String,
    },
}

/// Reads `report.json` in a directory of evidence.
pub fn read(directory: &Path) -> Result<Report, ReadError> {
    #[derive(Deserialize)]
    struct Stamp {
        schema: String,
    }
    let path = directory.join("report.json");
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(ReadError::Missing(path)),
        Err(source) => return Err(ReadError::File { path, source }),
    };
    // the version first: a report of another version would fail on some field, which tells less
    match serde_json::from_slice(&text) {
        Ok(Stamp { schema }) if schema == SCHEMA => {}
        Ok(Stamp { schema }) => return Err(ReadError::Schema { path, found: schema }),
        Err(source) => return Err(ReadError::Json { path, source }),
    }
    serde_json::from_slice(&text).map_err(|source| ReadError::Json { path, source })
}

/// The account of a drill as [`Terminal`] told it, without colours.
pub fn render(report: &Report) -> String {
    let mut terminal = Terminal::new(Vec::new(), Style::Plain);
    replay(report, &mut terminal);
    String::from_utf8_lossy(&terminal.into_inner()).into_owned()
}

/// Tells a drill again: the events that its report remembers, in their order.
pub fn replay<W: io::Write + Send>(report: &Report, terminal: &mut Terminal<W>) {
    let version = |name: &str| report.properties.get(name).map(|version| format!("{name} {version}"));
    terminal.event(&Event::DrillStarted {
        run: report.run.clone(),
        scenario: report.scenario.clone(),
        environment: report.environment.clone(),
        versions: VERSIONS.into_iter().filter_map(version).collect(),
    });
    let mut spans = report.spans.clone();
    // a span ends before the one around it; side by side, the one that ended first was told first
    spans.sort_by_key(|span| (span.start + span.elapsed, std::cmp::Reverse(span.id)));
    for span in spans {
        terminal.event(&Event::SpanFinished(span));
    }
    terminal.event(&Event::DrillFinished(Box::new(report.clone())));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn read_text(text: &str) -> String {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("report.json"), text).unwrap();
        let error = read(place.path()).unwrap_err().to_string();
        error.replace(&place.path().display().to_string(), "DIR")
    }

    #[test]
    fn what_was_left_is_read() {
        let place = tempfile::tempdir().unwrap();
        for report in [sample::valid(), sample::lossy(3), sample::killed(), sample::layered()] {
            sample::leave(&report, place.path());
            assert_eq!(read(place.path()).unwrap(), report);
        }
    }

    #[test]
    fn evidence_from_before_there_were_layers_is_read() {
        let place = tempfile::tempdir().unwrap();
        let mut old = serde_json::to_value(sample::valid()).unwrap();
        assert!(old.as_object_mut().unwrap().remove("layers").is_some());
        std::fs::write(place.path().join("report.json"), old.to_string()).unwrap();
        assert_eq!(read(place.path()).unwrap(), sample::valid());
    }

    #[test]
    fn another_version_is_refused_by_name() {
        let text = r#"{"schema": "phoenix.report/2"}"#;
        let expected =
            "DIR/report.json has the schema 'phoenix.report/2', this program reads 'phoenix.report/1'";
        assert_eq!(read_text(text), expected);
    }

    #[test]
    fn what_is_no_report_is_refused() {
        for text in ["", "{}", r#"{"schema": "phoenix.report/1"}"#] {
            assert_eq!(read_text(text), "DIR/report.json is not a report");
        }
        let place = tempfile::tempdir().unwrap();
        assert!(matches!(read(place.path()), Err(ReadError::Missing(_))));
    }
}
