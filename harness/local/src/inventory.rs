//! Destruction and its proof: what the victim had is looked for and must not be found.

use crate::{plant::Plant, process, shared_memory};
use phoenix_core::report::Inventory;
use phoenix_drill::{Doing, Error, Result};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The file that marks a directory as a drill's own; it holds the run's id.
pub(crate) const MARK_FILE: &str = ".phoenix-run";

/// Kills the victim with SIGKILL, removes all it had, and looks for what is left.
pub(crate) async fn destroy(plant: &Plant) -> Result<Inventory> {
    let before = plant.vault.versions().await?;
    let memory = shared_memory::of(&plant.data());
    if let Some(mut server) = plant.server.lock().await.take() {
        server.kill().await?;
    }
    process::extinguish(|| plant.processes()).await?;
    shared_memory::release(memory).await?;
    let (root, victim) = (plant.root.clone(), plant.victim());
    let run = plant.scene.run.to_string();
    let removed = tokio::task::spawn_blocking(move || remove_marked(&root, &run, &victim));
    removed.await.doing("removing the victim")??;
    let (processes, files) = (left_processes(plant), left_files(&plant.victim()));
    let store_added = plant.vault.added_since(&before).await?;
    let segments: Vec<String> =
        memory.filter(|id| id.is_there()).map(|id| id.to_string()).into_iter().collect();
    let left =
        [("processes", processes.len()), ("files", files.len()), ("shared memory segments", segments.len())];
    let mut remains = processes;
    remains.extend(segments);
    remains.extend(files.iter().map(|file| file.display().to_string()));
    Ok(Inventory {
        method: "SIGKILL".to_owned(),
        left: left.map(|(what, count)| (what.to_owned(), count as u64)).into(),
        remains,
        store_objects: before.len() as u64,
        store_added,
    })
}

/// Removes `target`, which is `root` or lies in it, if `root` bears this run's mark.
pub(crate) fn remove_marked(root: &Path, run: &str, target: &Path) -> Result<()> {
    if !root.exists() {
        return Ok(());
    }
    let mark = fs::read_to_string(root.join(MARK_FILE)).unwrap_or_default();
    let untouched = || fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_none());
    if (mark != run && !untouched()) || !target.starts_with(root) {
        let why = "it does not bear this run's mark";
        return Err(Error::unverified(format!("{} is not removed", target.display()), why));
    }
    match fs::remove_dir_all(target) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed.doing(format!("removing {}", target.display())),
    }
}

/// Processes of the victim: by mark, by namespace, by ancestry, and by what they hold open.
fn left_processes(plant: &Plant) -> Vec<String> {
    let name =
        |pid: &u32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned();
    plant.processes().iter().map(|pid| format!("process {pid} ({})", name(pid))).collect()
}

/// Everything at or below a path.
fn left_files(path: &Path) -> Vec<PathBuf> {
    let Ok(found) = fs::symlink_metadata(path) else { return Vec::new() };
    let mut files = vec![path.to_owned()];
    if found.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        files.extend(entries.flat_map(|entry| left_files(&entry.path())));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_bears_the_mark_is_removed() {
        let base = std::env::temp_dir().join(format!("phoenix-inventory-{}", std::process::id()));
        let root = base.join("run");
        fs::create_dir_all(root.join("victim")).unwrap();
        fs::write(root.join(MARK_FILE), "RUN").unwrap();
        fs::write(base.join("precious"), "").unwrap();
        remove_marked(&root, "ANOTHER", &root.join("victim")).unwrap_err();
        remove_marked(&root, "RUN", &base.join("precious")).unwrap_err();
        assert_eq!(left_files(&root.join("victim")), [root.join("victim")]);
        remove_marked(&root, "RUN", &root.join("victim")).unwrap();
        assert!(left_files(&root.join("victim")).is_empty());
        assert!(base.join("precious").exists());
        fs::remove_dir_all(base).unwrap();
    }
}
