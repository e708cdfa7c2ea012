//! Rows that are not what was written, or were never written.

use crate::{cases, judged, lost, model::World, named};
use phoenix_core::{Account, Digest, Fault, Promise, ReadRow, RowId, RunId, Verdict, ledger::Outcome};
use proptest::prelude::*;
use std::collections::BTreeSet;

const FULL: Promise = Promise::EveryAcknowledgedRow;

fn whole(seed: u64, writers: usize) -> (World, Vec<ReadRow>, Account) {
    let mut world = World::of_one_life(seed, writers, 60);
    world.burn(world.position);
    let mut reads = world.reads();
    world.dice.shuffle(&mut reads);
    let (account, verdict) = judged(&world.ledger(), &FULL);
    assert_eq!(verdict, Verdict::Valid, "the control: without the fault it passes");
    (world, reads, account)
}

fn corrupt(world: &World, reads: Vec<ReadRow>) -> Account {
    let (account, verdict) = judged(&world.ledger_with(reads), &FULL);
    assert_eq!(verdict, Verdict::invalid(Fault::Corrupt));
    account
}

fn acknowledged(world: &World, row: RowId) -> bool {
    world.acknowledged().any(|other| other.row == row)
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn changed_content_is_corruption(seed: u64, writers in 1usize..=8) {
        let (world, mut reads, control) = whole(seed, writers);
        let row = reads[0].row;
        reads[0].digest = Digest::of(world.run.as_str(), "something else");
        let account = corrupt(&world, reads);
        prop_assert_eq!(named(&account.changed), BTreeSet::from([row]));
        prop_assert_eq!(account.came_back, control.came_back - u64::from(acknowledged(&world, row)));
        prop_assert!(account.lost.is_empty() && account.unexpected.is_empty());
    }

    #[test]
    fn a_row_never_attempted_is_corruption(seed: u64, writers in 1usize..=8) {
        let (mut world, mut reads, control) = whole(seed, writers);
        reads[0].row = world.dice.row();
        let (stranger, twin) = (reads[0].row, world.reads());
        let gone = twin.iter().find(|read| reads.iter().all(|other| other.row != read.row)).unwrap().row;
        let account = corrupt(&world, reads);
        prop_assert_eq!(named(&account.unexpected), BTreeSet::from([stranger]));
        prop_assert_eq!(lost(&account).contains(&gone), acknowledged(&world, gone));
        prop_assert_eq!(account.came_back, control.came_back - u64::from(acknowledged(&world, gone)));
    }

    #[test]
    fn a_refused_row_that_is_there_is_corruption(seed: u64, writers in 1usize..=8) {
        let (world, mut reads, control) = whole(seed, writers);
        let refused = world.rows.iter().find(|row| row.told == Some(Outcome::Failed));
        prop_assume!(refused.is_some());
        reads.push(world.as_read(refused.unwrap()));
        let account = corrupt(&world, reads);
        prop_assert_eq!(named(&account.unexpected), BTreeSet::from([refused.unwrap().row]));
        prop_assert_eq!(account.came_back, control.came_back);
    }

    #[test]
    fn a_row_read_twice_is_corruption_and_counts_once(seed: u64, writers in 1usize..=8, altered: bool) {
        let (mut world, mut reads, control) = whole(seed, writers);
        let mut twin = reads[0].clone();
        if altered {
            twin.digest = Digest::of(world.run.as_str(), "something else");
        }
        reads.push(twin);
        world.dice.shuffle(&mut reads);
        let account = corrupt(&world, reads);
        prop_assert_eq!(account.unexpected.len(), 1);
        prop_assert_eq!(account.came_back, control.came_back);
        prop_assert!(account.lost.is_empty() && account.changed.is_empty());
    }

    /// Yesterday's rows with today's content, under identities of their own or, as after a copy, under
    /// today's: none of them makes up for a row that is gone.
    #[test]
    fn another_runs_row_never_counts_as_come_back(seed: u64, writers in 1usize..=8, same_identity: bool) {
        let (mut world, _, _) = whole(seed, writers);
        let yesterday = RunId::new(0, 7);
        let of_yesterday = |row: &crate::model::Row, identity| {
            let digest = Digest::of(yesterday.as_str(), &row.content);
            ReadRow { row: identity, digest, label: row.content.clone() }
        };
        let rows: Vec<_> = world.rows.iter().filter(|row| row.present).cloned().collect();
        let identify = |row: &crate::model::Row| if same_identity { row.row } else { world.dice.row() };
        let identities: Vec<_> = rows.iter().map(identify).collect();
        let reads = rows.iter().zip(&identities).map(|(row, identity)| of_yesterday(row, *identity));
        let account = corrupt(&world, reads.collect());
        prop_assert_eq!(account.came_back, 0);
        let strangers = if same_identity { &account.changed } else { &account.unexpected };
        prop_assert_eq!(named(strangers), identities.into_iter().collect::<BTreeSet<_>>());
        let gone: BTreeSet<_> = world.acknowledged().map(|row| row.row).collect();
        prop_assert_eq!(lost(&account), if same_identity { BTreeSet::new() } else { gone });
    }
}
