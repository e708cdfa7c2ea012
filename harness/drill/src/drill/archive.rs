//! What the store must hold before the fire, and what it held after it.

use super::Drill;
use crate::{Ashes, Castle, Doing, Error, Result, Wait, wait_for};
use phoenix_core::{
    Lsn, Provenance, WalSegment,
    ledger::{self, Outcome},
};
use std::time::Duration;

/// How long the archiver may be stuck, and how long a segment may take on top.
const ARCHIVE_DEADLINE: Duration = Duration::from_secs(60);
const SEGMENT_DEADLINE: Duration = Duration::from_millis(250);

impl Drill {
    /// Looks at what stands around the rows, switches the WAL and waits until the store holds every segment since
    /// the last backup's start.
    pub async fn archive_everything(&mut self, castle: &dyn Castle) -> Result<()> {
        let (scene, database, began) = (&self.scene, castle.database(), self.began);
        let Some(backup) = self.report.backups.last().cloned() else {
            return Err(Error::Demand("nothing was backed up before the WAL was archived".into()));
        };
        let after = scene.spans.run("archive", async |span| {
            let identity = database.identity().await?;
            scene.look_around(&*database).await?;
            let end = database.switch_wal().await?;
            let (timeline, size) = (identity.timeline, identity.segment_size);
            // a life that has no backup of its own begins where it was reborn
            let start = if backup.timeline == timeline { backup.interval.start } else { began };
            let first = WalSegment::containing(timeline, start, size);
            let stop = WalSegment::ending_at(timeline, backup.interval.stop, size);
            let last = WalSegment::ending_at(timeline, end, size);
            let what = format!("segments {} to {} in the store", first.name(size), last.name(size));
            let count = u32::try_from(last.number - first.number).unwrap_or(u32::MAX);
            let deadline = ARCHIVE_DEADLINE + SEGMENT_DEADLINE.saturating_mul(count);
            wait_for(&what, deadline, Duration::from_millis(10), || async {
                let held = castle.segments_in_store().await?;
                let missing: Vec<_> = first.through(last).filter(|segment| !held.contains(segment)).collect();
                let Some(next) = missing.first() else { return Ok(Wait::Ready(())) };
                Ok(Wait::NotYet(format!("{} missing, first {}", missing.len(), next.name(size))))
            })
            .await?;
            span.detail(format!("{} to {} are in the store", first.name(size), last.name(size)));
            Ok(last.number - stop.number)
        });
        self.report.deeds.segments_after_backup = after.await?;
        self.report.deeds.wal_only_rows = self.rows_in_wal_alone(Lsn::UNKNOWN)?;
        self.save()
    }

    /// Acknowledged rows of this life in the ledger that lie after the last backup's stop, and before
    /// the end of what the store holds.
    fn rows_in_wal_alone(&self, end: Lsn) -> Result<u64> {
        let Some(backup) = self.report.backups.last() else { return Ok(0) };
        let attempts = ledger::attempts(&self.scene.ledger.read_back()?).doing("reading the ledger")?;
        let life = self.scene.life();
        let alone = |outcome: &Outcome| match outcome {
            Outcome::Ok { commit, .. } => {
                commit.lsn_after <= end && Provenance::of(*commit, backup.interval) == Provenance::WalAlone
            }
            Outcome::Failed | Outcome::Indeterminate => false,
        };
        Ok(attempts.values().filter(|row| row.life == life && alone(&row.outcome)).count() as u64)
    }

    /// Waits until the store holds a whole segment written after the last backup, unasked.
    pub async fn first_segment_after_backup(&mut self, castle: &dyn Castle) -> Result<()> {
        let (Some(source), Some(backup)) = (self.source(), self.report.backups.last()) else {
            return Err(Error::Demand("there was no castle with a backup".into()));
        };
        let stop = WalSegment::ending_at(source.timeline, backup.interval.stop, source.segment_size);
        let awaited = self.scene.spans.run("archive, unasked", async |span| {
            wait_for(
                "a segment after the backup in the store",
                ARCHIVE_DEADLINE,
                Duration::from_millis(20),
                || async {
                    let held = castle.segments_in_store().await?;
                    let after = held.iter().filter(|segment| **segment > stop).count();
                    Ok(if after > 0 {
                        Wait::Ready(after)
                    } else {
                        Wait::NotYet(format!("{} segments", held.len()))
                    })
                },
            )
            .await
            .map(|after| span.detail(format!("{after} segments after the backup are in the store")))
        });
        awaited.await
    }

    /// Counts what the store held when the victim was dead, and gives the end of its last segment on
    /// the source's timeline that can be reached from the last backup without a gap.
    pub async fn end_of_store(&mut self, ashes: &dyn Ashes) -> Result<Lsn> {
        let (Some(source), Some(backup)) = (self.source(), self.report.backups.last()) else {
            return Err(Error::Demand("there was no castle with a backup".into()));
        };
        let (timeline, size) = (source.timeline, source.segment_size);
        let held = ashes.segments_in_store().await?;
        let first = WalSegment::containing(timeline, backup.interval.start, size);
        let stop = WalSegment::ending_at(timeline, backup.interval.stop, size);
        let endless = WalSegment { timeline, number: u64::MAX };
        let reach = first.through(endless).take_while(|segment| held.contains(segment)).last();
        let Some(last) = reach else {
            return Err(Error::Demand("the store does not hold the backup's own WAL".into()));
        };
        let beyond = held.iter().find(|segment| segment.timeline == timeline && segment.number > last.number);
        if let Some(beyond) = beyond {
            // not a tail that was never archived: a damaged archive
            let (last, beyond) = (last.name(size), beyond.name(size));
            return Err(Error::Demand(format!("the store has a gap in the WAL between {last} and {beyond}")));
        }
        self.report.deeds.segments_after_backup = last.number.saturating_sub(stop.number);
        self.report.deeds.wal_only_rows = self.rows_in_wal_alone(last.end(size))?;
        Ok(last.end(size))
    }
}
