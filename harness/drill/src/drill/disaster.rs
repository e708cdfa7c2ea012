//! Fire and rebirth.

use super::Drill;
use crate::{
    Ashes, Castle, Error, Identity, KeyAfterFire, Raised, RebirthPlan, Rebirthing, Result, Span,
    environment::not_reborn,
};
use phoenix_core::{
    Entry, Finding, RecoveryTarget,
    report::{RebirthRecord, Setback},
};

impl Drill {
    /// Destroys the castle, with proof.
    pub async fn wipe(&mut self, castle: Box<dyn Castle>) -> Result<Box<dyn Ashes>> {
        self.burn(async |span: &Span| castle.wipe(span).await).await
    }

    /// Destroys a castle that is just being reborn, with proof.
    pub async fn wipe_again(&mut self, rebirthing: Box<dyn Rebirthing>) -> Result<Box<dyn Ashes>> {
        self.burn(async |span: &Span| rebirthing.wipe(span).await).await
    }

    async fn burn(
        &mut self,
        wipe: impl AsyncFnOnce(&Span) -> Result<Box<dyn Ashes>>,
    ) -> Result<Box<dyn Ashes>> {
        let scene = &self.scene;
        scene.ledger.append(&[Entry::Disaster { at: scene.now() }])?;
        scene.ledger.sync()?;
        let ashes = scene.spans.run("wipe", async |span| {
            let ashes = wipe(span).await?;
            let inventory = ashes.inventory();
            let counts: Vec<_> =
                inventory.left.iter().map(|(what, count)| format!("{count} {what}")).collect();
            if !inventory.is_clean() || counts.is_empty() {
                let left = inventory.remains.join(", ");
                return Err(Error::Demand(format!("the wipe left {}: {left}", counts.join(", "))));
            }
            span.detail(format!("{} · nothing left: {}", inventory.method, counts.join(", ")));
            // so that, if rows are lost, it can be told whether the store ever had them; if it cannot be asked
            // now, nothing but that is lost
            let held = ashes.segments_in_store().await.ok();
            Ok((ashes, held))
        });
        let (ashes, held) = ashes.await?;
        // what is wiped before it answered has archived nothing: the first fire of a life counts
        let life = self.scene.life();
        if self.held.as_ref().is_none_or(|(burned, _)| *burned != life) {
            self.held = held.map(|held| (life, held));
        }
        self.report.wipes.push(ashes.inventory().clone());
        self.report.deeds.wipes += 1;
        self.save()?;
        Ok(ashes)
    }

    /// Brings the castle back from the store alone.
    pub async fn rebirth(
        &mut self,
        ashes: Box<dyn Ashes>,
        target: RecoveryTarget,
    ) -> Result<Box<dyn Castle>> {
        self.rebirth_as(ashes, RebirthPlan { target, key: KeyAfterFire::Kept }).await
    }

    /// Brings the castle back to a plan.
    pub async fn rebirth_as(&mut self, ashes: Box<dyn Ashes>, plan: RebirthPlan) -> Result<Box<dyn Castle>> {
        let target = plan.target.clone();
        self.come_back(target, async |span: &Span| ashes.rebirth(plan, span).await?.ready(span).await).await
    }

    /// Brings the castle back. A sealed recovery that fails is followed by a naive one, to the latest, which
    /// shows what people would have got; the finding of the first stays. In between what came up is wiped:
    /// no row was answered, so that the outage and the life that burned are still those of the first fire.
    pub async fn rebirth_or_naive(
        &mut self,
        ashes: Box<dyn Ashes>,
        target: RecoveryTarget,
    ) -> Result<(Box<dyn Castle>, Option<Finding>)> {
        let mut remains = None;
        let plan = RebirthPlan { target: target.clone(), key: KeyAfterFire::Kept };
        let attempt = async |span: &Span| match ashes.rebirth(plan, span).await?.attempt(span).await? {
            Raised::Castle(castle) => Ok(castle),
            Raised::Failed { finding, remains: left } => {
                remains = left;
                Err(Error::NotReborn(finding))
            }
        };
        match (self.come_back(target.clone(), attempt).await, target, remains) {
            (Ok(castle), ..) => Ok((castle, None)),
            (Err(Error::NotReborn(finding)), RecoveryTarget::Sealed(_), Some(remains)) => {
                self.report.findings.push((*finding).clone());
                let ashes = self.wipe_again(remains).await?;
                let castle = self.rebirth(ashes, RecoveryTarget::Latest).await?;
                Ok((castle, Some(*finding)))
            }
            (Err(error), ..) => Err(error),
        }
    }

