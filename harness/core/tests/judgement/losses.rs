//! Whole recoveries, lost tails and scattered losses, under the full promise.

use crate::{
    cases, judged, lost,
    model::{Dice, World},
    named,
    oracle::expect,
};
use phoenix_core::{
    Account, Deeds, Fault, Lsn, Promise, Rpo, Verdict, ledger::Outcome, rpo::Assistance, verdict,
};
use proptest::{prelude::*, sample::select};
use std::collections::BTreeSet;

const FULL: Promise = Promise::EveryAcknowledgedRow;

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn a_whole_recovery_is_valid(seed: u64, writers in 1usize..=8, rows in 1usize..80, lives in 1u32..=3) {
        let mut world = World::new(seed);
        for _ in 0..lives {
            world.live(writers, rows);
            world.burn(world.position);
        }
        let (account, verdict) = judged(&world.ledger(), &FULL);
        prop_assert_eq!(verdict, Verdict::Valid);
        prop_assert_eq!(account.came_back, world.acknowledged().count() as u64);
        let failed = world.rows.iter().filter(|row| row.told == Some(Outcome::Failed)).count() as u64;
        prop_assert_eq!(account.failed, failed);
        prop_assert_eq!(account.attempted, account.acknowledged + account.failed + account.indeterminate);
        let unanswered = world.rows.iter().filter(|row| row.commit().is_none() && row.record_end.is_some());
        prop_assert_eq!(named(&account.recovered), unanswered.map(|row| row.row).collect::<BTreeSet<_>>());
        let faults = [&account.holes, &account.overshot, &account.changed, &account.unexpected];
        prop_assert!(account.lost.is_empty() && faults.iter().all(|rows| rows.is_empty()));
    }

    #[test]
    fn a_drill_that_did_too_little_is_unknown(
        seed: u64, writers in 1usize..=8, demands in [0u64..5, 0..5, 0..5, 0..5], short in 0usize..4,
    ) {
        let mut world = World::of_one_life(seed, writers, 20);
        world.burn(world.position);
        let account = Account::of(&world.ledger(), &FULL).unwrap();
        let deeds = |counts: [u64; 4]| {
            let [wal_only_rows, segments_after_backup, wipes, restores] = counts;
            Deeds { wal_only_rows, segments_after_backup, wipes, restores }
        };
        let mut demanded = demands;
        demanded[short] += 1;
        let mut done = demanded;
        prop_assert_eq!(verdict::judge(&account, &FULL, &deeds(done), &deeds(demanded)), Verdict::Valid);
        done[short] -= 1;
        let verdict = verdict::judge(&account, &FULL, &deeds(done), &deeds(demanded));
        let unknown = matches!(verdict, Verdict::Unknown { .. });
        prop_assert!(unknown, "{verdict}");
    }
}

