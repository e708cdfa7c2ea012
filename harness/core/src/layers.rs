//! The layers of a castle: how long each took to rise, and which of them the whole had to wait for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How far a layer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It was asked for, and others can build upon it.
    Up,
    /// It does its work.
    Ready,
}

/// What a layer needs before it begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Need {
    /// The other layer.
    pub layer: String,
    /// How far that must have come.
    pub stage: Stage,
}

impl Need {
    /// That another layer is up.
    pub fn up(layer: impl Into<String>) -> Self {
        Self { layer: layer.into(), stage: Stage::Up }
    }

    /// That another layer is ready.
    pub fn ready(layer: impl Into<String>) -> Self {
        Self { layer: layer.into(), stage: Stage::Ready }
    }
}

/// A layer that rose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LayerRecord {
    /// In which of the castle's lives: 0 is its birth.
    pub life: u32,
    /// Its name.
    pub name: String,
    /// What it waited for.
    pub needs: Vec<Need>,
    /// When it began, in seconds since the drill's beginning.
    #[serde(rename = "start_seconds", with = "crate::seconds")]
    #[schemars(with = "f64")]
    pub start: Duration,
    /// From its beginning until others could build upon it, in seconds.
    #[serde(rename = "up_seconds", with = "crate::seconds")]
    #[schemars(with = "f64")]
    pub up: Duration,
    /// From its beginning until it did its work, in seconds.
    #[serde(rename = "ready_seconds", with = "crate::seconds")]
    #[schemars(with = "f64")]
    pub ready: Duration,
    /// How long it may take until it is ready, in seconds.
    #[serde(rename = "budget_seconds", with = "crate::seconds::option", default)]
    #[schemars(with = "Option<f64>")]
    pub budget: Option<Duration>,
}

impl LayerRecord {
    fn reached(&self, stage: Stage) -> Duration {
        self.start
            + match stage {
                Stage::Up => self.up,
                Stage::Ready => self.ready,
            }
    }
}

/// A stretch of the critical path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The layer that was waited for.
    pub layer: String,
    /// How far it had to come.
    pub stage: Stage,
    /// How long that took.
    pub elapsed: Duration,
}

/// The layers that the last one of a life had to wait for, one after the other: shortening any other
/// layer brings nothing.
pub fn critical_path(layers: &[LayerRecord], life: u32) -> Vec<Step> {
    let of_life: Vec<_> = layers.iter().filter(|layer| layer.life == life).collect();
    let mut path = Vec::new();
    let last = of_life.iter().max_by_key(|layer| layer.reached(Stage::Ready));
    let mut next = last.map(|layer| (*layer, Stage::Ready));
    while let Some((layer, stage)) = next {
        let elapsed = layer.reached(stage).saturating_sub(layer.start);
        path.push(Step { layer: layer.name.clone(), stage, elapsed });
        // a circle cannot rise, so this ends
        let needs = layer.needs.iter().filter_map(|need| {
            let found = of_life.iter().find(|other| other.name == need.layer)?;
            Some((*found, need.stage))
        });
        next = needs.max_by_key(|(other, stage)| other.reached(*stage));
    }
    path.reverse();
    path
}

/// Layers that took longer than they may: one sentence each.
pub fn over_budget(layers: &[LayerRecord]) -> Vec<String> {
    let over = layers.iter().filter_map(|layer| {
        let limit = layer.budget.filter(|limit| layer.ready > *limit)?;
        let (took, limit) = (layer.ready.as_secs_f64(), limit.as_secs_f64());
        Some(format!("layer {} took {took:.2} s, over its budget of {limit:.2} s", layer.name))
    });
    over.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(name: &str, needs: Vec<Need>, start: u64, up: u64, ready: u64) -> LayerRecord {
        let [start, up, ready] = [start, up, ready].map(Duration::from_secs);
        LayerRecord { life: 1, name: name.into(), needs, start, up, ready, budget: None }
    }

    #[test]
    fn the_critical_path_follows_what_was_waited_for() {
        let layers = [
            layer("platform", vec![], 10, 12, 30),
            layer("images", vec![], 10, 1, 5),
            layer("engine", vec![Need::up("platform")], 22, 2, 9),
            layer("secrets", vec![Need::up("platform")], 22, 1, 1),
            layer("database", vec![Need::up("engine"), Need::ready("secrets")], 24, 1, 20),
            layer("service", vec![Need::ready("database"), Need::ready("images")], 44, 0, 2),
            LayerRecord { life: 0, ..layer("later", vec![], 100, 1, 1) },
        ];
        let path: Vec<_> = critical_path(&layers, 1)
            .into_iter()
            .map(|step| (step.layer, step.stage, step.elapsed.as_secs()))
            .collect();
        assert_eq!(
            path,
            [
                ("platform".to_owned(), Stage::Up, 12),
                ("engine".to_owned(), Stage::Up, 2),
                ("database".to_owned(), Stage::Ready, 20),
                ("service".to_owned(), Stage::Ready, 2),
            ]
        );
        assert_eq!(critical_path(&layers, 7), []);
    }

    #[test]
    fn a_layer_may_take_its_budget_and_no_more() {
        let within = LayerRecord { budget: Some(Duration::from_secs(9)), ..layer("engine", vec![], 0, 1, 9) };
        let over = LayerRecord { ready: Duration::from_millis(9500), ..within.clone() };
        assert_eq!(over_budget(&[within, over]), ["layer engine took 9.50 s, over its budget of 9.00 s"]);
    }
}
