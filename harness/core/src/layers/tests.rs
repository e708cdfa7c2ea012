//! Layers by hand, and castles by the hundred that rise by the rules.

use super::*;
use proptest::prelude::*;

fn layer(name: &str, needs: Vec<Need>, start: u64, up: u64, ready: u64) -> LayerRecord {
    let [start, up, ready] = [start, up, ready].map(Duration::from_secs);
    LayerRecord { life: 1, name: name.into(), needs, start, up, ready, budget: None }
}

/// Layers, stages, beginnings and lengths in whole seconds.
fn path_of(layers: &[LayerRecord], life: u32) -> Vec<(String, Stage, u64, u64)> {
    let steps = critical_path(layers, life).into_iter();
    steps.map(|step| (step.layer, step.stage, step.start.as_secs(), step.elapsed.as_secs())).collect()
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
    let expected = [
        ("platform".to_owned(), Stage::Up, 10, 12),
        ("engine".to_owned(), Stage::Up, 22, 2),
        ("database".to_owned(), Stage::Ready, 24, 20),
        ("service".to_owned(), Stage::Ready, 44, 2),
    ];
    assert_eq!(path_of(&layers, 1), expected);
    assert_eq!(critical_path(&layers, 7), []);
}

#[test]
fn of_two_attempts_in_one_life_the_path_stays_in_the_later() {
    let attempt = |start| {
        [
            layer("platform", vec![], start, 2, 5),
            layer("service", vec![Need::up("platform")], start + 2, 1, 4),
        ]
    };
    let expected = [("platform".to_owned(), Stage::Up, 20, 2), ("service".to_owned(), Stage::Ready, 22, 4)];
    assert_eq!(path_of(&[attempt(0), attempt(20)].concat(), 1), expected);
    assert_eq!(path_of(&[attempt(20), attempt(0)].concat(), 1), expected);
}

#[test]
fn a_circle_is_not_followed_for_ever() {
    let needs = |name| vec![Need::ready(name), Need::up(name)];
    let layers = [layer("a", needs("b"), 5, 0, 0), layer("b", needs("a"), 5, 0, 0)];
    let names: Vec<_> = critical_path(&layers, 1).into_iter().map(|step| step.layer).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(critical_path(&[layer("a", needs("a"), 5, 0, 0)], 1).len(), 1);
}

#[test]
fn a_layer_may_take_its_budget_and_no_more() {
    let within = LayerRecord { budget: Some(Duration::from_secs(9)), ..layer("engine", vec![], 0, 1, 9) };
    let over = LayerRecord { ready: Duration::from_millis(9500), ..within.clone() };
    let at_birth = LayerRecord { life: 0, ..over.clone() };
    assert_eq!((within.over(), over.over()), (None, Some(Duration::from_millis(500))));
    let expected = [
        "layer engine took 9.50 s at rebirth, over its budget of 9.00 s",
        "layer engine took 9.50 s at birth, over its budget of 9.00 s",
    ];
    assert_eq!(over_budget(&[within, over, at_birth]), expected);
}

#[test]
fn what_rose_side_by_side_counts_once() {
    let layers = [
        layer("late", vec![], 20, 1, 10),
        layer("early", vec![], 1, 1, 9),
        layer("within", vec![], 2, 1, 3),
        layer("beside", vec![], 8, 1, 4),
    ];
    let between =
        |from, to| covered(&layers, 1, Duration::from_secs(from), Duration::from_secs(to)).as_secs();
    assert_eq!(between(0, 40), 11 + 10);
    assert_eq!(between(9, 22), 3 + 2);
    assert_eq!((between(12, 20), between(30, 20)), (0, 0));
    assert_eq!(covered(&layers, 0, Duration::ZERO, Duration::from_secs(40)), Duration::ZERO);
}

#[test]
fn a_later_life_begins_with_a_numbered_rebirth() {
    assert_eq!([0, 1, 2].map(beginning), ["birth", "rebirth", "rebirth (2)"]);
}

/// A layer before it rises: what it needs of those before it, how long it is not begun although it
/// could be, how long it takes until it is up, and then until it is ready. In milliseconds.
#[derive(Debug, Clone)]
struct Plan {
    needs: Vec<(usize, Stage)>,
    idle: u64,
    up: u64,
    settling: u64,
}

const DAWN: Duration = Duration::from_secs(100);

/// Every layer begins once what it needs is there.
fn rise(plans: &[Plan]) -> Vec<LayerRecord> {
    let mut risen: Vec<LayerRecord> = Vec::new();
    for (number, plan) in plans.iter().enumerate() {
        let needs = plan.needs.iter().map(|(of, stage)| (&risen[*of], *stage));
        let there = needs.clone().map(|(of, stage)| of.reached(stage)).max().unwrap_or(DAWN);
        let needs = needs.map(|(of, stage)| Need { layer: of.name.clone(), stage }).collect();
        let (up, ready) = (Duration::from_millis(plan.up), Duration::from_millis(plan.up + plan.settling));
        let start = there + Duration::from_millis(plan.idle);
        let (name, budget) = (number.to_string(), None);
        risen.push(LayerRecord { life: 1, name, needs, start, up, ready, budget });
    }
    risen
}

fn end(layers: &[LayerRecord]) -> Duration {
    layers.iter().map(|layer| layer.reached(Stage::Ready)).max().unwrap()
}

