//! Waiting for a castle to come up: the restore, the primary, its users and the pooler, by the fields that
//! really signal each. Whatever says that it never will ends the wait.

use crate::{
    built_in::Phase,
    kubernetes::{Kubernetes, Life},
    logs::Logs,
    lookout::{Lookout, View, is_ready},
    plant::{DATABASE, Plant, Standing},
    signs::{self, Sign},
};
use kube::ResourceExt;
use phoenix_core::Finding;
use phoenix_drill::{Result, Span, Wait, wait_for};
use phoenix_postgres::diagnosis::{self, Symptoms};
use std::time::Duration;

/// Longer than anything that ends well takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(100);
/// A container that is started again runs by then.
const PATIENCE: Duration = Duration::from_secs(15);
/// The server's logs, wherever Patroni moved them.
const SERVER_LOGS: &str = "tail -v -n 100 $(find /pgdata -path '*log/*.log') 2>&1";

/// A namespace in which something comes up.
pub(crate) struct ComingUp<'a> {
    plant: &'a Plant,
    kubernetes: Kubernetes,
    lookout: Lookout,
    /// What is printed, where the castle is; elsewhere events are those of others.
    logs: Option<Logs>,
    phase: Phase,
}

impl<'a> ComingUp<'a> {
    /// Looks at the castle's namespace.
    pub fn castle(plant: &'a Plant, phase: &Phase) -> Result<Self> {
        let Standing { kubernetes, lookout, logs } = plant.standing()?;
        Ok(Self { plant, kubernetes, lookout, logs: Some(logs), phase: phase.clone() })
    }

    /// Looks at another namespace.
    pub fn elsewhere(plant: &'a Plant, phase: &Phase, namespace: &str) -> Result<Self> {
        let (kubernetes, _) = plant.cluster()?;
        let lookout = Lookout::over(&kubernetes, namespace);
        Ok(Self { plant, kubernetes, lookout, logs: None, phase: phase.clone() })
    }

    fn cluster(&self) -> &str {
        &self.plant.site.config.names.cluster
    }

    /// A pod whose name begins so runs.
    pub async fn pod(&self, what: &str, name: &str) -> Result<()> {
        self.until(what, |view| {
            let running = view.pods.values().any(|pod| pod.name_any().starts_with(name) && is_ready(pod));
            if running { Wait::Ready(()) } else { Wait::NotYet(pods(view)) }
        })
        .await
    }

    /// The operator says that the restore with this id ended well; its own at a bootstrap begins with `~`.
    pub async fn restored(&self, id: &str) -> Result<()> {
        self.until("the restore to end", |view| {
            let restore = view.status(self.cluster()).and_then(|status| status.pgbackrest.restore.clone());
            match restore.filter(|restore| restore.id.starts_with(id)) {
                Some(restore) if restore.finished && restore.succeeded > 0 => Wait::Ready(()),
                Some(restore) => Wait::NotYet(format!("{restore:?}")),
                None => Wait::NotYet("no restore yet".to_owned()),
            }
        })
        .await
    }

    /// A primary that has its role, and the users that it is to have.
    pub async fn primary(&self, span: &Span) -> Result<String> {
        let primary = self.until("a primary", |view| match view.in_role("master") {
            Some(pod) => Wait::Ready(pod),
            None => Wait::NotYet(pods(view)),
        });
        let primary = primary.await?;
        span.progress("the primary has its role");
        self.until("the users", |view| {
            let Some(status) = view.status(self.cluster()) else {
                return Wait::NotYet("no status".to_owned());
            };
            let there = status.users_revision.is_some()
                && status.patroni.system_identifier.is_some()
                && status.database_init_sql.is_some();
            if there { Wait::Ready(()) } else { Wait::NotYet(format!("{status:?}")) }
        })
        .await?;
        Ok(primary)
    }

    /// The pooler, or the primary where there is none, answers as it would an application. It is not to be
    /// asked before the primary has its users: asked too early, it refuses for seconds.
    pub async fn service(&self) -> Result<String> {
        let pooler = self.until("the pooler", |view| {
            let status = view.status(self.cluster());
            let knows = status.is_some_and(|status| status.proxy.pg_bouncer.postgres_revision.is_some());
            match view.in_role("pgbouncer").filter(|_| knows) {
                Some(pod) => Wait::Ready(pod),
                None => Wait::NotYet(pods(view)),
            }
        });
        let pod = match self.plant.has_pooler() {
            true => pooler.await?,
            false => self.plant.primary()?,
        };
        wait_for("an answer as an application gets it", Duration::from_secs(60), LOOK, || async {
            let answer = async { self.plant.sql().await?.one("asking through the pooler", "SELECT 1").await };
            Ok(match answer.await {
                Ok(_) => Wait::Ready(()),
                Err(error) => Wait::NotYet(error.chain()),
            })
        })
        .await?;
        Ok(pod)
    }

