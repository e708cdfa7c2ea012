//! The judgement, held against a model: writers whose commits overlap, fires that take a tail, a
//! store that was tampered with. Whatever is planted must be named, and nothing else.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod form;
mod lives;
mod losses;
mod model;
mod oracle;
mod tampering;
mod targets;

use phoenix_core::{Account, Deeds, Entry, Promise, RowId, Verdict, verdict};
use proptest::test_runner::Config;
use std::collections::BTreeSet;

/// Draws up the account and judges it as a drill would that did exactly what the protocol demands.
fn judged(entries: &[Entry], promise: &Promise) -> (Account, Verdict) {
    let account = Account::of(entries, promise).unwrap();
    let verdict = verdict::judge(&account, promise, &Deeds::PROTOCOL, &Deeds::PROTOCOL);
    (account, verdict)
}

fn lost(account: &Account) -> BTreeSet<RowId> {
    account.lost.iter().map(|row| row.row).collect()
}

fn named(rows: &[phoenix_core::account::NamedRow]) -> BTreeSet<RowId> {
    rows.iter().map(|row| row.row).collect()
}

fn cases(cases: u32) -> Config {
    Config { cases, ..Config::default() }
}
