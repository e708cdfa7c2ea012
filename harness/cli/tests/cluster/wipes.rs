//! Whatever burns, both rows come back, and every layer says how long it took.

use crate::play;
use phoenix_cli::testing::assert_as_expected;
use phoenix_cluster::WipeKind;
use rstest::rstest;
use std::collections::BTreeSet;

#[rstest]
#[case::database(WipeKind::Database)]
#[case::namespace(WipeKind::Namespace)]
#[case::platform(WipeKind::Platform)]
#[tokio::test(flavor = "multi_thread")]
async fn both_rows_come_back_after(#[case] wipe: WipeKind) {
    let played = play("protocol", |config| config.wipe = Some(wipe)).await.unwrap();
    assert_as_expected(&played);
    let report = &played.report;
    assert_eq!(report.wipes[0].method, format!("SIGKILL, {}", wipe.word()));
    assert!(report.wipes[0].is_clean() && report.wipes[0].left.len() >= 2, "{:?}", report.wipes[0]);
    for life in [0, 1] {
        let layers: BTreeSet<_> = report
            .layers
            .iter()
            .filter(|layer| layer.life == life)
            .map(|layer| layer.name.as_str())
            .collect();
        let all = ["platform", "images", "engine", "secrets", "storage", "database", "service"];
        assert_eq!(layers, BTreeSet::from(all), "life {life}");
    }
    assert_eq!(played.exit_status, 0);
}
