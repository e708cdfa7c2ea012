//! The long ones: many drills, larger ones, PostgreSQL's own segment size. Only in profile `nightly`.

use phoenix_cli::testing::{Place, assert_as_expected, play};
use phoenix_core::SegmentSize;
use phoenix_local::Storage;
use rstest::rstest;

/// A false red is the second worst thing: a hundred healthy drills are all valid, two at a time.
#[rstest]
#[case::local(Place::Local)]
#[tokio::test(flavor = "multi_thread")]
async fn soak_of_a_hundred_healthy_drills(#[case] place: Place) {
    let lane = async || {
        for _ in 0..50 {
            assert_as_expected(&play(place, "protocol", |_, _| {}).await.unwrap());
        }
    };
    tokio::join!(lane(), lane());
}

#[rstest]
#[case::local(Place::Local)]
#[tokio::test(flavor = "multi_thread")]
async fn nightly_with_segments_of_16_mib(
    #[case] place: Place,
    #[values("protocol", "second-life", "unassisted", "hot-backup")] scenario: &str,
) {
    let played = play(place, scenario, |settings, local| {
        local.segment_size = Some(SegmentSize::DEFAULT);
        settings.pad_bytes = 8 << 10;
    });
    assert_as_expected(&played.await.unwrap());
}

#[rstest]
#[case::local(Place::Local)]
#[tokio::test(flavor = "multi_thread")]
async fn nightly_of_a_larger_cluster(
    #[case] place: Place,
    #[values(Storage::Tmpfs, Storage::Disk)] storage: Storage,
) {
    let played = play(place, "protocol", |settings, local| {
        (settings.size_bytes, settings.rows, settings.writers) = (512 << 20, 20_000, 8);
        local.storage = storage;
    });
    assert_as_expected(&played.await.unwrap());
}