proptest! {
    #![proptest_config(cases(96))]

    /// Intervals overlap and the last positions are unknown, yet a tail is never taken for a hole.
    #[test]
    fn a_lost_tail_is_a_loss_of_exactly_those_rows(
        seed: u64, writers in 1usize..=8, kept in 1usize..40, planted in select(vec![0usize, 1, 7, 1000]),
        lives in 1u32..=2,
    ) {
        let mut world = World::new(seed);
        for _ in 1..lives {
            world.live(writers, kept);
            world.burn(world.position);
        }
        world.live(writers, planted + kept);
        let (cut, mut tail, end) = (world.cut_losing(planted), world.in_commit_order(), world.position);
        let tail = tail.split_off(tail.len() - planted);
        let disaster = world.burn(cut);
        let entries = world.ledger();
        let (account, verdict) = judged(&entries, &FULL);

        prop_assert_eq!(lost(&account), tail.iter().map(|row| row.row).collect::<BTreeSet<_>>());
        prop_assert!(account.holes.is_empty());
        let expected = if planted == 0 { Verdict::Valid } else { Verdict::invalid(Fault::Loss) };
        prop_assert_eq!(verdict, expected);

        let rpo = Rpo::measure(&account, &entries, Assistance::Unassisted);
        prop_assert_eq!(rpo.rows, planted as u64);
        let first = tail.iter().filter_map(|row| row.acknowledged_at()).min();
        prop_assert_eq!(rpo.duration, first.map_or_else(Default::default, |first| disaster.since(first)));
        let positions = || tail.iter().filter_map(|row| row.commit());
        let start = positions().map(|commit| commit.lsn_before).min().unwrap_or(end);
        let known = positions().map(|commit| commit.lsn_after).filter(|lsn| *lsn != Lsn::UNKNOWN).max();
        prop_assert!(rpo.wal_bytes <= end.bytes_since(start), "{rpo:?}");
        prop_assert!(rpo.wal_bytes >= known.unwrap_or(start).bytes_since(start), "{rpo:?}");
        prop_assert!(!tail.is_empty() || rpo.wal_bytes == 0);
    }

    /// Rows that vanish in the middle: exactly they are lost, and those are holes which provably are.
    #[test]
    fn scattered_losses_are_lost_and_provable_holes_are_corruption(
        seed: u64, writers in 1usize..=8, kept in 1usize..40, planted in select(vec![1usize, 7, 1000]),
    ) {
        let mut world = World::of_one_life(seed, writers, planted + kept);
        let mut order = world.in_commit_order();
        world.burn(world.position);
        world.dice.shuffle(&mut order);
        let planted: BTreeSet<_> = order[..planted].iter().map(|row| row.row).collect();
        for row in &mut world.rows {
            row.present &= !planted.contains(&row.row);
        }
        let (account, verdict) = judged(&world.ledger(), &FULL);
        let expected = expect(&world, &FULL, 0);
        prop_assert_eq!(&lost(&account), &planted);
        prop_assert_eq!(named(&account.holes), expected.holes);
        prop_assert_eq!(verdict, Verdict::invalid(expected.fault.unwrap()));
    }

    /// Where one writer was at work and every position is known, no hole can hide.
    #[test]
    fn one_writers_holes_are_all_found(seed: u64, rows in 2usize..60, victim: u64) {
        let mut world = World::of_one_life(seed, 1, rows);
        let order = world.in_commit_order();
        world.burn(world.position);
        let known: Vec<_> = order[..order.len() - 1].iter().filter(|row| {
            row.commit().is_some_and(|commit| commit.lsn_after != Lsn::UNKNOWN)
        }).collect();
        prop_assume!(!known.is_empty());
        let victim = Dice(victim).pick(&known).row;
        world.rows.iter_mut().filter(|row| row.row == victim).for_each(|row| row.present = false);
        let (account, verdict) = judged(&world.ledger(), &FULL);
        prop_assert_eq!(named(&account.holes), BTreeSet::from([victim]));
        prop_assert_eq!(verdict, Verdict::invalid(Fault::Corrupt));
    }
}

#[test]
fn without_a_row_that_came_back_nothing_is_known() {
    let mut world = World::new(1);
    let unknown = |world: &World| matches!(judged(&world.ledger(), &FULL).1, Verdict::Unknown { .. });
    assert!(unknown(&world), "an empty ledger");
    world.burn(world.position);
    assert!(unknown(&world), "a fire, and nothing to burn");

    // rows, but none that was acknowledged
    let mut world = World::of_one_life(2, 8, 40);
    world.burn(world.position);
    let acknowledged: BTreeSet<_> = world.acknowledged().map(|row| row.row).collect();
    world.rows.retain(|row| !acknowledged.contains(&row.row));
    let of = |entry: &phoenix_core::Entry| match entry {
        phoenix_core::Entry::Invoked { row, .. } | phoenix_core::Entry::Ok { row, .. } => Some(*row),
        _ => None,
    };
    world.lines.retain(|(_, entry)| of(entry).is_none_or(|row| !acknowledged.contains(&row)));
    assert!(world.rows.iter().any(|row| row.present), "the model has rows without an answer");
    assert!(unknown(&world), "only rows whose answer never came");
}
