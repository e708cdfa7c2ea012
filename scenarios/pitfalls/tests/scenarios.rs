//! The pitfalls family, wherever there is somebody to be told wrongly.

use phoenix_cli::testing::{Place, assert_as_expected, play};
use rstest::rstest;

#[rstest]
#[case::cluster(Place::Cluster)]
#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_is_named_and_overcome(
    #[case] place: Place,
    #[values(
        ("pitfalls-credentials", 4),
        ("pitfalls-repository", 4),
        ("pitfalls-manifest", 4),
        ("pitfalls-volume", 2)
    )]
    (scenario, mistakes): (&str, usize),
) {
    let played = play(place, scenario, |settings| settings.rows = 200).await.unwrap();
    assert_as_expected(&played);
    assert_eq!(played.report.setbacks.len(), mistakes);
}

#[rstest]
#[case::cluster(Place::Cluster)]
#[tokio::test(flavor = "multi_thread")]
async fn a_new_castle_on_a_used_path_is_found(#[case] place: Place) {
    assert_as_expected(&play(place, "used-path", |settings| settings.rows = 200).await.unwrap());
}
