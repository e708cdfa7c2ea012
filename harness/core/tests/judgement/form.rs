//! What holds whatever happened: the judgement does not hang on order or form, its numbers add up, and
//! brute force comes to the same end.

use crate::{
    cases, judged, lost,
    model::{Dice, World},
    named,
    oracle::expect,
};
use phoenix_core::{
    Digest, Entry, Lsn, Promise, ReadRow, Rpo, Verdict,
    account::NamedRow,
    ledger,
    rpo::{self, Assistance},
};
use proptest::prelude::*;
use std::collections::{BTreeSet, VecDeque};

/// Up to three lives, each with a tail that its fire took, then rows that vanished anywhere.
fn damaged(seed: u64, writers: usize) -> World {
    let mut world = World::new(seed);
    for _ in 0..=world.dice.roll(3) {
        world.live(writers, 25);
        let tail = world.dice.roll(4) as usize * world.dice.roll(8) as usize;
        world.burn(world.cut_losing(tail));
    }
    let vanish = world.dice.pick(&[2, 5, 20, 1_000_000]);
    for row in &mut world.rows {
        row.present &= !world.dice.one_in(vanish);
    }
    world
}

/// Any promise, with a position anywhere near where the last life's rows lie.
fn any_promise(world: &mut World) -> Promise {
    let burned = world.life - 1;
    let commits = world.acknowledged().filter(|row| row.life == burned).filter_map(|row| row.commit());
    let near: Vec<_> = commits
        .flat_map(|commit| [commit.lsn_before, commit.lsn_after])
        .filter(|lsn| *lsn != Lsn::UNKNOWN)
        .collect();
    let lsn = Lsn(world.dice.pick(&near).0 + world.dice.roll(3) - 1);
    world.dice.pick(&[
        Promise::EveryAcknowledgedRow,
        Promise::RowsUntil { lsn },
        Promise::RowsInStore { lsn },
    ])
}

/// Rows altered, doubled and foreign besides.
fn tampered_reads(world: &mut World) -> Vec<ReadRow> {
    let mut reads = world.reads();
    for read in &mut reads {
        if world.dice.one_in(20) {
            read.digest = Digest::of(world.run.as_str(), "something else");
        }
    }
    let again: Vec<_> = reads.iter().filter(|_| world.dice.one_in(20)).cloned().collect();
    reads.extend(again);
    let refused: Vec<_> = world.rows.iter().filter(|row| row.told == Some(ledger::Outcome::Failed)).collect();
    reads.extend(refused.into_iter().map(|row| world.as_read(row)));
    let stranger = world.dice.row();
    reads.extend(reads.first().cloned().map(|read| ReadRow { row: stranger, ..read }));
    reads
}

/// The same ledger with the writers' lines in another order: each writer's own keep theirs, and none
/// crosses a fire.
fn reordered(world: &World, dice: &mut Dice) -> Vec<Entry> {
    let mut entries = Vec::new();
    for part in world.lines.split_inclusive(|(writer, _)| writer.is_none()) {
        let mut queues: Vec<VecDeque<&Entry>> = vec![VecDeque::new(); 8];
        for (writer, entry) in part {
            if let Some(writer) = writer {
                queues[*writer].push_back(entry);
            }
        }
        while queues.iter().any(|queue| !queue.is_empty()) {
            entries.extend(queues[dice.roll(8) as usize].pop_front().cloned());
        }
        entries.extend(part.iter().filter(|(writer, _)| writer.is_none()).map(|(_, entry)| entry.clone()));
    }
    entries
}

