//! Follows what restores and databases print, while they print it: a restore's pod is gone within seconds of its
//! end, and a database that is given up is started again without its data.

use crate::{
    kubernetes::Kubernetes,
    lookout::Lookout,
    plant::DATABASE,
    postgrescluster::label,
    signs::{RESTORE, Sign},
    site::Site,
};
use futures::{AsyncBufReadExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::{ResourceExt, api::LogParams};
use phoenix_postgres::diagnosis;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::task::JoinSet;

/// What Patroni says when it gives up a database that did not start. Then it moves the data away.
const GAVE_UP: &str = "after failed attempt to bootstrap the cluster";

/// What containers printed in this life, by pod.
type Texts = Arc<Mutex<BTreeMap<String, String>>>;

/// Follows every restore and every database of the castle's namespace. Ends with its last clone.
#[derive(Clone)]
pub(crate) struct Logs {
    restores: Texts,
    databases: Texts,
    _followers: Arc<JoinSet<()>>,
}

/// One life of a container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Printer {
    pod: String,
    container: &'static str,
    restarts: i32,
}

impl Logs {
    /// Begins to follow.
    pub fn follow(site: Arc<Site>, kubernetes: Kubernetes, lookout: Lookout) -> Self {
        let (restores, databases) = (Texts::default(), Texts::default());
        let follower =
            Follower { site, kubernetes, lookout, restores: restores.clone(), databases: databases.clone() };
        let mut followers = JoinSet::new();
        followers.spawn(follower.follow());
        Self { restores, databases, _followers: Arc::new(followers) }
    }

    /// A new life begins: what was printed in the one before says nothing of it.
    pub fn begin_life(&self) {
        for texts in [&self.restores, &self.databases] {
            texts.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// What restores printed so far in this life.
    pub fn of_restores(&self) -> String {
        joined(&self.restores)
    }

    /// What databases printed so far in this life.
    pub fn of_databases(&self) -> String {
        joined(&self.databases)
    }
}

fn joined(texts: &Texts) -> String {
    let texts = texts.lock().unwrap_or_else(PoisonError::into_inner);
    texts.values().cloned().collect::<Vec<_>>().join("\n")
}

/// How often a container was started again, if it runs or ran.
pub(crate) fn begun(pod: &Pod, container: &str) -> Option<i32> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let found = statuses.iter().find(|status| status.name == container)?;
    found.state.as_ref()?.waiting.is_none().then_some(found.restart_count)
}

#[derive(Clone)]
struct Follower {
    site: Arc<Site>,
    kubernetes: Kubernetes,
    lookout: Lookout,
    restores: Texts,
    databases: Texts,
}

impl Follower {
    async fn follow(self) {
        let (mut followers, mut followed) = (JoinSet::new(), BTreeSet::new());
        let printers = [(label("pgbackrest-restore"), RESTORE), (label("instance"), DATABASE)];
        let mut changes = self.lookout.changes();
        loop {
            let begun: Vec<_> = self.lookout.look(|view| {
                let of = |(label, container): &(String, &'static str)| {
                    let lives = view.pods_with(label).filter_map(|pod| {
                        let restarts = begun(pod, container)?;
                        Some(Printer { pod: pod.name_any(), container, restarts })
                    });
                    lives.collect::<Vec<_>>()
                };
                printers.iter().flat_map(of).collect()
            });
            for printer in begun {
                if followed.insert(printer.clone()) {
                    let follower = self.clone();
                    followers.spawn(async move { follower.follow_one(&printer).await });
                }
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    async fn follow_one(&self, Printer { pod, container, .. }: &Printer) {
        let parameters =
            LogParams { container: Some((*container).to_owned()), follow: true, ..LogParams::default() };
        let pods = self.kubernetes.all::<Pod>(self.site.namespace());
        let Ok(stream) = pods.log_stream(pod, &parameters).await else { return };
        let mut lines = stream.lines();
        while let Ok(Some(line)) = lines.try_next().await {
            if *container == RESTORE {
                self.restore_said(pod, &line);
            } else {
                self.database_said(pod, line);
            }
        }
    }

    fn restore_said(&self, pod: &str, line: &str) {
        let path = self.site.scene.evidence.log(&format!("{pod}.log"));
        if let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(path) {
            // the text is kept in memory too, and a full disk shows in report.json
            let _ = writeln!(file, "{line}");
        }
        note(&self.restores, pod, line);
        // it is begun again for ever, within the same container
        if line.contains(diagnosis::TARGET_MISSED) {
            self.lookout.tell(|view| view.signs.push(Sign::Said(line.to_owned())));
        }
    }

    fn database_said(&self, pod: &str, line: String) {
        note(&self.databases, pod, &line);
        if line.contains(GAVE_UP) {
            self.lookout.tell(|view| view.signs.push(Sign::GaveUp { pod: pod.to_owned(), line }));
        }
    }
}

fn note(texts: &Texts, pod: &str, line: &str) {
    let mut texts = texts.lock().unwrap_or_else(PoisonError::into_inner);
    let text = texts.entry(pod.to_owned()).or_default();
    text.push_str(line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(state: serde_json::Value, restarts: i32) -> Pod {
        let status = json!({ "name": DATABASE, "image": "", "imageID": "", "ready": false,
            "restartCount": restarts, "state": state });
        serde_json::from_value(json!({ "metadata": {}, "status": { "containerStatuses": [status] } }))
            .unwrap()
    }

    #[test]
    fn each_life_of_a_container_is_followed_once_it_prints() {
        let waiting = json!({ "waiting": { "reason": "CrashLoopBackOff" } });
        assert_eq!(begun(&pod(waiting, 1), DATABASE), None);
        assert_eq!(begun(&pod(json!({ "running": {} }), 1), DATABASE), Some(1));
        assert_eq!(begun(&pod(json!({ "terminated": { "exitCode": 1 } }), 0), DATABASE), Some(0));
        assert_eq!(begun(&pod(json!({ "running": {} }), 1), RESTORE), None);
    }
}
