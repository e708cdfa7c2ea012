//! `phoenix-bench`: what a drill costs beside the same steps typed by hand, what the embedded store can
//! carry, and what the ledger costs. It writes `docs/benchmarks.md` whole. No test depends on a time:
//! a goal that is missed is said loudly, and the exit status stays 0.

mod bare;
mod commits;
mod document;
mod drill;
mod house;
mod large;
mod machine;
mod raw;
mod rounds;
mod sample;
mod throughput;

use clap::{Parser, ValueEnum};
use house::{House, Storage};
use miette::{Context, IntoDiagnostic, Result};
use std::{path::PathBuf, process::ExitCode};
use tokio::signal::unix::{SignalKind, signal};

/// Measures in alternating rounds and writes docs/benchmarks.md.
#[derive(Debug, Parser)]
#[command(name = "phoenix-bench", version, max_term_width = 100)]
struct Arguments {
    /// Where everything lives while it is measured; both, if not given
    #[arg(long, value_enum)]
    storage: Option<Storage>,
    /// Rounds of each measurement, after one that does not count
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Also a drill with 1 GiB on disk: takes some minutes
    #[arg(long)]
    large: bool,
    /// One part only, printed and not written to docs/benchmarks.md
    #[arg(long, value_enum)]
    only: Option<Part>,
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
    /// A drill with 1 GiB
    Large,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let measured = tokio::select! {
        measured = measure(&arguments) => measured,
        interrupted = interrupted() => interrupted,
    };
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

async fn measure(arguments: &Arguments) -> Result<()> {
    let wanted = |part: Part| arguments.only.is_none_or(|only| only == part);
    let storages = arguments.storage.map_or_else(|| vec![Storage::Tmpfs, Storage::Disk], |one| vec![one]);
    let facts = machine::Facts::gather().await?;
    let mut measured = document::Measured::new(facts, arguments.rounds);
    for storage in storages {
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
    let large = if arguments.only.is_none() { arguments.large } else { wanted(Part::Large) };
    if large {
        measured.large = Some(large::measure(&House::build(Storage::Disk).await?).await?);
    }
    measured.facts.note_load("load after the run");
    let text = document::render(&measured);
    say(&text);
    if arguments.only.is_none() && arguments.storage.is_none() {
        let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/benchmarks.md"));
        std::fs::write(path, text).into_diagnostic().wrap_err("docs/benchmarks.md cannot be written")?;
        say("written to docs/benchmarks.md");
    } else {
        say("a part was asked for: docs/benchmarks.md is left as it is");
    }
    for missed in measured.missed() {
        say(&format!("GOAL MISSED: {missed}"));
    }
    Ok(())
}

/// Tells whoever watches.
#[expect(clippy::print_stderr, reason = "this is the program's edge")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}
