//! What the data of the catalogue must be, before anything of it is played.

use super::*;
use phoenix_core::defect::{Act, Archiving, Choice, Outcome};
use std::collections::BTreeSet;

/// What is wrong with a defect, if anything is.
fn faults(defect: &Defect, codes: &BTreeSet<&str>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut holds = |holds: bool, what: &str| {
        if !holds {
            faults.push(format!("{}: {what}", defect.name));
        }
    };
    let [acts, before_rebirth] = [planted(defect), defect.after_fire.iter().collect()];
    let plants = !acts.is_empty() || defect.archiving != Archiving::Awaited;
    holds(plants != defect.name.contains("/nothing"), "a control plants nothing, and a defect does");
    let asks = before_rebirth.iter().any(|act| matches!(act, Act::Restore(_)));
    let loud = defect.name.starts_with("loud-failure/");
    holds(!loud || defect.reborn.is_empty(), "it plants what its family does not play");
    let seconds = acts.iter().copied().filter_map(|act| match act {
        Act::InSecond(act) => Some(&**act),
        _ => None,
    });
    let altered = |act: &Act| match act {
        Act::Delete(_) | Act::Flip(_) | Act::FlipEarly(_) | Act::Truncate(_) | Act::Empty(_) => true,
        act => act.is_fault(),
    };
    let (second, seconds) = (defect.second_repository == Choice::Yes, seconds.collect::<Vec<_>>());
    holds(
        seconds.iter().all(|act| second && altered(act)),
        "it does to a second repository what cannot be done",
    );
    let earlier = defect.life.is_none_or(|life| (1..defect.lives).contains(&life));
    let several = defect.name.starts_with("timelines/") || (defect.lives == 2 && defect.life.is_none());
    holds(earlier && several, "it means a life that is not lived");
    let silent = defect.name.starts_with("silent-loss/");
    holds(!silent || asks || defect.sealed.is_some(), "it can be sealed, and does not say how it ends");
    for (ending, sealed) in [(Some(&defect.latest), false), (defect.sealed.as_ref(), true)] {
        let Some(ending) = ending else { continue };
        let fits = match (ending.verdict, ending.lost) {
            (Outcome::Valid, lost) => lost == Lost::Nothing,
            (Outcome::Loss, lost) => !matches!(lost, Lost::Nothing | Lost::Unread),
            (Outcome::Corrupt, lost) => matches!(lost, Lost::Nothing | Lost::One),
            // sealed, a naive rebirth counts what is lost
            (Outcome::NotReborn, lost) => (lost == Lost::Unread) || (sealed && lost != Lost::Nothing),
        };
        holds(fits, &format!("{:?} does not fit {:?}", ending.lost, ending.verdict));
        let told = ending.finding.as_deref().is_none_or(|code| codes.contains(code));
        holds(told, &format!("docs/troubleshooting.md has no {:?}", ending.finding));
        holds(ending.verdict != Outcome::Valid || ending.finding.is_none(), "what is well has no finding");
    }
    faults
}

fn planted(defect: &Defect) -> Vec<&Act> {
    let Defect { born, writing, before_fire, after_fire, reborn, .. } = defect;
    [born, writing, before_fire, after_fire, reborn].into_iter().flatten().collect()
}

fn codes() -> BTreeSet<&'static str> {
    include_str!("../../../../../docs/troubleshooting.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | ").map(|(code, _)| code))
        .collect()
}

#[test]
fn every_defect_says_what_it_must() {
    let codes = codes();
    let faults: Vec<_> = all().flat_map(|(defect, _)| faults(defect, &codes)).collect();
    assert_eq!(faults, [""; 0]);
}

#[test]
fn what_is_wrong_with_a_defect_is_noticed() {
    let defect = || find("silent-loss/middle-segment-deleted").unwrap().0.clone();
    let wrong = |change: fn(&mut Defect)| {
        let mut defect = defect();
        change(&mut defect);
        faults(&defect, &codes())
    };
    assert_eq!(wrong(|_| {}), [""; 0], "the control");
    let all = [
        wrong(|defect| defect.after_fire.clear()),
        wrong(|defect| defect.name = "look-alike/nothing".into()),
        wrong(|defect| defect.sealed = None),
        wrong(|defect| defect.latest.lost = Lost::Nothing),
        wrong(|defect| defect.latest.finding = Some("wal-mising".into())),
    ];
    assert!(all.iter().all(|faults| faults.len() == 1), "{all:#?}");
    let mut late = find("loud-failure/key-wrong").unwrap().0.clone();
    late.reborn.push(Act::Sql("SELECT 1".into()));
    assert_eq!(faults(&late, &codes()).len(), 1);
    late.after_fire.push(Act::InSecond(Box::new(Act::Sql("SELECT 1".into()))));
    late.life = Some(3);
    assert_eq!(faults(&late, &codes()).len(), 3);
}

#[test]
fn the_catalogue_is_as_large_as_it_was_and_no_name_is_there_twice() {
    let names: Vec<_> = all().map(|(defect, _)| defect.name.as_str()).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    let count = |family: &str| names.iter().filter(|name| name.starts_with(family)).count();
    let counted = [count("silent-loss/"), count("loud-failure/"), count("look-alike/"), count("timelines/")];
    let least = [24, 20, 10, 8];
    assert!(counted.iter().zip(least).all(|(counted, least)| *counted >= least), "{counted:?}");
}

#[test]
fn each_way_to_show_it_tells_every_defect() {
    let (table, lines, json) = (table(), lines(), json());
    assert_eq!(json.as_array().unwrap().len(), all().count());
    for (defect, _) in all() {
        assert!(table.contains(&format!("| `{}` |", defect.name)) && lines.contains(&defect.name));
    }
    let first = &json[0];
    assert_eq!(
        first["latest"],
        serde_json::json!({ "expected": "invalid:loss", "lost": "from-middle",
        "finding": "wal-missing" })
    );
    assert_eq!(first["sealed"]["expected"], "invalid:not-reborn");
}
