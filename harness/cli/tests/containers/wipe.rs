//! The wipe, and the inventory that proves it.

use crate::{docker::docker, first_half, play};
use phoenix_core::{Promise, RecoveryTarget, Verdict};
use phoenix_drill::{Drill, Result};
use rstest::rstest;

/// What is left behind on purpose before the wipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Planted {
    /// The control.
    Nothing,
    /// A volume of the victim's that no container holds.
    Volume,
    /// A container of the victim's that nobody registered.
    Container,
    /// Somebody else's container on the victim's network.
    Endpoint,
}

impl Planted {
    fn plant(self, drill: &Drill) {
        let run = drill.run().as_str();
        let name = format!("phoenix-{}-planted", drill.run().slug());
        let (run, role) = (format!("phoenix.run={run}"), "phoenix.role=victim");
        let network = format!("phoenix-{}-net", drill.run().slug());
        let image = phoenix_containers::Images::default().base;
        let sleep = ["sleep", "600"];
        match self {
            Self::Nothing => return,
            Self::Volume => docker(&["volume", "create", "--label", &run, "--label", role, &name]),
            Self::Container => docker(
                &[&["run", "-d", "--label", &run, "--label", role, "--name", &name, &image], &sleep[..]]
                    .concat(),
            ),
            Self::Endpoint => {
                docker(&[&["run", "-d", "--network", &network, "--name", &name, &image], &sleep[..]].concat())
            }
        };
    }

    fn clear(self, drill: &Drill) {
        let name = format!("phoenix-{}-planted", drill.run().slug());
        match self {
            Self::Nothing => "".to_owned(),
            Self::Volume => docker(&["volume", "rm", &name]),
            Self::Container | Self::Endpoint => docker(&["rm", "-f", &name]),
        };
    }

    /// How the drill must say so.
    fn found(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Volume => Some("1 volumes: volume phoenix-"),
            Self::Container => Some("1 containers"),
            Self::Endpoint => Some("1 network endpoints"),
        }
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_the_wipe_leaves_is_found(
    #[values(Planted::Nothing, Planted::Volume, Planted::Container, Planted::Endpoint)] planted: Planted,
) {
    let acted = async |drill: &mut Drill, place: &phoenix_containers::Containers| -> Result<Verdict> {
        let castle = first_half(drill, place).await?;
        drill.workload(&*castle).await?;
        drill.insert(&*castle, "DATO_B").await?;
        drill.archive_everything(&*castle).await?;
        planted.plant(drill);
        let ashes = drill.wipe(castle).await;
        planted.clear(drill);
        let castle = drill.rebirth(ashes?, RecoveryTarget::Latest).await?;
        drill.judge(&*castle, Promise::EveryAcknowledgedRow).await
    };
    let played = play(Verdict::Valid, acted).await;
    match planted.found() {
        None => crate::assert_clean(&played),
        Some(found) => {
            let why = played.error.as_ref().unwrap().chain();
            assert!(matches!(played.report.verdict, Some(Verdict::Unknown { .. })));
            assert!(why.contains("the wipe left") && why.contains(found), "{why}");
            assert_eq!((played.exit_status, played.report.deeds.restores), (3, 0));
        }
    }
    crate::docker::assert_nothing_left(played.report.run.as_str());
}
