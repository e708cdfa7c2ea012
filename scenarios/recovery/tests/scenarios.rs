//! The recovery family, in every environment: one case more for each.

use phoenix_cli::testing::{Place, assert_as_expected, play};
use rstest::rstest;

#[rstest]
#[case::local(Place::Local)]
#[case::containers(Place::Containers)]
#[case::cluster(Place::Cluster)]
#[tokio::test(flavor = "multi_thread")]
async fn exactly_the_rows_before_the_target_come_back(
    #[case] place: Place,
    #[values("target-time", "target-lsn", "target-xid", "target-name", "target-immediate")] scenario: &str,
) {
    let played = play(place, scenario, |_| {}).await.unwrap();
    assert_as_expected(&played);
    let account = played.report.account.as_ref().unwrap();
    // A and B with a workload each come back; or, for the backup's end, A with its workload
    let expected = if scenario == "target-immediate" { (1001, 1001) } else { (2002, 1001) };
    assert_eq!((account.came_back, account.beyond_target), expected);
}

#[rstest]
#[case::local(Place::Local)]
#[case::containers(Place::Containers)]
#[case::cluster(Place::Cluster)]
#[tokio::test(flavor = "multi_thread")]
async fn a_target_out_of_reach_is_loud(#[case] place: Place) {
    assert_as_expected(&play(place, "target-unreachable", |_| {}).await.unwrap());
}

#[rstest]
#[case::local(Place::Local)]
#[case::containers(Place::Containers)]
#[case::cluster(Place::Cluster)]
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_table_comes_back_from_the_local_repository(#[case] place: Place) {
    assert_as_expected(&play(place, "logical-error", |_| {}).await.unwrap());
}
