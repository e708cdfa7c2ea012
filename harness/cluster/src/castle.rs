//! A castle on a cluster, its ashes and its rebirth.

use crate::{
    built_in::{self, Phase},
    layers,
    plant::Plant,
    signs, wipe,
};
use phoenix_core::{
    Commit, Finding, Lsn, WalSegment, Xid,
    report::{BackupRecord, Inventory},
};
use phoenix_drill::{
    Ashes, BackupKind, Castle, Database, Error, Loss, RebirthPlan, Rebirthing, Result, Scene, Span, Wait,
    Work, wait_for,
};
use phoenix_postgres::Sql;
use phoenix_repository::{explain, find_commits, take_backup};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

const BACKUP_DEADLINE: Duration = Duration::from_secs(600);
const RESTORE_DEADLINE: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(200);

/// A castle that lives.
pub(crate) struct Living {
    plant: Arc<Plant>,
    sql: Arc<Sql>,
    origin: Origin,
}

/// Where a castle's data came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It is new, or was restored in place: the operator takes no backup by itself.
    Here,
    /// The store: the operator takes a backup first of all.
    Store,
}

impl Living {
    /// Raises every layer and asks the first question.
    pub async fn rise(plant: Arc<Plant>, phase: Phase, span: &Span) -> Result<Box<dyn Castle>> {
        let layers = built_in::layers(&plant, &phase)?;
        let scene = &plant.site.scene;
        let (life, origin) = match phase {
            Phase::Birth => (0, Origin::Here),
            Phase::Rebirth(_) => (scene.life() + 1, Origin::Store),
        };
        layers::rise(scene, life, &layers, span).await?;
        Self::of(plant, origin).await
    }

    /// The castle that stands there.
    pub async fn of(plant: Arc<Plant>, origin: Origin) -> Result<Box<dyn Castle>> {
        let sql = plant.sql().await?;
        Ok(Box::new(Self { plant, sql, origin }))
    }

    /// Takes a backup as the operator is asked for one.
    async fn back_up(&self, kind: BackupKind, repository: u8) -> Result<()> {
        let plant = &self.plant;
        let (_, lookout) = plant.cluster()?;
        let name = &plant.site.config.names.cluster;
        // the operator takes none before that
        self.first_backup().await?;
        let id = format!("phoenix-{}-{repository}-{}", plant.site.scene.now().0, kind.word());
        let manual = json!({ "repoName": format!("repo{repository}"), "options": [format!("--type={}", kind.word())] });
        plant.ask("pgbackrest-backup", &id, json!({ "manual": manual })).await?;
        lookout
            .until("the backup", BACKUP_DEADLINE, |view| {
                let backup = view.status(name).and_then(|status| status.pgbackrest.manual_backup.clone());
                let Some(backup) = backup.filter(|backup| backup.id == id) else {
                    return Ok(Wait::NotYet("it has not begun".to_owned()));
                };
                if backup.failed > 0 {
                    return Err(Error::unverified(
                        "backup failed",
                        format!("{} attempts failed", backup.failed),
                    ));
                }
                let done = backup.finished && backup.succeeded > 0;
                Ok(if done { Wait::Ready(()) } else { Wait::NotYet(format!("{backup:?}")) })
            })
            .await
    }

    /// Waits until the operator's own first backup is complete.
    async fn first_backup(&self) -> Result<()> {
        let (_, lookout) = self.plant.cluster()?;
        let name = &self.plant.site.config.names.cluster;
        let first = lookout.until("the operator's own first backup", BACKUP_DEADLINE, |view| {
            let ready = view.status(name).is_some_and(|status| status.is("PGBackRestReplicaCreate"));
            Ok(if ready { Wait::Ready(()) } else { Wait::NotYet("it is not complete".to_owned()) })
        });
        first.await
    }
}

impl Castle for Living {
    fn database(&self) -> Arc<dyn Database> {
        self.sql.clone()
    }

    fn backup<'a>(&'a self, kind: BackupKind, span: &'a Span) -> Work<'a, BackupRecord> {
        Box::pin(take_backup(&*self.plant, span, move |repository| self.back_up(kind, repository)))
    }

