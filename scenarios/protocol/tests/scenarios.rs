//! The protocol family, in every environment: one case more for each.

use phoenix_cli::testing::{Place, assert_as_expected, ledger_of, play};
use phoenix_core::{
    Fault, Provenance, RecoveryTarget, Timeline, Verdict,
    ledger::{Outcome, attempts},
};
use phoenix_drill::Target;
use rstest::rstest;
use std::collections::BTreeSet;

#[rstest]
#[case::local(Place::Local)]
#[case::containers(Place::Containers)]
#[case::cluster(Place::Cluster)]
#[tokio::test(flavor = "multi_thread")]
async fn both_rows_come_back(#[case] place: Place) {
    let played = play(place, "protocol", |_| {}).await.unwrap();
    assert_as_expected(&played);
    let report = &played.report;
    let provenance: Vec<_> =
        report.memories.iter().map(|memory| (memory.content.as_str(), memory.provenance)).collect();
    assert_eq!(
        provenance,
        [
            (phoenix_protocol::DATO_A, Some(Provenance::Backup)),
            (phoenix_protocol::DATO_B, Some(Provenance::WalAlone)),
        ]
    );
    let account = report.account.as_ref().unwrap();
    assert_eq!((account.acknowledged, account.came_back, account.lost.len()), (2002, 2002, 0));
    assert_eq!(report.deeds.wal_only_rows, 1001);
    assert!(report.deeds.segments_after_backup >= 3 && report.wipes[0].is_clean() && report.rto.is_some());
    assert_eq!((report.rebirths[0].timeline, played.exit_status), (Timeline(2), 0));
}

#[rstest]
#[case::local(Place::Local)]
#[case::containers(Place::Containers)]
#[case::cluster(Place::Cluster)]
#[tokio::test(flavor = "multi_thread")]
async fn the_whole_family_ends_as_expected(
    #[case] place: Place,
    #[values("sealed", "second-life", "two-disasters", "unassisted", "encrypted", "burned-key")]
    scenario: &str,
) {
    assert_as_expected(&play(place, scenario, |_| {}).await.unwrap());
}

/// Rows committed during the backup are told apart, and none is left undecided.
#[rstest]
#[case::local(Place::Local)]
#[case::containers(Place::Containers)]
#[case::cluster(Place::Cluster)]
#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_a_hot_backup_has_a_provenance(#[case] place: Place) {
    let played = play(place, "hot-backup", |_| {}).await.unwrap();
    assert_as_expected(&played);
    let (count, account) = (played.report.provenance, played.report.account.as_ref().unwrap());
    assert!(count.backup > 1000 && count.backup_wal > 0 && count.wal_alone > 1000, "{count:?}");
    assert_eq!((count.straddles, count.backup + count.backup_wal + count.wal_alone), (0, account.came_back));
}

/// `phoenix drill` makes the full promise whatever target it is given.
#[rstest]
#[case::local(Place::Local)]
#[case::containers(Place::Containers)]
#[case::cluster(Place::Cluster)]
#[tokio::test(flavor = "multi_thread")]
async fn immediate_loses_exactly_the_rows_in_wal_alone(#[case] place: Place) {
    let immediate = Target::Given(RecoveryTarget::Immediate);
    let played = play(place, "protocol", |settings| {
        (settings.target, settings.keep) = (immediate, phoenix_drill::Keep::Never);
    });
    let played = played.await.unwrap();
    assert_eq!(played.report.verdict, Some(Verdict::invalid(Fault::Loss)));
    assert_eq!(played.exit_status, 1);

    let backup = played.report.backups[0].interval;
    let attempts = attempts(&ledger_of(&played).unwrap()).unwrap();
    let in_wal_alone = attempts.values().filter_map(|attempt| match attempt.outcome {
        Outcome::Ok { commit, .. } if Provenance::of(commit, backup) == Provenance::WalAlone => {
            Some(attempt.row)
        }
        _ => None,
    });
    let in_wal_alone: BTreeSet<_> = in_wal_alone.collect();
    let account = played.report.account.as_ref().unwrap();
    let lost: BTreeSet<_> = account.lost.iter().map(|row| row.row).collect();
    assert_eq!(lost, in_wal_alone);
    assert_eq!((lost.len(), account.holes.len()), (1001, 0));
}

/// Every kind of target that marks the moment after the last row keeps the full promise.
#[rstest]
#[case::local(Place::Local)]
#[case::containers(Place::Containers)]
#[case::cluster(Place::Cluster)]
#[tokio::test(flavor = "multi_thread")]
async fn the_moment_after_the_last_row_loses_nothing(
    #[case] place: Place,
    #[values("time", "lsn", "xid", "name", "sealed")] target: &str,
) {
    let target = target.parse().unwrap();
    assert_as_expected(&play(place, "protocol", |settings| settings.target = target).await.unwrap());
}

/// The unassisted tail is held against a budget: over it, the drill is valid and fails all the same.
#[rstest]
#[case::local(Place::Local)]
#[case::containers(Place::Containers)]
#[case::cluster(Place::Cluster)]
#[tokio::test(flavor = "multi_thread")]
async fn a_tail_over_its_budget_is_exit_4(#[case] place: Place) {
    let played = play(place, "unassisted", |settings| settings.budget.rpo_rows = Some(0)).await.unwrap();
    let lost = played.report.account.as_ref().unwrap().lost.len();
    assert_eq!(played.report.verdict, Some(Verdict::Valid));
    assert_eq!(played.exit_status, if lost > 0 { 4 } else { 0 });
    assert_eq!(played.report.over_budget.is_empty(), lost == 0);
}
