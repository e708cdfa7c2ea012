//! The detector itself: a segment that is gone from the store must be found, with the exact rows, in
//! a castle that PostgreSQL and pgBackRest call healthy, and so must rows beyond the target; and without the fault
//! all is well.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use phoenix_cli::testing::{containers, evidence, ledger_of};
use phoenix_containers::Containers;
use phoenix_core::{
    Fault, Lsn, Promise, RecoveryTarget, Report, SegmentSize, Timeline, Verdict, WalSegment,
    defect::{Act, Setting},
    ledger::Outcome,
};
use phoenix_drill::{BackupKind, CastlePlan, Drill, Environment, Keep, Result, Scenario, Settings, stage};
use phoenix_local::{Local, LocalConfig};
use phoenix_store::{Fault as StoreFault, KeyMatch, StorageFault};
use rstest::rstest;
use std::sync::Mutex;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Planted {
    /// The control.
    Nothing,
    /// The segment before that of DATO_B is no longer in the store.
    MissingSegment,
    /// Neither is what says of which files the backup is made.
    MissingManifest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Recovery {
    Latest,
    Sealed,
    /// Sealed, and to the latest where that fails.
    SealedOrNaive,
    /// To a restore point that nobody made.
    NowhereOrNaive,
}

/// An environment whose store can be made to lose a segment.
trait Faulty: Environment {
    async fn lose(&self, lost: StoreFault);
}

impl Faulty for Local {
    async fn lose(&self, lost: StoreFault) {
        self.store_faults().await.unwrap().arm(lost).unwrap();
    }
}

impl Faulty for Containers {
    async fn lose(&self, lost: StoreFault) {
        self.store_faults().await.unwrap().arm(lost).unwrap();
    }
}

/// The protocol, with something planted after the fire; notes where the missing segment begins.
async fn play<E: Faulty>(
    drill: &mut Drill,
    place: &E,
    planted: Planted,
    recovery: Recovery,
    begins: &Mutex<Lsn>,
) -> Result<Verdict> {
    let castle = drill.birth(place).await?;
    drill.workload(&*castle).await?;
    drill.insert(&*castle, "DATO_A").await?;
    drill.backup(&*castle, BackupKind::Full).await?;
    drill.workload(&*castle).await?;
    let b = drill.insert(&*castle, "DATO_B").await?;
    let target = match recovery {
        Recovery::Latest => RecoveryTarget::Latest,
        Recovery::Sealed | Recovery::SealedOrNaive => drill.seal(&*castle).await?,
        Recovery::NowhereOrNaive => RecoveryTarget::Name("nowhere".to_owned()),
    };
    drill.archive_everything(&*castle).await?;
    let ashes = drill.wipe(castle).await?;

    if recovery != Recovery::Latest {
        drill.announce("recovery ended before configured recovery target was reached", "planted");
    }
    if planted == Planted::MissingManifest {
        let lost = StoreFault::new("missing manifest", StorageFault::Lost)
            .on_keys(KeyMatch::Contains("backup.manifest".into()));
        place.lose(lost).await;
        drill.announce("unable to load backup manifest", "planted");
    }
    if planted == Planted::MissingSegment {
        let size = SegmentSize::MIN;
        let mut segment = WalSegment::containing(Timeline(1), b.commit.lsn_before, size);
        segment.number -= 1;
        *begins.lock().unwrap() = Lsn(segment.end(size).0 - size.bytes());
        let lost = StoreFault::new("missing segment", StorageFault::Lost)
            .on_keys(KeyMatch::Contains(segment.name(size)));
        place.lose(lost).await;
    }
    let castle = match recovery {
        Recovery::Latest | Recovery::Sealed => drill.rebirth(ashes, target).await?,
        Recovery::SealedOrNaive | Recovery::NowhereOrNaive => {
            let (castle, failed) = drill.rebirth_or_naive(ashes, target).await?;
            drill.require(failed.is_some() == (planted != Planted::Nothing), "a finding for each fault")?;
            castle
        }
    };
    drill.judge(&*castle, Promise::EveryAcknowledgedRow).await
}

#[rstest]
#[case::control_latest(Planted::Nothing, Recovery::Latest, Verdict::Valid)]
#[case::control_sealed(Planted::Nothing, Recovery::Sealed, Verdict::Valid)]
#[case::latest(Planted::MissingSegment, Recovery::Latest, Verdict::invalid(Fault::Loss))]
#[case::sealed(Planted::MissingSegment, Recovery::Sealed, Verdict::invalid(Fault::NotReborn))]
#[case::control_naive(Planted::Nothing, Recovery::SealedOrNaive, Verdict::Valid)]
#[case::naive(Planted::MissingSegment, Recovery::SealedOrNaive, Verdict::invalid(Fault::Loss))]
#[case::naive_too(Planted::MissingManifest, Recovery::SealedOrNaive, Verdict::invalid(Fault::NotReborn))]
#[case::nowhere(Planted::Nothing, Recovery::NowhereOrNaive, Verdict::invalid(Fault::NotReborn))]
#[tokio::test(flavor = "multi_thread")]
async fn a_missing_segment_is_found(
    #[case] planted: Planted,
    #[case] recovery: Recovery,
    #[case] expected: Verdict,
    #[values("local", "containers")] place: &str,
) {
    match place {
        "local" => {
            let place = Local::new(LocalConfig::default()).await.unwrap();
            find_the_missing_segment(place, planted, recovery, expected).await;
        }
        // the same fault, in a proxy before MinIO
        _ => {
            let place = Containers::new(containers()).await.unwrap();
            find_the_missing_segment(place, planted, recovery, expected).await;
        }
    }
}

async fn find_the_missing_segment<E: Faulty>(
    place: E,
    planted: Planted,
    recovery: Recovery,
    expected: Verdict,
) {
    let settings = Settings { evidence: evidence(), keep: Keep::Never, ..Settings::default() };
    let about = Scenario {
        name: "planted-loss",
        family: "self-test",
        promise: "a segment that is gone from the store is found",
        expected: expected.clone(),
        finding: None,
    };
    let begins = Mutex::new(Lsn(0));
    let acted = async |drill: &mut Drill, place: &E| play(drill, place, planted, recovery, &begins).await;
    let played = stage::play(stage::new_run(), &about, &place, settings, Vec::new(), acted).await.unwrap();
    let report = &played.report;
    assert_eq!(report.verdict, Some(expected), "{:#?}", report.findings);
    assert_eq!(report.findings.iter().find(|finding| finding.code == "log-gate"), None);
    // the fault really happened, or nothing was planted
    assert_eq!(report.faults.is_empty(), planted == Planted::Nothing, "{:?}", report.faults);
    // a sealed failure is wiped before the naive rebirth, and what came of it is one outage
    // what cannot be restored is not tried again
    let sealed_failed = recovery == Recovery::SealedOrNaive && planted == Planted::MissingSegment;
    let reborn = usize::from(report.account.is_some());
    let failed = usize::from(sealed_failed) + 1 - reborn;
    // one for each rebirth that failed, and one for the rows that the last one did not bring back
    let found = failed + usize::from(report.account.is_some() && planted != Planted::Nothing);
    assert_eq!((report.findings.len(), report.rebirths.len()), (found, reborn), "{:#?}", report.findings);
    assert_eq!(report.wipes.len(), 1 + usize::from(sealed_failed));
    if report.account.is_none() || planted == Planted::Nothing {
        return;
    }
    if sealed_failed {
        assert_eq!(report.rebirths[0].target, RecoveryTarget::Latest);
        let failed = report.spans.iter().find(|span| span.name == "rebirth").unwrap();
        assert!(report.rto.unwrap() > failed.elapsed, "RTO began with the first fire: {:?}", report.rto);
    }

    // exactly the rows from the missing segment on are lost; a commit on the border may be either
    let begins = *begins.lock().unwrap();
    let segment = WalSegment::containing(Timeline(1), begins, SegmentSize::MIN).name(SegmentSize::MIN);
    // the proxy hides from the victim what the store itself still shows
    let hidden = place.name() == "containers";
    let code = if hidden { "wal-not-listed" } else { "wal-missing" };
    let found = report.findings.iter().find(|finding| finding.code == code);
    let found = found.unwrap();
    assert!(found.sentence.contains(&segment), "not {segment}: {found:#?}");
    let neighbours = found.evidence.iter().filter(|line| line.contains("the segment before it: "));
    assert_eq!(neighbours.count(), usize::from(!hidden), "{found:#?}");
    let account = report.account.as_ref().unwrap();
    let lost = |row| account.lost.iter().any(|lost| lost.row == row);
    for attempt in phoenix_core::ledger::attempts(&ledger_of(&played).unwrap()).unwrap().into_values() {
        let Outcome::Ok { commit, .. } = attempt.outcome else { unreachable!("{attempt:?}") };
        if commit.lsn_after <= begins {
            assert!(!lost(attempt.row), "{attempt:?}");
        } else if commit.lsn_before >= begins {
            assert!(lost(attempt.row), "{attempt:?}");
        }
    }
    assert!(account.lost.len() > 200 && account.lost.len() < 600, "{} rows", account.lost.len());
    assert!(account.holes.is_empty() && account.changed.is_empty() && account.unexpected.is_empty());
    assert!(report.memories.iter().all(|memory| memory.content == "DATO_A"));
}

/// The rows up to a position, and some beyond it; the restore may be asked for otherwise than the drill believes.
async fn stop_before(drill: &mut Drill, place: &Local, restore: &[(&str, Option<&str>)]) -> Result<Verdict> {
    let (castle, backup) = drill.birth_with_backup(place, CastlePlan::default()).await?;
    let marks = drill.marks(&*castle, backup).await?;
    drill.workload(&*castle).await?;
    let (target, lsn) = drill.point(&*castle, "lsn").await?;
    drill.workload(&*castle).await?;
    drill.insert(&*castle, "DATO_C").await?;
    drill.archive_everything(&*castle).await?;
    let ashes = drill.wipe(castle).await?;
    if !restore.is_empty() {
        let setting =
            |value: Option<&str>| value.map_or(Setting::Absent, |value| Setting::Value(value.into()));
        let options = restore.iter().map(|(name, value)| ((*name).to_owned(), setting(*value)));
        drill.plant(place, &[Act::Restore(options.collect())], &marks).await?;
    }
    let castle = drill.rebirth(ashes, target).await?;
    drill.judge(&*castle, Promise::RowsUntil { lsn }).await
}

#[rstest]
#[case::control(&[], Verdict::Valid, None)]
#[case::ignored(
    &[("type", Some("default")), ("target", None), ("target-action", None)],
    Verdict::invalid(Fault::Overshot),
    Some("target-ignored")
)]
#[case::another(
    &[("target", Some("{tail-lsn}"))],
    Verdict::invalid(Fault::Loss),
    Some("recovery-stopped-early")
)]
#[tokio::test(flavor = "multi_thread")]
async fn rows_beyond_the_target_are_found(
    #[case] restore: &[(&str, Option<&str>)],
    #[case] expected: Verdict,
    #[case] code: Option<&str>,
) {
    let place = Local::new(LocalConfig::default()).await.unwrap();
    let settings = Settings { evidence: evidence(), keep: Keep::Never, rows: 100, ..Settings::default() };
    let (name, promise) = ("overshot", "no row beyond the target comes back");
    let (family, finding) = ("self-test", None);
    let about = Scenario { name, family, promise, expected: expected.clone(), finding };
    let acted = async |drill: &mut Drill, place: &Local| stop_before(drill, place, restore).await;
    let played = stage::play(stage::new_run(), &about, &place, settings, Vec::new(), acted).await.unwrap();
    let Report { verdict, findings, account, .. } = &played.report;
    assert_eq!(*verdict, Some(expected), "{findings:#?}");
    let codes: Vec<_> = findings.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, Vec::from_iter(code));
    let overshot = account.as_ref().unwrap().overshot.len();
    assert_eq!(overshot, if code == Some("target-ignored") { 101 } else { 0 });
    let first = findings
        .iter()
        .flat_map(|finding| &finding.evidence)
        .find(|line| line.contains("first row beyond: "));
    assert_eq!(first.is_some(), overshot > 0, "{findings:#?}");
}
