//! What the others see: every loss of the catalogue is planted, and the checks that people rely on are asked.
//! It takes minutes and writes docs/blindness.md, so it is run by name alone.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use phoenix_cli::{
    catalogue::defects,
    testing::{Place, hear_defect},
};
use phoenix_core::{
    Defect, RecoveryTarget, Report,
    defect::Outcome,
    detector::{Colour, Hearing, Testimony},
};
use phoenix_drill::{Target, Witnesses};
use std::{collections::BTreeMap, fs};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/blindness.md");

/// The columns: who is asked, and when.
const WITNESSES: [(&str, Hearing); 7] = [
    ("pg_stat_archiver", Hearing::BeforeFire),
    ("pg_isready", Hearing::Reborn),
    ("pg_is_in_recovery()", Hearing::Reborn),
    ("pg_stat_archiver", Hearing::Reborn),
    ("pgbackrest check", Hearing::Reborn),
    ("pgbackrest info", Hearing::Reborn),
    ("pgbackrest verify", Hearing::Reborn),
];

fn losses() -> impl Iterator<Item = &'static Defect> {
    defects::all()
        .map(|(defect, _)| defect)
        .filter(|defect| matches!(defect.latest.verdict, Outcome::Loss | Outcome::Corrupt))
}

fn cell(testimony: Option<&Testimony>) -> String {
    match testimony {
        None => "not asked".to_owned(),
        Some(Testimony { colour: Colour::Green, .. }) => "green".to_owned(),
        Some(Testimony { said, .. }) => {
            let short: String = said.chars().take(60).collect();
            format!("**red**: {}", short.replace('|', "/"))
        }
    }
}

fn row(report: &Report) -> String {
    let heard = |(witness, hearing): (&str, Hearing)| {
        let of = |testimony: &&Testimony| testimony.witness == witness && testimony.hearing == hearing;
        cell(report.testimonies.iter().find(of))
    };
    let codes: Vec<_> = report.findings.iter().map(|finding| format!("`{}`", finding.code)).collect();
    let lost = report.account.as_ref().map_or(0, |account| account.lost.len());
    let verdict = report.verdict.as_ref().map_or("none", |verdict| verdict.word());
    let cells = WITNESSES.map(heard).join(" | ");
    format!("| `{}` | {cells} | {verdict}, {lost} lost, {} |\n", report.scenario, codes.join(" "))
}

fn write(table: &str) {
    const BEGIN: &str = "<!-- made by a run: begin -->\n";
    const END: &str = "<!-- made by a run: end -->";
    let page = fs::read_to_string(PAGE).unwrap();
    let ((before, rest), end) = (page.split_once(BEGIN).unwrap(), page.find(END).unwrap());
    assert!(rest.contains(END), "the table ends after it begins");
    fs::write(PAGE, format!("{before}{BEGIN}{table}{}", &page[end..])).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it takes minutes and writes docs/blindness.md"]
async fn what_the_others_see() {
    let (mut rows, mut properties, mut date) = (String::new(), BTreeMap::new(), String::new());
    let mut sharp: BTreeMap<usize, usize> = BTreeMap::new();
    let mut failed = Vec::new();
    for defect in losses() {
        let target = Target::Given(RecoveryTarget::Latest);
        let played = hear_defect(Place::Local, &defect.name, target, Witnesses::Heard).await.unwrap();
        let report = played.report;
        if !report.as_expected() {
            failed.push(format!("{}: {:?}", defect.name, report.verdict));
            continue;
        }
        for (at, (witness, hearing)) in WITNESSES.into_iter().enumerate() {
            let red = report.testimonies.iter().any(|testimony| {
                testimony.witness == witness
                    && testimony.hearing == hearing
                    && testimony.colour == Colour::Red
            });
            *sharp.entry(at).or_default() += usize::from(red);
        }
        rows += &row(&report);
        date = report.started_at.format("%Y-%m-%d").to_string();
        properties = report.properties;
    }
    let count = rows.lines().count();
    let version = |name: &str| properties.get(name).cloned().unwrap_or_default();
    let head = format!(
        "Measured on {date} in the environment `local`, with PostgreSQL {} and pgBackRest {}: {count} losses, each \
         after a recovery to the end of WAL.\n\n",
        version("postgresql"),
        version("pgbackrest")
    );
    let columns = WITNESSES.map(|(witness, hearing)| match hearing {
        Hearing::BeforeFire => format!("`{witness}` before the fire"),
        Hearing::Reborn => format!("`{witness}`"),
    });
    let dashes = "|---".repeat(WITNESSES.len() + 2);
    let reds: Vec<_> = sharp.values().map(|red| format!("{red} of {count} red")).collect();
    let table = format!(
        "{head}| Loss | {} | Phoenix |\n{dashes}|\n{rows}| *all* | {} | {count} of {count} found |\n",
        columns.join(" | "),
        reds.join(" | ")
    );
    write(&table);
    assert_eq!(failed, [""; 0], "those have no row");
}

/// What the page says is of defects that are there.
#[test]
fn the_page_has_rows_of_losses_that_are_there() {
    let page = fs::read_to_string(PAGE).unwrap();
    let names: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | ").map(|(name, _)| name))
        .collect();
    assert!(names.len() >= 20, "{names:?}");
    let gone: Vec<_> = names.iter().filter(|name| !losses().any(|defect| defect.name == **name)).collect();
    assert!(gone.is_empty(), "{gone:?}");
}
