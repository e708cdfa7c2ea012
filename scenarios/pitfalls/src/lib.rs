//! Mistakes that people make when they bring a castle back: each rebirth fails, for the reason that is told
//! within seconds, and the same rebirth without the mistake brings every row back. They know the stage
//! (`phoenix-drill`) and nothing of clusters.

pub mod credentials;
pub mod manifest;
pub mod repository;
pub mod used_path;
pub mod volume;

/// The row that lies in the backup.
pub const DATO_A: &str = "DATO_A_NEL_BACKUP_S3";
/// The row that lives in WAL alone.
pub const DATO_B: &str = "DATO_B_VOLATILE_MA_IMMORTALE_WAL";

use phoenix_core::{Promise, RecoveryTarget, Verdict};
use phoenix_drill::{BackupKind, Drill, Misconfigure, Mistake, Result};

/// The protocol, with mistakes made one after the other before the castle comes back.
async fn overcome(
    drill: &mut Drill,
    place: &(impl Misconfigure + ?Sized),
    mistakes: &[(Mistake, &str)],
) -> Result<Verdict> {
    drill.announce("ERROR: [", "rebirths fail here on purpose");
    let castle = drill.birth(place).await?;
    drill.workload(&*castle).await?;
    drill.insert(&*castle, DATO_A).await?;
    let backup = drill.backup(&*castle, BackupKind::Full).await?;
    drill.workload(&*castle).await?;
    let b = drill.insert(&*castle, DATO_B).await?;
    drill.archive_everything(&*castle).await?;
    drill.require(b.committed_after(backup.interval), "B lives in WAL alone")?;

    let mut ashes = drill.wipe(castle).await?;
    for (mistake, reason) in mistakes {
        ashes = drill.setback(place, ashes, *mistake, reason).await?;
    }
    let castle = drill.rebirth(ashes, RecoveryTarget::Latest).await?;
    drill.judge(&*castle, Promise::EveryAcknowledgedRow).await
}
