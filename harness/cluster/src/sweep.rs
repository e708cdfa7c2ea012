//! Removes what a run of this environment named in the register.

use crate::{
    kubernetes::Kubernetes,
    platform::LABEL,
    wipe::{is_retained, ours, volumes},
};
use futures::future::join_all;
use k8s_openapi::api::core::v1::Namespace;
use kube::{api::DeleteParams, config::Kubeconfig};
use phoenix_docker::Engine;
use phoenix_drill::{Doing, Error, Resource, Result, Wait, Work, pause, sweep, wait_for};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

const SETTLE: Duration = Duration::from_secs(1);
/// A namespace whose pods linger goes after their grace.
const GONE: Duration = Duration::from_secs(180);
const LOOK: Duration = Duration::from_millis(500);
/// For how long an engine that says that it cannot kill a node is asked again by whoever sweeps: it has tried for
/// ten seconds by itself.
const SWEPT: Duration = Duration::from_secs(10);
/// At a drill's own end it is asked again for so long.
pub(crate) const AT_THE_END: Duration = Duration::from_secs(60);

/// Removes the kind clusters that a run named.
#[derive(Debug, Clone, Copy)]
pub struct Remover;

impl sweep::Remover for Remover {
    fn remove<'a>(&'a self, run: &'a str, resources: &'a [Resource]) -> Work<'a, ()> {
        Box::pin(async move {
            remove_namespaces(run, resources).await?;
            if !resources.iter().any(|resource| matches!(resource, Resource::KindCluster { .. })) {
                return Ok(());
            }
            let engine = Engine::connect().await?;
            remove(&engine, run, resources, SWEPT).await?;
            // what was asked for when the harness was killed may be on its way
            pause(SETTLE).await;
            remove(&engine, run, resources, SWEPT).await
        })
    }
}

/// Removes the kind clusters that a run named, if their names hold the run's.
pub(crate) async fn remove(
    engine: &Engine,
    run: &str,
    resources: &[Resource],
    patience: Duration,
) -> Result<()> {
    for resource in resources {
        let Resource::KindCluster { name } = resource else { continue };
        if !run.to_ascii_lowercase().contains(name.trim_start_matches("phoenix-")) {
            let why = "its name does not hold this run's";
            return Err(Error::unverified(format!("the cluster {name} is not removed"), why));
        }
        let began = Instant::now();
        // one that the engine is just starting is not removed at the first attempt, and volumes of gigabytes not
        // in a minute, where others are at the disk too
        wait_for(&format!("the nodes of {name} to be gone"), GONE, LOOK, || async {
            let there = nodes(engine, name).await?;
            let removed = join_all(there.iter().map(|node| async {
                engine.kill(node).await?;
                engine.remove_container(node).await
            }));
            match removed.await.into_iter().collect::<Result<()>>() {
                _ if there.is_empty() => Ok(Wait::Ready(())),
                Err(error) if began.elapsed() >= patience => Err(error),
                Err(error) => Ok(Wait::NotYet(error.chain())),
                Ok(()) => Ok(Wait::NotYet("removed".to_owned())),
            }
        })
        .await?;
    }
    Ok(())
}

/// Removes the namespaces that a run named in clusters that stay, if they bear its label, and waits until
/// they are gone.
pub(crate) async fn remove_namespaces(run: &str, resources: &[Resource]) -> Result<()> {
    for resource in resources {
        let Resource::Namespace { name, kubeconfig, context, cluster } = resource else { continue };
        let doing = || format!("removing the namespace {name} of the context {context}");
        let read = kubeconfig.as_ref().map_or_else(Kubeconfig::read, Kubeconfig::read_from);
        let kubernetes = Kubernetes::of(read.doing(doing())?, Some(context)).await?;
        if kubernetes.uid().await? != *cluster {
            let why = "its context is another cluster's now: name the kubeconfig by KUBECONFIG";
            return Err(Error::unverified(doing(), why));
        }
        let namespaces = kubernetes.global::<Namespace>();
        let what = format!("the namespace {name} to be gone");
        let gone = wait_for(&what, GONE, LOOK, || async {
            let Some(found) = namespaces.get_opt(name).await.doing(doing())? else {
                return Ok(Wait::Ready(()));
            };
            ours(&found, run)?;
            if found.metadata.deletion_timestamp.is_none() {
                namespaces.delete(name, &DeleteParams::default()).await.doing(doing())?;
            }
            Ok(Wait::NotYet("it is going".to_owned()))
        });
        kubernetes.reminding(name, gone).await?;
        wait_for(&format!("the volumes of the namespace {name} to be gone"), GONE, LOOK, || async {
            // its owner keeps what is retained
            let left = volumes(&kubernetes, name).await?.iter().filter(|it| !is_retained(it)).count();
            Ok(if left == 0 { Wait::Ready(()) } else { Wait::NotYet(format!("{left} are left")) })
        })
        .await?;
    }
    Ok(())
}

/// SIGKILL for every node of a cluster.
pub(crate) async fn kill_nodes(engine: &Engine, cluster: &str) -> Result<()> {
    let nodes = nodes(engine, cluster).await?;
    join_all(nodes.iter().map(|node| engine.kill(node))).await.into_iter().collect()
}

async fn nodes(engine: &Engine, cluster: &str) -> Result<BTreeSet<String>> {
    engine.containers_with(&[format!("{LABEL}={cluster}")]).await
}
