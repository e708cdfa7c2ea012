//! What a cluster says of itself, copied into the evidence before anything is removed.

use crate::{kubernetes::Life, masked::masked, plant::Plant};
use k8s_openapi::api::core::v1::Pod;
use kube::{ResourceExt, api::ListParams};
use phoenix_drill::{Doing, Result};
use phoenix_repository::{Host, must};
use std::{fs, time::Duration};
use tokio::time::timeout;

/// A cluster that does not answer by then says nothing more.
const PATIENCE: Duration = Duration::from_secs(60);

/// Copies events, conditions, every pod's logs, the PostgresCluster and what pgBackRest says of its backups.
pub(crate) async fn collect(plant: &Plant) -> Result<()> {
    if let Some(beside) = &plant.beside {
        let store = beside.store.as_ref().map(|store| &store.name);
        for name in store.into_iter().chain([&beside.registry.name]) {
            if beside.yard.engine.container(name).await?.is_some() {
                beside.yard.keep_log(name).await?;
            }
        }
    }
    if plant.cluster().is_ok() {
        // a cluster that is half raised may never answer, and the drill ends all the same
        let _ = timeout(PATIENCE, of_cluster(plant)).await;
    }
    Ok(())
}

async fn of_cluster(plant: &Plant) -> Result<()> {
    let (kubernetes, lookout) = plant.cluster()?;
    let directory = plant.site.scene.evidence.directory();
    let write =
        |name: &str, text: String| fs::write(directory.join(name), text).doing(format!("writing {name}"));
    let (clusters, events) = lookout
        .look(|view| (serde_json::to_value(&view.clusters), serde_json::to_string_pretty(&view.events)));
    let doing = "writing postgrescluster.json";
    let clusters = serde_json::to_string_pretty(&masked(clusters.doing(doing)?));
    write("postgrescluster.json", clusters.doing(doing)?)?;
    write("events.json", events.doing("writing events.json")?)?;
    for repository in 1..=plant.vault.repositories() {
        // nobody can be asked where no primary came up
        let Ok(info) = must(plant, "info", &plant.pgbackrest().info(repository)).await else { continue };
        write(&format!("pgbackrest-info-repo{repository}.json"), info)?;
    }
    // the operator may live beside others of its owner's
    let (operator, its_pods) = plant.operator.place()?;
    for (namespace, beginning) in [(plant.site.namespace(), ""), (&operator, &its_pods)] {
        let pods = kubernetes.all::<Pod>(namespace).list(&ListParams::default()).await;
        let Ok(pods) = pods else { continue };
        for pod in pods.items.iter().filter(|pod| pod.name_any().starts_with(beginning)) {
            let name = pod.name_any();
            let containers = pod.spec.as_ref().map(|spec| spec.containers.clone()).unwrap_or_default();
            for container in containers.iter().map(|container| &container.name) {
                for (life, ending) in [(Life::Current, "log"), (Life::Previous, "previous.log")] {
                    let Ok(text) = kubernetes.logs(namespace, &name, container, life).await else { continue };
                    let path = plant.site.scene.evidence.log(&format!("{name}-{container}.{ending}"));
                    fs::write(&path, text).doing(format!("writing {}", path.display()))?;
                }
            }
        }
    }
    Ok(())
}