    /// Begins to bring the castle back, and returns while the restore is midway.
    pub async fn begin_rebirth(
        &mut self,
        ashes: Box<dyn Ashes>,
        target: RecoveryTarget,
    ) -> Result<Box<dyn Rebirthing>> {
        let plan = RebirthPlan { target, key: KeyAfterFire::Kept };
        let begun = self.scene.spans.run("rebirth begun", async |span| {
            let mut rebirthing = ashes.rebirth(plan, span).await?;
            span.detail(rebirthing.midway(span).await?);
            Ok(rebirthing)
        });
        begun.await
    }

    /// Asks the castle to come back with a mistake in its configuration. It must fail for this reason and no
    /// other; what came up is destroyed, and the mistake corrected.
    pub async fn setback(
        &mut self,
        place: &(impl crate::Misconfigure + ?Sized),
        ashes: Box<dyn Ashes>,
        mistake: crate::Mistake,
        code: &str,
    ) -> Result<Box<dyn Ashes>> {
        let planted = place.misconfigure(mistake).await?;
        let plan = RebirthPlan { target: RecoveryTarget::Latest, key: KeyAfterFire::Kept };
        let failed = self.scene.spans.run("rebirth that must fail", async |span| {
            let mut rebirthing = ashes.rebirth(plan, span).await?;
            let finding = rebirthing.failure(span).await?;
            span.detail(format!("{planted} · {}: {}", finding.code, finding.sentence));
            Ok((finding, rebirthing, span.elapsed()))
        });
        let (finding, rebirthing, elapsed) = failed.await?;
        let held = finding.code == code;
        let found = format!("{}: {} {:?}", finding.code, finding.sentence, finding.evidence);
        self.report.setbacks.push(Setback { planted: planted.clone(), finding, elapsed });
        self.save()?;
        self.require(held, &format!("{planted}: the reason is {code}, and what was found is {found}"))?;
        let ashes = self.wipe_again(rebirthing).await?;
        place.correct().await?;
        Ok(ashes)
    }

    /// Takes a living castle back in place, from its local repository.
    pub async fn restore_in_place(
        &mut self,
        place: &(impl crate::RestoreInPlace + ?Sized),
        castle: Box<dyn Castle>,
        target: RecoveryTarget,
    ) -> Result<Box<dyn Castle>> {
        let goal = target.clone();
        let scene = &self.scene;
        scene.ledger.append(&[Entry::Disaster { at: scene.now() }])?;
        scene.ledger.sync()?;
        self.come_back(goal, async |span: &Span| place.restore_in_place(castle, target, span).await).await
    }

    /// Starts a castle again whose server is dead, on its own data: the same life goes on.
    pub async fn revive(
        &mut self,
        place: &(impl crate::Kill + ?Sized),
        castle: Box<dyn Castle>,
    ) -> Result<Box<dyn Castle>> {
        self.scene.spans.run("revive", async |span| place.revive(castle, span).await).await
    }

    async fn come_back(
        &mut self,
        target: RecoveryTarget,
        restore: impl AsyncFnOnce(&Span) -> Result<Box<dyn Castle>>,
    ) -> Result<Box<dyn Castle>> {
        let (scene, source) = (&self.scene, self.source());
        let back = scene.spans.run("rebirth", async |span| {
            let castle = restore(span).await?;
            let identity = castle.database().identity().await?;
            if source.is_some_and(|source| source.system_identifier != identity.system_identifier) {
                return Err(not_reborn(foreign(identity)));
            }
            let recovered = source.is_none_or(|source| identity.timeline > source.timeline);
            let (kind, timeline) = (target.kind(), identity.timeline);
            span.detail(format!("{kind} · timeline {timeline} · same system identifier · promoted"));
            Ok((castle, identity, recovered))
        });
        let (castle, identity, recovered) = back.await?;
        // every recovery from the archive begins a timeline: what writes on the old one was not restored
        self.report.deeds.restores += u64::from(recovered);
        scene.spans.run("query", async |_| castle.database().memories(&self.shown).await).await?;
        let timeline = identity.timeline;
        scene.ledger.append(&[Entry::Rebirth { timeline, at: scene.now() }])?;
        scene.life.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let system_identifier = identity.system_identifier;
        self.report.rebirths.push(RebirthRecord { target, timeline, system_identifier });
        self.lives.push(identity);
        self.began = castle.database().insert_position().await?;
        self.save()?;
        Ok(castle)
    }
}

fn foreign(identity: Identity) -> Finding {
    let sentence =
        format!("another cluster came back: its system identifier is {}", identity.system_identifier);
    Finding::certain(
        "foreign-cluster",
        sentence,
        "look which cluster archives to this repository, and since when",
    )
}
