//! How a castle rose in each of its lives, layer by layer.

use crate::format::{plain, tenths};
use phoenix_core::{
    LayerRecord, Report, SpanRecord, SpanStatus,
    layers::{self, Stage, Step},
};
use std::{collections::BTreeSet, time::Duration};

/// The layers that a life began with.
pub(crate) struct Rise<'a> {
    /// The life.
    pub life: u32,
    /// Those that were ready, in the order of their beginning. Of several attempts, the last one's.
    pub layers: Vec<&'a LayerRecord>,
    /// What can be told only once all of them were ready.
    pub whole: Option<Whole>,
}

/// A rise that came to its end.
pub(crate) struct Whole {
    /// What the last layer had to wait for.
    pub path: Vec<Step>,
    /// The outermost span around it: birth or rebirth.
    pub elapsed: Duration,
    /// How much of that no layer was rising.
    pub no_layer: Duration,
}

/// One for each life whose castle has layers.
pub(crate) fn rises(report: &Report) -> Vec<Rise<'_>> {
    let lives: BTreeSet<_> = report.layers.iter().map(|layer| layer.life).collect();
    lives.into_iter().map(|life| rise(report, life)).collect()
}

fn rise(report: &Report, life: u32) -> Rise<'_> {
    let mut layers: Vec<_> = report.layers.iter().filter(|layer| layer.life == life).collect();
    let end = layers.iter().map(|layer| layer.reached(Stage::Ready)).max();
    let around = end.and_then(|end| outermost(&report.spans, end));
    if let Some(span) = around {
        layers.retain(|layer| layer.reached(Stage::Ready) >= span.start);
    }
    layers.sort_by_key(|layer| (layer.start, layer.ready));
    // a layer that was never ready left no record: without it the others tell neither path nor gaps
    let came_back = report.rebirths.len() as u64 >= u64::from(life);
    let complete = around.filter(|span| came_back && span.status == SpanStatus::Done);
    let whole = complete.map(|span| Whole {
        path: layers::critical_path(&report.layers, life),
        elapsed: span.elapsed,
        no_layer: span.elapsed.saturating_sub(layers::covered(
            &report.layers,
            life,
            span.start,
            span.start + span.elapsed,
        )),
    });
    Rise { life, layers, whole }
}

/// The outermost span that ran at this moment; of several, the one that began last.
fn outermost(spans: &[SpanRecord], moment: Duration) -> Option<&SpanRecord> {
    let ran = |span: &&SpanRecord| span.start <= moment && moment <= span.start + span.elapsed;
    spans.iter().filter(|span| span.parent.is_none()).filter(ran).max_by_key(|span| span.start)
}

impl Whole {
    /// Whether the whole had to wait for this layer.
    pub fn waited_for(&self, layer: &LayerRecord) -> bool {
        self.path.iter().any(|step| (&step.layer, step.start) == (&layer.name, layer.start))
    }

    /// The critical path on one line: `platform 14.9 (up) → engine 1.1 (up) → service 0.3 s`.
    pub fn path_line(&self) -> String {
        let steps = self.path.iter().map(|step| {
            let (name, took) = (plain(&step.layer), tenths(step.elapsed));
            let stage = if step.stage == Stage::Up { " (up)" } else { "" };
            format!("{name} {}{stage}", took.trim_end_matches(" s"))
        });
        format!("{} s", steps.collect::<Vec<_>>().join(" → "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn names(rise: &Rise) -> Vec<String> {
        rise.layers.iter().map(|layer| layer.name.clone()).collect()
    }

    #[test]
    fn every_life_has_its_rise() {
        let report = sample::layered();
        let rises = rises(&report);
        assert_eq!(rises.iter().map(|rise| rise.life).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(names(&rises[1]), ["platform", "images", "engine", "database", "service"]);
        let whole = rises[1].whole.as_ref().unwrap();
        assert_eq!(whole.path_line(), "platform 3.0 (up) → engine 0.2 (up) → database 9.0 → service 0.1 s");
        assert_eq!(whole.elapsed, Duration::from_millis(12_390));
        assert_eq!(whole.no_layer, Duration::from_millis(10 + 10 + 10));
        let waited_for: Vec<_> = rises[1].layers.iter().map(|layer| whole.waited_for(layer)).collect();
        assert_eq!(waited_for, [true, false, true, true, true]);
        assert!(super::rises(&sample::valid()).is_empty());
    }

    #[test]
    fn a_rise_that_did_not_end_tells_neither_path_nor_gaps() {
        let report = sample::layered();
        let wholes =
            |report: &Report| -> Vec<_> { rises(report).iter().map(|rise| rise.whole.is_some()).collect() };
        assert_eq!(wholes(&report), [true, true]);
        let failed = report.spans.iter().cloned().map(|span| match span.name.as_str() {
            "birth" => SpanRecord { status: SpanStatus::Failed, ..span },
            _ => span,
        });
        assert_eq!(wholes(&Report { spans: failed.collect(), ..report.clone() }), [false, true]);
        // the span did what it was for: to see the rebirth fail
        assert_eq!(wholes(&Report { rebirths: Vec::new(), ..report.clone() }), [true, false]);
        assert_eq!(wholes(&Report { spans: Vec::new(), ..report }), [false, false]);
    }

    #[test]
    fn of_two_attempts_in_one_life_the_last_is_told() {
        let report = sample::layered();
        let before = Duration::from_millis(1_000);
        let attempted = report.layers.iter().filter(|layer| layer.life == 1 && layer.name != "database");
        let attempted = attempted.map(|layer| LayerRecord {
            start: before,
            up: before / 4,
            ready: before / 2,
            ..layer.clone()
        });
        let layers = attempted.chain(report.layers.clone()).collect();
        let twice = Report { layers, ..report.clone() };
        let [first, second] = [&report, &twice].map(|report| rises(report).remove(1));
        assert_eq!(names(&second), names(&first));
        let [first, second] = [first, second].map(|rise| rise.whole.unwrap());
        assert_eq!((second.path, second.no_layer), (first.path, first.no_layer));
    }
}
