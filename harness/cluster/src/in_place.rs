//! Restore in place, as the operator is asked for one: by the spec and an annotation.

use crate::{
    birth::Cluster,
    built_in::Phase,
    castle::{Living, Origin},
    coming_up::ComingUp,
    kubernetes::Kubernetes,
    manifests::restore_options,
    postgrescluster::{self, label},
};
use kube::Api;
use phoenix_core::RecoveryTarget;
use phoenix_drill::{Castle, KeyAfterFire, RebirthPlan, RestoreInPlace, Result, Span, Work};
use serde_json::json;
use std::collections::BTreeMap;

/// The repository beside the castle.
const NEAR: &str = "repo2";

impl RestoreInPlace for Cluster {
    fn restore_in_place<'a>(
        &'a self,
        castle: Box<dyn Castle>,
        target: RecoveryTarget,
        span: &'a Span,
    ) -> Work<'a, Box<dyn Castle>> {
        drop(castle);
        Box::pin(self.restored_in_place(target, span))
    }
}

impl Cluster {
    async fn restored_in_place(&self, target: RecoveryTarget, span: &Span) -> Result<Box<dyn Castle>> {
        let plant = self.plant()?;
        let (kubernetes, lookout) = plant.cluster()?;
        lookout.begin_life();
        let name = &plant.site.config.names.cluster;
        let clusters: Api<postgrescluster::PostgresCluster> = Api::namespaced_with(
            kubernetes.client.clone(),
            plant.site.namespace(),
            &postgrescluster::resource(),
        );
        let id = format!("phoenix-{}", plant.site.scene.now().0);
        let restore = json!({ "enabled": true, "repoName": NEAR, "options": restore_options(&target) });
        let annotation = BTreeMap::from([(label("pgbackrest-restore"), id.clone())]);
        let change = json!({
            "metadata": { "annotations": annotation },
            "spec": { "backups": { "pgbackrest": { "restore": restore } } },
        });
        Kubernetes::merge(&clusters, name, change).await?;
        let phase = Phase::Rebirth(RebirthPlan { target, key: KeyAfterFire::Kept });
        let castle = ComingUp::castle(plant, &phase)?;
        span.run("restore", async |_| castle.restored(&id).await).await?;
        span.run("primary and users", async |span| castle.primary(span).await).await?;
        span.run("pooler", async |_| castle.pooler().await).await?;
        Living::of(plant.clone(), Origin::Here).await
    }
}
