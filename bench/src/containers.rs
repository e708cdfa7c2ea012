//! A drill in containers beside bare `docker` commands, in alternating rounds.

use crate::{
    bare_docker::{self, Images},
    drill,
    house::House,
    occasion::Occasion,
    rounds::{Lap, Runner, Times, turn_of_second},
    say,
    yard::Yard,
};
use miette::{Result, bail};
use phoenix_core::Report;

/// The steps that both have, in order; what is in none of them is the rest.
pub const STEPS: [&str; 12] = [
    "network",
    "store",
    "container",
    "initdb",
    "start",
    "stanza",
    "rows",
    "backup",
    "archive",
    "wipe",
    "restore",
    "recovery",
];

/// All times, and what they were measured on.
pub struct Contained {
    /// When, and how often.
    pub occasion: Occasion,
    /// The engine, the images and what is in them: name and value.
    pub on: Vec<(&'static str, String)>,
    /// The drill's.
    pub drill: Times,
    /// The bare commands'.
    pub bare: Times,
}

/// Runs both in every round, each round beginning with the other; the first does not count.
pub async fn measure(house: &House, yard: &Yard, rounds: u32) -> Result<Contained> {
    let occasion = Occasion::begin(rounds);
    let (mut drills, mut bares) = (Times::default(), Times::default());
    let (mut images, mut on) = (Images::default(), Vec::new());
    for round in 0..=rounds {
        // the first round begins with the drill, which makes sure that the images are there
        let order =
            if round % 2 == 0 { [Runner::Drill, Runner::Bare] } else { [Runner::Bare, Runner::Drill] };
        let (mut drill, mut bare) = (Lap::default(), Lap::default());
        for runner in order {
            turn_of_second(round, rounds).await;
            if runner == Runner::Bare {
                bare = bare_docker::run(house, yard, &images).await?;
            } else {
                let (report, lap) = drill::run_in_containers(house).await?;
                (images, on) = described(&report, yard);
                drill = lap;
            }
        }
        if bare.last_segment != drill.last_segment {
            let (bare, drill) = (&bare.last_segment, &drill.last_segment);
            bail!("the bare commands archived up to {bare}, the drill up to {drill}: not the same steps");
        }
        say(&format!(
            "containers, round {round}: bare docker {:.2} s of {:.2} s, drill {:.2} s of {:.2} s",
            bare.birth_to_query, bare.whole, drill.birth_to_query, drill.whole
        ));
        if round > 0 {
            drills.add(&drill, &STEPS);
            bares.add(&bare, &STEPS);
        }
    }
    Ok(Contained { occasion: occasion.end(), on, drill: drills, bare: bares })
}

fn described(report: &Report, yard: &Yard) -> (Images, Vec<(&'static str, String)>) {
    let property = |name: &str| report.properties.get(name).cloned().unwrap_or_default();
    let images = Images { store: property("store"), victim: property("victim_image") };
    let on = vec![
        ("Docker engine", yard.engine.clone()),
        ("store", images.store.clone()),
        ("victim", format!("PostgreSQL {}, pgBackRest {}", property("postgresql"), property("pgbackrest"))),
    ];
    (images, on)
}
