//! The ground of a castle in containers.

use crate::{
    inventory,
    plant::Plant,
    server,
    victim::{DATA, Furniture, PORT, SEAL, SOCKET, WORK},
};
use futures::future::BoxFuture;
use phoenix_core::report::Inventory;
use phoenix_drill::{Doing, KeyAfterFire, Repositories, Result, Span, Work};
use phoenix_postgres::{Sql, diagnosis::Address, pgbackrest::PgBackRest};
use phoenix_repository::{Ground, Host, StartError, Vault};
use std::sync::Arc;

impl Host for Plant {
    fn vault(&self) -> &Vault {
        &self.vault
    }

    fn pgbackrest(&self) -> PgBackRest {
        self.pgbackrest()
    }

    fn postgres_bin(&self) -> Work<'_, String> {
        Box::pin(async { Ok(self.container().await?.bin) })
    }

    fn spool(&self) -> String {
        format!("{WORK}/spool")
    }
}

impl Ground for Plant {
    fn seal(&self) -> String {
        SEAL.to_owned()
    }

    fn data(&self) -> String {
        DATA.to_owned()
    }

    fn socket(&self) -> String {
        SOCKET.to_owned()
    }

    fn work(&self) -> String {
        WORK.to_owned()
    }

    fn destroy(&self) -> Work<'_, Inventory> {
        Box::pin(inventory::destroy(self))
    }

    fn furnish<'a>(&'a self, key: KeyAfterFire, span: &'a Span) -> Work<'a, ()> {
        Box::pin(async move {
            let furniture = Furniture { repositories: Repositories::Store, key };
            span.run("container", async |_| self.raise(&self.images.rebirth, None, furniture).await)
                .await
                .map(drop)
        })
    }

    fn start<'a>(&'a self, span: &'a Span) -> BoxFuture<'a, Result<Arc<Sql>, StartError>> {
        Box::pin(server::start(self, span))
    }

    fn recovery_log(&self) -> Work<'_, String> {
        Box::pin(async { self.yard.keep_log(&self.container().await?.name).await })
    }

    fn address(&self) -> Address {
        Address { port: PORT, socket_directory: SOCKET.to_owned(), host: "*".to_owned() }
    }

    fn data_file<'a>(&'a self, name: &'a str) -> Work<'a, Option<String>> {
        Box::pin(async move {
            // no status of cat's own
            let script = format!("[ -e {DATA}/{name} ] || exit 99; cat {DATA}/{name}");
            let argv = ["sh".to_owned(), "-c".to_owned(), script];
            let container = self.container().await?;
            let ran = self.yard.engine.exec(&container.name, &self.config.victim_user, &argv, None).await?;
            if ran.status == Some(99) { Ok(None) } else { ran.must("looking into PGDATA").map(Some) }
        })
    }

    fn files_restored(&self) -> Work<'_, Option<u64>> {
        Box::pin(async {
            let script = format!("[ -e {DATA}/global/pg_control ] && echo || find {DATA} -type f | wc -l");
            let argv = ["sh".to_owned(), "-c".to_owned(), script];
            let container = self.container().await?;
            let ran = self.yard.engine.exec(&container.name, &self.config.victim_user, &argv, None).await?;
            let counted = ran.must("looking for files")?;
            let counted = Some(counted.trim()).filter(|count| !count.is_empty());
            counted.map(|count| count.parse::<u64>().doing("counting files")).transpose()
        })
    }
}
