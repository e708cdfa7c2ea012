//! What else can be done to a castle in containers. Each fault must show in what the castle does, leave
//! evidence, and heal: the drill goes on to its end, and every acknowledged row comes back.

use crate::{assert_clean, docker::docker, first_half, play, second_half};
use phoenix_containers::Containers;
use phoenix_core::{Fault, Promise, RecoveryTarget, Verdict};
use phoenix_drill::{BackupKind, Castle, Casualty, Drill, Kill, Partition, Pause, Wait, wait_for};
use phoenix_store::{AnswerFault, Fault as StoreFault, KeyMatch, Operation};
use rstest::rstest;
use std::time::Duration;

async fn answers(castle: &dyn Castle) -> bool {
    castle.database().clock().await.is_ok()
}

#[rstest]
#[case::postgres(Casualty::Postgres, "SIGKILL of postgres in phoenix-")]
#[case::container(Casualty::Machine, "SIGKILL of the container phoenix-")]
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_is_revived_on_its_own_data(#[case] casualty: Casualty, #[case] evidence: &str) {
    let played = play(Verdict::Valid, async |drill: &mut Drill, place: &Containers| {
        drill.announce("database system was interrupted", "the server was killed");
        let castle = first_half(drill, place).await?;
        let b = drill.insert(&*castle, "DATO_B before the kill").await?;
        assert!(answers(&*castle).await);
        place.kill(casualty).await?;
        assert!(!answers(&*castle).await, "a dead server answered");
        let again = place.kill(casualty).await.unwrap_err().chain();
        assert!(again.contains("there was no"), "{again}");
        let castle = drill.revive(place, castle).await?;
        assert_eq!(castle.database().memories(&[b.row]).await?.len(), 1);
        second_half(drill, castle).await
    })
    .await;
    assert_clean(&played);
    assert!(played.report.faults[0].contains(evidence), "{:?}", played.report.faults);
    assert!(played.report.faults[1].contains("revived in phoenix-"), "{:?}", played.report.faults);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_backup_is_no_backup_and_the_next_one_is() {
    let played = play(Verdict::Valid, async |drill: &mut Drill, place: &Containers| {
        let castle = first_half(drill, place).await?;
        // uploads that take a while leave time to kill the one that waits for them
        let slow = AnswerFault::Delay { delay: Duration::from_millis(500) };
        let faults = place.store_faults().await?;
        let backups = KeyMatch::Contains("/backup/".to_owned());
        faults.arm(StoreFault::new("slow upload", slow).on(Operation::Put).on_keys(backups)).unwrap();
        let killed = async {
            wait_for("the backup to upload", Duration::from_secs(30), Duration::from_millis(10), || async {
                Ok(if faults.evidence().is_empty() {
                    Wait::NotYet("nothing yet".into())
                } else {
                    Wait::Ready(())
                })
            })
            .await?;
            place.kill(Casualty::PgBackRest).await
        };
        let (backup, killed) = tokio::join!(drill.backup(&*castle, BackupKind::Full), killed);
        let (why, killed) = (backup.unwrap_err().chain(), killed?);
        assert!(why.contains("backup failed: exit 137"), "{why}");
        assert!(killed.contains("pgbackrest"), "{killed}");
        faults.disarm_all();
        drill.backup(&*castle, BackupKind::Full).await?;
        second_half(drill, castle).await
    })
    .await;
    assert_clean(&played);
    assert!(played.report.faults.iter().any(|line| line.contains("SIGKILL of pgbackrest")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_castle_is_silent_until_it_is_thawed() {
    let played = play(Verdict::Valid, async |drill: &mut Drill, place: &Containers| {
        let castle = first_half(drill, place).await?;
        place.pause().await?;
        let names = docker(&["ps", "--filter", "status=paused", "--format", "{{.Names}}"]);
        assert!(names.contains(&format!("{}-victim-1", drill.run().slug())), "{names}");
        let database = castle.database();
        let silent = tokio::time::timeout(Duration::from_millis(300), database.clock()).await;
        assert!(silent.is_err(), "a frozen server answered");
        place.resume().await?;
        database.clock().await?;
        second_half(drill, castle).await
    })
    .await;
    assert_clean(&played);
    let [froze, thawed] = played.report.faults.as_slice() else { panic!("{:?}", played.report.faults) };
    assert!(froze.contains("froze phoenix-") && thawed.contains("thawed phoenix-"), "{froze} {thawed}");
}

/// A frozen process cannot die: the wipe must see to it.
#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_castle_burns_too() {
    let played = play(Verdict::Valid, async |drill: &mut Drill, place: &Containers| {
        let castle = first_half(drill, place).await?;
        drill.workload(&*castle).await?;
        drill.insert(&*castle, "DATO_B").await?;
        drill.archive_everything(&*castle).await?;
        place.pause().await?;
        let ashes = drill.wipe(castle).await?;
        let castle = drill.rebirth(ashes, RecoveryTarget::Latest).await?;
        drill.judge(&*castle, Promise::EveryAcknowledgedRow).await
    })
    .await;
    assert_clean(&played);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heals {
    BeforeTheFire,
    AfterTheFire,
}

/// Rows that were acknowledged while the store was out of reach live on the victim alone.
#[rstest]
#[case::control(Heals::BeforeTheFire, Verdict::Valid)]
#[case::loss(Heals::AfterTheFire, Verdict::invalid(Fault::Loss))]
#[tokio::test(flavor = "multi_thread")]
async fn rows_behind_a_partition_burn_unless_it_heals_in_time(
    #[case] heals: Heals,
    #[case] expected: Verdict,
) {
    let played = play(expected, async |drill: &mut Drill, place: &Containers| {
        drill.announce("pgbackrest", "the archiver cannot reach the store");
        drill.announce("P00  ERROR", "the archiver cannot reach the store");
        let castle = first_half(drill, place).await?;
        drill.workload(&*castle).await?;
        drill.insert(&*castle, "before the partition").await?;
        drill.archive_everything(&*castle).await?;
        let before = castle.segments_in_store().await?;
        place.partition().await?;
        drill.workload(&*castle).await?;
        drill.insert(&*castle, "DATO_B").await?;
        castle.database().switch_wal().await?;
        assert!(answers(&*castle).await, "applications still reach a castle that is cut off");
        assert_eq!(castle.segments_in_store().await?, before, "a segment went through the partition");
        if heals == Heals::BeforeTheFire {
            place.heal_partition().await?;
            drill.archive_everything(&*castle).await?;
        }
        let ashes = drill.wipe(castle).await?;
        if heals == Heals::AfterTheFire {
            place.heal_partition().await?;
        }
        let castle = drill.rebirth(ashes, RecoveryTarget::Latest).await?;
        drill.judge(&*castle, Promise::EveryAcknowledgedRow).await
    })
    .await;
    assert_clean(&played);
    let account = played.report.account.as_ref().unwrap();
    // the second workload and DATO_B, to the row
    let lost = if heals == Heals::AfterTheFire { 201 } else { 0 };
    assert_eq!((account.lost.len(), account.holes.len(), account.unexpected.len()), (lost, 0, 0));
    let [cut, healed] = played.report.faults.as_slice() else { panic!("{:?}", played.report.faults) };
    assert!(cut.contains("the store left the victim's network"), "{cut}");
    assert!(healed.contains("the store is back on the victim's network"), "{healed}");
}