    /// Waits for something; a sign that it will not come ends it.
    pub async fn until<T>(&self, what: &str, look: impl Fn(&View) -> Wait<T>) -> Result<T> {
        let secret = &self.plant.site.config.names.secret;
        let seen = self.lookout.until(what, DEADLINE, |view| {
            let sign = self.logs.as_ref().and_then(|_| signs::sign(view, secret));
            // what is given up at a birth is begun anew, from nothing as before
            let sign = sign.filter(|sign| self.phase != Phase::Birth || !matches!(sign, Sign::GaveUp { .. }));
            Ok(match (look(view), sign) {
                (Wait::Ready(found), _) => Wait::Ready(Ok(found)),
                (_, Some(sign)) => Wait::Ready(Err(sign)),
                (Wait::NotYet(seen), None) => Wait::NotYet(seen),
            })
        });
        match seen.await? {
            Ok(found) => Ok(found),
            Err(sign) => Err(self.phase.stopped(self.why(&sign).await)),
        }
    }

    async fn why(&self, sign: &Sign) -> Finding {
        match sign {
            Sign::RestoreFailed { pod, status } => {
                // whoever follows it may be a moment behind
                let namespace = self.plant.site.namespace();
                let whole = self.kubernetes.logs(namespace, pod, signs::RESTORE, Life::Current).await;
                let followed = || self.logs.as_ref().map(Logs::of_restores).unwrap_or_default();
                let log = whole.unwrap_or_else(|_| followed());
                let evidence = format!("pod {pod}: container {} ended with exit {status}", signs::RESTORE);
                self.explained(&evidence, *status, &log).await
            }
            Sign::GaveUp { pod, .. } => {
                let said = self.logs.as_ref().map(Logs::of_databases).unwrap_or_default();
                self.keep_what_was_said(pod, &said).await;
                let fatal = said.lines().filter(|line| line.contains("FATAL:") || line.contains("PANIC:"));
                signs::finding(sign).with_evidence(fatal.map(str::to_owned))
            }
            _ => signs::finding(sign),
        }
    }

    /// Keeps what a database printed that was given up, and what its server logged: the next life of its container
    /// knows nothing of it.
    async fn keep_what_was_said(&self, pod: &str, printed: &str) {
        let argv = ["sh", "-c", SERVER_LOGS].map(str::to_owned);
        let at = (self.plant.site.namespace(), pod, DATABASE);
        let logged = wait_for("the server's log", PATIENCE, Duration::from_secs(1), || async {
            let ran = self.kubernetes.exec(at, &argv, None).await;
            Ok(ran.map_or_else(|error| Wait::NotYet(error.chain()), |ran| Wait::Ready(ran.stdout)))
        });
        let logged = logged.await.unwrap_or_else(|error| error.chain());
        let path = self.plant.site.scene.evidence.log(&format!("{pod}-given-up.log"));
        // the finding stands without it
        let _ = std::fs::write(path, format!("{printed}\n--- what the server logged\n{logged}"));
    }

    /// Why pgBackRest ended with this status and this log, in a pod.
    pub async fn explained(&self, evidence: &str, status: i32, log: &str) -> Finding {
        let symptoms = Symptoms {
            restore_status: Some(status),
            restore_output: log.to_owned(),
            // the operator recovers in the container that restores: its log is the server's too
            server_log: log.to_owned(),
            encrypted: self.plant.vault.encryption(self.phase.key()).await,
        };
        let finding = diagnosis::not_reborn(&symptoms).with_evidence([evidence]);
        if finding.code == "no-backup-set" { self.where_it_is(finding).await } else { finding }
    }

    /// pgBackRest cannot tell a bucket that is not there from a path: the store can.
    async fn where_it_is(&self, finding: Finding) -> Finding {
        let manifest = self.plant.manifest(&self.phase).ok();
        let source = manifest.as_ref().and_then(|manifest| manifest.pointer("/spec/dataSource/pgbackrest"));
        let Some(source) = source else { return finding };
        let store = &self.plant.vault.store;
        let text =
            |pointer: &str| source.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default();
        let (bucket, path) = (text("/repo/s3/bucket"), text("/global/repo1-path"));
        let evidence = finding.evidence.clone();
        let named = if bucket != store.bucket && !self.plant.has_bucket(bucket).await {
            let fix = format!(
                "the repository is in the bucket {}: name it as dataSource.pgbackrest.repo.s3.bucket",
                store.bucket
            );
            Finding::certain("bucket-missing", format!("the store has no bucket {bucket}"), fix)
        } else if path != store.path {
            let fix = format!(
                "the repository is under {}: name it as repo1-path in dataSource.pgbackrest.global",
                store.path
            );
            Finding::certain("repository-path-wrong", format!("there is no repository under {path}"), fix)
        } else {
            return finding;
        };
        named.with_evidence(evidence)
    }
}

/// The pods of a view and how they are, for a person.
fn pods(view: &View) -> String {
    let told = |pod: &k8s_openapi::api::core::v1::Pod| {
        let phase = pod.status.as_ref().and_then(|status| status.phase.clone()).unwrap_or_default();
        format!("{} {phase}{}", pod.name_any(), if is_ready(pod) { " (ready)" } else { "" })
    };
    let pods: Vec<_> = view.pods.values().map(told).collect();
    if pods.is_empty() { "no pod yet".to_owned() } else { pods.join(", ") }
}
