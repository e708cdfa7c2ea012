//! How a server is reached, where that is not by a connection string alone.

use phoenix_drill::{Doing, Result, Work};
use tokio_postgres::{Client, Config, NoTls};

/// Opens connections to a server.
pub trait Connect: Send + Sync {
    /// A connection of its own. What carries it ends with the client, which learns of its errors.
    fn connect(&self) -> Work<'_, Client>;
}

impl Connect for Config {
    fn connect(&self) -> Work<'_, Client> {
        Box::pin(async {
            let (client, connection) =
                Config::connect(self, NoTls).await.doing("connecting to PostgreSQL")?;
            tokio::spawn(connection);
            Ok(client)
        })
    }
}

/// Asks a server as its superuser, where the application may not: to switch the WAL, to make a restore
/// point.
pub trait Administer: Send + Sync {
    /// Runs a query that gives one value, and gives it as text.
    fn ask<'a>(&'a self, purpose: &'a str, query: &'a str) -> Work<'a, String>;
}

/// What a server answers its superuser, whoever that is.
pub(crate) async fn ask(client: &Client, purpose: &str, query: &str) -> Result<String> {
    client.query_one(query, &[]).await.doing(purpose)?.try_get(0).doing(purpose)
}
