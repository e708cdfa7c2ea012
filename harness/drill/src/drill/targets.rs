//! Moments to go back to.

use super::Drill;
use crate::{Castle, Database, Error, Result, Scene, Target, Wait, wait_for};
use chrono::{DateTime, TimeDelta, Utc};
use phoenix_core::{Entry, Lsn, RecoveryTarget};
use std::time::Duration;
use uuid::Uuid;

impl Drill {
    /// The target that the settings ask for; `name`, `time`, `lsn` and `xid` mean the moment that has come now.
    pub async fn target(&mut self, castle: &dyn Castle) -> Result<RecoveryTarget> {
        match self.scene.settings.target.clone() {
            Target::Given(target) => Ok(target),
            Target::Here(kind) => self.point(castle, kind).await.map(|(target, _)| target),
            Target::Sealed => self.seal(castle).await,
        }
    }

    /// Makes a unique restore point that a sealed recovery must reach.
    pub async fn seal(&mut self, castle: &dyn Castle) -> Result<RecoveryTarget> {
        let name = self.restore_point_name();
        castle.database().restore_point(&name).await?;
        Ok(RecoveryTarget::Sealed(name))
    }

    fn restore_point_name(&self) -> String {
        // at most 63 characters, and unique: names match first
        let unique = Uuid::new_v4().simple().to_string();
        format!("phoenix-{}-{}", self.scene.run.slug(), &unique[..16])
    }

    /// Marks the moment that has come as a recovery target of this kind, with the position up to
    /// which rows are then promised. Nobody may be writing.
    pub async fn point(&mut self, castle: &dyn Castle, kind: &str) -> Result<(RecoveryTarget, Lsn)> {
        let (scene, database) = (&self.scene, castle.database());
        let backup = self.report.backups.last().map(|backup| backup.completed_at);
        scene
            .spans
            .run("target", async |span| {
                let lsn = database.insert_position().await?;
                let target = match kind {
                    "lsn" => RecoveryTarget::Lsn(lsn),
                    "time" => RecoveryTarget::Time(quiet_time(&*database, backup).await?),
                    "xid" => RecoveryTarget::Xid(last_xid(scene)?),
                    "name" => {
                        let name = self.restore_point_name();
                        database.restore_point(&name).await?;
                        RecoveryTarget::Name(name)
                    }
                    _ => {
                        return Err(Error::usage(
                            format!("'{kind}' is no kind of recovery target"),
                            "lsn, time, xid or name",
                        ));
                    }
                };
                span.detail(target.to_string());
                Ok((target, lsn))
            })
            .await
    }
}

/// A time on the server's clock with nothing committed around it, in a second after the backup's.
async fn quiet_time(database: &dyn Database, backup: Option<DateTime<Utc>>) -> Result<DateTime<Utc>> {
    let start = database.clock().await?;
    let earliest = backup.map_or(start, |backup| start.max(backup + TimeDelta::seconds(1)));
    let target = clock_past(database, earliest).await?;
    clock_past(database, target).await?;
    database.tick().await?;
    Ok(target)
}

/// Waits until the server's clock is well past a time, and gives what it says then.
async fn clock_past(database: &dyn Database, time: DateTime<Utc>) -> Result<DateTime<Utc>> {
    wait_for("the server's clock to move on", Duration::from_secs(10), Duration::from_millis(2), || async {
        let now = database.clock().await?;
        let past = now - time > TimeDelta::milliseconds(5);
        Ok(if past { Wait::Ready(now) } else { Wait::NotYet(now.to_string()) })
    })
    .await
}

/// The transaction that committed last, as the ledger knows it.
fn last_xid(scene: &Scene) -> Result<phoenix_core::Xid> {
    let entries = scene.ledger.read_back()?;
    let commits = entries.iter().filter_map(|entry| match entry {
        Entry::Ok { commit, .. } => Some(commit),
        _ => None,
    });
    let last = commits.max_by_key(|commit| commit.lsn_after);
    last.map(|commit| commit.xid)
        .ok_or_else(|| Error::Demand("nothing was committed before the target".into()))
}
