//! Asks the store from inside the cluster, with the very credentials, path and CA that a restore will have:
//! the operator's own pod is mute for minutes when the store does not answer. It runs in PostgreSQL's image,
//! which the nodes pull for the restore anyway.

use crate::{
    built_in::Phase,
    coming_up::ComingUp,
    kubernetes::{Life, at_once, gone},
    manifests::{RUN, STANZA},
    plant::Plant,
    signs,
};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};
use phoenix_drill::{Doing, Result, Span, Wait};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const POD: &str = "phoenix-probe";
const CONTAINER: &str = "probe";
/// Nobody waits longer for an answer of the store, in seconds.
const IO_TIMEOUT_S: &str = "5";
/// What pgBackRest says where a name cannot be resolved.
const NAME_UNKNOWN: &str = "unable to get address";
/// For so long names may be unknown, and nodes fail to start a container.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks the store for what the manifest will ask it for; what it says instead is why nothing comes back.
pub(crate) async fn probe(plant: &Plant, phase: &Phase, manifest: &Value, span: &Span) -> Result<()> {
    let began = Instant::now();
    let (source, question) = match manifest.pointer("/spec/dataSource/pgbackrest") {
        Some(source) => (source, vec!["repo-get".to_owned(), format!("backup/{STANZA}/backup.info")]),
        None => (&manifest["spec"]["backups"]["pgbackrest"], vec!["repo-ls".to_owned()]),
    };
    let castle = ComingUp::castle(plant, phase)?;
    let (name, ended, log) = loop {
        // of each probe's own: what another one saw is not taken for its answer
        let name = format!("{POD}-{}", plant.site.scene.now().0);
        let pod = manifest_of(plant, &name, manifest, source, &question);
        let (ended, log) = asked(plant, &castle, &name, &pod).await?;
        let passes = match () {
            () if signs::never_started(&ended) => "the node could not start the pod's container",
            // names are known a moment later than pods run, in a cluster that is just rising
            () if ended.exit_code != 0 && log.contains(NAME_UNKNOWN) => {
                "the cluster does not know the store's name yet"
            }
            () => break (name, ended, log),
        };
        if began.elapsed() >= PATIENCE {
            break (name, ended, log);
        }
        span.progress(passes);
    };
    let status = ended.exit_code;
    if status == 0 {
        span.detail("the store answers a pod");
        return Ok(());
    }
    let path = plant.site.scene.evidence.log(&format!("{name}.log"));
    std::fs::write(&path, &log).doing(format!("writing {}", path.display()))?;
    let why = ended.message.map(|message| format!(": {}", message.trim())).unwrap_or_default();
    let evidence = format!("pod {name}: pgbackrest {} ended with exit {status}{why}", question.join(" "));
    Err(phase.stopped(castle.explained(&evidence, status, &log).await))
}

/// Runs the pod to its end, and gives how it ended and what it printed. It is removed whatever it says.
async fn asked(
    plant: &Plant,
    castle: &ComingUp<'_>,
    name: &str,
    pod: &Value,
) -> Result<(ContainerStateTerminated, String)> {
    let (kubernetes, _) = plant.cluster()?;
    let namespace = plant.site.namespace();
    kubernetes.apply(pod).await?;
    let ended = castle.until("the store to answer a pod", |view| match view.pods.get(name) {
        Some(pod) => match signs::terminated(pod, CONTAINER) {
            Some(ended) => Wait::Ready(ended.clone()),
            None => Wait::NotYet("the pod has not ended".to_owned()),
        },
        None => Wait::NotYet("there is no pod yet".to_owned()),
    });
    let ended = ended.await;
    let log = kubernetes.logs(namespace, name, CONTAINER, Life::Current).await.unwrap_or_default();
    let removed = kubernetes.all::<Pod>(namespace).delete(name, &at_once()).await;
    let ended = ended?;
    gone(removed).doing("removing the probe")?;
    Ok((ended, log))
}

/// A pod with pgBackRest that is told of the repository as the operator will tell the restore, and that may run
/// wherever the castle may.
fn manifest_of(plant: &Plant, name: &str, castle: &Value, source: &Value, question: &[String]) -> Value {
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
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": name, "namespace": plant.site.namespace(), "labels": { RUN: plant.site.scene.run.as_str() } },
        "spec": {
            "restartPolicy": "Never", "automountServiceAccountToken": false, "enableServiceLinks": false,
            "terminationGracePeriodSeconds": 0,
            "securityContext": { "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
            "containers": [{
                "name": CONTAINER, "image": image, "command": argv, "env": variables,
                "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
                "volumeMounts": [{ "name": "conf", "mountPath": "/etc/pgbackrest/conf.d", "readOnly": true }],
            }],
            "volumes": [{ "name": "conf", "projected": { "sources": source["configuration"] } }],
        },
    });
    let wanted = [
        ("imagePullSecrets", castle.pointer("/spec/imagePullSecrets")),
        ("tolerations", castle.pointer("/spec/instances/0/tolerations")),
        ("affinity", castle.pointer("/spec/instances/0/affinity")),
    ];
    for (field, value) in wanted {
        if let Some(value) = value {
            pod["spec"][field] = value.clone();
        }
    }
    pod
}

/// Options that say where the store is and who asks. Others are not known to every command.
fn is_of_the_store(name: &str) -> bool {
    name.starts_with("repo1-")
        || matches!(name, "stanza" | "io-timeout" | "log-level-console" | "log-level-file")
}
