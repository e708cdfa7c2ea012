//! What every environment knows about PostgreSQL and pgBackRest: SQL, the workload that writes the
//! ledger, configuration files, argument vectors, JSON, exit codes and the meaning of log lines.
//! Environments use it. It starts no process and knows no place: it is told where a server listens,
//! and it says what to run.

mod connect;
mod database;
pub mod diagnosis;
pub mod pgbackrest;
pub mod replay;
pub mod settings;
pub mod version;
pub mod waldump;
mod workload;

pub use connect::{Administer, Connect};
pub use database::Sql;
pub use tokio_postgres::{Client, Config as ConnectConfig};
pub use version::Version;
