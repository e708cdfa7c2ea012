//! What is special about the containers environment: its wipe, its capabilities, its cleaning up, and
//! what it says of bad input. It needs a Docker engine, and its tests run in the profile `containers`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bad_input;
mod capabilities;
mod defects;
mod docker;
mod killed;
mod matrix;
mod store;
#[path = "../support/mod.rs"]
mod support;
mod wipe;

use phoenix_cli::testing::{containers, evidence};
use phoenix_containers::{Containers, ContainersConfig};
use phoenix_core::{Promise, RecoveryTarget, Verdict};
use phoenix_drill::{
    BackupKind, Castle, Drill, Keep, Result, Scenario, Settings,
    stage::{self, Played},
};

/// Plays something that is no scenario of the catalogue in containers that are set up in their own way.
async fn play_with(
    config: ContainersConfig,
    expected: Verdict,
    play: impl AsyncFnOnce(&mut Drill, &Containers) -> Result<Verdict>,
) -> Played {
    let about = Scenario {
        name: "self-test",
        family: "self-test",
        promise: "what is planted is found",
        expected,
        finding: None,
    };
    let settings = Settings { evidence: evidence(), rows: 200, keep: Keep::Never, ..Settings::default() };
    let place = Containers::new(config).await.unwrap();
    stage::play(stage::new_run(), &about, &place, settings, Vec::new(), play).await.unwrap()
}

/// The same in containers as they are set up by default.
async fn play(
    expected: Verdict,
    play: impl AsyncFnOnce(&mut Drill, &Containers) -> Result<Verdict>,
) -> Played {
    play_with(containers(), expected, play).await
}

/// Fails unless the drill ended with this verdict, with clean logs, and left nothing.
#[track_caller]
fn assert_clean(played: &Played) {
    phoenix_cli::testing::assert_as_expected(played);
    docker::assert_nothing_left(played.report.run.as_str());
}

/// The first half of the protocol.
async fn first_half(drill: &mut Drill, place: &Containers) -> Result<Box<dyn Castle>> {
    let castle = drill.birth(place).await?;
    drill.workload(&*castle).await?;
    drill.insert(&*castle, "DATO_A").await?;
    drill.backup(&*castle, BackupKind::Full).await?;
    Ok(castle)
}

/// The second half, which every healed castle must be able to play.
async fn second_half(drill: &mut Drill, castle: Box<dyn Castle>) -> Result<Verdict> {
    drill.workload(&*castle).await?;
    drill.insert(&*castle, "DATO_B").await?;
    drill.archive_everything(&*castle).await?;
    let ashes = drill.wipe(castle).await?;
    let castle = drill.rebirth(ashes, RecoveryTarget::Latest).await?;
    drill.judge(&*castle, Promise::EveryAcknowledgedRow).await
}
