//! An inspection as a person reads it.

use crate::inspection::{
    Archive, Backup, Bearing, Gap, Grade, Inspection, Interval, Path, Remark, Severity, Stanza,
};
use chrono::{DateTime, TimeDelta, Utc};
use phoenix_core::words::grouped;
use std::fmt::{self, Write};

/// Rows in columns, as wide as the widest cell of each; the last is not padded.
struct Columns(Vec<Vec<String>>);

impl Columns {
    fn headed<const N: usize>(heads: [&str; N]) -> Self {
        Self(vec![heads.map(str::to_owned).to_vec()])
    }

    fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.0.push(cells.to_vec());
    }
}

impl fmt::Display for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.0.first().map_or(0, Vec::len);
        let width = |column: usize| {
            self.0
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<_> = (0..columns).map(width).collect();
        for row in &self.0 {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            writeln!(f, "  {}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// The whole inspection, to its last line, which says what it comes to.
pub fn render(inspection: &Inspection) -> String {
    let mut text = format!("{} · {} UTC\n", inspection.repository, time(inspection.looked_at));
    for stanza in &inspection.stanzas {
        // a String never refuses to be written to
        let _ = write!(text, "\n{}", stanza_text(stanza));
    }
    if let Some(held) = &inspection.reference {
        let _ = write!(text, "\nheld against {}\n  {}\n", held.reference, held.sentence);
    }
    for remark in &inspection.remarks {
        text += &remark_text(remark);
    }
    if !inspection.unseen.is_empty() {
        text += "\nnot seen\n";
    }
    for unseen in &inspection.unseen {
        let decides = if unseen.bearing == Bearing::Decisive { " (it decides)" } else { "" };
        let _ = writeln!(text, "  {}{decides}: {}", unseen.what, unseen.why);
    }
    let _ = writeln!(text, "\n{}", headline(inspection));
    text
}

fn stanza_text(stanza: &Stanza) -> String {
    let mut text = format!("stanza {}\n", stanza.name);
    for cluster in &stanza.clusters {
        let (id, system, version) = (cluster.db_id, &cluster.system_identifier, &cluster.version);
        let _ = writeln!(text, "  cluster {id}: system {system}, PostgreSQL {version}");
    }
    let mut table = Columns::headed(["backup", "kind", "complete at", "consistent at", "needs WAL", "state"]);
    for backup in &stanza.backups {
        let (stop, needs) = match &backup.wal {
            Some(wal) if wal.first == wal.last => (wal.stop.to_string(), wal.first.clone()),
            Some(wal) => (wal.stop.to_string(), format!("{} to {}", wal.first, last_digits(&wal.last))),
            None => ("-".to_owned(), "none".to_owned()),
        };
        let (label, kind) = (backup.label.clone(), backup.kind.clone());
        table.row([label, kind, time(backup.stopped_at), stop, needs, state(backup).to_owned()]);
    }
    if !stanza.backups.is_empty() {
        let _ = write!(text, "\n{table}");
    }
    for archive in &stanza.archives {
        text += &archive_text(archive);
    }
    if let Some(latest) = &stanza.latest {
        let astray = latest.strays_to.map(|to| format!(", then strays to {to}")).unwrap_or_default();
        let reach = match (&latest.to, &latest.last) {
            (Some(to), Some(last)) => format!("and reaches {to}, the end of {last} at most"),
            _ => "and does not come up".to_owned(),
        };
        let (backup, timeline) = (&latest.backup, latest.timeline);
        let _ = writeln!(
            text,
            "\n  a default restore takes {backup}, follows timeline {timeline} {reach}{astray}"
        );
    }
    text
}

fn state(backup: &Backup) -> &'static str {
    match (backup.is_complete, backup.has_its_wal) {
        (Some(false), _) => "NOT WHOLE",
        (_, Some(false)) => "ITS WAL IS MISSING",
        (Some(true), Some(true)) => "restorable",
        _ => "not known",
    }
}

fn archive_text(archive: &Archive) -> String {
    let newest = archive.newest.as_ref().map_or_else(
        || "no segment".to_owned(),
        |newest| {
            format!(
                "newest {} archived {}, {} before this",
                newest.segment,
                time(newest.archived_at),
                age(newest.age_seconds)
            )
        },
    );
    let size = archive.segment_size.bytes() >> 20;
    let mut text = format!("\n  archive {} · segments of {size} MiB · {newest}\n", archive.id);
    let mut table =
        Columns::headed(["timeline", "first segment", "last segment", "segments", "missing in between"]);
    for line in &archive.timelines {
        let gaps = if line.gaps.is_empty() {
            "none".to_owned()
        } else {
            line.gaps.iter().map(gap).collect::<Vec<_>>().join(", ")
        };
        table.row([
            line.timeline.to_string(),
            line.first.clone(),
            line.last.clone(),
            grouped(line.segments),
            gaps,
        ]);
    }
    if !archive.timelines.is_empty() {
        text += &table.to_string();
    }
    let mut table = Columns::headed([
        "recovery along",
        "from",
        "complete at",
        "to",
        "last segment",
        "archived at",
        "backups",
    ]);
    for path in &archive.paths {
        for Interval { from, from_time, to, last, to_time, backups } in &path.intervals {
            let backups = match &backups[..] {
                [only] => only.clone(),
                all => format!("{} backups", all.len()),
            };
            table.row([
                way(path),
                from.to_string(),
                time(*from_time),
                to.to_string(),
                last.clone(),
                time(*to_time),
                backups,
            ]);
        }
        if path.intervals.is_empty() {
            let none = || "-".to_owned();
            table.row([way(path), none(), none(), none(), none(), none(), "none that was seen".into()]);
        }
    }
    if !archive.paths.is_empty() {
        let _ = write!(text, "\n{table}");
    }
    text
}

/// `1 > 2 > 4`.
fn way(path: &Path) -> String {
    let all = path.forks.iter().map(|fork| fork.timeline).chain([path.timeline]);
    all.map(|timeline| timeline.to_string()).collect::<Vec<_>>().join(" > ")
}

fn gap(gap: &Gap) -> String {
    match gap.segments {
        1 => last_digits(&gap.first).to_owned(),
        count => format!("{} to {} ({})", last_digits(&gap.first), last_digits(&gap.last), grouped(count)),
    }
}

/// A segment's name without its timeline.
fn last_digits(name: &str) -> &str {
    name.get(8..).unwrap_or(name)
}

fn remark_text(remark: &Remark) -> String {
    let word = match remark.severity {
        Severity::Harm => "HARM",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let finding = &remark.finding;
    let mut text = format!("\n{word} {}, stanza {}\n  {}\n", finding.code, remark.stanza, finding.sentence);
    for line in &finding.evidence {
        let _ = writeln!(text, "    {line}");
    }
    let _ = writeln!(text, "  fix: {}", finding.fix);
    text
}

/// The last line: what it comes to, in numbers.
pub fn headline(inspection: &Inspection) -> String {
    let word = match inspection.grade {
        Grade::Restorable => "RESTORABLE",
        Grade::Harmed => "HARMED",
        Grade::Unknown => "UNKNOWN: what decides could not be seen",
    };
    let backups: Vec<_> = inspection.stanzas.iter().flat_map(|stanza| &stanza.backups).collect();
    let restorable = backups.iter().filter(|backup| backup.is_restorable() == Some(true)).count();
    let lines =
        inspection.stanzas.iter().flat_map(|stanza| &stanza.archives).flat_map(|archive| &archive.timelines);
    let segments: u64 = lines.map(|line| line.segments).sum();
    let of = |severity| inspection.remarks.iter().filter(|remark| remark.severity == severity).count();
    format!(
        "{word} · {restorable} of {} backups restorable · {} segments · {} harms, {} warnings, {} notes",
        backups.len(),
        grouped(segments),
        of(Severity::Harm),
        of(Severity::Warning),
        of(Severity::Note)
    )
}

fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// Roughly how long: `42 s`, `12 min`, `5 h`, `3 days`.
fn age(seconds: i64) -> String {
    let span = TimeDelta::seconds(seconds);
    match () {
        () if span < TimeDelta::minutes(2) => format!("{seconds} s"),
        () if span < TimeDelta::hours(2) => format!("{} min", span.num_minutes()),
        () if span < TimeDelta::days(2) => format!("{} h", span.num_hours()),
        () => format!("{} days", span.num_days()),
    }
}
