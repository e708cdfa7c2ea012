//! What each command does. Standard output is the program's own here, and nowhere else.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is the program's edge")]

mod background;
mod inspect;

use crate::{
    arguments::{
        Arguments, Command, Document, DrillArguments, EnvironmentName, KeepName, ShowArguments, StorageName,
        StoreArguments,
    },
    castle_file::{self, Castle},
    catalogue, detach, doctor,
    life::Birth,
    proof,
    run::{Production, ToJson, ToTerminal, latest, produce, sweep},
};
use clap::CommandFactory;
use miette::{IntoDiagnostic, Result, WrapErr, miette};
use phoenix_core::Secret;
use phoenix_drill::sweep::{BY_HAND, Reach, Swept};
use phoenix_drill::{Doing, Error, Keep, Reporter, Scenario, Target};
use phoenix_local::Storage;
use phoenix_reports::{Detail, Style, Terminal};
use phoenix_store::{Credentials, StoreConfig, StoreServer};
use std::{
    io::{Write, stdout},
    path::Path,
    sync::Arc,
};
use tokio::signal::unix::SignalKind;

/// Does what the command line says, and gives the exit status.
pub async fn execute(arguments: Arguments) -> Result<u8> {
    let castle = castle_file::read(arguments.config.as_deref())?;
    match arguments.command {
        Command::Drill(drill) if drill.detach && !drill.detached => background::start(castle, &drill).await,
        Command::Drill(drill) => self::drill(castle, drill).await,
        Command::Attach(attach) => background::attach(&castle, &attach).await,
        Command::Scenarios { catalogue: true, json: false } => {
            print!("{}", catalogue::defects::lines());
            Ok(0)
        }
        Command::Scenarios { catalogue: true, json: true } => {
            println!("{}", serde_json::to_string_pretty(&catalogue::defects::json()).into_diagnostic()?);
            Ok(0)
        }
        Command::Scenarios { catalogue: false, json } => scenarios(json),
        Command::Doctor { environment } => self::doctor(&castle, environment).await,
        Command::Sweep { kept } => clear(if kept { Reach::KeptToo } else { Reach::Orphans }).await,
        Command::Store(store) => serve(store).await,
        Command::Report { directory } => report(&directory),
        Command::Inspect(inspect) => inspect::inspect(&castle, &inspect).await,
        Command::Schema { document } => schema(document),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "phoenix", &mut stdout());
            Ok(0)
        }
        Command::Man => {
            clap_mangen::Man::new(Arguments::command()).render(&mut stdout()).into_diagnostic()?;
            Ok(0)
        }
    }
}

async fn drill(mut castle: Castle, asked: DrillArguments) -> Result<u8> {
    apply(&mut castle, &asked);
    let place = castle.place();
    let candidates = if castle.prove_detector { proof::candidates() } else { Vec::new() };
    let Castle { scenario, settings, .. } = castle;
    let scenario = scenario.unwrap_or_else(|| "protocol".to_owned());
    let (evidence, life) = (settings.evidence.clone(), Arc::default());
    let mut reporters: Vec<Box<dyn Reporter>> =
        vec![Box::new(Birth { evidence: evidence.clone(), life: Arc::clone(&life) })];
    if asked.detached {
        if let Err(error) = detach::leave() {
            return Ok(failed(&error));
        }
        // from here on everything is said to the log, as a person reads it
        reporters.push(Box::new(detach::Announcement { evidence }));
        reporters.push(Box::new(ToTerminal(terminal(&asked.show))));
    } else {
        reporters.push(reporter(&asked.show));
    }
    let status = match produce(Production { scenario, place, settings, candidates, reporters }).await {
        Ok(played) => {
            if let Some(error) = &played.error {
                explain(error);
            }
            if !asked.show.json || asked.detached {
                show_evidence(&played.directory);
            }
            if !played.reopen.is_empty() {
                eprintln!("kept for a look:\n  {}", played.reopen.join("\n  "));
            }
            played.exit_status
        }
        Err(error) => failed(&error),
    };
    // nobody is born where the drill did not begin
    let ended = life.get().map_or(Ok(()), |life| life.end(status)).doing("writing down the exit status");
    Ok(ended.map_or_else(|error| failed(&error), |()| status))
}

