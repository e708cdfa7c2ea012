//! Destruction and its proof: what the victim had is looked for by name and by label, and must not be
//! found.

use crate::{plant::Plant, victim::Container};
use phoenix_core::report::Inventory;
use phoenix_docker::{
    Deed, Role,
    names::{ROLE, RUN},
};
use phoenix_drill::{Error, Result, Wait, wait_for};
use std::{collections::BTreeSet, time::Duration};

/// Kills the victim with SIGKILL, removes all it had, and looks for what is left.
pub(crate) async fn destroy(plant: &Plant) -> Result<Inventory> {
    let before = plant.vault.versions().await?;
    let victim = plant.container().await?;
    kill(plant, &victim).await?;
    plant.yard.keep_log(&victim.name).await?;
    remove(plant, &victim).await?;
    *plant.victim.lock().await = None;
    let (containers, volumes) = left(plant, &victim).await?;
    let endpoints = endpoints(plant, &victim).await?;
    let store_added = plant.vault.added_since(&before).await?;
    let left = [("containers", &containers), ("volumes", &volumes), ("network endpoints", &endpoints)];
    let named = |(what, names): &(&str, &BTreeSet<String>)| {
        let what = what.trim_end_matches('s').to_owned();
        names.iter().map(move |name| format!("{what} {name}")).collect::<Vec<_>>()
    };
    Ok(Inventory {
        method: "SIGKILL".to_owned(),
        left: left.map(|(what, names)| (what.to_owned(), names.len() as u64)).into(),
        remains: left.iter().flat_map(named).collect(),
        store_objects: before.len() as u64,
        store_added,
    })
}

/// SIGKILL, until the container's every process is gone.
pub(crate) async fn kill(plant: &Plant, victim: &Container) -> Result<()> {
    let deed = Deed::begin("kill", &["kill", "--signal", "SIGKILL", &victim.name]);
    plant.yard.engine.kill(&victim.name).await?;
    let look = async || {
        let state = plant.yard.engine.container(&victim.name).await?.and_then(|container| container.state);
        Ok(match state {
            Some(state) if state.running == Some(true) => Wait::NotYet("it runs".to_owned()),
            Some(state) => Wait::Ready(format!("exit {}", state.exit_code.unwrap_or_default())),
            None => Wait::Ready("gone".to_owned()),
        })
    };
    let ended =
        wait_for("the victim to be dead", Duration::from_secs(30), Duration::from_millis(10), look).await?;
    deed.end(&plant.yard.scene.evidence, &ended, String::new())
}

/// Removes the container with its anonymous volumes, and its named ones.
async fn remove(plant: &Plant, victim: &Container) -> Result<()> {
    let deed = Deed::begin("remove the victim", &["rm", "--force", "--volumes", &victim.name]);
    plant.yard.engine.remove_container(&victim.name).await?;
    deed.end(&plant.yard.scene.evidence, "removed", String::new())?;
    let [data, repository] = &victim.volumes;
    let deed = Deed::begin("remove its volumes", &["volume", "rm", data, repository]);
    for volume in &victim.volumes {
        plant.yard.engine.remove_volume(volume).await?;
    }
    deed.end(&plant.yard.scene.evidence, "removed", String::new())
}

/// Containers and volumes of the victim: those that it had, and whatever bears its labels.
async fn left(plant: &Plant, victim: &Container) -> Result<(BTreeSet<String>, BTreeSet<String>)> {
    let labels = [format!("{RUN}={}", plant.yard.scene.run), format!("{ROLE}={}", Role::Victim.word())];
    let mut containers = plant.yard.engine.containers_with(&labels).await?;
    if plant.yard.engine.container(&victim.name).await?.is_some() {
        containers.insert(victim.name.clone());
    }
    let mut volumes = plant.yard.engine.volumes_with(&labels).await?;
    for volume in &victim.all_volumes {
        if plant.yard.engine.volume(volume).await?.is_some() {
            volumes.insert(volume.clone());
        }
    }
    Ok((containers, volumes))
}

/// Endpoints on the drill's network that are not the store's.
async fn endpoints(plant: &Plant, victim: &Container) -> Result<BTreeSet<String>> {
    let network = plant.yard.engine.network(&plant.network).await?;
    let network = network.ok_or_else(|| Error::unverified("taking the inventory", "the network is gone"))?;
    let names = network.containers.into_iter().flatten().filter_map(|(_, endpoint)| endpoint.name);
    let store = plant.store.as_ref().map(|store| store.name.as_str());
    Ok(names.filter(|name| *name == victim.name || Some(name.as_str()) != store).collect())
}
