//! Destruction and its proof: what the castle had is looked for in the cluster's API, on its nodes and in
//! the engine, and must not be found.

use crate::{
    config::WipeKind,
    kubernetes::{Kubernetes, at_once, gone},
    lookout::is_ready,
    manifests::RUN,
    plant::{DATABASE, Plant},
    postgrescluster::label,
};
use k8s_openapi::api::core::v1::{Namespace, PersistentVolume, PersistentVolumeClaim, Pod, Secret, Service};
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams},
};
use phoenix_core::report::Inventory;
use phoenix_docker::Deed;
use phoenix_drill::{Doing, Error, Result, Span, Wait, wait_for};
use std::{collections::BTreeSet, time::Duration};

/// What is not gone by then is left, and found by the inventory.
const DEADLINE: Duration = Duration::from_secs(90);
const LOOK: Duration = Duration::from_millis(200);
/// Longer than a provisioner that is at work needs.
const PROVISIONED: Duration = Duration::from_secs(30);
/// What the scheduler notes on a claim when it asks for its volume.
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";

type Left = Vec<(&'static str, BTreeSet<String>)>;

/// Destroys what the configuration says, SIGKILL first, and looks for what is left.
pub(crate) async fn wipe(plant: &Plant, span: &Span) -> Result<Inventory> {
    let before = plant.vault.versions().await?;
    let kind = plant.site.config.wipe();
    let left = match kind {
        WipeKind::Platform => {
            plant.lost();
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

/// Waits until nobody is at work at a volume: a claim that is deleted meanwhile leaves a directory that no
/// object of the cluster's names, and that stays. A castle that lives has none.
async fn provisioned(plant: &Plant, kubernetes: &Kubernetes) -> Result<()> {
    let claims = kubernetes.all::<PersistentVolumeClaim>(plant.site.namespace());
    let under_way = |claim: &&PersistentVolumeClaim| {
        let phase = claim.status.as_ref().and_then(|status| status.phase.as_deref());
        phase == Some("Pending") && claim.annotations().contains_key(SELECTED_NODE)
    };
    let waited = wait_for("claims to be provisioned", PROVISIONED, LOOK, || async {
        let found = claims.list(&ListParams::default()).await.doing("looking at the claims")?.items;
        let count = found.iter().filter(under_way).count();
        Ok(if count == 0 { Wait::Ready(()) } else { Wait::NotYet(format!("{count} are not yet")) })
    });
    match waited.await {
        // nobody provisions for it: nothing will be left either
        Err(Error::Timeout { .. }) => Ok(()),
        other => other,
    }
}

/// Kills every process of the instances' pods: a graceful stop would archive the last segment.
async fn kill(plant: &Plant, kubernetes: &Kubernetes) -> Result<()> {
    let namespace = plant.site.namespace();
    let pods = kubernetes.all::<Pod>(namespace);
    let instances = ListParams::default().labels(&label("instance"));
    let found = pods.list(&instances).await.doing("listing the instances' pods")?;
    for pod in &found.items {
        let name = pod.name_any();
        let line = format!(
            "kubectl -n {namespace} exec {name} -c {DATABASE} -- bash -c 'kill -KILL -1'; kubectl -n {namespace} delete pod {name} --grace-period=0 --force"
        );
        let deed = Deed::typed("kill the instance", line);
        let argv = ["bash", "-c", "kill -KILL -1"].map(str::to_owned);
        // the shell that kills dies too, and so says nothing; it must have begun, if there is somebody to kill
        let killed = kubernetes.exec((namespace, &name, DATABASE), &argv, None).await;
        if is_ready(pod) {
            killed?;
        }
        gone(pods.delete(&name, &at_once()).await).doing(format!("deleting the pod {name}"))?;
        deed.end(&plant.site.scene.evidence, "killed", String::new())?;
    }
    Ok(())
}

async fn database(plant: &Plant, span: &Span) -> Result<Left> {
    let (kubernetes, _) = plant.cluster()?;
    provisioned(plant, &kubernetes).await?;
    span.run("kill", async |_| kill(plant, &kubernetes).await).await?;
    let clusters = kubernetes.clusters(plant.site.namespace());
    let deleted = clusters.delete(&plant.site.config.names.cluster, &DeleteParams::default()).await;
    gone(deleted).doing("deleting the PostgresCluster")?;
    // whoever was started again meanwhile is not given the time to archive
    let instances = ListParams::default().labels(&label("instance"));
    let pods = kubernetes.all::<Pod>(plant.site.namespace());
    gone(pods.delete_collection(&at_once(), &instances).await).doing("deleting the instances' pods")?;
    // those that the drill made are not the operator's before it adopts them
    let made = format!("{},{RUN}={}", label("pguser"), plant.site.scene.run);
    let secrets = kubernetes.all::<Secret>(plant.site.namespace());
    let removed =
        secrets.delete_collection(&DeleteParams::default(), &ListParams::default().labels(&made)).await;
    gone(removed).doing("deleting the users' Secrets")?;
    let gone = until_gone(span, "everything of the database", || left_of_database(plant, &kubernetes));
    kubernetes.reminding(plant.site.namespace(), gone).await
}

async fn left_of_database(plant: &Plant, kubernetes: &Kubernetes) -> Result<Left> {
    let namespace = plant.site.namespace();
    let all = ListParams::default();
    let of_cluster =
        ListParams::default().labels(&format!("{}={}", label("cluster"), plant.site.config.names.cluster));
    let doing = "taking the inventory";
    let clusters = kubernetes.clusters(namespace).list(&all).await;
    let mut left = vec![
        ("PostgresClusters", names(clusters.doing(doing)?)),
        ("pods", names(kubernetes.all::<Pod>(namespace).list(&of_cluster).await.doing(doing)?)),
        // whosever they are: the next restore would find what is in them
        ("claims", names(kubernetes.all::<PersistentVolumeClaim>(namespace).list(&all).await.doing(doing)?)),
        ("services", names(kubernetes.all::<Service>(namespace).list(&of_cluster).await.doing(doing)?)),
        ("Secrets", names(kubernetes.all::<Secret>(namespace).list(&of_cluster).await.doing(doing)?)),
    ];
    left.extend(left_of_volumes(plant, kubernetes).await?);
    Ok(left)
}

async fn namespace(plant: &Plant, span: &Span) -> Result<Left> {
    let (kubernetes, _) = plant.cluster()?;
    let namespace = plant.site.namespace();
    let namespaces = kubernetes.global::<Namespace>();
    let doing = "deleting the namespace";
    ours(&namespaces.get(namespace).await.doing(doing)?, plant.site.scene.run.as_str())?;
    provisioned(plant, &kubernetes).await?;
    span.run("kill", async |_| kill(plant, &kubernetes).await).await?;
    let deed = Deed::typed("delete the namespace", format!("kubectl delete namespace {namespace}"));
    gone(namespaces.delete(namespace, &DeleteParams::default()).await).doing(doing)?;
    // pods that linger would hold the namespace for their grace
    let pods = kubernetes.all::<Pod>(namespace);
    gone(pods.delete_collection(&at_once(), &ListParams::default()).await).doing("deleting its pods")?;
    deed.end(&plant.site.scene.evidence, "asked", String::new())?;
    let gone = until_gone(span, "the namespace", || left_of_namespace(plant, &kubernetes));
    kubernetes.reminding(namespace, gone).await
}

async fn left_of_namespace(plant: &Plant, kubernetes: &Kubernetes) -> Result<Left> {
    let found = kubernetes.global::<Namespace>().get_opt(plant.site.namespace()).await;
    let there = found.doing("taking the inventory")?.iter().map(finalizers).collect();
    let mut left = vec![("namespaces", there)];
    left.extend(left_of_volumes(plant, kubernetes).await?);
    Ok(left)
}

/// Waits until nothing is left; what will not go is what the inventory is for.
async fn until_gone<L: Future<Output = Result<Left>>>(
    span: &Span,
    what: &str,
    left: impl Fn() -> L,
) -> Result<Left> {
    let gone = span.run("deletion", async |span| {
        wait_for(&format!("{what} to be gone"), DEADLINE, LOOK, || async {
            let left = left().await?;
            let seen = tell(&left);
            span.progress(&seen);
            let none = left.iter().all(|(_, names)| names.is_empty());
            Ok(if none { Wait::Ready(left) } else { Wait::NotYet(seen) })
        })
        .await
    });
    match gone.await {
        Err(Error::Timeout { .. }) => left().await,
        other => other,
    }
}

/// An error unless a namespace bears a run's label.
pub(crate) fn ours(namespace: &Namespace, run: &str) -> Result<()> {
    if namespace.labels().get(RUN).is_some_and(|label| label == run) {
        return Ok(());
    }
    let what = format!("the namespace {} is not destroyed", namespace.name_any());
    Err(Error::unverified(what, "it does not bear this run's label"))
}

/// Volumes of the namespace, and their directories where nodes can be looked at.
async fn left_of_volumes(plant: &Plant, kubernetes: &Kubernetes) -> Result<Left> {
    let namespace = plant.site.namespace();
    let held = volumes(kubernetes, namespace).await?;
    let mut left = vec![("volumes", held.iter().map(why_it_stays).collect())];
    let directories = plant.platform.volume_directories(namespace).await?;
    left.extend(directories.map(|directories| ("volume directories", directories)));
    Ok(left)
}

/// A volume, and why it stays if its own policy says so.
fn why_it_stays(volume: &PersistentVolume) -> String {
    let name = volume.name_any();
    if !is_retained(volume) {
        return name;
    }
    let class = volume.spec.as_ref().and_then(|spec| spec.storage_class_name.clone()).unwrap_or_default();
    format!(
        "{name} (the StorageClass {class} retains its volumes: name one whose reclaimPolicy is Delete as \
         storage-class, and remove this one by `kubectl delete pv {name}` and where its storage keeps it)"
    )
}

/// Whether a volume outlives its claim.
pub(crate) fn is_retained(volume: &PersistentVolume) -> bool {
    let policy = volume.spec.as_ref().and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref());
    policy == Some("Retain")
}

/// The persistent volumes that a namespace's claims hold, or held.
pub(crate) async fn volumes(kubernetes: &Kubernetes, namespace: &str) -> Result<Vec<PersistentVolume>> {
    let all = kubernetes.global::<PersistentVolume>().list(&ListParams::default()).await;
    let held = |volume: &PersistentVolume| {
        let claim = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
        claim.and_then(|claim| claim.namespace.as_deref()) == Some(namespace)
    };
    let all = all.doing("listing the persistent volumes")?.items;
    Ok(all.into_iter().filter(held).collect())
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_volume_that_its_class_retains_says_so() {
        let volume = |policy: &str| -> PersistentVolume {
            let spec = json!({ "persistentVolumeReclaimPolicy": policy, "storageClassName": "safe" });
            serde_json::from_value(json!({ "metadata": { "name": "pvc-1" }, "spec": spec })).unwrap()
        };
        assert_eq!(why_it_stays(&volume("Delete")), "pvc-1");
        let told = why_it_stays(&volume("Retain"));
        assert!(
            told.starts_with("pvc-1 (the StorageClass safe retains") && told.contains("delete pv pvc-1"),
            "{told}"
        );
    }
}