fn terminal(show: &ShowArguments) -> Terminal<std::io::Stdout> {
    let detail = if show.verbose { Detail::Nested } else { Detail::Phases };
    Terminal::new(stdout(), Style::of_stdout()).detail(detail)
}

/// Who tells a drill here: to a person, or to a machine.
fn reporter(show: &ShowArguments) -> Box<dyn Reporter> {
    if show.json { Box::new(ToJson(stdout())) } else { Box::new(ToTerminal(terminal(show).live())) }
}

fn show_evidence(directory: &Path) {
    let files = "(report.json, junit.xml, runbook.md, ledger.jsonl, logs/)";
    // whoever stopped listening does not change how it ends
    let _ = writeln!(stdout(), "evidence: {}/  {files}", latest(directory).display());
}

/// The command line wins over the file.
fn apply(castle: &mut Castle, asked: &DrillArguments) {
    let (settings, local) = (&mut castle.settings, &mut castle.local);
    castle.environment = asked.environment.unwrap_or(castle.environment);
    castle.cluster.own.clone_from(&asked.i_own);
    castle.prove_detector |= asked.prove_detector;
    castle.scenario = asked.scenario.clone().or(castle.scenario.take());
    let target = if asked.sealed { Some(Target::Sealed) } else { asked.target.clone() };
    settings.target = target.unwrap_or_else(|| settings.target.clone());
    settings.rows = asked.rows.unwrap_or(settings.rows);
    settings.writers = asked.writers.unwrap_or(settings.writers);
    settings.pad_bytes = asked.pad.and_then(|pad| pad.try_into().ok()).unwrap_or(settings.pad_bytes);
    settings.size_bytes = asked.size.unwrap_or(settings.size_bytes);
    settings.seed = asked.seed.unwrap_or(settings.seed);
    settings.evidence = asked.report.clone().unwrap_or_else(|| settings.evidence.clone());
    settings.budget.rto = asked.rto_budget.or(settings.budget.rto);
    settings.budget.rpo_rows = asked.rpo_rows_budget.or(settings.budget.rpo_rows);
    settings.keep = match asked.keep {
        Some(KeepName::Never) => Keep::Never,
        Some(KeepName::OnFailure) => Keep::OnFailure,
        Some(KeepName::Always) => Keep::Always,
        None => settings.keep,
    };
    local.storage = match asked.storage {
        Some(StorageName::Tmpfs) => Storage::Tmpfs,
        Some(StorageName::Disk) => Storage::Disk,
        None => local.storage,
    };
}

fn explain(error: &Error) {
    eprintln!("error: {}", error.chain());
    if let Some(advice) = error.advice() {
        eprintln!(" help: {advice}");
    }
}

/// Says what stopped a drill, and gives the exit status.
fn failed(error: &Error) -> u8 {
    explain(error);
    if matches!(error, Error::Usage { .. }) { 2 } else { 3 }
}

fn scenarios(json: bool) -> Result<u8> {
    let environments = |name: &str| -> Vec<&str> {
        let has = |all: &[Scenario]| all.iter().any(|scenario| scenario.name == name);
        catalogue::PLACES.iter().filter(|(_, all)| has(all)).map(|(environment, _)| *environment).collect()
    };
    let all = catalogue::all();
    if json {
        let list: Vec<_> = all
            .iter()
            .map(|scenario| {
                let (name, family, promise) = (scenario.name, scenario.family, scenario.promise);
                let expected = scenario.expected.word();
                serde_json::json!({ "name": name, "family": family, "promise": promise, "expected": expected,
                    "finding": scenario.finding, "environments": environments(name) })
            })
            .collect();
        println!("{}", serde_json::to_string_pretty(&list).into_diagnostic()?);
        return Ok(0);
    }
    for scenario in all {
        println!("{:<20}{:<20}{}", scenario.name, scenario.expected.word(), scenario.promise);
    }
    Ok(0)
}

