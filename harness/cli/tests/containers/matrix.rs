//! The victims: each release of Debian with the PostgreSQL and pgBackRest that it ships. Debian 13 is
//! the default, and so the victim of all other tests.

use phoenix_cli::{
    run,
    testing::{assert_as_expected, containers, evidence, play_in},
};
use phoenix_containers::{ContainersConfig, Images};
use phoenix_drill::Settings;
use rstest::rstest;

#[rstest]
#[case::bookworm("debian:bookworm-slim", "15.", "2.45")]
#[case::forky("debian:forky-slim", "18.", "2.60")]
#[tokio::test(flavor = "multi_thread")]
async fn every_victim_of_the_matrix_comes_back(
    #[case] base: &str,
    #[case] postgresql: &str,
    #[case] pgbackrest: &str,
    #[values("protocol", "second-life", "unassisted", "target-time", "logical-error")] scenario: &str,
) {
    let images = Images { base: base.to_owned(), ..Images::default() };
    let place = run::Place::Containers(Box::new(ContainersConfig { images, ..containers() }));
    let settings = Settings { evidence: evidence(), ..Settings::default() };
    let played = play_in(place, scenario, settings).await.unwrap();
    assert_as_expected(&played);
    let properties = &played.report.properties;
    assert!(properties["postgresql"].starts_with(postgresql), "{properties:?}");
    assert!(properties["pgbackrest"].starts_with(pgbackrest), "{properties:?}");
}
