//! Recovery to a target: exactly the rows before it, and not one after. Each file is one idea and
//! reads like a protocol. They know the stage (`phoenix-drill`) and nothing of processes, containers
//! or clusters.

pub mod logical_error;
pub mod targets;
pub mod unreachable;

/// The row that is in the backup.
pub const DATO_A: &str = "DATO_A_NEL_BACKUP_S3";
/// The row that is in WAL alone, before the target.
pub const DATO_B: &str = "DATO_B_VOLATILE_MA_IMMORTALE_WAL";
/// The row that lies beyond the target.
pub const DATO_Z: &str = "DATO_Z_OLTRE_IL_TRAGUARDO";
