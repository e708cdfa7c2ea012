//! The ground of a castle on this machine.

use crate::{
    inventory,
    plant::{PORT, Plant},
    server,
};
use futures::future::BoxFuture;
use phoenix_core::report::Inventory;
use phoenix_drill::{KeyAfterFire, Repositories, Result, Span, Work};
use phoenix_postgres::{Sql, diagnosis::Address, pgbackrest::PgBackRest};
use phoenix_repository::{Ground, Host, StartError, Vault};
use std::{fs, path::Path, sync::Arc};

impl Host for Plant {
    fn vault(&self) -> &Vault {
        &self.vault
    }

    fn pgbackrest(&self) -> PgBackRest {
        self.pgbackrest()
    }

    fn postgres_bin(&self) -> Work<'_, String> {
        Box::pin(async { Ok(self.tools.postgres_bin.display().to_string()) })
    }

    fn spool(&self) -> String {
        self.victim().join("work/spool").display().to_string()
    }
}

impl Ground for Plant {
    fn seal(&self) -> String {
        self.seal()
    }

    fn data(&self) -> String {
        self.data().display().to_string()
    }

    fn socket(&self) -> String {
        self.in_victim("socket")
    }

    fn work(&self) -> String {
        self.in_victim("work")
    }

    fn destroy(&self) -> Work<'_, Inventory> {
        Box::pin(inventory::destroy(self))
    }

    fn furnish<'a>(&'a self, key: KeyAfterFire, _span: &'a Span) -> Work<'a, ()> {
        Box::pin(async move { self.furnish(Repositories::Store, key) })
    }

    fn start<'a>(&'a self, span: &'a Span) -> BoxFuture<'a, Result<Arc<Sql>, StartError>> {
        Box::pin(server::start(self, span))
    }

    fn recovery_log(&self) -> Work<'_, String> {
        Box::pin(async { Ok(server::read(&server::log(self))) })
    }

    fn address(&self) -> Address {
        Address { port: PORT, socket_directory: self.socket(), host: String::new() }
    }

    fn data_file<'a>(&'a self, name: &'a str) -> Work<'a, Option<String>> {
        let path = self.data().join(name);
        Box::pin(async move { Ok(path.exists().then(|| server::read(&path))) })
    }

    fn files_restored(&self) -> Work<'_, Option<u64>> {
        Box::pin(async {
            let files = count_files(&self.data());
            Ok((!self.data().join("global/pg_control").exists()).then_some(files))
        })
    }
}

fn count_files(path: &Path) -> u64 {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let count = |entry: fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => count_files(&entry.path()),
        Ok(_) => 1,
        Err(_) => 0,
    };
    entries.map(count).sum()
}
