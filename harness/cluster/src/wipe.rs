//! Destruction and its proof: what the castle had is looked for in the cluster's API, on its nodes and in
//! the engine, and must not be found.

use crate::{
    config::WipeKind,
    kubernetes::{Kubernetes, short},
    plant::{DATABASE, Plant},
    postgrescluster::{self, label},
};
use k8s_openapi::api::core::v1::{Namespace, PersistentVolume, PersistentVolumeClaim, Pod, Secret, Service};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams},
};
use phoenix_core::report::Inventory;
use phoenix_drill::{Doing, Error, Result, Span, Wait, wait_for};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// What is not gone by then is left, and found by the inventory.
const DEADLINE: Duration = Duration::from_secs(90);
const LOOK: Duration = Duration::from_millis(200);

type Left = Vec<(&'static str, BTreeSet<String>)>;

/// Destroys what the configuration says, SIGKILL first, and looks for what is left.
pub(crate) async fn wipe(plant: &Plant, span: &Span) -> Result<Inventory> {
    let before = plant.vault.versions().await?;
    let kind = plant.site.config.wipe();
    let left = match kind {
        WipeKind::Platform => {
            plant.found(None);
            plant.platform.destroy().await?;
            plant.platform.remains().await?
        }
        WipeKind::Namespace => namespace(plant, span).await?,
        WipeKind::Database => database(plant, span).await?,
    };
    let store_added = plant.vault.added_since(&before).await?;
    let named = |(what, names): &(&'static str, BTreeSet<String>)| {
        let what = what.trim_end_matches('s').to_owned();
        names.iter().map(move |name| format!("{what} {name}")).collect::<Vec<_>>()
    };
    Ok(Inventory {
        method: format!("SIGKILL, {}", kind.word()),
        left: left.iter().map(|(what, names)| ((*what).to_owned(), names.len() as u64)).collect(),
        remains: left.iter().flat_map(named).collect(),
        store_objects: before.len() as u64,
        store_added,
    })
}

/// Kills every process of the instances' pods: a graceful stop would archive the last segment.
async fn kill(plant: &Plant, kubernetes: &Kubernetes) -> Result<()> {
    let (namespace, began) = (plant.site.namespace(), Instant::now());
    let pods = kubernetes.all::<Pod>(namespace);
    let instances = ListParams::default().labels(&label("instance"));
    let found = pods.list(&instances).await.doing("listing the instances' pods")?;
    for pod in &found.items {
        let name = pod.name_any();
        let argv = ["bash", "-c", "kill -KILL -1"].map(str::to_owned);
        // the shell that kills dies too, and so says nothing
        let _ = kubernetes.exec((namespace, &name, DATABASE), &argv, None).await;
        let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
        gone(pods.delete(&name, &now).await.map(drop)).doing(format!("deleting the pod {name}"))?;
        let line = format!(
            "kubectl -n {namespace} exec {name} -c {DATABASE} -- bash -c 'kill -KILL -1'; kubectl -n {namespace} delete pod {name} --grace-period=0 --force"
        );
        plant.site.note("kill the instance", line, "killed", began)?;
    }
    Ok(())
}

async fn database(plant: &Plant, span: &Span) -> Result<Left> {
    let (kubernetes, _) = plant.cluster()?;
    let names = &plant.site.config.names;
    span.run("kill", async |_| kill(plant, &kubernetes).await).await?;
    let resource = postgrescluster::resource();
    let clusters: Api<postgrescluster::PostgresCluster> =
        Api::namespaced_with(kubernetes.client.clone(), plant.site.namespace(), &resource);
    let deleted = clusters.delete(&names.cluster, &DeleteParams::default()).await;
    gone(deleted.map(drop)).doing("deleting the PostgresCluster")?;
    let patience = span.run("deletion", async |span| {
        wait_for("everything of the database to be gone", DEADLINE, LOOK, || async {
            let left = left_of_database(plant, &kubernetes).await?;
            let seen = tell(&left);
            span.progress(&seen);
            let none = left.iter().all(|(_, names)| names.is_empty());
            Ok(if none { Wait::Ready(left) } else { Wait::NotYet(seen) })
        })
        .await
    });
    match patience.await {
        // what will not go is what the inventory is for
        Err(Error::Timeout { .. }) => left_of_database(plant, &kubernetes).await,
        other => other,
    }
}

async fn left_of_database(plant: &Plant, kubernetes: &Kubernetes) -> Result<Left> {
    let namespace = plant.site.namespace();
    let resource = postgrescluster::resource();
    let clusters: Api<postgrescluster::PostgresCluster> =
        Api::namespaced_with(kubernetes.client.clone(), namespace, &resource);
    let all = ListParams::default();
    let of_cluster =
        ListParams::default().labels(&format!("{}={}", label("cluster"), plant.site.config.names.cluster));
    let doing = "taking the inventory";
    let mut left = vec![
        ("PostgresClusters", names(clusters.list(&all).await.doing(doing)?)),
        ("pods", names(kubernetes.all::<Pod>(namespace).list(&of_cluster).await.doing(doing)?)),
        // whosever they are: the next restore would find what is in them
        ("claims", names(kubernetes.all::<PersistentVolumeClaim>(namespace).list(&all).await.doing(doing)?)),
        ("services", names(kubernetes.all::<Service>(namespace).list(&of_cluster).await.doing(doing)?)),
        ("Secrets", names(kubernetes.all::<Secret>(namespace).list(&of_cluster).await.doing(doing)?)),
        ("volumes", volumes(kubernetes, namespace).await?),
    ];
    let directories = plant.platform.volume_directories(namespace).await?;
    left.extend(directories.map(|directories| ("volume directories", directories)));
    Ok(left)
}

async fn namespace(plant: &Plant, span: &Span) -> Result<Left> {
    let (kubernetes, _) = plant.cluster()?;
    let namespace = plant.site.namespace();
    ours(plant, &kubernetes).await?;
    span.run("kill", async |_| kill(plant, &kubernetes).await).await?;
    // pods that linger would hold the namespace for their grace
    let pods = kubernetes.all::<Pod>(namespace);
    let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    let began = Instant::now();
    let namespaces = kubernetes.global::<Namespace>();
    gone(namespaces.delete(namespace, &DeleteParams::default()).await.map(drop))
        .doing("deleting the namespace")?;
    gone(pods.delete_collection(&now, &ListParams::default()).await.map(drop)).doing("deleting its pods")?;
    plant.site.note(
        "delete the namespace",
        format!("kubectl delete namespace {namespace}"),
        "asked",
        began,
    )?;
    let left = async || {
        let there = match namespaces.get(namespace).await {
            Ok(found) => BTreeSet::from([finalizers(&found)]),
            Err(kube::Error::Api(status)) if status.code == 404 => BTreeSet::new(),
            Err(error) => return Err(Error::unverified("taking the inventory", short(&error))),
        };
        let mut left = vec![("namespaces", there), ("volumes", volumes(&kubernetes, namespace).await?)];
        let directories = plant.platform.volume_directories(namespace).await?;
        left.extend(directories.map(|directories| ("volume directories", directories)));
        Ok(left)
    };
    let patience = span.run("deletion", async |span| {
        wait_for("the namespace to be gone", DEADLINE, LOOK, || async {
            let left = left().await?;
            let seen = tell(&left);
            span.progress(&seen);
            let none = left.iter().all(|(_, names)| names.is_empty());
            Ok(if none { Wait::Ready(left) } else { Wait::NotYet(seen) })
        })
        .await
    });
    match patience.await {
        Err(Error::Timeout { .. }) => left().await,
        other => other,
    }
}

/// An error unless the namespace bears this run's label.
async fn ours(plant: &Plant, kubernetes: &Kubernetes) -> Result<()> {
    let name = plant.site.namespace();
    let found = kubernetes.global::<Namespace>().get(name).await.doing("looking at the namespace")?;
    let run = plant.site.scene.run.as_str();
    if found.labels().get(crate::manifests::RUN).is_some_and(|label| label == run) {
        return Ok(());
    }
    Err(Error::unverified(
        format!("the namespace {name} is not destroyed"),
        "it does not bear this run's label",
    ))
}

/// The persistent volumes that a namespace's claims hold.
async fn volumes(kubernetes: &Kubernetes, namespace: &str) -> Result<BTreeSet<String>> {
    let all = kubernetes.global::<PersistentVolume>().list(&ListParams::default()).await;
    let held = |volume: &PersistentVolume| {
        let claim = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
        claim.and_then(|claim| claim.namespace.as_deref()) == Some(namespace)
    };
    let all = all.doing("listing the persistent volumes")?.items;
    Ok(all.iter().filter(|volume| held(volume)).map(ResourceExt::name_any).collect())
}

fn names<K: Clone + kube::Resource>(list: kube::core::ObjectList<K>) -> BTreeSet<String> {
    list.items.iter().map(ResourceExt::name_any).collect()
}

/// A namespace and what holds it.
fn finalizers(namespace: &Namespace) -> String {
    let conditions = namespace.status.as_ref().and_then(|status| status.conditions.as_ref());
    let says = conditions.into_iter().flatten().filter(|condition| condition.status == "True");
    let says: Vec<_> = says.filter_map(|condition| condition.message.clone()).collect();
    let name = namespace.name_any();
    if says.is_empty() { name } else { format!("{name} ({})", says.join("; ")) }
}

fn tell(left: &Left) -> String {
    let all = left.iter().filter(|(_, names)| !names.is_empty());
    let all: Vec<_> = all
        .map(|(what, names)| format!("{what}: {}", names.iter().cloned().collect::<Vec<_>>().join(", ")))
        .collect();
    if all.is_empty() { "nothing left".to_owned() } else { all.join(" · ") }
}

/// The end of something that may be gone already.
fn gone(answer: Result<(), kube::Error>) -> Result<(), kube::Error> {
    match answer {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => other,
    }
}
