//! Defects: planted on purpose, proven to have happened, and held to the exact rows that they cost.

use super::Drill;
use crate::{
    Ashes, Castle, CastlePlan, Doing, Encrypted, Error, Repositories, Result, Sabotage, Wait, Witnesses,
    wait_for,
};
use phoenix_core::{
    Defect, Fault, Finding, Lsn, Promise, RecoveryTarget, Verdict,
    defect::{Act, Archiving, Choice, Lost, Marks},
    detector::Hearing,
    ledger,
    report::BackupRecord,
};
use std::time::Duration;

impl Drill {
    /// Raises a castle with a backup for a defect, and plants what is wrong from the beginning. The log lines
    /// that the defect explains are part of the scenario from here on.
    pub async fn birth_for(
        &mut self,
        place: &(impl Sabotage + ?Sized),
        defect: &Defect,
    ) -> Result<(Box<dyn Castle>, Marks)> {
        defect.announce.iter().for_each(|line| self.announce(line, "the planted defect explains it"));
        let encrypted = if defect.encrypted == Choice::Yes { Encrypted::Aes256 } else { Encrypted::No };
        let two = defect.second_repository == Choice::Yes;
        let repositories = if two { Repositories::TwoInStore } else { Repositories::Store };
        let plan = CastlePlan { encrypted, repositories };
        let (castle, backup) = self.birth_with_backup(place, plan).await?;
        let marks = self.marks(&*castle, backup).await?;
        self.plant(place, &defect.born, &marks).await?;
        Ok((castle, marks))
    }

    /// What is known of the life that begins now: its rows are written after this, on this castle.
    pub async fn marks(&self, castle: &dyn Castle, backup: BackupRecord) -> Result<Marks> {
        let database = castle.database();
        let (identity, first) = (database.identity().await?, database.insert_position().await?);
        let (timeline, size, life) = (identity.timeline, identity.segment_size, self.scene.life());
        Ok(Marks { backup, timeline, size, life, first, tail: first })
    }

    /// Lives a life with a defect, from its first row to the fire; gives what recovery is then asked for.
    pub async fn live_and_burn(
        &mut self,
        place: &(impl Sabotage + ?Sized),
        castle: Box<dyn Castle>,
        defect: &Defect,
        marks: &mut Marks,
    ) -> Result<(Box<dyn Ashes>, RecoveryTarget)> {
        self.workload(&*castle).await?;
        self.archive_everything(&*castle).await?;
        self.plant(place, &defect.writing, marks).await?;
        self.tail(&*castle, defect.tail, marks).await?;
        let target = self.target(&*castle).await?;
        self.archive_tail(&*castle, defect.archiving).await?;
        self.plant(place, &defect.before_fire, marks).await?;
        self.hear(place, Hearing::BeforeFire).await?;
        let ashes = self.wipe(castle).await?;
        self.heal(place).await?;
        Ok((ashes, target))
    }

    /// Writes the rows of the newest segment, and nothing else into it. The WAL was just switched.
    pub async fn tail(&mut self, castle: &dyn Castle, rows: u64, marks: &mut Marks) -> Result<()> {
        let (scene, database) = (self.scene.clone(), castle.database());
        marks.tail = database.insert_position().await?;
        let plan = crate::Workload { writers: 1, ..self.workload_plan(Some(rows), 0) };
        scene
            .spans
            .run("tail", async |span| {
                match rows {
                    // a segment without a row is a segment all the same
                    0 => database.tick().await,
                    _ => super::writing::write(&scene, &*database, plan, span).await.map(drop),
                }
            })
            .await?;
        let end = database.insert_position().await?;
        let within = Lsn(end.0.saturating_sub(1));
        let last = phoenix_core::WalSegment::containing(marks.timeline, within, marks.size);
        self.require(last == marks.last_segment(), "the tail lies in one segment")
    }

    /// Does what a defect's newest segment wants.
    pub async fn archive_tail(&mut self, castle: &dyn Castle, archiving: Archiving) -> Result<()> {
        match archiving {
            Archiving::Awaited => self.archive_everything(castle).await,
            Archiving::Tried => {
                let database = castle.database();
                let before = database.archiver().await?;
                database.switch_wal().await?;
                let what = "the archiver to try the newest segment";
                let interval = Duration::from_millis(10);
                let tried = wait_for(what, Duration::from_secs(60), interval, || async {
                    let now = database.archiver().await?;
                    let tried = (now.archived, now.failed) != (before.archived, before.failed);
                    Ok(if tried { Wait::Ready(()) } else { Wait::NotYet(format!("{now:?}")) })
                });
                self.scene.spans.run("archive, tried", async |_| tried.await).await
            }
            Archiving::None => Ok(()),
        }
    }

    /// Plants these, one after the other.
    pub async fn plant(
        &mut self,
        place: &(impl Sabotage + ?Sized),
        acts: &[Act],
        marks: &Marks,
    ) -> Result<()> {
        for act in acts {
            let planted = self.scene.spans.run("plant", async |span| {
                let evidence = place.sabotage(act, marks).await?;
                span.detail(evidence.join(" · "));
                self.scene.evidence.remark(&format!("planted: {}", evidence.join("; ")))
            });
            planted.await?;
        }
        Ok(())
    }

    /// Plants what is wrong after the fire, and brings the castle back; a sealed recovery that fails is followed
    /// by a naive one. Whatever came of it, what was planted must have happened.
    pub async fn rebirth_for(
        &mut self,
        place: &(impl Sabotage + ?Sized),
        ashes: Box<dyn Ashes>,
        target: RecoveryTarget,
        defect: &Defect,
        marks: &Marks,
    ) -> Result<(Box<dyn Castle>, Option<Finding>)> {
        self.plant(place, &defect.after_fire, marks).await?;
        let reborn = self.rebirth_or_naive(ashes, target).await;
        self.plant(place, &defect.proof, marks).await?;
        self.heal(place).await?;
        reborn
    }

    /// Makes the store answer as it should again. What was armed and never happened proves nothing.
    pub async fn heal(&self, place: &(impl Sabotage + ?Sized)) -> Result<()> {
        let unhappened = place.heal().await?;
        if unhappened.is_empty() { Ok(()) } else { Err(Error::Unfired(unhappened)) }
    }

    /// Asks others what they see, where that is wanted.
    pub async fn hear(&mut self, place: &(impl Sabotage + ?Sized), hearing: Hearing) -> Result<()> {
        if self.scene.settings.witnesses == Witnesses::Heard {
            let heard = self.scene.spans.run("witnesses", async |_| place.witnesses(hearing).await).await?;
            self.report.testimonies.extend(heard);
        }
        Ok(())
    }

    /// Judges a castle that came back, and demands that exactly these rows are lost. One that came back only
    /// after a sealed recovery had failed was not reborn as it was asked to be.
    pub async fn judge_exactly(
        &mut self,
        castle: &dyn Castle,
        sealed: Option<Finding>,
        lost: Lost,
        marks: &Marks,
    ) -> Result<Verdict> {
        let verdict = self.judge(castle, Promise::EveryAcknowledgedRow).await?;
        let Some(account) = self.report.account.as_ref() else {
            return Err(Error::Demand("no account was drawn up".into()));
        };
        let attempts = ledger::attempts(&self.scene.ledger.read_back()?).doing("reading the ledger")?;
        if let Some(mismatch) = marks.mismatch(lost, account, &attempts) {
            return Err(Error::Demand(format!("exactly the expected rows are lost: {mismatch}")));
        }
        Ok(sealed.map_or(verdict, |_| Verdict::invalid(Fault::NotReborn)))
    }
}
