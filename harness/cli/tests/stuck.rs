//! What an engine cannot remove holds up no drill: it is said, and left to whoever sweeps.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use phoenix_core::RunId;
use phoenix_drill::{Resource, Wait, register, stage::new_run, wait_for};
use rstest::rstest;
use serde_json::json;
use std::{
    fs,
    time::{Duration, Instant},
};
use support::{Ran, folder, phoenix, ran};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// The engine's id.
const ENGINE: &str = "an-engine-that-lost-a-container";
/// What Docker says of a container that does not die.
const CANNOT: &str = "Cannot kill container: tried to kill container, but did not receive an exit event";

/// An engine with one container of a run's, which it cannot kill. Gives where it listens.
async fn engine(run: RunId) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, run.clone()));
        }
    });
    endpoint
}

/// Answers one request after the other; none of them has a body that matters.
async fn answer(mut stream: TcpStream, run: RunId) {
    let (mut asked, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        asked.extend_from_slice(&buffer[..read]);
        if !asked.windows(4).any(|end| end == b"\r\n\r\n") {
            continue;
        }
        let request = String::from_utf8_lossy(&asked).into_owned();
        asked.clear();
        let path = request.split_whitespace().nth(1).unwrap_or_default();
        let labels = json!({ "phoenix.run": run.as_str() });
        let (status, body) = match path.split('?').next().unwrap_or_default() {
            path if path.ends_with("/version") => (200, json!({ "ApiVersion": "1.41", "Version": "20" })),
            path if path.ends_with("/info") => (200, json!({ "ID": ENGINE, "ServerVersion": "20" })),
            path if path.ends_with("/kill") => (500, json!({ "message": CANNOT })),
            path if path.ends_with("/containers/json") => (200, json!([{ "Names": ["/stuck"] }])),
            path if path.ends_with("/stuck/json") => {
                (200, json!({ "State": { "Running": true }, "Config": { "Labels": labels } }))
            }
            _ => (404, json!({ "message": "no such thing" })),
        };
        let body = body.to_string();
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}",
            body.len()
        );
        if stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await.is_err() {
            return;
        }
    }
}

#[rstest]
#[case::a_container(|_: &RunId| Resource::Container { name: "stuck".to_owned() })]
#[case::a_node(|run: &RunId| Resource::KindCluster { name: format!("phoenix-{}", run.slug()) })]
#[tokio::test(flavor = "multi_thread")]
async fn a_drill_goes_on_without_it_and_a_sweep_says_so(#[case] left: fn(&RunId) -> Resource) {
    let (of, folder) = (new_run(), folder());
    let endpoint = engine(of.clone()).await;
    let register = register::directory().unwrap().join(format!("{of}.jsonl"));
    let named = [Resource::Engine { id: ENGINE.to_owned(), endpoint: endpoint.clone() }, left(&of)];
    let lines: String = named.iter().map(|it| serde_json::to_string(it).unwrap() + "\n").collect();
    fs::write(&register, lines).unwrap();
    let asked = async |words: &[&str]| -> Ran {
        ran(phoenix(folder.path()).env("DOCKER_HOST", &endpoint).args(words).output().await.unwrap())
    };
    // others sweep at the same time, and hold the register while they do
    let told = async |words: &[&str]| {
        wait_for("it to be told", Duration::from_secs(90), Duration::from_millis(100), || async {
            let began = Instant::now();
            let ran = asked(words).await;
            assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
            let line = ran.out.lines().find(|line| line.contains(of.as_str())).map(str::to_owned);
            Ok(line.map_or_else(|| Wait::NotYet(ran.out.clone()), |line| Wait::Ready((ran.status, line))))
        })
        .await
        .unwrap()
    };
    let drill = told(&["drill", "--rows", "40"]).await;
    let sweep = told(&["sweep"]).await;
    fs::remove_file(&register).unwrap();
    assert_eq!(drill.0, Some(0), "{drill:?}");
    assert!(drill.1.contains(&format!("left of {of}, see `phoenix sweep`")), "{drill:?}");
    assert_eq!(sweep.0, Some(3), "{sweep:?}");
    assert!(sweep.1.contains("STUCK") && sweep.1.contains(CANNOT), "{sweep:?}");
    assert!(sweep.1.contains("if it is gone for good: rm "), "{sweep:?}");
}