fn stage() -> impl Strategy<Value = Stage> {
    prop_oneof![Just(Stage::Up), Just(Stage::Ready)]
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    // short and often nothing, so that many things happen at the same moment
    let times = (0u64..3, 0u64..20, 0u64..20);
    let plan = (prop::collection::vec((any::<prop::sample::Index>(), stage()), 0..4), times);
    prop::collection::vec(plan, 1..9).prop_map(|plans| {
        let plan = |(number, (needs, (idle, up, settling))): (usize, (Vec<(prop::sample::Index, _)>, _))| {
            let earlier = needs.into_iter().filter(|_| number > 0);
            let needs = earlier.map(|(of, stage)| (of.index(number), stage)).collect();
            Plan { needs, idle, up, settling }
        };
        plans.into_iter().enumerate().map(plan).collect()
    })
}

/// A castle that rose, with another life's records among its own, in any order.
fn castles() -> impl Strategy<Value = (Vec<Plan>, Vec<LayerRecord>)> {
    (plans(), plans()).prop_flat_map(|(plans, others)| {
        let others = rise(&others).into_iter().map(|layer| LayerRecord { life: 0, ..layer });
        let records = rise(&plans).into_iter().chain(others).collect();
        (Just(plans), Just(records).prop_shuffle())
    })
}

/// Records that nobody's rise left: names more than once, needs in circles, and of what is not there.
fn rubble() -> impl Strategy<Value = Vec<LayerRecord>> {
    let need = ("[a-d]", stage()).prop_map(|(layer, stage)| Need { layer, stage });
    let needs = prop::collection::vec(need, 0..4);
    let record = ("[a-c]", needs, 0u64..9, 0u64..4, 0u64..4);
    let record = record.prop_map(|(name, needs, start, up, more)| layer(&name, needs, start, up, up + more));
    prop::collection::vec(record, 1..9)
}

/// Each step is a layer's own, and begins when the one before had come as far as was needed, or later.
fn assert_path(layers: &[LayerRecord], path: &[Step]) -> Result<(), TestCaseError> {
    let recorded = |step: &Step, need: Option<&Need>| {
        layers.iter().filter(|layer| layer.life == 1).any(|layer| {
            (&layer.name, layer.start) == (&step.layer, step.start)
                && layer.reached(step.stage) == step.start + step.elapsed
                && need.is_none_or(|need| layer.needs.contains(need))
        })
    };
    prop_assert!(recorded(&path[0], None), "{:?}", path[0]);
    for pair in path.windows(2) {
        let need = Need { layer: pair[0].layer.clone(), stage: pair[0].stage };
        prop_assert!(recorded(&pair[1], Some(&need)), "{:?}", pair);
        prop_assert!(pair[0].start + pair[0].elapsed <= pair[1].start, "{:?}", pair);
    }
    let own: Vec<_> = layers.iter().filter(|layer| layer.life == 1).cloned().collect();
    let last = path.last().unwrap();
    prop_assert_eq!((last.stage, last.start + last.elapsed), (Stage::Ready, end(&own)));
    let sum: Duration = path.iter().map(|step| step.elapsed).sum();
    let first = own.iter().map(|layer| layer.start).min().unwrap();
    let rising = covered(layers, 1, first, end(&own));
    prop_assert!(sum <= rising && rising <= end(&own) - first, "{:?} of {:?}", sum, rising);
    Ok(())
}

proptest! {
    #[test]
    fn a_path_and_the_idle_times_on_it_are_the_whole_rise((plans, layers) in castles()) {
        let path = critical_path(&layers, 1);
        assert_path(&layers, &path)?;
        let plan = |step: &Step| &plans[step.layer.parse::<usize>().unwrap()];
        prop_assert!(plan(&path[0]).needs.is_empty());
        let idle: u64 = path.iter().map(|step| plan(step).idle).sum();
        let sum: Duration = path.iter().map(|step| step.elapsed).sum();
        prop_assert_eq!(DAWN + sum + Duration::from_millis(idle), end(&rise(&plans)));
    }

    #[test]
    fn shortening_what_is_not_on_the_path_brings_nothing((plans, layers) in castles(), percent in 0u64..100) {
        let path = critical_path(&layers, 1);
        let shorter = plans.iter().enumerate().map(|(number, plan)| {
            let shortened = |time| time * percent / 100;
            let needed = path.iter().find(|step| step.layer == number.to_string()).map(|step| step.stage);
            match needed {
                None => Plan { up: shortened(plan.up), settling: shortened(plan.settling), idle: 0, ..plan.clone() },
                Some(Stage::Up) => Plan { settling: shortened(plan.settling), ..plan.clone() },
                Some(Stage::Ready) => plan.clone(),
            }
        });
        let shorter: Vec<_> = shorter.collect();
        prop_assert_eq!(end(&rise(&shorter)), end(&rise(&plans)));
    }

    #[test]
    fn whatever_the_records_say_a_path_is_one(layers in rubble()) {
        let path = critical_path(&layers, 1);
        prop_assert!(path.len() <= layers.len());
        assert_path(&layers, &path)?;
    }

    #[test]
    fn only_layers_that_took_more_than_they_may_are_named(times in prop::collection::vec((0u64..4, prop::option::of(0u64..4)), 0..9)) {
        let layers = times.iter().enumerate().map(|(number, (ready, budget))| {
            let budget = budget.map(Duration::from_secs);
            LayerRecord { budget, ..layer(&number.to_string(), vec![], 0, 0, *ready) }
        });
        let layers: Vec<_> = layers.collect();
        let over = times.iter().enumerate().filter_map(|(number, (ready, budget))| {
            let limit = budget.filter(|limit| ready > limit)?;
            Some(format!("layer {number} took {ready}.00 s at rebirth, over its budget of {limit}.00 s"))
        });
        prop_assert_eq!(over_budget(&layers), over.collect::<Vec<_>>());
    }
}
