//! Several lives: each writes over the positions that the one before it lost.

use crate::{cases, judged, lost, model::World, named};
use phoenix_core::{Entry, Fault, Lsn, Promise, Rpo, Verdict, rpo::Assistance};
use proptest::prelude::*;
use std::collections::BTreeSet;

const FULL: Promise = Promise::EveryAcknowledgedRow;

/// A life that lost so many rows in its fire, and one after it that has rows of its own.
fn two_lives(seed: u64, writers: usize, lost: usize) -> World {
    let mut world = World::of_one_life(seed, writers, lost + 20);
    world.burn(world.cut_losing(lost));
    world.live(writers, 20);
    world
}

/// Every promise that the life which burned last can be held to, kept there.
fn kept(world: &World) -> [Promise; 3] {
    let lsn = world.position;
    [FULL, Promise::RowsUntil { lsn }, Promise::RowsInStore { lsn }]
}

proptest! {
    #![proptest_config(cases(192))]

    /// The lives' positions overlap: a row that a fire took is not outlived by a later life's rows.
    #[test]
    fn every_fire_takes_its_own_tail(
        seed: u64, writers in 1usize..=8, planted in prop::collection::vec(0usize..30, 1..=4),
    ) {
        let mut world = World::new(seed);
        let mut gone = BTreeSet::new();
        for &tail in &planted {
            world.live(writers, tail + 5);
            let order = world.in_commit_order();
            gone.extend(order[order.len() - tail..].iter().map(|row| row.row));
            world.burn(world.cut_losing(tail));
        }
        let entries = world.ledger();
        let (account, verdict) = judged(&entries, &FULL);
        prop_assert_eq!(&lost(&account), &gone);
        prop_assert!(account.holes.is_empty());
        let expected = if gone.is_empty() { Verdict::Valid } else { Verdict::invalid(Fault::Loss) };
        prop_assert_eq!(verdict, expected);
        prop_assert_eq!(Rpo::measure(&account, &entries, Assistance::Assisted).rows, gone.len() as u64);
    }

    /// Wherever the target lies, it is no excuse for a row that an earlier fire took.
    #[test]
    fn no_position_excuses_what_an_earlier_fire_took(
        seed: u64, writers in 1usize..=8, planted in 1usize..30, at in 0u64..20_000,
    ) {
        let mut world = two_lives(seed, writers, planted);
        let lsn = Lsn((world.in_commit_order()[0].record_end.unwrap().0 + at).min(world.position.0));
        world.burn(lsn);
        for promise in [Promise::RowsUntil { lsn }, Promise::RowsInStore { lsn }] {
            let (account, verdict) = judged(&world.ledger(), &promise);
            prop_assert_eq!(&verdict, &Verdict::invalid(Fault::Loss), "{}", promise);
            prop_assert_eq!(account.lost.iter().filter(|row| row.life == 0).count(), planted);
        }
    }

    /// Rows of the life that is lived now lie after every target and were never burned.
    #[test]
    fn rows_written_after_the_rebirth_must_be_there(seed: u64, writers in 1usize..=8) {
        let mut world = two_lives(seed, writers, 0);
        let promises = kept(&world);
        world.burn(world.position);
        world.live(writers, 5);
        for promise in promises {
            let (account, verdict) = judged(&world.ledger(), &promise);
            prop_assert_eq!(verdict, Verdict::Valid, "{}", promise);
            prop_assert!(account.overshot.is_empty() && account.beyond_target == 0);
        }
        let last = world.in_commit_order().last().unwrap().row;
        world.rows.iter_mut().filter(|row| row.row == last).for_each(|row| row.present = false);
        for promise in promises {
            let (account, verdict) = judged(&world.ledger(), &promise);
            prop_assert_eq!(verdict, Verdict::invalid(Fault::Loss), "{}", promise);
            prop_assert_eq!(lost(&account), BTreeSet::from([last]));
        }
    }

    /// What was read before a fire proves nothing after it, be it the same rows or all that are gone.
    #[test]
    fn what_an_earlier_life_was_seen_to_hold_does_not_count(
        seed: u64, writers in 1usize..=8, all_is_gone: bool,
    ) {
        let mut world = World::of_one_life(seed, writers, 20);
        world.burn(world.position);
        let seen = world.reads();
        world.lines.extend(seen.into_iter().map(|row| (None, Entry::Read(row))));
        world.live(writers, 5);
        world.burn(world.position);
        if all_is_gone {
            world.rows.iter_mut().for_each(|row| row.present = false);
        }
        let (account, verdict) = judged(&world.ledger(), &FULL);
        let expected = if all_is_gone { Verdict::invalid(Fault::Loss) } else { Verdict::Valid };
        prop_assert_eq!(verdict, expected);
        prop_assert_eq!(account.came_back, if all_is_gone { 0 } else { account.acknowledged });
        prop_assert!(named(&account.unexpected).is_empty());
    }
}
