//! `phoenix inspect`, held against repositories that real drills left: healthy ones, and the same with one
//! thing wrong.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod castle;
mod directory;
mod store;
#[path = "../support/mod.rs"]
mod support;

use phoenix_cli::{
    run::Place,
    testing::{evidence, play_in},
};
use phoenix_drill::{Keep, Settings};
use phoenix_inspection::{Inspection, inspection::Severity};
use phoenix_local::LocalConfig;
use phoenix_repository::ExternalStore;
use phoenix_store::{Credentials, Inspector, ObjectInfo, StoreConfig, StoreServer, Target};
use std::{fs, path::PathBuf};
use support::{Ran, folder, phoenix, ran};
use tempfile::TempDir;

/// A store with the repository of a drill that is over: two fires, three timelines.
struct Left {
    folder: TempDir,
    server: StoreServer,
    inspector: Inspector,
    credentials: Credentials,
    /// The drill's own path in the bucket.
    prefix: String,
    ledger: PathBuf,
}

impl Left {
    async fn by_a_drill() -> Self {
        let folder = folder();
        let credentials = Credentials::generate();
        let config = StoreConfig::new(folder.path().join("store"), "vault", credentials.clone());
        let server = StoreServer::start(config).await.unwrap();
        let ca_file = folder.path().join("ca.pem");
        fs::copy(server.ca_file(), &ca_file).unwrap();
        let target = Target {
            endpoint: server.endpoint(),
            region: "us-east-1".into(),
            bucket: "vault".into(),
            credentials: credentials.clone(),
            ca_file: Some(ca_file.clone()),
        };
        let store = ExternalStore {
            host: "localhost".into(),
            port: server.port(),
            bucket: "vault".into(),
            prefix: "/drills".into(),
            region: "us-east-1".into(),
            ca_file,
            access_key: credentials.access_key.clone(),
            secret_key: credentials.secret_key.clone(),
        };
        let place = Place::Local(Box::new(LocalConfig { store: Some(store), ..LocalConfig::default() }));
        let settings = Settings { evidence: evidence(), keep: Keep::Never, rows: 200, ..Settings::default() };
        let played = play_in(place, "second-life", settings).await.unwrap();
        assert_eq!(played.exit_status, 0, "{:#?}", played.report.findings);
        let prefix = format!("drills/{}", played.report.run.slug());
        let ledger = played.directory.join("ledger.jsonl");
        Self { folder, inspector: Inspector::new(target).unwrap(), server, credentials, prefix, ledger }
    }

    /// Inspects it in its store.
    async fn inspect(&self, more: &[&str]) -> Ran {
        let mut command = phoenix(self.folder.path());
        let repository = format!("s3://vault/{}", self.prefix);
        let endpoint = format!("localhost:{}", self.server.port());
        command.args(["inspect", &repository, "--endpoint", &endpoint, "--ca-file", "ca.pem"]).args(more);
        command.env("AWS_ACCESS_KEY_ID", &self.credentials.access_key);
        command.env("AWS_SECRET_ACCESS_KEY", self.credentials.secret_key.expose());
        ran(command.output().await.unwrap())
    }

    async fn objects(&self) -> Vec<ObjectInfo> {
        self.inspector.list(&format!("{}/", self.prefix)).await.unwrap()
    }

    /// The same repository in a directory.
    async fn copied(&self) -> PathBuf {
        let root = self.folder.path().join("copy");
        for object in self.objects().await {
            let path = root.join(object.key.strip_prefix(&format!("{}/", self.prefix)).unwrap());
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, self.inspector.get(&object.key).await.unwrap()).unwrap();
        }
        root
    }
}

fn document(ran: &Ran) -> Inspection {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}{}", ran.out, ran.err))
}

fn harm(inspection: &Inspection) -> Vec<&str> {
    let harm = inspection.remarks.iter().filter(|remark| remark.severity == Severity::Harm);
    harm.map(|remark| remark.finding.code.as_str()).collect()
}

/// A segment after the newest backup's, with others before and after it, by its file's name.
fn middle(objects: &[ObjectInfo], inspection: &Inspection) -> String {
    let needed = inspection.stanzas[0].backups.last().unwrap().wal.clone().unwrap();
    let names = objects.iter().filter_map(|object| object.key.rsplit('/').next());
    let later = |name: &&str| name.get(24..25) == Some("-") && name[..24] > *needed.last;
    let mut later: Vec<_> = names.filter(later).collect();
    later.sort_unstable();
    assert!(later.len() >= 3, "{later:?}");
    later[1].to_owned()
}
