//! `phoenix-bench`: what a drill costs beside the same steps typed by hand, what the embedded store can
//! carry, alone and beside MinIO, and what the ledger costs. It writes `docs/benchmarks.md`. No test depends
//! on a time: a goal that is missed is said loudly, and the exit status stays 0.

mod bare;
mod bare_docker;
mod by_hand;
mod by_hand_cluster;
mod chapters;
mod cluster;
mod commits;
mod containers;
mod document;
mod drill;
mod house;
mod inspection;
mod keeper;
mod large;
mod machine;
mod occasion;
mod page;
mod raw;
mod repository;
mod rounds;
mod sample;
mod throughput;
mod yard;

use clap::{Parser, ValueEnum};
use house::{House, Storage};
use miette::{Context, IntoDiagnostic, Result};
use std::{fs, process::ExitCode};
use tokio::signal::unix::{SignalKind, signal};
use yard::Yard;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/benchmarks.md");

/// Measures in alternating rounds and writes docs/benchmarks.md.
#[derive(Debug, Parser)]
#[command(name = "phoenix-bench", version, max_term_width = 100)]
struct Arguments {
    /// Where everything lives while it is measured; both, if not given
    #[arg(long, value_enum)]
    storage: Option<Storage>,
    /// Rounds of each measurement, after one that does not count; on a cluster each counts
    #[arg(long, default_value_t = 10, overrides_with = "rounds", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Also a drill with 1 GiB on disk: takes some minutes
    #[arg(long)]
    large: bool,
    /// Some parts only, printed and not written to docs/benchmarks.md
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Write the parts that were asked for into docs/benchmarks.md, and leave the others as they are
    #[arg(long, requires = "only", conflicts_with = "storage")]
    write: bool,
}

/// A part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// A drill beside bare commands
    Drill,
    /// The embedded store beside file copies
    Store,
    /// The ledger's cost per commit
    Ledger,
    /// An inspection of ten thousand segments beside a bare listing
    Inspect,
    /// A drill with 1 GiB
    Large,
    /// pgBackRest with the embedded store beside MinIO: needs Docker
    Repository,
    /// A drill in containers beside bare docker: needs Docker and curl
    Containers,
    /// A disaster on a kind cluster beside kind and kubectl by hand, only if it is asked for: needs those, Docker and curl
    Cluster,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let yard = Yard::find().await;
    let measured = tokio::select! {
        measured = measure(&arguments, &yard) => measured,
        interrupted = interrupted() => interrupted,
    };
    if let Ok(yard) = &yard {
        yard.clear().await;
    }
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("{error:?}"));
            ExitCode::FAILURE
        }
    }
}

/// Dropping the measurement removes what it made.
async fn interrupted() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).into_diagnostic()?;
    tokio::select! {
        asked = tokio::signal::ctrl_c() => asked.into_diagnostic()?,
        _ = terminate.recv() => {}
    }
    Err(miette::miette!("interrupted: nothing was written"))
}

async fn measure(arguments: &Arguments, yard: &Result<Yard, String>) -> Result<()> {
    let wanted = |part: Part| match part {
        _ if !arguments.only.is_empty() => arguments.only.contains(&part),
        Part::Large => arguments.large,
        Part::Cluster => false,
        _ => true,
    };
    let storages = arguments.storage.map_or_else(|| vec![Storage::Tmpfs, Storage::Disk], |one| vec![one]);
    let facts = machine::Facts::gather().await?;
    let mut measured = document::Measured::new(facts, arguments.rounds);
    let mut with_engine = vec![Part::Repository, Part::Containers, Part::Cluster];
    with_engine.retain(|part| wanted(*part));
    match yard {
        Ok(yard) if !with_engine.is_empty() => {
            let house = House::build(Storage::Disk).await?;
            for part in with_engine {
                in_engine(part, &mut measured, &house, yard, arguments.rounds).await?;
            }
        }
        Ok(_) => {}
        Err(why) => {
            measured.left_out = with_engine.iter().map(|part| chapters::left_out(*part, why)).collect()
        }
    }
    let local = [Part::Drill, Part::Store, Part::Ledger].into_iter().any(wanted);
    for storage in storages.into_iter().filter(|_| local) {
        let house = House::build(storage).await?;
        if wanted(Part::Drill) {
            measured.drills.push(rounds::measure(&house, arguments.rounds).await?);
        }
        if wanted(Part::Store) {
            measured.stores.push(throughput::measure(&house, arguments.rounds).await?);
        }
        if wanted(Part::Ledger) {
            measured.ledgers.push(commits::measure(&house, arguments.rounds).await?);
        }
    }
    if wanted(Part::Inspect) {
        let house = House::build(Storage::Disk).await?;
        measured.inspections = Some(inspection::measure(&house, arguments.rounds).await?);
    }
    if wanted(Part::Large) {
        measured.large = Some(large::measure(&House::build(Storage::Disk).await?).await?);
    }
    measured.facts.note_load("load after the run");
    publish(arguments, &measured)?;
    for missed in measured.missed() {
        say(&format!("GOAL MISSED: {missed}"));
    }
    Ok(())
}

/// Measures a part that needs an engine.
async fn in_engine(
    part: Part,
    measured: &mut document::Measured,
    house: &House,
    yard: &Yard,
    rounds: u32,
) -> Result<()> {
    match part {
        Part::Repository => measured.repositories = Some(repository::measure(house, yard, rounds).await?),
        Part::Containers => measured.contained = Some(containers::measure(house, yard, rounds).await?),
        _ => match by_hand_cluster::Kit::gather().await {
            Ok(kit) => measured.disasters = Some(cluster::measure(house, yard, &kit, rounds).await?),
            Err(why) => measured.left_out.push(chapters::left_out(part, &format!("{why:#}"))),
        },
    }
    Ok(())
}

/// Prints the page, and writes it: whole, or the parts that were asked for.
fn publish(arguments: &Arguments, measured: &document::Measured) -> Result<()> {
    let whole = document::render(measured);
    say(&whole);
    let page = if arguments.write {
        let page =
            fs::read_to_string(PAGE).into_diagnostic().wrap_err("docs/benchmarks.md cannot be read")?;
        let mut sections = measured.sections();
        sections.push(document::TO_REPEAT_IT.to_owned());
        page::merged(&page, &sections)
    } else if arguments.only.is_empty() && arguments.storage.is_none() {
        // what is measured only where it is asked for stays
        page::keeping(&whole, &fs::read_to_string(PAGE).unwrap_or_default())
    } else {
        say("a part was asked for: docs/benchmarks.md is left as it is");
        return Ok(());
    };
    fs::write(PAGE, page).into_diagnostic().wrap_err("docs/benchmarks.md cannot be written")?;
    say("written to docs/benchmarks.md");
    Ok(())
}

/// Tells whoever watches.
#[expect(clippy::print_stderr, reason = "this is the program's edge")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}
