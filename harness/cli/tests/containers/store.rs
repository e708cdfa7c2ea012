//! What lies in MinIO, seen by an S3 client of its own.

use crate::{assert_clean, play};
use phoenix_containers::Containers;
use phoenix_core::{Promise, RecoveryTarget, SegmentSize, Verdict, WalSegment};
use phoenix_drill::{BackupKind, Drill};
use phoenix_store::{VersionKind, Versioning};
use std::collections::BTreeMap;

/// The bucket keeps versions, and the WAL of both lives lies in it without a gap, each on its timeline.
#[tokio::test(flavor = "multi_thread")]
async fn the_bucket_keeps_versions_and_the_wal_has_no_gap() {
    let played = play(Verdict::Valid, async |drill: &mut Drill, place: &Containers| {
        let castle = drill.birth(place).await?;
        drill.workload(&*castle).await?;
        drill.insert(&*castle, "DATO_A").await?;
        drill.backup(&*castle, BackupKind::Full).await?;
        drill.workload(&*castle).await?;
        drill.insert(&*castle, "DATO_B").await?;
        drill.archive_everything(&*castle).await?;
        let ashes = drill.wipe(castle).await?;
        let castle = drill.rebirth(ashes, RecoveryTarget::Latest).await?;
        drill.backup(&*castle, BackupKind::Full).await?;
        drill.workload(&*castle).await?;
        drill.archive_everything(&*castle).await?;

        let inspector = place.store_inspector().unwrap();
        assert_eq!(inspector.versioning().await.unwrap(), Versioning::Enabled);
        let prefix = format!("{}/archive/castle/", drill.run().slug());
        let mut timelines: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        for object in inspector.list(&prefix).await.unwrap() {
            let name = object.key.rsplit('/').next().unwrap();
            if let Some(Ok(segment)) = name.get(..24).map(|name| WalSegment::parse(name, SegmentSize::MIN))
                && name[24..].starts_with('-')
            {
                timelines.entry(segment.timeline.0).or_default().push(segment.number);
            }
        }
        assert_eq!(timelines.keys().copied().collect::<Vec<_>>(), [1, 2]);
        for (timeline, numbers) in timelines {
            let (first, last) = (numbers[0], *numbers.last().unwrap());
            assert!(numbers.len() >= 3, "timeline {timeline}: {numbers:?}");
            assert_eq!(numbers, (first..=last).collect::<Vec<_>>(), "timeline {timeline} has a gap");
        }
        // what pgBackRest writes again is there as it was before, too
        let versions = inspector.versions(&format!("{}/backup/", drill.run().slug())).await.unwrap();
        let info = versions.iter().filter(|version| version.key.ends_with("castle/backup.info"));
        assert!(info.filter(|version| version.kind == VersionKind::Object).count() >= 3);
        drill.judge(&*castle, Promise::EveryAcknowledgedRow).await
    })
    .await;
    assert_clean(&played);
}
