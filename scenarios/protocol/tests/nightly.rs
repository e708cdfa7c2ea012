//! The long ones: many drills, larger ones, PostgreSQL's own segment size. Only in profile `nightly`.

use phoenix_cli::{
    proof, run,
    testing::{Place, assert_as_expected, evidence, play_in, proven},
};
use phoenix_core::SegmentSize;
use phoenix_drill::Settings;
use phoenix_local::{LocalConfig, Storage};
use rstest::rstest;

/// A false red is the second worst thing: a hundred healthy drills are all valid, two at a time.
#[rstest]
#[case::local(Place::Local)]
#[tokio::test(flavor = "multi_thread")]
async fn soak_of_a_hundred_healthy_drills(#[case] place: Place) {
    let lane = async |first: u64| {
        for seed in first..first + 50 {
            // a hundred greens mean something only if the detector still sees a loss
            let candidates = if seed % 10 == 0 { proof::candidates() } else { Vec::new() };
            let seed = seed / 10;
            assert_as_expected(
                &proven(place, "protocol", |settings| settings.seed = seed, candidates).await.unwrap(),
            );
        }
    };
    tokio::join!(lane(0), lane(50));
}

#[rstest]
#[case::local(run::Place::Local(Box::new(LocalConfig { segment_size: Some(SegmentSize::DEFAULT), ..LocalConfig::default() })))]
#[tokio::test(flavor = "multi_thread")]
async fn nightly_with_segments_of_16_mib(
    #[case] place: run::Place,
    #[values("protocol", "second-life", "unassisted", "hot-backup")] scenario: &str,
) {
    let settings = Settings { evidence: evidence(), pad_bytes: 8 << 10, ..Settings::default() };
    assert_as_expected(&play_in(place, scenario, settings).await.unwrap());
}

#[rstest]
#[case::tmpfs(run::Place::Local(Box::new(LocalConfig { storage: Storage::Tmpfs, ..LocalConfig::default() })))]
#[case::disk(run::Place::Local(Box::new(LocalConfig { storage: Storage::Disk, ..LocalConfig::default() })))]
#[tokio::test(flavor = "multi_thread")]
async fn nightly_of_a_larger_cluster(#[case] place: run::Place) {
    let (evidence, size_bytes, rows, writers) = (evidence(), 512 << 20, 20_000, 8);
    let settings = Settings { evidence, size_bytes, rows, writers, ..Settings::default() };
    assert_as_expected(&play_in(place, "protocol", settings).await.unwrap());
}
