//! WAL that is gone from the store: the operator's every condition is green, and exactly the rows from the
//! missing segment on are not there.

use crate::{act, outside, until_archived};
use phoenix_cli::testing::{assert_as_expected, ledger_of};
use phoenix_core::{
    Fault, Promise, RecoveryTarget, SegmentSize, Timeline, Verdict, WalSegment,
    ledger::{Outcome, attempts},
};
use phoenix_drill::{Doing, Drill, Result};
use std::sync::Mutex;

#[tokio::test(flavor = "multi_thread")]
async fn lost_wal_is_found_although_all_is_green() {
    let size = SegmentSize::DEFAULT;
    let lost = Mutex::new(None);
    let play = async |drill: &mut Drill, place: &phoenix_cluster::Cluster| -> Result<Verdict> {
        let (castle, b) = until_archived(drill, place).await?;
        let ashes = drill.wipe(castle).await?;
        let mut segment = WalSegment::containing(Timeline(1), b.commit.lsn_before, size);
        segment.number -= 1;
        let (name, store) = (segment.name(size), place.store_inspector()?);
        let objects = store.list("").await.doing("listing the store")?;
        let found: Vec<_> = objects.iter().filter(|object| object.key.contains(&name)).collect();
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        store.delete(&found[0].key).await.doing("losing a segment")?;
        *lost.lock().unwrap() = Some(segment);
        let castle = drill.rebirth(ashes, RecoveryTarget::Latest).await?;
        let slug = drill.run().slug();
        let condition = outside::kubectl(
            &slug,
            &[
                "-n",
                "tazlab-db",
                "get",
                "postgrescluster",
                "tazlab-db",
                "-o",
                "jsonpath={.status.conditions}",
            ],
        );
        let restored = r#""reason":"PGBackRestRestoreComplete""#;
        drill.require(condition.contains(restored), "the operator calls it restored")?;
        drill.judge(&*castle, Promise::EveryAcknowledgedRow).await
    };
    let played = act(|_| {}, Verdict::invalid(Fault::Loss), play).await;
    assert_as_expected(&played);

    let segment = lost.lock().unwrap().unwrap();
    let begins = segment.end(size).0 - size.bytes();
    let account = played.report.account.as_ref().unwrap();
    let is_lost = |row| account.lost.iter().any(|lost| lost.row == row);
    let mut counted = (0, 0);
    for attempt in attempts(&ledger_of(&played).unwrap()).unwrap().into_values() {
        let Outcome::Ok { commit, .. } = attempt.outcome else { unreachable!("{attempt:?}") };
        if commit.lsn_after.0 <= begins {
            counted.0 += 1;
            assert!(!is_lost(attempt.row), "{attempt:?}");
        } else if commit.lsn_before.0 >= begins {
            counted.1 += 1;
            assert!(is_lost(attempt.row), "{attempt:?}");
        }
    }
    assert!(counted.0 > 200 && counted.1 > 10, "{counted:?}");
    assert!(account.holes.is_empty() && played.report.memories.len() == 1);
}
