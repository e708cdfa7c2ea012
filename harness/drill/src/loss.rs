//! What the stage knows of rows that did not come back as was promised: what whoever looks for the cause
//! begins with.

use crate::Identity;
use phoenix_core::{
    Account, Commit, LostRow, Promise, RecoveryTarget, Timeline, WalSegment, report::BackupRecord,
};
use std::collections::BTreeSet;

/// What the stage knows of rows that did not come back as was promised.
#[derive(Debug, Clone)]
pub struct Loss {
    /// What came back and what did not.
    pub account: Account,
    /// What was promised.
    pub promise: Promise,
    /// The first of the rows that came back though they lie beyond the target: its name and its commit.
    pub beyond: Option<(String, Commit)>,
    /// Every backup that was taken.
    pub backups: Vec<BackupRecord>,
    /// To where the castle was last brought back; `None` if it never was.
    pub target: Option<RecoveryTarget>,
    /// Who the cluster was in each of its lives: the born one first, the one that was judged last.
    pub lives: Vec<Identity>,
    /// The WAL segments that the store held when the victim was dead, if it let itself be asked then.
    pub held: Option<BTreeSet<WalSegment>>,
}

impl Loss {
    /// The cluster that burned last; `None` without a birth.
    pub fn source(&self) -> Option<Identity> {
        self.life(self.account.burned_life).or_else(|| self.reborn())
    }

    /// The cluster that was judged; `None` without a birth.
    pub fn reborn(&self) -> Option<Identity> {
        self.lives.last().copied()
    }

    /// The timeline that a row was written on.
    pub fn timeline(&self, row: &LostRow) -> Option<Timeline> {
        self.life(row.life).map(|life| life.timeline)
    }

    fn life(&self, life: u32) -> Option<Identity> {
        self.lives.get(usize::try_from(life).ok()?).copied()
    }
}
