//! The detector's proof: a loss that is not found makes whatever else was found out unknown, and one that is found
//! changes nothing.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use phoenix_cli::testing::{Place, assert_as_expected, proven};
use phoenix_core::{Defect, SpanRecord, Verdict};
use phoenix_drill::stage::Played;
use support::{folder, run};

fn defect() -> &'static Defect {
    phoenix_silent_loss::DEFECTS.iter().find(|defect| defect.name.ends_with("/last-segment-deleted")).unwrap()
}

/// A healthy drill after the proof of a detector with this defect.
async fn drill_after(defect: &'static Defect) -> Played {
    proven(Place::Local, "protocol", |settings| settings.rows = 100, vec![defect]).await.unwrap()
}

/// The detector is blinded: what it is to find was never planted.
#[tokio::test(flavor = "multi_thread")]
async fn a_detector_that_misses_a_loss_makes_a_healthy_drill_unknown() {
    let blind: &'static Defect = Box::leak(Box::new(Defect { after_fire: Vec::new(), ..defect().clone() }));
    let played = drill_after(blind).await;
    let report = &played.report;
    assert!(matches!(report.verdict, Some(Verdict::Unknown { .. })), "{:?}", report.verdict);
    assert_eq!((played.exit_status, report.exit_status()), (3, 3));
    let codes: Vec<_> = report.findings.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, ["detector-blind"]);
    let account = report.account.as_ref().unwrap();
    assert_eq!((account.lost.len(), account.came_back), (0, account.acknowledged), "else it was healthy");
    let proof = report.proof.as_ref().unwrap();
    assert!(proof.missed.as_ref().is_some_and(|missed| missed.contains("not reborn")), "{proof:?}");
}

/// The control.
#[tokio::test(flavor = "multi_thread")]
async fn a_detector_that_finds_a_loss_changes_nothing() {
    let played = drill_after(defect()).await;
    assert_as_expected(&played);
    let proof = played.report.proof.as_ref().unwrap();
    assert_eq!((proof.defect.as_str(), &proof.missed), ("silent-loss/last-segment-deleted", &None));
    assert_ne!(proof.run, played.report.run);
    let report = phoenix_reports::read(&played.directory.join("proof").join(proof.run.as_str())).unwrap();
    assert_eq!(report.verdict, Some(report.expected), "its own evidence");
    let codes: Vec<_> = report.findings.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, ["target-not-reached", "wal-tail-missing"]);
    // its spans are told within the one that has it, which comes before those of the drill
    let spans = &played.report.spans;
    assert_eq!((spans[0].name.as_str(), spans[0].parent), ("proof", None));
    let within = |span: &&SpanRecord| span.parent == Some(spans[0].id);
    let told: Vec<_> = spans.iter().filter(within).map(|span| span.name.as_str()).collect();
    let own = report.spans.iter().filter(|span| span.parent.is_none());
    assert_eq!(told, own.map(|span| span.name.as_str()).collect::<Vec<_>>());
    assert!(spans[0].elapsed >= report.total && told.len() >= 8, "{told:?}");
}

/// As a user asks for it; on Kubernetes nothing can be planted.
#[tokio::test(flavor = "multi_thread")]
async fn the_program_says_what_it_planted() {
    let folder = folder();
    let asked = ["drill", "--rows", "40", "--prove-detector", "--seed", "2"];
    let ran = run(folder.path(), asked).await;
    ran.assert(0, "the detector is proved: silent-loss/last-segment-deleted was planted, and found in");
    ran.assert(0, "proving the detector first, with silent-loss/last-segment-deleted");
    let asked = ["drill", "--environment", "cluster", "--prove-detector"];
    run(folder.path(), asked).await.assert(2, "on Kubernetes no loss can be planted");
}
