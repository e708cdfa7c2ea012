//! A server killed with SIGKILL holds everything that it acknowledged, and nothing by halves.

use std::io::Read;
use std::path::PathBuf;
use std::process::Stdio;

use phoenix_core::Secret;
use phoenix_store::{Credentials, Inspector, StoreServer, Target};
use rstest::rstest;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

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

/// Writes until the server is gone; tells what was acknowledged.
async fn write(inspector: Inspector, writer: u64, acknowledged: mpsc::UnboundedSender<u64>) {
    for number in (writer..).step_by(usize::try_from(WRITERS).unwrap()) {
        if inspector.put(&number.to_string(), content(number)).await.is_err() {
            break;
        }
        acknowledged.send(number).unwrap();
    }
}

#[rstest]
#[case::early(1)]
#[case::later(40)]
#[case::much_later(150)]
#[tokio::test]
async fn nothing_acknowledged_is_lost(#[case] enough: usize) {
    let home = tempfile::tempdir().unwrap();
    let (mut victim, inspector_of_victim) = start_victim(&home).await;
    let (told, mut acknowledged) = mpsc::unbounded_channel();
    for writer in 0..WRITERS {
        tokio::spawn(write(inspector_of_victim.clone(), writer, told.clone()));
    }
    drop(told);
    let mut written = Vec::new();
    while written.len() < enough {
        written.push(acknowledged.recv().await.expect("the victim is alive"));
    }
    victim.kill().await.unwrap();
    while let Some(number) = acknowledged.recv().await {
        written.push(number);
    }

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
