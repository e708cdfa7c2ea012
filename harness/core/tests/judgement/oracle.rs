//! The same judgement by brute force, from the model's truth and the promise's words alone.

use crate::model::{Row, World};
use phoenix_core::{Commit, Fault, Lsn, Promise, RowId};
use std::collections::BTreeSet;

/// What the account and the verdict must say of rows that are there or not, and never altered.
#[derive(Debug, Default)]
pub struct Expected {
    pub came_back: u64,
    pub lost: BTreeSet<RowId>,
    pub holes: BTreeSet<RowId>,
    pub overshot: BTreeSet<RowId>,
    pub beyond_target: u64,
    pub fault: Option<Fault>,
}

#[derive(PartialEq)]
enum Wish {
    Must,
    May,
    MustNot,
}

/// What the promise says of a row, when this life burned last.
fn wish(promise: &Promise, burned: u32, life: u32, commit: Commit) -> Wish {
    let known_by = |lsn: Lsn| commit.lsn_after != Lsn::UNKNOWN && commit.lsn_after.0 <= lsn.0;
    match *promise {
        _ if life != burned => Wish::Must,
        Promise::EveryAcknowledgedRow => Wish::Must,
        Promise::RowsUntil { lsn } | Promise::RowsInStore { lsn } if known_by(lsn) => Wish::Must,
        Promise::RowsUntil { lsn } if commit.lsn_before.0 >= lsn.0 => Wish::MustNot,
        Promise::RowsUntil { .. } | Promise::RowsInStore { .. } => Wish::May,
    }
}

/// Judges every row by itself, and every pair of rows for holes.
pub fn expect(world: &World, promise: &Promise, burned: u32) -> Expected {
    let mut expected = Expected::default();
    let (mut lost, mut broken) = (Vec::<(&Row, Commit)>::new(), false);
    let rows: Vec<_> = world.rows.iter().filter_map(|row| Some((row, world.commit_of(row)?))).collect();
    for &(row, commit) in &rows {
        match (wish(promise, burned, row.life, commit), row.present) {
            (Wish::MustNot, false) => expected.beyond_target += 1,
            (wish, true) => {
                expected.came_back += 1;
                if wish == Wish::MustNot {
                    expected.overshot.insert(row.row);
                }
            }
            (wish, false) => {
                broken |= wish == Wish::Must;
                lost.push((row, commit));
            }
        }
    }
    for (row, commit) in lost {
        expected.lost.insert(row.row);
        let outlived = |&&(other, later): &&(&Row, Commit)| {
            other.present && other.life == row.life && later.lsn_before.0 >= commit.lsn_after.0
        };
        if let Some((later, _)) = rows.iter().find(outlived) {
            // no accusation without truth: the survivor's record really lies after the lost one's
            assert!(row.record_end < later.record_end);
            expected.holes.insert(row.row);
        }
    }
    expected.fault = match (expected.holes.is_empty(), broken, expected.overshot.is_empty()) {
        (false, _, _) => Some(Fault::Corrupt),
        (true, true, _) => Some(Fault::Loss),
        (true, false, false) => Some(Fault::Overshot),
        (true, false, true) => None,
    };
    expected
}
