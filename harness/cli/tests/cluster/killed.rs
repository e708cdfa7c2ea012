//! Whatever ends a drill on a cluster: a signal cleans up, and after SIGKILL a sweep removes every node and
//! all that stood beside them.

use crate::{
    outside::{dangling_volumes, left},
    support::{folder, phoenix, run},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use phoenix_core::Event;
use rstest::rstest;
use std::path::Path;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

fn drill(folder: &Path) -> Command {
    let mut drill = phoenix(folder);
    drill.args(["drill", "--environment", "cluster", "--json", "--rows", "100"]);
    drill
}

/// Starts a drill, and gives it with its run once this span begins.
pub async fn until(mut drill: Command, span: &str) -> (Child, String) {
    let mut child = drill.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut of = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        match serde_json::from_str(&line).unwrap() {
            Event::DrillStarted { run, .. } => of = run.to_string(),
            Event::SpanStarted { name, .. } if name == span => {
                // the pipe must not fill up and hold the drill
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return (child, of);
            }
            _ => {}
        }
    }
    panic!("the drill ended before {span}");
}

pub fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().unwrap().try_into().unwrap()), signal).unwrap();
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn after_sigkill_sweep_removes_every_node(
    #[values("registry", "control plane", "primary and users", "wipe")] span: &str,
) {
    let (folder, before) = (folder(), dangling_volumes());
    let (mut child, of) = until(drill(folder.path()), span).await;
    signal(&child, Signal::SIGKILL);
    child.wait().await.unwrap();
    run(folder.path(), ["sweep"]).await.assert(0, "removed");
    // what a request that was on its way at the end would have made is not there either
    phoenix_drill::pause(std::time::Duration::from_secs(3)).await;
    assert_eq!((left(&of), dangling_volumes()), (Vec::new(), before));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn after_an_interrupt_nothing_is_left(
    #[values("control plane", "primary and users")] span: &str,
    #[values(Signal::SIGINT, Signal::SIGTERM)] how: Signal,
) {
    let (folder, before) = (folder(), dangling_volumes());
    let (child, of) = until(drill(folder.path()), span).await;
    signal(&child, how);
    let ended = child.wait_with_output().await.unwrap();
    assert_eq!(ended.status.code(), Some(130));
    assert_eq!((left(&of), dangling_volumes()), (Vec::new(), before));
}
