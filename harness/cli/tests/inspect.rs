//! `phoenix inspect`, held against repositories that real drills left: healthy ones, and the same with one
//! thing wrong.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use phoenix_cli::{
    run::Place,
    testing::{evidence, play_in},
};
use phoenix_drill::{Keep, Settings};
use phoenix_inspection::{Grade, Inspection, inspection::Severity};
use phoenix_local::LocalConfig;
use phoenix_repository::ExternalStore;
use phoenix_store::{Credentials, Inspector, ObjectInfo, StoreConfig, StoreServer, Target};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};
use support::{Ran, folder, phoenix, ran, run};
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

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_is_inspected_in_its_store() {
    let left = Left::by_a_drill().await;
    let healthy = left.inspect(&["--json", "--checksums"]).await;
    assert_eq!(healthy.status, Some(0), "{}{}", healthy.out, healthy.err);
    let inspection = document(&healthy);
    assert_eq!((inspection.grade, harm(&inspection)), (Grade::Restorable, vec![]));
    let schema = run(left.folder.path(), ["schema", "inspection"]).await.out;
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    validator.validate(&serde_json::from_str(&healthy.out).unwrap()).map_err(|e| e.to_string()).unwrap();
    let archive = &inspection.stanzas[0].archives[0];
    assert_eq!((inspection.stanzas[0].name.as_str(), archive.segment_size.bytes()), ("castle", 1 << 20));
    assert!(archive.timelines.len() >= 2, "{:?}", archive.timelines);
    left.inspect(&[]).await.assert(0, "RESTORABLE · 2 of 2 backups restorable");

    // every row of the ledger came back, and lies within what recovery reaches
    let ledger = left.ledger.to_str().unwrap();
    let held = left.inspect(&["--reference", ledger]).await;
    held.assert(0, "acknowledged rows lie before");
    // one segment more was never archived
    let latest = inspection.stanzas[0].latest.clone().unwrap();
    left.inspect(&["--reference", &latest.to.unwrap().to_string()]).await.assert(0, "nothing is missing");
    let beyond = phoenix_core::Lsn(latest.to.unwrap().0 + 1).to_string();
    left.inspect(&["--reference", &beyond]).await.assert(1, "1 segment, is missing");

    // a segment from the middle is gone, and comes back
    let objects = left.objects().await;
    let name = middle(&objects, &inspection);
    let key = &objects.iter().find(|object| object.key.ends_with(&name)).unwrap().key;
    let bytes = left.inspector.get(key).await.unwrap();
    left.inspector.delete(key).await.unwrap();
    left.inspect(&[]).await.assert(1, &format!("segment {} is missing: recovery stops there", &name[..24]));
    let lossy = left.inspect(&["--json", "--reference", ledger]).await;
    let lossy_document = document(&lossy);
    assert_eq!((lossy.status, harm(&lossy_document)), (Some(1), vec!["wal-missing", "reference-beyond"]));
    assert!(lossy_document.reference.unwrap().rows_beyond.unwrap() > 0);
    // cut off, it has its name and not its content
    left.inspector.put(key, bytes.slice(..bytes.len() / 2)).await.unwrap();
    left.inspect(&[]).await.assert(0, "RESTORABLE");
    left.inspect(&["--checksums"]).await.assert(1, "is not what its name says");
    left.inspector.put(key, bytes).await.unwrap();
    left.inspect(&["--checksums"]).await.assert(0, "RESTORABLE");

    left.inspect(&["--stanza", "other"]).await.assert(2, "there is no stanza 'other'");
    let mut stranger = phoenix(left.folder.path());
    let (endpoint, ca_file) = (format!("localhost:{}", left.server.port()), "ca.pem");
    stranger.args(["inspect", "s3://vault/drills", "--endpoint", &endpoint, "--ca-file", ca_file]);
    stranger.env("AWS_ACCESS_KEY_ID", "nobody").env("AWS_SECRET_ACCESS_KEY", "canary-secret");
    let refused = ran(stranger.output().await.unwrap());
    refused.assert(3, "denied access");
    assert!(!format!("{}{}", refused.out, refused.err).contains("canary-secret"));
    left.server.shutdown().await;
}

/// One thing wrong with a copy of the repository, and what is said of it.
async fn after(repository: &Path, damage: impl FnOnce(&Path)) -> Ran {
    let damaged = folder();
    copy(repository, &damaged.path().join("repository"));
    damage(&damaged.path().join("repository"));
    run(damaged.path(), ["inspect", "repository", "--json"]).await
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files
}

/// The exit status and the codes, each once: both backups may say the same.
fn codes(ran: &Ran) -> (Option<i32>, Vec<String>) {
    let told = document(ran).remarks;
    let told = told.into_iter().filter(|remark| remark.severity != Severity::Note);
    let codes: BTreeSet<_> = told.map(|remark| remark.finding.code).collect();
    (ran.status, codes.into_iter().collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_damage_to_a_directory_is_named() {
    let left = Left::by_a_drill().await;
    let root = left.copied().await;
    let is =
        |status: i32, codes: &[&str]| (Some(status), codes.iter().map(|code| (*code).to_owned()).collect());
    assert_eq!(codes(&after(&root, |_| ()).await), is(0, &[]));

    let flip = |path: PathBuf| {
        let mut bytes = fs::read(&path).unwrap();
        bytes[40] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    let info = "archive/castle/archive.info";
    assert_eq!(codes(&after(&root, |root| flip(root.join(info))).await), is(0, &["archive-info-copy"]));
    let both = |root: &Path| {
        flip(root.join(info));
        flip(root.join(format!("{info}.copy")));
    };
    assert_eq!(codes(&after(&root, both).await), is(1, &["archive-info-lost"]));
    let no_info = |root: &Path| {
        for name in ["backup.info", "backup.info.copy"] {
            fs::remove_file(root.join("backup/castle").join(name)).unwrap();
        }
    };
    assert_eq!(codes(&after(&root, no_info).await), is(1, &["backup-info-lost"]));

    let without = |wanted: &'static str| {
        move |root: &Path| {
            let all = files(root);
            let found: Vec<_> = all.iter().filter(|path| path.to_str().unwrap().contains(wanted)).collect();
            assert!(!found.is_empty(), "{wanted}: {all:?}");
            found.into_iter().for_each(|path| fs::remove_file(path).unwrap());
        }
    };
    assert_eq!(codes(&after(&root, without("/bundle/1")).await), is(1, &["backup-incomplete"]));
    assert_eq!(codes(&after(&root, without("backup.manifest.copy")).await), is(0, &["manifest-copy"]));
    assert_eq!(codes(&after(&root, without("F/backup.manifest")).await), is(1, &["manifest-lost"]));
    assert_eq!(codes(&after(&root, without("00000002.history")).await), is(1, &["history-missing"]));

    run(left.folder.path(), ["inspect", "nowhere"])
        .await
        .assert(3, "there is no pgBackRest repository in nowhere");
    run(left.folder.path(), ["inspect", "copy/archive"]).await.assert(3, "there are folders castle");
    run(left.folder.path(), ["inspect", "copy", "--reference", "yesterday"])
        .await
        .assert(2, "neither an LSN");
    run(left.folder.path(), ["inspect", "s3:/vault"]).await.assert(3, "there is no pgBackRest repository");
    run(left.folder.path(), ["inspect", "http://vault/x"]).await.assert(2, "names no bucket");
    left.server.shutdown().await;
}
