//! When a part was measured, how often, and what else the machine did: parts of the page are measured on
//! different days.

use crate::machine;

/// When a part was measured.
#[derive(Debug, Clone, Default)]
pub struct Occasion {
    /// How many rounds count.
    pub rounds: u32,
    day: String,
    loads: [String; 2],
}

impl Occasion {
    /// Notes the day and the load.
    pub fn begin(rounds: u32) -> Self {
        Self { rounds, day: machine::day(), loads: [machine::load(), String::new()] }
    }

    /// Notes the load again.
    #[must_use]
    pub fn end(mut self) -> Self {
        self.loads[1] = machine::load();
        self
    }

    /// A sentence for the page.
    pub fn sentence(&self) -> String {
        let Self { rounds, day, loads: [before, after] } = self;
        format!("Measured on {day} in {rounds} rounds; load before {before}, after {after}.")
    }
}
