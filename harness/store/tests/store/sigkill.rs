//! A server killed with SIGKILL holds everything that it acknowledged, and nothing by halves.

use std::io::Read;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use phoenix_core::Secret;
use phoenix_store::{Credentials, Inspector, StoreServer, Target};
use rstest::rstest;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::common::{BUCKET, bytes, config, start};

const HOME: &str = "PHOENIX_STORE_TEST_HOME";
const WRITERS: u64 = 4;

fn credentials() -> Credentials {
    Credentials { access_key: "KEY".to_owned(), secret_key: Secret::new("secret") }
}

/// Not a test of its own: the server that the test below starts in another process and kills.
#[tokio::test]
async fn victim() {
    let Ok(home) = std::env::var(HOME) else { return };
    let server = StoreServer::start(config(&PathBuf::from(home), &credentials())).await.unwrap();
    println!("\nserving {}", server.endpoint());
    // Lives until it is killed, or until whoever started it is gone.
    let until_closed = || std::io::stdin().read_to_end(&mut Vec::new());
    tokio::task::spawn_blocking(until_closed).await.unwrap().unwrap();
}

async fn start_victim(home: &tempfile::TempDir) -> (Child, Inspector) {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sigkill::victim", "--nocapture"])
        .env(HOME, home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let endpoint = loop {
        let line = lines.next_line().await.unwrap().expect("the victim serves before it ends");
        if let Some(endpoint) = line.strip_prefix("serving ") {
            break endpoint.to_owned();
        }
    };
    (victim, inspector(endpoint, home))
}

fn inspector(endpoint: String, home: &tempfile::TempDir) -> Inspector {
    let ca_file = Some(home.path().join("ca.pem"));
    let (region, bucket) = ("us-east-1".to_owned(), BUCKET.to_owned());
    Inspector::new(Target { endpoint, region, bucket, credentials: credentials(), ca_file }).unwrap()
}

/// Each object tells its own length, so that half of one is noticed.
fn content(number: u64) -> Vec<u8> {
    bytes(usize::try_from(number % 7).unwrap() * 100_000 + usize::try_from(number).unwrap())
}

/// Writes until the server is gone; gives what was acknowledged.
async fn write(inspector: Inspector, writer: u64, acknowledged: Arc<AtomicU64>) -> Vec<u64> {
    let mut written = Vec::new();
    for number in (writer..).step_by(usize::try_from(WRITERS).unwrap()) {
        if inspector.put(&number.to_string(), content(number)).await.is_err() {
            break;
        }
        written.push(number);
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
    written
}

#[rstest]
#[case::early(1)]
#[case::later(40)]
#[case::much_later(150)]
#[tokio::test]
async fn nothing_acknowledged_is_lost(#[case] enough: u64) {
    let home = tempfile::tempdir().unwrap();
    let (mut victim, inspector_of_victim) = start_victim(&home).await;
    let acknowledged = Arc::new(AtomicU64::new(0));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(inspector_of_victim.clone(), writer, Arc::clone(&acknowledged))))
        .collect();
    while acknowledged.load(Ordering::Relaxed) < enough {
        tokio::task::yield_now().await;
    }
    victim.kill().await.unwrap();
    let mut written = Vec::new();
    for writer in writers {
        written.extend(writer.await.unwrap());
    }
    assert!(written.len() as u64 >= enough);

    let server = start(home.path(), &credentials()).await.unwrap();
    let inspector = inspector(server.endpoint(), &home);
    let listed = inspector.list("").await.unwrap();
    for number in &written {
        assert!(listed.iter().any(|object| object.key == number.to_string()), "{number} is lost");
    }
    // What was under way may have been stored without its acknowledgement, but then in full.
    assert!(listed.len() <= written.len() + usize::try_from(WRITERS).unwrap());
    for object in listed {
        let expected = content(object.key.parse().unwrap());
        assert!(inspector.get(&object.key).await.unwrap() == expected, "{} is not whole", object.key);
    }
}
