//! What is known of a namespace, kept current by watches: whoever waits looks here and is woken when
//! something changed.

use crate::{
    kubernetes::{Kubernetes, short},
    postgrescluster::{PostgresCluster, Status, label},
};
use futures::StreamExt;
use k8s_openapi::api::{
    batch::v1::Job,
    core::v1::{Event, PersistentVolumeClaim, Pod},
};
use kube::{
    Api, ResourceExt,
    runtime::watcher::{self, watcher},
};
use phoenix_drill::{Error, Result, Wait, pause};
use std::{
    collections::BTreeMap,
    fmt::Debug,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, task::JoinSet, time::timeout};

/// A watch that broke, or a kind that is not served yet, is asked for again after this.
const RETRY: Duration = Duration::from_millis(100);

/// A namespace as it was last seen. Objects are by name.
#[derive(Debug, Default)]
pub(crate) struct View {
    pub clusters: BTreeMap<String, PostgresCluster>,
    pub pods: BTreeMap<String, Pod>,
    pub jobs: BTreeMap<String, Job>,
    pub claims: BTreeMap<String, PersistentVolumeClaim>,
    pub events: BTreeMap<String, Event>,
    /// How often each event of an earlier life had happened when this one began.
    pub stale: BTreeMap<String, i32>,
    /// What logs said.
    pub signs: Vec<crate::signs::Sign>,
    /// What the last broken watch of each kind said.
    pub trouble: BTreeMap<&'static str, String>,
}

impl View {
    /// What the operator says of a PostgresCluster.
    pub fn status(&self, cluster: &str) -> Option<&Status> {
        self.clusters.get(cluster)?.status.as_ref()
    }

    /// Pods with this label.
    pub fn pods_with<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Pod> {
        self.pods.values().filter(move |pod| pod.labels().contains_key(key))
    }

    /// The pod that is ready in this role: `master`, `pgbouncer`.
    pub fn in_role(&self, role: &str) -> Option<String> {
        let key = label("role");
        let mut held = self.pods_with(&key).filter(|pod| pod.labels().get(&key).is_some_and(|it| it == role));
        held.find(|pod| is_ready(pod)).map(ResourceExt::name_any)
    }

    /// Warnings about objects of this kind.
    pub fn warnings<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Event> {
        self.about(kind).filter(|event| event.type_.as_deref() == Some("Warning"))
    }

    /// Events of this life about objects of this kind.
    pub fn about<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Event> {
        self.events.values().filter(move |event| {
            let stale =
                self.stale.get(&event.name_any()).is_some_and(|count| event.count.unwrap_or(1) <= *count);
            !stale && event.involved_object.kind.as_deref() == Some(kind)
        })
    }
}

/// Watches over one namespace. It ends with its last clone.
#[derive(Clone)]
pub(crate) struct Lookout {
    sight: Sight,
    changed: watch::Receiver<u64>,
    _watches: Arc<JoinSet<()>>,
}

impl Lookout {
    /// Begins to watch. The namespace need not be there yet.
    pub fn over(kubernetes: &Kubernetes, namespace: &str) -> Self {
        let (told, changed) = watch::channel(0);
        let mut watches = JoinSet::new();
        let sight = Sight { view: Arc::default(), told: Arc::new(told) };
        let clusters = kubernetes.clusters(namespace);
        watches.spawn(sight.clone().keep("PostgresCluster", clusters, |view| &mut view.clusters));
        watches.spawn(sight.clone().keep("Pod", kubernetes.all(namespace), |view| &mut view.pods));
        watches.spawn(sight.clone().keep("Job", kubernetes.all(namespace), |view| &mut view.jobs));
        watches.spawn(sight.clone().keep("Claim", kubernetes.all(namespace), |view| &mut view.claims));
        watches.spawn(sight.clone().keep("Event", kubernetes.all(namespace), |view| &mut view.events));
        Self { sight, changed, _watches: Arc::new(watches) }
    }

    /// Is told of every change.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.clone()
    }

    /// Enters what was seen elsewhere.
    pub fn tell(&self, told: impl FnOnce(&mut View)) {
        told(&mut self.sight.view.lock().unwrap_or_else(PoisonError::into_inner));
        self.sight.told.send_modify(|version| *version += 1);
    }

    /// A new life begins after a fire: nothing of the one before is there any more.
    pub fn begin_life(&self) {
        self.forget_signs();
        self.tell(|view| {
            view.clusters.clear();
            view.pods.clear();
            view.jobs.clear();
            view.claims.clear();
        });
    }

    /// What was seen until now is no sign for what comes.
    pub fn forget_signs(&self) {
        self.tell(|view| {
            view.signs.clear();
            let counts = view.events.values().map(|event| (event.name_any(), event.count.unwrap_or(1)));
            view.stale = counts.collect();
        });
    }

    /// Looks once.
    pub fn look<T>(&self, look: impl FnOnce(&View) -> T) -> T {
        look(&self.sight.view.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks whenever something changed, until it is there.
    pub async fn until<T>(
        &self,
        what: &str,
        deadline: Duration,
        mut look: impl FnMut(&View) -> Result<Wait<T>>,
    ) -> Result<T> {
        let mut changed = self.changed.clone();
        let mut last = String::new();
        let looking = async {
            loop {
                changed.borrow_and_update();
                match self.look(&mut look)? {
                    Wait::Ready(found) => return Ok(found),
                    Wait::NotYet(seen) => last = seen,
                }
                if changed.changed().await.is_err() {
                    return Err(Error::unverified(format!("waiting for {what}"), "the watch ended"));
                }
            }
        };
        match timeout(deadline, looking).await {
            Ok(found) => found,
            Err(_) => {
                let trouble = self.look(|view| format!("{:?}", view.trouble));
                let last = if trouble == "{}" { last } else { format!("{last}; watches said {trouble}") };
                Err(Error::Timeout { what: what.to_owned(), last, after: deadline })
            }
        }
    }
}

#[derive(Clone)]
struct Sight {
    view: Arc<Mutex<View>>,
    told: Arc<watch::Sender<u64>>,
}

impl Sight {
    async fn keep<K>(
        self,
        kind: &'static str,
        api: Api<K>,
        part: impl Fn(&mut View) -> &mut BTreeMap<String, K> + Send + 'static,
    ) where
        K: kube::Resource + Clone + Debug + serde::de::DeserializeOwned + Send + 'static,
    {
        let mut stream = pin!(watcher(api, watcher::Config::default()));
        // what was there when a watch begins replaces what was known
        let mut fresh = BTreeMap::new();
        while let Some(event) = stream.next().await {
            let mut broken = false;
            {
                let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
                match event {
                    Ok(watcher::Event::Init) => fresh.clear(),
                    Ok(watcher::Event::InitApply(object)) => {
                        fresh.insert(object.name_any(), object);
                    }
                    Ok(watcher::Event::InitDone) => *part(&mut view) = std::mem::take(&mut fresh),
                    Ok(watcher::Event::Apply(object)) => {
                        part(&mut view).insert(object.name_any(), object);
                    }
                    Ok(watcher::Event::Delete(object)) => {
                        part(&mut view).remove(&object.name_any());
                    }
                    Err(error) => {
                        view.trouble.insert(kind, said(&error));
                        broken = true;
                    }
                }
                if !broken {
                    view.trouble.remove(kind);
                }
            }
            if broken {
                pause(RETRY).await;
            } else {
                self.told.send_modify(|version| *version += 1);
            }
        }
    }
}

/// Whether every container of a pod is ready.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn said(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => short(error),
        other => phoenix_drill::error::chain(other),
    }
}
