//! Whether missing segments may have been removed by retention, as far as a store can tell.
//!
//! pgBackRest picks a backup. From its start on all WAL stays; of what is older only that stays which a
//! backup needs to be consistent, and all the rest goes. Segments are compared by their names, so that an
//! older timeline is older as a whole. What contradicts that was lost.
//!
//! Source: pgBackRest, `command/expire/expire.c` (`removeExpiredArchive`).

use crate::{
    info::BackupEntry,
    judge::{
        backups::Need,
        wal::{Hole, Wal},
    },
    retention::Retention,
};
use phoenix_core::WalSegment;

/// What retention has to do with segments that are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expiry {
    /// It never removes them.
    Never,
    /// It removes them as it is set.
    AsTold(Retention),
    /// It removes them if it is set like this, and nobody told how it is.
    If(Retention),
}

/// Backups, in the order of their labels, and the first segment of all that stays since them.
#[derive(Debug)]
pub(super) struct Kept<'a> {
    needs: &'a [Need],
    backups: &'a [BackupEntry],
    told: Option<Retention>,
    begins: Vec<(&'a str, WalSegment)>,
    /// The first segment that is there, and that no backup needs: retention removes nothing younger.
    loose: Option<WalSegment>,
}

impl<'a> Kept<'a> {
    pub(super) fn of(
        wal: &Wal,
        needs: &'a [Need],
        backups: &'a [BackupEntry],
        told: Option<Retention>,
    ) -> Self {
        let mut ordered: Vec<_> = needs.iter().collect();
        ordered.sort_by(|one, other| other.label.cmp(&one.label));
        let mut begins: Vec<(&str, WalSegment)> = Vec::new();
        for need in ordered {
            let first = need.position.first;
            let first = begins.last().map_or(first, |(_, begin)| first.min(*begin));
            begins.push((&need.label, first));
        }
        begins.reverse();
        let is_loose = |segment: &WalSegment| !needs.iter().any(|need| need.includes(*segment));
        Self { needs, backups, told, begins, loose: wal.segments().find(is_loose) }
    }

    pub(super) fn explain(&self, hole: &Hole, db_id: u64) -> Expiry {
        let is_needed =
            self.needs.iter().any(|need| need.includes(hole.first) || hole.includes(need.position.first));
        if is_needed {
            return Expiry::Never;
        }
        let mut younger = self.begins.iter().filter(|(_, begin)| hole.last < *begin);
        if let Some(told) = self.told {
            let decides = told.decides(self.backups, db_id);
            let is_expired = decides.is_some_and(|label| younger.any(|(younger, _)| *younger == label));
            return if is_expired { Expiry::AsTold(told) } else { Expiry::Never };
        }
        let settings = younger
            .filter(|(_, begin)| self.loose.is_none_or(|loose| *begin <= loose))
            .filter_map(|(label, _)| Retention::with_which(label, self.backups));
        let mut settings: Vec<_> = settings.collect();
        // those that count full backups are the likeliest, and of them the one that keeps most
        settings
            .sort_by_key(|setting| !matches!(setting, Retention::Newest(_, crate::retention::Counted::Full)));
        settings.first().map_or(Expiry::Never, |setting| Expiry::If(*setting))
    }
}