proptest! {
    #![proptest_config(cases(384))]

    #[test]
    fn an_independent_judge_agrees(seed: u64, writers in 1usize..=8) {
        let mut world = damaged(seed, writers);
        let promise = any_promise(&mut world);
        let (account, verdict) = judged(&world.ledger(), &promise);
        let expected = expect(&world, &promise, world.life - 1);
        prop_assert_eq!(lost(&account), expected.lost);
        prop_assert_eq!(named(&account.holes), expected.holes);
        prop_assert_eq!(named(&account.overshot), expected.overshot);
        prop_assert_eq!(account.came_back, expected.came_back);
        prop_assert_eq!(account.beyond_target, expected.beyond_target);
        match expected.fault {
            Some(fault) => prop_assert_eq!(verdict, Verdict::invalid(fault)),
            None => prop_assert_eq!(verdict == Verdict::Valid, expected.came_back > 0),
        }
    }

    #[test]
    fn order_and_form_do_not_matter(seed: u64, writers in 1usize..=8, other: u64) {
        let mut world = damaged(seed, writers);
        let promise = any_promise(&mut world);
        let mut reads = tampered_reads(&mut world);
        let entries = world.ledger_with(reads.clone());

        let mut dice = Dice(other);
        dice.shuffle(&mut reads);
        let mut shuffled = reordered(&world, &mut dice);
        shuffled.extend(reads.into_iter().map(Entry::Read));
        prop_assert_eq!(shuffled.len(), entries.len());

        let lines: Vec<_> = shuffled.iter().map(|entry| serde_json::to_string(entry).unwrap()).collect();
        prop_assert!(lines.iter().all(|line| !line.contains('\n')));
        let read_back: Vec<Entry> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        prop_assert_eq!(&read_back, &shuffled);

        let of = |entries: &[Entry]| {
            let (account, verdict) = judged(entries, &promise);
            let rpo = Rpo::measure(&account, entries, Assistance::Unassisted);
            (account, verdict, rpo, rpo::rto(entries))
        };
        prop_assert_eq!(of(&entries), of(&read_back));

        let (account, ..) = of(&entries);
        let json = serde_json::to_string(&account).unwrap();
        prop_assert_eq!(serde_json::from_str::<phoenix_core::Account>(&json).unwrap(), account);
    }

    /// Every attempt and every row that was read is counted, and none twice.
    #[test]
    fn the_numbers_add_up(seed: u64, writers in 1usize..=8) {
        let mut world = damaged(seed, writers);
        let promise = any_promise(&mut world);
        let reads = tampered_reads(&mut world);
        let (account, _) = judged(&world.ledger_with(reads.clone()), &promise);
        let count = |rows: &[NamedRow]| rows.len() as u64;
        let (changed, recovered) = (named(&account.changed), named(&account.recovered));
        let changed_acknowledged = changed.difference(&recovered).count() as u64;
        let lost_rows = account.lost.len() as u64;

        prop_assert_eq!(account.attempted, account.acknowledged + account.failed + account.indeterminate);
        prop_assert_eq!(
            account.acknowledged,
            account.came_back + changed_acknowledged + lost_rows + account.beyond_target
        );
        prop_assert_eq!(
            reads.len() as u64,
            account.came_back + changed_acknowledged + count(&account.recovered) + count(&account.unexpected)
        );
        prop_assert!(count(&account.recovered) <= account.indeterminate);
        prop_assert!(count(&account.overshot) <= account.came_back + changed_acknowledged);
        prop_assert!(named(&account.holes).is_subset(&lost(&account)));
        prop_assert!(lost(&account).is_disjoint(&reads.iter().map(|read| read.row).collect::<BTreeSet<_>>()));
        prop_assert_eq!(lost(&account).len(), account.lost.len());
    }
}

/// A model that never plays a part proves nothing about it.
#[test]
fn the_model_plays_every_part() {
    let mut parts = [0u32; 8];
    for seed in 0..40 {
        let mut world = damaged(seed, 8);
        let commits: Vec<_> = world.acknowledged().filter_map(|row| row.commit()).collect();
        let overlaps = commits.windows(2).any(|pair| pair[1].lsn_before < pair[0].lsn_after);
        let unanswered = |told: Option<ledger::Outcome>, committed: bool| {
            world.rows.iter().any(|row| row.told == told && row.record_end.is_some() == committed)
        };
        let told = Some(ledger::Outcome::Indeterminate);
        let seen = [
            overlaps,
            commits.iter().any(|commit| commit.lsn_after == Lsn::UNKNOWN),
            unanswered(told.clone(), true),
            unanswered(told, false),
            unanswered(None, true),
            unanswered(None, false),
            unanswered(Some(ledger::Outcome::Failed), false),
            matches!(any_promise(&mut world), Promise::RowsUntil { .. }),
        ];
        parts.iter_mut().zip(seen).for_each(|(part, seen)| *part += u32::from(seen));
    }
    assert!(parts.iter().all(|part| *part >= 5), "{parts:?}");
}

/// Every verdict is reached by chance, so that agreement is not a matter of one of them.
#[test]
fn the_model_reaches_every_verdict() {
    let mut words = BTreeSet::new();
    for seed in 0..400 {
        let mut world = damaged(seed, 1 + seed as usize % 8);
        let promise = any_promise(&mut world);
        words.insert(judged(&world.ledger(), &promise).1.word());
    }
    let all = ["invalid:corrupt", "invalid:loss", "invalid:overshot", "valid"];
    assert!(all.iter().all(|word| words.contains(word)), "{words:?}");
}
