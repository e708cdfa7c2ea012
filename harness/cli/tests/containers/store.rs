//! What lies in MinIO, seen by an S3 client of its own.

use crate::{assert_clean, docker::docker, first_half, play, second_half};
use phoenix_cli::testing::Place;
use phoenix_containers::Containers;
use phoenix_core::{Promise, RecoveryTarget, SegmentSize, Verdict, WalSegment};
use phoenix_drill::{BackupKind, Drill};
use phoenix_store::{Certificates, Validity, VersionKind, Versioning};
use std::collections::BTreeMap;

/// The bucket keeps versions, and the WAL of both lives lies in it without a gap, each on its timeline.
#[tokio::test(flavor = "multi_thread")]
async fn the_bucket_keeps_versions_and_the_wal_has_no_gap() {
    let played = play(Verdict::Valid, async |drill: &mut Drill, place: &Containers| {
        let castle = first_half(drill, place).await?;
        drill.workload(&*castle).await?;
        drill.insert(&*castle, "DATO_B").await?;
        drill.archive_everything(&*castle).await?;
        let ashes = drill.wipe(castle).await?;
        let castle = drill.rebirth(ashes, RecoveryTarget::Latest).await?;
        drill.backup(&*castle, BackupKind::Full).await?;
        drill.workload(&*castle).await?;
        drill.archive_everything(&*castle).await?;

        let inspector = place.store_inspector()?;
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

/// pgBackRest verifies the store's certificate: with another CA it refuses, with the drill's it goes on.
#[tokio::test(flavor = "multi_thread")]
async fn another_ca_is_not_trusted() {
    let played = play(Verdict::Valid, async |drill: &mut Drill, place: &Containers| {
        drill.announce("[CryptoError]", "the CA is not the store's for a while");
        drill.announce("ERROR: [042]", "the CA is not the store's for a while");
        drill.announce("unable to verify certificate", "the CA is not the store's for a while");
        drill.announce("P00  ERROR", "the CA is not the store's for a while");
        let castle = drill.birth(place).await?;
        drill.workload(&*castle).await?;
        drill.insert(&*castle, "DATO_A").await?;
        let victim = format!("phoenix-{}-victim-1", drill.run().slug());
        let shell = |script: &str| docker(&["exec", "--user", "0", &victim, "sh", "-c", script]);
        let other = Certificates::generate(&["store".to_owned()], Validity::current()).unwrap().ca_pem;
        shell("cp -p /phoenix/conf/ca.pem /phoenix/conf/ours.pem");
        shell(&format!("echo '{other}' >/phoenix/conf/ca.pem"));
        let refused = drill.backup(&*castle, BackupKind::Full).await.unwrap_err().chain();
        assert!(refused.contains("backup failed"), "{refused}");
        shell("cp -p /phoenix/conf/ours.pem /phoenix/conf/ca.pem");
        drill.backup(&*castle, BackupKind::Full).await?;
        second_half(drill, castle).await
    })
    .await;
    assert_clean(&played);
    let logs = std::fs::read_dir(played.directory.join("logs")).unwrap();
    let all: String = logs
        .map(|log| String::from_utf8_lossy(&std::fs::read(log.unwrap().path()).unwrap()).into_owned())
        .collect();
    assert!(all.contains("unable to verify certificate presented by"), "{all}");
}

/// A line at ERROR in a container's log that nobody announced is a finding; the verdict stays.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_gate_reads_the_containers_logs() {
    let played = play(Verdict::Valid, async |drill: &mut Drill, place: &Containers| {
        let castle = first_half(drill, place).await?;
        drill.workload(&*castle).await?;
        drill.insert(&*castle, "DATO_B").await?;
        castle.database().restore_point(&"x".repeat(64)).await.unwrap_err();
        drill.archive_everything(&*castle).await?;
        let ashes = drill.wipe(castle).await?;
        let castle = drill.rebirth(ashes, RecoveryTarget::Latest).await?;
        drill.judge(&*castle, Promise::EveryAcknowledgedRow).await
    })
    .await;
    assert_eq!(played.report.verdict, Some(Verdict::Valid));
    let [finding] = played.report.findings.as_slice() else { panic!("{:?}", played.report.findings) };
    assert_eq!(finding.code, "log-gate");
    let [line] = finding.evidence.as_slice() else { panic!("{:?}", finding.evidence) };
    assert!(line.starts_with("victim-1.log: ") && line.contains("too long for restore point"), "{line}");
}

/// The same rows, the same account and the same JUnit layout as on this machine.
#[tokio::test(flavor = "multi_thread")]
async fn the_evidence_is_laid_out_as_on_this_machine() {
    let mut layouts = Vec::new();
    for place in [Place::Local, Place::Containers] {
        let played =
            phoenix_cli::testing::play(place, "protocol", |settings| settings.rows = 50).await.unwrap();
        let text = std::fs::read(played.directory.join("junit.xml")).unwrap();
        let report = quick_junit::Report::deserialize(text.as_slice()).unwrap();
        // what is within a phase is the environment's own: `birth / initdb`
        let cases = report.test_suites.iter().flat_map(|suite| &suite.test_cases);
        let phases: Vec<_> =
            cases.map(|case| case.name.to_string()).filter(|name| !name.contains(" / ")).collect();
        let suites = report.test_suites.len();
        let account = played.report.account.unwrap();
        layouts.push((
            report.name.map(|name| name.to_string()),
            suites,
            phases,
            account.acknowledged,
            account.came_back,
            account.lost.len(),
        ));
    }
    assert_eq!(layouts[0], layouts[1]);
}