async fn doctor(castle: &Castle, environment: Option<EnvironmentName>) -> Result<u8> {
    let needs = doctor::examine(castle).await;
    for need in &needs {
        match &need.state {
            Ok(found) => println!("{:<10} ok       {}: {found}", need.environment, need.what),
            Err(advice) => {
                println!("{:<10} MISSING  {}\n           help: {advice}", need.environment, need.what)
            }
        }
    }
    let asked = environment.unwrap_or(castle.environment).word();
    let lacks = |need: &doctor::Need| need.environment == asked && need.state.is_err();
    Ok(if needs.iter().any(lacks) { 3 } else { 0 })
}

async fn clear(reach: Reach) -> Result<u8> {
    let swept = sweep(reach, BY_HAND).await.map_err(|error| miette!("{}", error.chain()))?;
    for (run, became) in &swept {
        match became {
            Swept::Removed => println!("{run}  removed"),
            Swept::Kept(why) => println!("{run}  kept ({why}); remove it with: phoenix sweep --kept"),
            Swept::Stuck(why) => println!("{run}  STUCK: {why}"),
        }
    }
    if swept.is_empty() {
        println!("nothing to sweep");
    }
    Ok(if swept.iter().any(|(_, became)| matches!(became, Swept::Stuck(_))) { 3 } else { 0 })
}

async fn serve(asked: StoreArguments) -> Result<u8> {
    let mut credentials = Credentials::generate();
    let given = std::env::var("PHOENIX_STORE_SECRET_KEY").ok();
    credentials.access_key = asked.access_key.unwrap_or(credentials.access_key);
    if let Some(secret) = &given {
        credentials.secret_key = Secret::new(secret.clone());
    }
    let mut config = StoreConfig::new(&asked.directory, &asked.bucket, credentials.clone());
    config.listen.set_port(asked.port);
    let region = config.region.clone();
    let server = StoreServer::start(config).await.into_diagnostic().wrap_err("the store does not start")?;
    if let Some(path) = &asked.faults {
        let text =
            std::fs::read_to_string(path).into_diagnostic().wrap_err("the fault plan cannot be read")?;
        let plan = serde_json::from_str(&text).into_diagnostic().wrap_err("the fault plan is wrong")?;
        server.faults().arm_plan(plan).into_diagnostic()?;
    }
    // listened to before anybody can know that the store is up
    let listen = |kind| tokio::signal::unix::signal(kind).into_diagnostic();
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    println!("endpoint    {}", server.endpoint());
    println!("bucket      {}", asked.bucket);
    println!("region      {region}");
    println!("ca          {}", server.ca_file().display());
    println!("access key  {}", credentials.access_key);
    let secret = match given {
        Some(_) => "from PHOENIX_STORE_SECRET_KEY".to_owned(),
        None => write_secret(&asked.directory, &credentials.secret_key)?,
    };
    println!("secret key  {secret}");
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    let fired = server.faults().evidence();
    server.shutdown().await;
    for fault in fired {
        println!("fault       {}", serde_json::to_string(&fault).into_diagnostic()?);
    }
    Ok(0)
}

/// Writes a secret where only this user can read it, and says where.
fn write_secret(directory: &Path, secret: &Secret) -> Result<String> {
    use std::os::unix::fs::OpenOptionsExt;
    let path = directory.join("secret-key");
    let mut options = std::fs::OpenOptions::new();
    let mut file =
        options.write(true).create(true).truncate(true).mode(0o600).open(&path).into_diagnostic()?;
    file.write_all(secret.expose().as_bytes()).into_diagnostic()?;
    Ok(format!("in {}", path.display()))
}

fn report(directory: &Path) -> Result<u8> {
    let report =
        phoenix_reports::read(directory).into_diagnostic().wrap_err("the evidence cannot be read")?;
    print!("{}", phoenix_reports::render(&report));
    Ok(report.exit_status())
}

fn schema(document: Document) -> Result<u8> {
    let schema = match document {
        Document::Report => phoenix_reports::schema::report_schema(),
        Document::Ledger => phoenix_reports::schema::ledger_schema(),
        Document::Inspection => phoenix_inspection::inspection::schema(),
    };
    println!("{}", serde_json::to_string_pretty(&schema).into_diagnostic()?);
    Ok(0)
}
