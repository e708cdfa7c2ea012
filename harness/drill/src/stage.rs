//! Plays a scenario in an environment, from the first line of evidence to the last removal, whatever
//! happens in between: an error, a panic, a signal.

use crate::{
    Doing, Drill, Environment, Error, Evidence, Keep, Ledger, Register, Reporter, Resource, Result, Scenario,
    Scene, Settings, Spans,
    evidence::EventLog,
    log_gate,
    prover::{self, Proven},
    span::uncovered,
    unverified,
};
use chrono::Utc;
use futures::FutureExt;
use phoenix_core::{Deeds, Event, Fault, Finding, Report, RunId, Verdict, report};
use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    path::PathBuf,
    sync::{Arc, Mutex, atomic::AtomicU32},
    time::Duration,
};
use tokio::signal::unix::{SignalKind, signal};

/// How a drill ended.
#[derive(Debug)]
pub struct Played {
    /// The evidence.
    pub report: Report,
    /// Where it lies.
    pub directory: PathBuf,
    /// 0 valid, 1 invalid, 2 usage or configuration, 3 could not verify, 4 valid but over a budget,
    /// 130 interrupted.
    pub exit_status: u8,
    /// Why it could not be verified, with what to do, if that is the case.
    pub error: Option<Error>,
    /// Commands to look at what was kept, if anything was.
    pub reopen: Vec<String>,
}

/// What was made is left on disk, and its register with it.
struct Kept;