    fn segments_in_store(&self) -> Work<'_, BTreeSet<WalSegment>> {
        Box::pin(self.plant.vault.segments())
    }

    fn commit_records<'a>(
        &'a self,
        commits: &'a [Commit],
        backup: &'a BackupRecord,
        _span: &'a Span,
    ) -> Work<'a, BTreeMap<Xid, Lsn>> {
        Box::pin(find_commits(&*self.plant, commits, backup))
    }

    fn settle<'a>(&'a self, scene: &'a Scene) -> Work<'a, ()> {
        Box::pin(async move {
            match self.origin {
                Origin::Here => Ok(()),
                Origin::Store => {
                    scene.spans.run("first new backup", async |_| self.first_backup().await).await
                }
            }
        })
    }

    fn explain<'a>(&'a self, loss: &'a Loss) -> Work<'a, Vec<Finding>> {
        Box::pin(async move {
            // the operator recovers in the container that restores
            let log = self.plant.standing()?.logs.of_restores();
            Ok(explain(&*self.plant, &log, &self.sql, loss).await)
        })
    }

    fn wipe<'a>(self: Box<Self>, span: &'a Span) -> Work<'a, Box<dyn Ashes>> {
        Box::pin(burn(self.plant, span))
    }
}

async fn burn(plant: Arc<Plant>, span: &Span) -> Result<Box<dyn Ashes>> {
    let inventory = wipe::wipe(&plant, span).await?;
    Ok(Box::new(Burned { plant, inventory }))
}

struct Burned {
    plant: Arc<Plant>,
    inventory: Inventory,
}

impl Ashes for Burned {
    fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    fn segments_in_store(&self) -> Work<'_, BTreeSet<WalSegment>> {
        Box::pin(self.plant.vault.segments())
    }

    fn rebirth<'a>(self: Box<Self>, plan: RebirthPlan, _span: &'a Span) -> Work<'a, Box<dyn Rebirthing>> {
        Box::pin(async move { Ok(Box::new(Rising { plant: self.plant, plan }) as Box<dyn Rebirthing>) })
    }
}

struct Rising {
    plant: Arc<Plant>,
    plan: RebirthPlan,
}

impl Rising {
    /// Raises the castle until its restore is midway. The cluster goes on by itself.
    async fn caught(&self, span: &Span) -> Result<String> {
        let phase = Phase::Rebirth(self.plan.clone());
        let risen = Living::rise(self.plant.clone(), phase, span);
        tokio::select! {
            risen = risen => {
                risen?;
                Err(Error::Demand("the restore was over before it could be caught midway".into()))
            }
            seen = wait_for("the restore to be midway", RESTORE_DEADLINE, LOOK, || self.look()) => seen,
        }
    }

    /// Whether files are there and the last of them is not.
    async fn look(&self) -> Result<Wait<String>> {
        let plant = &self.plant;
        let Ok((kubernetes, lookout)) = plant.cluster() else {
            return Ok(Wait::NotYet("there is no cluster yet".to_owned()));
        };
        let Some(pod) = lookout.look(signs::restoring) else {
            return Ok(Wait::NotYet("no restore runs yet".to_owned()));
        };
        let script = format!(
            "cd /pgdata/pg{} && test ! -e global/pg_control && find . -type f | wc -l",
            plant.site.config.postgresql
        );
        let argv = ["sh", "-c", &script].map(str::to_owned);
        let ran = kubernetes.exec((plant.site.namespace(), &pod, signs::RESTORE), &argv, None).await;
        let files = ran.ok().and_then(|ran| ran.stdout.trim().parse::<u64>().ok()).unwrap_or(0);
        let seen = format!("{files} files restored, pg_control not yet");
        Ok(if files > 0 { Wait::Ready(seen) } else { Wait::NotYet(seen) })
    }

    async fn fail(&self, span: &Span) -> Result<Finding> {
        let phase = Phase::Rebirth(self.plan.clone());
        match Living::rise(self.plant.clone(), phase, span).await {
            Err(Error::NotReborn(finding)) => Ok(*finding),
            Err(error) => Err(error),
            Ok(_) => Err(Error::Demand("the castle came back although it was asked for wrongly".into())),
        }
    }
}

impl Rebirthing for Rising {
    fn ready<'a>(self: Box<Self>, span: &'a Span) -> Work<'a, Box<dyn Castle>> {
        let Self { plant, plan } = *self;
        Box::pin(Living::rise(plant, Phase::Rebirth(plan), span))
    }

    fn midway<'a>(&'a mut self, span: &'a Span) -> Work<'a, String> {
        Box::pin(self.caught(span))
    }

    fn failure<'a>(&'a mut self, span: &'a Span) -> Work<'a, Finding> {
        Box::pin(self.fail(span))
    }

    fn wipe<'a>(self: Box<Self>, span: &'a Span) -> Work<'a, Box<dyn Ashes>> {
        Box::pin(burn(self.plant, span))
    }
}
