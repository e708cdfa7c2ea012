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
    /// In which of the castle's lives: 0 begins with its birth, each later one with a rebirth.
    pub life: u32,
    /// Its name.
    pub name: String,
    /// What it waited for before it began.
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
    /// When it had come this far, since the drill's beginning.
    pub fn reached(&self, stage: Stage) -> Duration {
        let taken = match stage {
            Stage::Up => self.up,
            Stage::Ready => self.ready,
        };
        self.start.saturating_add(taken)
    }

    /// How much longer it took than it may, if it did.
    pub fn over(&self) -> Option<Duration> {
        self.budget.filter(|limit| self.ready > *limit).map(|limit| self.ready - limit)
    }
}

/// What a life begins with: `birth`, `rebirth`, `rebirth (2)`.
pub fn beginning(life: u32) -> String {
    match life {
        0 => "birth".to_owned(),
        1 => "rebirth".to_owned(),
        later => format!("rebirth ({later})"),
    }
}

/// A stretch of the critical path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The layer that was waited for.
    pub layer: String,
    /// How far it had to come.
    pub stage: Stage,
    /// When it began, since the drill's beginning.
    pub start: Duration,
    /// How long that took.
    pub elapsed: Duration,
}

/// The layers that the last one of a life had to wait for, one after the other, each until it had come
/// as far as the next one needed. As far as their needs tell, shortening anything else brings nothing;
/// what a layer waits for once it has begun is no need.
pub fn critical_path(layers: &[LayerRecord], life: u32) -> Vec<Step> {
    let mut others: Vec<_> = layers.iter().filter(|layer| layer.life == life).collect();
    let mut path = Vec::new();
    let last = others.iter().max_by_key(|layer| layer.reached(Stage::Ready));
    let mut next = last.map(|layer| (*layer, Stage::Ready));
    while let Some((layer, stage)) = next {
        let (start, elapsed) = (layer.start, layer.reached(stage).saturating_sub(layer.start));
        path.push(Step { layer: layer.name.clone(), stage, start, elapsed });
        // each at most once: records that need each other in a circle are not followed for ever
        others.retain(|other| !std::ptr::eq(*other, layer));
        // what came after its beginning was not waited for: it is of another attempt in the same life
        let awaited = layer.needs.iter().flat_map(|need| {
            let found = others.iter().filter(|other| other.name == need.layer).copied();
            let in_time = found.filter(|other| other.reached(need.stage) <= layer.start);
            in_time.map(|other| (other, need.stage))
        });
        next = awaited.max_by_key(|(other, stage)| other.reached(*stage));
    }
    path.reverse();
    path
}

/// How much of the time between two moments at least one layer of a life was rising. Where several rose
/// side by side, that counts once.
pub fn covered(layers: &[LayerRecord], life: u32, from: Duration, to: Duration) -> Duration {
    let mut of_life: Vec<_> = layers.iter().filter(|layer| layer.life == life).collect();
    of_life.sort_by_key(|layer| layer.start);
    let (mut covered, mut until) = (Duration::ZERO, from);
    for layer in of_life {
        let end = layer.reached(Stage::Ready).min(to);
        covered += end.saturating_sub(layer.start.max(until));
        until = until.max(end);
    }
    covered
}

/// Layers that took longer than they may: one sentence each.
pub fn over_budget(layers: &[LayerRecord]) -> Vec<String> {
    let over = layers.iter().filter_map(|layer| {
        let limit = layer.budget.filter(|_| layer.over().is_some())?;
        let (took, limit) = (layer.ready.as_secs_f64(), limit.as_secs_f64());
        let (name, when) = (&layer.name, beginning(layer.life));
        Some(format!("layer {name} took {took:.2} s at {when}, over its budget of {limit:.2} s"))
    });
    over.collect()
}

#[cfg(test)]
mod tests;
