//! A disaster on a kind cluster: the drill's beside one by hand, in alternating rounds.

use crate::{
    by_hand_cluster::{self, Kit, Model},
    drill,
    house::House,
    occasion::Occasion,
    rounds::Runner,
    sample::Sample,
    say,
    yard::Yard,
};
use miette::{Result, miette};
use phoenix_core::{Report, layers::Stage};
use std::{collections::BTreeMap, time::Duration};

/// The script's steps, in order.
pub const STEPS: [&str; 7] = ["wipe", "platform", "images", "operator", "secrets", "restore", "first row"];

/// All times, and what they were measured on.
#[derive(Default)]
pub struct Disasters {
    /// When, and how often.
    pub occasion: Occasion,
    /// The engine, the programs and the images: name and value.
    pub on: Vec<(String, String)>,
    /// The drill's, from the order to destroy to the first row.
    pub drill: Sample,
    /// The script's.
    pub script: Sample,
    /// The script's steps.
    pub steps: BTreeMap<String, Sample>,
    /// How long the drill's wipe took.
    pub wipe: Sample,
    /// When each of the drill's layers began, was up and was ready, since the order.
    pub layers: BTreeMap<String, [Sample; 3]>,
    /// The whole drills, with birth and account.
    pub whole: Sample,
    /// What no span covered of them.
    pub uncovered: Sample,
}

/// Runs both in every round, each round beginning with the other. Every round counts: each of them is born
/// before its fire, and is as warm in the first round as in any other.
pub async fn measure(house: &House, yard: &Yard, kit: &Kit, rounds: u32) -> Result<Disasters> {
    let mut all = Disasters { occasion: Occasion::begin(rounds), on: kit.on.clone(), ..Disasters::default() };
    let mut model = Model::default();
    for round in 1..=rounds {
        // the first round begins with the drill, whose PostgresCluster the script takes
        let order =
            if round % 2 == 1 { [Runner::Drill, Runner::Bare] } else { [Runner::Bare, Runner::Drill] };
        for runner in order {
            if runner == Runner::Drill {
                let (report, clusters) = drill::run_on_cluster(house).await?;
                let images = report.properties.get("images").cloned().unwrap_or_default();
                model = Model { images, clusters };
                let seconds = all.add(&report)?;
                say(&format!("cluster, round {round}: drill {seconds:.1} s"));
            } else {
                let lap = by_hand_cluster::run(house, yard, kit, &model).await?;
                all.script.push(lap.birth_to_query);
                for (step, seconds) in lap.steps {
                    all.steps.entry(step).or_default().push(seconds);
                }
                say(&format!("cluster, round {round}: by hand {:.1} s", lap.birth_to_query));
            }
        }
    }
    all.on.push(("Docker engine".to_owned(), yard.engine.clone()));
    all.on.push(("images in the nodes".to_owned(), model.images.replace(' ', ", ")));
    all.occasion = all.occasion.end();
    Ok(all)
}

impl Disasters {
    /// Adds a drill; gives its seconds from the order to destroy to the first row.
    fn add(&mut self, report: &Report) -> Result<f64> {
        let rto = report.rto.ok_or_else(|| miette!("the drill says no RTO"))?.as_secs_f64();
        let wipe = report.spans.iter().find(|span| span.name == "wipe");
        let wipe = wipe.ok_or_else(|| miette!("the drill says no wipe"))?;
        let since = |moment: Duration| moment.as_secs_f64() - wipe.start.as_secs_f64();
        for layer in report.layers.iter().filter(|layer| layer.life == 1) {
            let moments = [layer.start, layer.reached(Stage::Up), layer.reached(Stage::Ready)];
            let samples = self.layers.entry(layer.name.clone()).or_default();
            samples.iter_mut().zip(moments).for_each(|(sample, moment)| sample.push(since(moment)));
        }
        self.wipe.push(wipe.elapsed.as_secs_f64());
        self.drill.push(rto);
        self.whole.push(report.total.as_secs_f64());
        self.uncovered.push(report.no_span.as_secs_f64());
        Ok(rto)
    }
}
