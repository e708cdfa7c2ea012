//! Asks the store from inside the cluster, with the very credentials, path and CA that a restore will have:
//! the operator's own pod is mute for minutes when the store does not answer. It runs in PostgreSQL's image,
//! which the nodes pull for the restore anyway.

use crate::{
    built_in::Phase,
    coming_up::ComingUp,
    kubernetes::{Life, at_once},
    manifests::{RUN, STANZA},
    plant::Plant,
    signs,
};
use k8s_openapi::api::core::v1::Pod;
use phoenix_drill::{Doing, Result, Span, Wait};
use serde_json::{Value, json};

const POD: &str = "phoenix-probe";
const CONTAINER: &str = "probe";
/// Nobody waits longer for an answer of the store, in seconds.
const IO_TIMEOUT_S: &str = "5";

/// Asks the store for what the manifest will ask it for; what it says instead is why nothing comes back.
pub(crate) async fn probe(plant: &Plant, phase: &Phase, manifest: &Value, span: &Span) -> Result<()> {
    let (kubernetes, _) = plant.cluster()?;
    let (source, question) = match manifest.pointer("/spec/dataSource/pgbackrest") {
        Some(source) => (source, vec!["repo-get".to_owned(), format!("backup/{STANZA}/backup.info")]),
        None => (&manifest["spec"]["backups"]["pgbackrest"], vec!["repo-ls".to_owned()]),
    };
    let pod = manifest_of(plant, source, &question);
    kubernetes.apply(&pod).await?;
    let castle = ComingUp::castle(plant, phase)?;
    let status = castle
        .until("the store to answer a pod", |view| match view.pods.get(POD) {
            Some(pod) => match signs::terminated(pod, CONTAINER) {
                Some(ended) => Wait::Ready(ended.exit_code),
                None => Wait::NotYet("the pod has not ended".to_owned()),
            },
            None => Wait::NotYet("there is no pod yet".to_owned()),
        })
        .await?;
    let namespace = plant.site.namespace();
    let log = kubernetes.logs(namespace, POD, CONTAINER, Life::Current).await.unwrap_or_default();
    let removed = kubernetes.all::<Pod>(namespace).delete(POD, &at_once()).await;
    removed.map(drop).doing("removing the probe")?;
    if status == 0 {
        span.detail("the store answers a pod");
        return Ok(());
    }
    let path = plant.site.scene.evidence.log(&format!("{POD}.log"));
    std::fs::write(&path, &log).doing(format!("writing {}", path.display()))?;
    let evidence = format!("pod {POD}: pgbackrest {} ended with exit {status}", question.join(" "));
    Err(phase.stopped(castle.explained(&evidence, status, &log).await))
}

/// A pod with pgBackRest that is told of the repository as the operator will tell the restore.
fn manifest_of(plant: &Plant, source: &Value, question: &[String]) -> Value {
    let repo = if source["repo"].is_object() { &source["repo"] } else { &source["repos"][0] };
    let mut options = vec![
        ("repo1-type".to_owned(), json!("s3")),
        ("stanza".to_owned(), json!(STANZA)),
        ("log-level-console".to_owned(), json!("info")),
        ("log-level-file".to_owned(), json!("off")),
    ];
    for (name, value) in repo["s3"].as_object().into_iter().flatten() {
        options.push((format!("repo1-s3-{name}"), value.clone()));
    }
    for (name, value) in source["global"].as_object().into_iter().flatten() {
        options.push((name.clone(), value.clone()));
    }
    options.push(("io-timeout".to_owned(), json!(IO_TIMEOUT_S)));
    let variable = |(name, value): (String, Value)| {
        let name = format!("PGBACKREST_{}", name.to_ascii_uppercase().replace('-', "_"));
        json!({ "name": name, "value": value })
    };
    // what is said last counts, as it does for whoever reads a configuration
    let mut variables: Vec<Value> = Vec::new();
    for variable in options.into_iter().filter(|(name, _)| is_of_the_store(name)).map(variable) {
        variables.retain(|known| known["name"] != variable["name"]);
        variables.push(variable);
    }
    let argv: Vec<String> =
        std::iter::once("pgbackrest".to_owned()).chain(question.iter().cloned()).collect();
    let image = plant.images.get(1).cloned().unwrap_or_default();
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": POD, "namespace": plant.site.namespace(), "labels": { RUN: plant.site.scene.run.as_str() } },
        "spec": {
            "restartPolicy": "Never", "automountServiceAccountToken": false, "enableServiceLinks": false,
            "terminationGracePeriodSeconds": 0,
            "containers": [{
                "name": CONTAINER, "image": image, "command": argv, "env": variables,
                "volumeMounts": [{ "name": "conf", "mountPath": "/etc/pgbackrest/conf.d", "readOnly": true }],
            }],
            "volumes": [{ "name": "conf", "projected": { "sources": source["configuration"] } }],
        },
    })
}

/// Options that say where the store is and who asks. Others are not known to every command.
fn is_of_the_store(name: &str) -> bool {
    name.starts_with("repo1-")
        || matches!(name, "stanza" | "io-timeout" | "log-level-console" | "log-level-file")
}
