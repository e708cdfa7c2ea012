//! A drill beside the same steps as bare commands, in alternating rounds.

use crate::{
    bare::{self, Pace},
    drill,
    house::{House, Storage},
    sample::Sample,
    say,
};
use chrono::Utc;
use miette::{Result, bail};
use phoenix_drill::pause;
use std::{collections::BTreeMap, time::Duration};

/// The steps that both have, in order; what is in none of them is the rest.
pub const STEPS: [&str; 9] =
    ["initdb", "start", "stanza", "rows", "backup", "archive", "wipe", "restore", "recovery"];

/// What one run took, in seconds.
#[derive(Debug, Clone, Default)]
pub struct Lap {
    /// From the beginning of the birth to the answer of the query.
    pub birth_to_query: f64,
    /// From the start of the program to its end, with everything cleared away.
    pub whole: f64,
    /// Each step.
    pub steps: BTreeMap<String, f64>,
    /// The last segment that was archived before the fire.
    pub last_segment: String,
}

/// Whose time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Runner {
    /// Bare commands with the drill's settings.
    Bare,
    /// Bare commands with the programs' defaults.
    Defaults,
    /// `phoenix drill`.
    Drill,
}

/// The times of one runner.
#[derive(Debug, Clone, Default)]
pub struct Times {
    /// From the beginning of the birth to the answer of the query.
    pub birth_to_query: Sample,
    /// From the start of the program to its end.
    pub whole: Sample,
    /// Each step.
    pub steps: BTreeMap<String, Sample>,
}

/// All times on one storage.
pub struct Drills {
    /// Where.
    pub storage: Storage,
    /// By runner.
    pub times: BTreeMap<Runner, Times>,
}

impl Drills {
    /// One runner's times.
    pub fn of(&self, runner: Runner) -> Times {
        self.times.get(&runner).cloned().unwrap_or_default()
    }
}

/// Runs all three in every round, each round beginning with another; the first does not count.
pub async fn measure(house: &House, rounds: u32) -> Result<Drills> {
    let mut times = BTreeMap::<Runner, Times>::new();
    for round in 0..=rounds {
        let mut order = [Runner::Bare, Runner::Drill, Runner::Defaults];
        order.rotate_left(round as usize % 3);
        let mut laps = BTreeMap::new();
        for runner in order {
            turn_of_second(round, rounds).await;
            let lap = match runner {
                Runner::Bare => bare::run(house, Pace::Fast).await?,
                Runner::Defaults => bare::run(house, Pace::Default).await?,
                Runner::Drill => drill::run(house).await?,
            };
            laps.insert(runner, lap);
        }
        let last = |runner: Runner| laps.get(&runner).map(|lap| lap.last_segment.clone());
        if last(Runner::Bare) != last(Runner::Drill) {
            let [bare, drill] = [Runner::Bare, Runner::Drill].map(|runner| last(runner).unwrap_or_default());
            bail!("the bare commands archived up to {bare}, the drill up to {drill}: not the same steps");
        }
        let seconds: Vec<_> = laps
            .iter()
            .map(|(runner, lap)| format!("{runner:?} {:.2} s of {:.2} s", lap.birth_to_query, lap.whole))
            .collect();
        say(&format!("drills on {}, round {round}: {}", house.storage.word(), seconds.join(", ")));
        if round > 0 {
            laps.into_iter().for_each(|(runner, lap)| times.entry(runner).or_default().add(&lap, &STEPS));
        }
    }
    Ok(Drills { storage: house.storage, times })
}

/// pgBackRest's backup waits for the clock's next second. Each round begins at another fraction of a
/// second, the same for everybody, so that nobody is the luckier.
pub async fn turn_of_second(round: u32, rounds: u32) {
    let (now, wanted) = (Utc::now().timestamp_subsec_millis(), round * 1000 / rounds % 1000);
    pause(Duration::from_millis(u64::from((wanted + 1000 - now % 1000) % 1000))).await;
}

impl Times {
    /// Adds a lap of these steps.
    pub fn add(&mut self, lap: &Lap, steps: &[&'static str]) {
        self.birth_to_query.push(lap.birth_to_query);
        self.whole.push(lap.whole);
        let of = |step: &&'static str| (*step, lap.steps.get(*step).copied().unwrap_or_default());
        let steps: Vec<_> = steps.iter().map(of).collect();
        let named: f64 = steps.iter().map(|(_, seconds)| seconds).sum();
        let rest = [("the rest", lap.birth_to_query - named), ("outside", lap.whole - lap.birth_to_query)];
        for (step, seconds) in steps.into_iter().chain(rest) {
            self.steps.entry(step.to_owned()).or_default().push(seconds);
        }
    }
}