enum Ending {
    Judged(Verdict),
    Stopped(Error),
    Interrupted(&'static str),
    Panicked(String),
}

/// A new run's id, from the clock and the system's randomness.
pub fn new_run() -> RunId {
    let ms = u64::try_from(Utc::now().timestamp_millis()).unwrap_or_default();
    RunId::new(ms, uuid::Uuid::new_v4().as_u128())
}

/// Plays a scenario. An error means that it could not even begin; nothing was made then.
pub async fn play<E: Environment + ?Sized>(
    run: RunId,
    scenario: &Scenario,
    place: &E,
    settings: Settings,
    mut reporters: Vec<Box<dyn Reporter>>,
    scene_play: impl AsyncFnOnce(&mut Drill, &E) -> Result<Verdict>,
) -> Result<Played> {
    if settings.rows == 0 || settings.writers == 0 {
        let what = "a drill without rows or writers proves nothing";
        return Err(Error::usage(what, "give --rows and --writers of at least 1"));
    }
    let mut interrupts = Interrupts::listen()?;
    let evidence = Evidence::create(&settings.evidence, &run)?;
    reporters.push(Box::new(EventLog::create(&evidence)?));
    let ledger = Ledger::create(&evidence.directory().join("ledger.jsonl"))?;
    let register = Register::open(&run)?;
    let report = blank(&run, scenario, place, &settings);
    let (spans, life, layers) = (Spans::start(reporters), AtomicU32::new(0), Mutex::default());
    let scene = Arc::new(Scene { run, settings, evidence, ledger, register, spans, life, layers });
    let mut drill = Drill::new(scene.clone(), report);
    drill.save()?;
    scene.spans.emit(&Event::DrillStarted {
        run: scene.run.clone(),
        scenario: scenario.name.to_owned(),
        environment: place.name().to_owned(),
        versions: versions(&drill.report.properties),
    });

    let ending = match prover::prove(&mut drill).await {
        Ok(Proven::Known) => tokio::select! {
            played = AssertUnwindSafe(scene_play(&mut drill, place)).catch_unwind() => match played {
                Ok(Ok(verdict)) => Ending::Judged(verdict),
                Ok(Err(error)) => Ending::Stopped(error),
                Err(panic) => Ending::Panicked(panic_message(panic.as_ref())),
            },
            name = interrupts.next() => Ending::Interrupted(name),
        },
        // the other drill has cleaned up after the signal, which has come here as well
        Ok(Proven::Interrupted) => Ending::Interrupted(interrupts.next().await),
        Err(error) => Ending::Stopped(error),
    };
    drill.report.total = Duration::from_micros(scene.now().0);
    drill.report.no_span = uncovered(&scene.spans.records(), drill.report.total);
    let interrupted = matches!(ending, Ending::Interrupted(_));
    let (exit_status, error) = conclude(&mut drill.report, ending);
    doubt(&mut drill.report);
    let keep = match scene.settings.keep {
        Keep::Never => false,
        // whoever interrupts a drill wants it gone, and one that was asked for wrongly has nothing to show
        Keep::OnFailure => !interrupted && exit_status != Some(2) && !drill.report.as_expected(),
        Keep::Always => true,
    };
    // whoever asks twice does not wait for the clean-up
    let again = async {
        if !interrupted {
            interrupts.next().await;
        }
        interrupts.next().await
    };
    let cleared = tokio::select! {
        reopen = clear(&mut drill, place, keep.then_some(Kept)) => Ok(reopen),
        signal = again => Err(signal),
    };
    let (exit_status, reopen) = match cleared {
        Ok(reopen) => (exit_status.unwrap_or_else(|| drill.report.exit_status()), reopen),
        Err(signal) => {
            drill.report.findings.push(cut_off(signal));
            (130, Vec::new())
        }
    };
    drill.report.finished_at = Some(Utc::now());
    drill.save()?;
    scene.spans.emit(&Event::DrillFinished(Box::new(drill.report.clone())));
    let directory = scene.evidence.directory().to_owned();
    Ok(Played { report: drill.report, directory, exit_status, error, reopen })
}

/// Turns the ending into a verdict; whatever could not be verified gets its finding here. An exit status is
/// given where the verdict alone does not tell it.
fn conclude(report: &mut Report, ending: Ending) -> (Option<u8>, Option<Error>) {
    let unknown = |why: String, finding| (Verdict::unknown(why), Some(finding));
    let ((verdict, finding), status, error) = match ending {
        Ending::Judged(Verdict::Valid) if report.account.is_none() => {
            let why = "the scenario ended without judging anything";
            (unknown(why.to_owned(), unverified::judged(why)), None, None)
        }
        Ending::Judged(Verdict::Unknown { why }) => {
            let finding = unverified::judged(&why);
            (unknown(why, finding), None, None)
        }
        Ending::Judged(verdict) => ((verdict, None), None, None),
        Ending::Stopped(Error::NotReborn(finding)) => {
            ((Verdict::invalid(Fault::NotReborn), Some(*finding)), None, None)
        }
        Ending::Stopped(error) => {
            let status = if matches!(error, Error::Usage { .. }) { 2 } else { 3 };
            (unknown(error.chain(), unverified::stopped(&error)), Some(status), Some(error))
        }
        Ending::Interrupted(signal) => {
            (unknown(format!("interrupted by {signal}"), unverified::interrupted(signal)), Some(130), None)
        }
        Ending::Panicked(message) => {
            let why = format!("the harness panicked: {message}");
            (unknown(why, unverified::panicked(&message)), Some(3), None)
        }
    };
    report.verdict = Some(verdict);
    report.findings.extend(finding);
    (status, error)
}

/// What a blind detector says proves nothing, whatever it says.
fn doubt(report: &mut Report) {
    if let Some(doubt) = report.proof.as_ref().and_then(|proof| proof.doubt()) {
        report.verdict = Some(Verdict::unknown(doubt.sentence.clone()));
        report.findings.push(doubt);
    }
}

/// What is known of a clean-up that a second signal ended.
fn cut_off(signal: &str) -> Finding {
    let sentence = format!("a second signal, {signal}, ended the clean-up half-way");
    Finding::certain("left-behind", sentence, "run `phoenix sweep`: it removes the rest")
}

/// Collects logs, stops what runs, and removes it unless it is to be kept; gives how to reopen it.
async fn clear<E: Environment + ?Sized>(drill: &mut Drill, place: &E, keep: Option<Kept>) -> Vec<String> {
    let scene = drill.scene.clone();
    let logs = place.collect_logs(&scene).await;
    let trouble = |step: &str, error: &Error| {
        let fix = "run `phoenix sweep`, and look at the evidence for what stood in the way";
        Finding::certain("left-behind", format!("{step} after the drill failed: {}", error.chain()), fix)
    };
    match logs {
        Ok(lines) => drill.report.findings.extend(log_gate::inspect(&lines, &drill.announced)),
        Err(error) => drill.report.findings.push(trouble("collecting the logs", &error)),
    }
    match place.faults().await {
        Ok(faults) => drill.report.faults = faults,
        Err(error) => drill.report.findings.push(trouble("asking for the faults", &error)),
    }
    if let Err(error) = place.stop(&scene).await {
        drill.report.findings.push(trouble("stopping what ran", &error));
    }
    if keep.is_some() {
        let kept =
            Resource::Kept { why: drill.report.verdict.as_ref().map_or("killed", Verdict::word).to_owned() };
        if let Err(error) = scene.register.record(&kept) {
            drill.report.findings.push(trouble("keeping what was made", &error));
        }
        return place.reopen();
    }
    match place.remove(&scene).await.and_then(|()| scene.register.forget()) {
        Ok(()) => {}
        Err(error) => drill.report.findings.push(trouble("removing what was made", &error)),
    }
    Vec::new()
}

fn blank<E: Environment + ?Sized>(
    run: &RunId,
    scenario: &Scenario,
    place: &E,
    settings: &Settings,
) -> Report {
    Report {
        schema: report::SCHEMA.to_owned(),
        run: run.clone(),
        scenario: scenario.name.to_owned(),
        about: scenario.promise.to_owned(),
        environment: place.name().to_owned(),
        properties: place.properties(),
        seed: settings.seed,
        started_at: Utc::now(),
        finished_at: None,
        total: Duration::ZERO,
        no_span: Duration::ZERO,
        verdict: None,
        expected: scenario.expected.clone(),
        expected_finding: scenario.finding.map(str::to_owned),
        promise: None,
        account: None,
        deeds: Deeds::NONE,
        demand: Deeds::PROTOCOL,
        rto: None,
        rpo: None,
        budget: settings.budget,
        over_budget: Vec::new(),
        memories: Vec::new(),
        provenance: report::ProvenanceCount::default(),
        backups: Vec::new(),
        wipes: Vec::new(),
        rebirths: Vec::new(),
        setbacks: Vec::new(),
        findings: Vec::new(),
        faults: Vec::new(),
        proof: None,
        testimonies: Vec::new(),
        layers: Vec::new(),
        spans: Vec::new(),
    }
}

fn versions(properties: &BTreeMap<String, String>) -> Vec<String> {
    let version = |name: &str| properties.get(name).map(|version| format!("{name} {version}"));
    ["postgresql", "pgbackrest", "docker"].into_iter().filter_map(version).collect()
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}

/// SIGINT and SIGTERM, from before anything is made until after everything is removed.
struct Interrupts {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Interrupts {
    fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).doing("listening for signals");
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
