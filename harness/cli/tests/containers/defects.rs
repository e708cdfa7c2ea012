//! Defects of the catalogue in containers: the same files, without a changed line. Those that the store or the
//! restore's configuration is about make sense wherever pgBackRest itself is called.

use phoenix_cli::testing::{Place, assert_as_expected, play_defect};
use phoenix_core::RecoveryTarget;
use phoenix_drill::Target;
use rstest::rstest;

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_defect_ends_as_the_catalogue_says(
    #[values(
        "silent-loss/middle-segment-deleted",
        "silent-loss/segment-denied",
        "silent-loss/archive-command-lies",
        "silent-loss/row-deleted",
        "silent-loss/role-dropped",
        "silent-loss/sequence-set-back",
        "loud-failure/secret-wrong",
        "loud-failure/backup-file-deleted",
        "look-alike/backup-info-copy-helps",
        "look-alike/sequence-unlogged",
        "timelines/history-deleted"
    )]
    defect: &str,
) {
    let latest = Target::Given(RecoveryTarget::Latest);
    assert_as_expected(&play_defect(Place::Containers, defect, latest).await.unwrap());
}

/// A sealed recovery is loud by itself, and the naive one after it tells which rows.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_recovery_is_loud_in_containers_too(
    #[values("silent-loss/middle-segment-deleted", "look-alike/nothing")] defect: &str,
) {
    assert_as_expected(&play_defect(Place::Containers, defect, Target::Sealed).await.unwrap());
}
