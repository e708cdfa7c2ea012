//! Whatever burns, both rows come back, and every layer says how long it took. What a wipe leaves is found.

use crate::{act, outside, play, until_archived};
use phoenix_cli::testing::assert_as_expected;
use phoenix_cluster::{Cluster, WipeKind};
use phoenix_core::{Promise, RecoveryTarget, Verdict};
use phoenix_drill::{Drill, Result};
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

/// A claim that nobody deletes with the database: whoever restores next may find what is in it.
const CLAIM: &str = r#"{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"planted"},
"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Mi"}}}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_the_wipe_leaves_is_found() {
    let play = async |drill: &mut Drill, place: &Cluster| -> Result<Verdict> {
        let (castle, _) = until_archived(drill, place).await?;
        let file = drill.settings().evidence.join(drill.run().as_str()).join("planted.json");
        std::fs::write(&file, CLAIM).unwrap();
        outside::kubectl(
            &drill.run().slug(),
            &["-n", "tazlab-db", "create", "-f", &file.display().to_string()],
        );
        let ashes = drill.wipe(castle).await?;
        let castle = drill.rebirth(ashes, RecoveryTarget::Latest).await?;
        drill.judge(&*castle, Promise::EveryAcknowledgedRow).await
    };
    let played = act(|config| config.wipe = Some(WipeKind::Database), Verdict::Valid, play).await;
    let why = played.error.as_ref().unwrap().chain();
    assert!(matches!(played.report.verdict, Some(Verdict::Unknown { .. })));
    assert!(
        why.contains("the wipe left 0 PostgresClusters, 0 Secrets, 1 claims")
            && why.contains("claim planted"),
        "{why}"
    );
    assert_eq!((played.exit_status, played.report.deeds.restores), (3, 0));
}
