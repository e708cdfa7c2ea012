//! Restore in place, as the operator is asked for one: by the spec and an annotation.

use crate::{
    birth::Cluster,
    built_in::Phase,
    castle::{Living, Origin},
    coming_up::ComingUp,
    manifests::restore_options,
};
use phoenix_core::RecoveryTarget;
use phoenix_drill::{Castle, KeyAfterFire, RebirthPlan, RestoreInPlace, Result, Span, Work};
use serde_json::json;

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
        plant.standing()?.forget_signs();
        let id = format!("phoenix-{}", plant.site.scene.now().0);
        let restore = json!({ "enabled": true, "repoName": NEAR, "options": restore_options(&target) });
        plant.ask("pgbackrest-restore", &id, json!({ "restore": restore })).await?;
        let phase = Phase::Rebirth(RebirthPlan { target, key: KeyAfterFire::Kept });
        let castle = ComingUp::castle(plant, &phase)?;
        span.run("restore", async |_| castle.restored(&id).await).await?;
        span.run("primary and users", async |span| castle.primary(span).await).await?;
        span.run("pooler", async |_| castle.service().await).await?;
        Living::of(plant.clone(), Origin::Here).await
    }
}
