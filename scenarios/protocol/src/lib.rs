//! The Phoenix Protocol and its closest kin: insert DATO_A, back up, insert DATO_B, archive, burn
//! everything, and bring it back from the store alone. Each file is one scenario and reads like one.
//! They know the stage (`phoenix-drill`) and nothing of processes, containers or clusters.

pub mod burned_key;
pub mod encrypted;
pub mod hot_backup;
pub mod protocol;
pub mod sealed;
pub mod second_life;
pub mod two_disasters;
pub mod unassisted;

/// The row that is in the backup.
pub const DATO_A: &str = "DATO_A_NEL_BACKUP_S3";
/// The row that is in WAL alone.
pub const DATO_B: &str = "DATO_B_VOLATILE_MA_IMMORTALE_WAL";
/// The row of the second life that is in its backup.
pub const DATO_C: &str = "DATO_C_NELLA_SECONDA_VITA";
/// The row of the second life that is in WAL alone.
pub const DATO_D: &str = "DATO_D_NEL_WAL_DELLA_SECONDA_VITA";
