//! Recovery to a position, and a tail that the store never held.

use crate::{
    cases, judged, lost,
    model::{Dice, Row, World},
    named,
    oracle::expect,
};
use phoenix_core::{Account, Commit, Fault, Lsn, Promise, RowId, Verdict};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// A life with a quiet gap, with acknowledged rows before it and after it, and the gap.
fn with_a_gap(seed: u64, writers: usize) -> (World, Lsn) {
    for attempt in 0.. {
        let mut world = World::of_one_life(seed.wrapping_add(attempt), writers, 120);
        let order = world.in_commit_order();
        let parts = |gap: &Lsn| order.first().unwrap().ends_by(*gap) && !order.last().unwrap().ends_by(*gap);
        let gaps: Vec<_> = world.quiet.iter().copied().filter(parts).collect();
        if !gaps.is_empty() {
            let gap = world.dice.pick(&gaps);
            return (world, gap);
        }
    }
    unreachable!("some life has a pause in its midst")
}

/// The first acknowledged row whose commit record ends after a position.
fn first_after(world: &World, lsn: Lsn) -> Row {
    world.in_commit_order().into_iter().find(|row| !row.ends_by(lsn)).unwrap()
}

fn recovered_to(world: &mut World, cut: Lsn, promise: &Promise) -> (Account, Verdict) {
    world.burn(cut);
    judged(&world.ledger(), promise)
}

/// A position in the midst of the writers' work, which some rows' intervals straddle.
fn amid(world: &mut World) -> Lsn {
    let order = world.in_commit_order();
    let commit = world.dice.pick(&order.iter().collect::<Vec<_>>()).commit().unwrap();
    Lsn(commit.lsn_before.0 + world.dice.roll(80))
}

/// The acknowledged rows whose commits may lie on either side of a position.
fn straddling(world: &World, lsn: Lsn) -> BTreeSet<RowId> {
    let straddles = |commit: Commit| commit.lsn_before < lsn && lsn < commit.lsn_after;
    let rows = world.rows.iter().filter(|row| world.commit_of(row).is_some_and(straddles));
    rows.map(|row| row.row).collect()
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn a_recovery_that_stops_in_the_gap_is_valid(seed: u64, writers in 1usize..=8) {
        let (mut world, lsn) = with_a_gap(seed, writers);
        let (account, verdict) = recovered_to(&mut world, lsn, &Promise::RowsUntil { lsn });
        prop_assert_eq!(verdict, Verdict::Valid);
        let after = world.acknowledged().filter(|row| !row.ends_by(lsn)).count() as u64;
        prop_assert_eq!((account.beyond_target, account.came_back), (after, account.acknowledged - after));
        prop_assert!(account.holes.is_empty() && account.overshot.is_empty());
        prop_assert!(account.lost.is_empty());
    }

    #[test]
    fn one_row_less_is_a_loss(seed: u64, writers in 1usize..=8) {
        let (mut world, lsn) = with_a_gap(seed, writers);
        let known = |row: &&Row| row.commit().is_some_and(|commit| commit.lsn_after <= lsn);
        let last = world.in_commit_order().iter().rfind(known).cloned();
        prop_assume!(last.is_some());
        let last = last.unwrap();
        let cut = Lsn(last.record_end.unwrap().0 - 1);
        let (account, verdict) = recovered_to(&mut world, cut, &Promise::RowsUntil { lsn });
        prop_assert!(lost(&account).contains(&last.row));
        prop_assert_eq!(verdict, Verdict::invalid(Fault::Loss));
    }

    #[test]
    fn one_row_more_is_an_overshoot(seed: u64, writers in 1usize..=8) {
        let (mut world, lsn) = with_a_gap(seed, writers);
        let first = first_after(&world, lsn);
        let cut = first.record_end.unwrap();
        let (account, verdict) = recovered_to(&mut world, cut, &Promise::RowsUntil { lsn });
        prop_assert_eq!(named(&account.overshot), BTreeSet::from([first.row]));
        prop_assert_eq!(verdict, Verdict::invalid(Fault::Overshot));
        prop_assert!(account.lost.is_empty());
    }

    /// Of the rows that were being committed at the target, any may be there.
    #[test]
    fn rows_that_straddle_a_target_are_free(seed: u64, writers in 2usize..=8, flips: u64) {
        let mut world = World::of_one_life(seed, writers, 60);
        let lsn = amid(&mut world);
        let promise = Promise::RowsUntil { lsn };
        let (_, exact) = recovered_to(&mut world, lsn, &promise);
        let (free, mut dice) = (straddling(&world, lsn), Dice(flips));
        for row in world.rows.iter_mut().filter(|row| free.contains(&row.row)) {
            row.present = dice.one_in(2);
        }
        let (account, verdict) = judged(&world.ledger(), &promise);
        prop_assert!(account.holes.is_empty() && account.overshot.is_empty());
        prop_assert!(lost(&account).is_subset(&free));
        // without a single row nothing is proven
        let passes = |verdict: &Verdict, came_back: u64| matches!(verdict, Verdict::Valid) == (came_back > 0);
        prop_assert!(passes(&verdict, account.came_back), "{verdict}");
        prop_assert!(!matches!(exact, Verdict::Invalid { .. }), "{exact}");
    }

    #[test]
    fn losing_only_the_tail_that_the_store_never_held_is_valid(
        seed: u64, writers in 1usize..=8, beyond in 0u64..4000,
    ) {
        let (mut world, lsn) = with_a_gap(seed, writers);
        let lsn = amid(&mut world).max(lsn);
        let cut = Lsn(lsn.0 + beyond);
        let (account, verdict) = recovered_to(&mut world, cut, &Promise::RowsInStore { lsn });
        prop_assert_eq!(verdict, Verdict::Valid);
        let gone = world.acknowledged().filter(|row| !row.ends_by(cut)).map(|row| row.row);
        prop_assert_eq!(lost(&account), gone.collect::<BTreeSet<_>>());
        prop_assert!(account.holes.is_empty() && account.beyond_target == 0 && account.overshot.is_empty());
    }

    #[test]
    fn losing_a_row_that_the_store_held_is_a_loss(seed: u64, writers in 1usize..=8, scattered: bool) {
        let mut world = World::of_one_life(seed, writers, 60);
        let order = world.in_commit_order();
        let is_known = |row: &&Row| row.commit().is_some_and(|commit| commit.lsn_after != Lsn::UNKNOWN);
        let known: Vec<_> = order.iter().filter(is_known).collect();
        let victim = world.dice.pick(&known);
        let lsn = Lsn(victim.commit().unwrap().lsn_after.0 + world.dice.roll(2) * world.dice.roll(500));
        let promise = Promise::RowsInStore { lsn };
        let cut = if scattered { world.position } else { Lsn(victim.record_end.unwrap().0 - 1) };
        world.burn(cut);
        world.rows.iter_mut().filter(|row| row.row == victim.row).for_each(|row| row.present = false);
        let (account, verdict) = judged(&world.ledger(), &promise);
        prop_assert!(lost(&account).contains(&victim.row));
        let fault = if expect(&world, &promise, 0).holes.is_empty() { Fault::Loss } else { Fault::Corrupt };
        prop_assert_eq!(verdict, Verdict::invalid(fault));
        prop_assert!(scattered || fault == Fault::Loss);
    }
}
