//! The drill and its verbs: what a scenario says, in the order in which it says it.

mod archive;
mod disaster;
mod judgement;
mod planting;
mod targets;
mod writing;

pub use writing::Writers;

use crate::{Announced, Castle, CastlePlan, Environment, Error, Identity, Result, Scene};
use phoenix_core::{Deeds, Lsn, Report, RowId, WalSegment, report::BackupRecord, rpo::Assistance};
use std::{collections::BTreeSet, sync::Arc};

/// One drill under way.
pub struct Drill {
    pub(crate) scene: Arc<Scene>,
    pub(crate) report: Report,
    pub(crate) announced: Vec<Announced>,
    /// Who the cluster was in each of its lives.
    lives: Vec<Identity>,
    /// Where the life that it lives now began to write.
    began: Lsn,
    /// The life that burned last, and the segments that the store held then, if it let itself be asked.
    held: Option<(u32, BTreeSet<WalSegment>)>,
    shown: Vec<RowId>,
    assistance: Assistance,
}

impl Drill {
    pub(crate) fn new(scene: Arc<Scene>, report: Report) -> Self {
        let (announced, lives, shown) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            scene,
            report,
            announced,
            lives,
            began: Lsn(0),
            held: None,
            shown,
            assistance: Assistance::Assisted,
        }
    }

    /// What this drill is asked to do.
    pub fn settings(&self) -> &crate::Settings {
        &self.scene.settings
    }

    /// This run.
    pub fn run(&self) -> &phoenix_core::RunId {
        &self.scene.run
    }

    /// Says that a log line which contains this is part of the scenario, and why.
    pub fn announce(&mut self, contains: &str, why: &str) {
        self.announced.push(Announced::new(contains, why));
    }

    /// Changes what this drill must do at least for a green to mean something.
    pub fn demand(&mut self, demand: Deeds) {
        self.report.demand = demand;
    }

    /// Who the cluster is in the life that it lives now.
    fn source(&self) -> Option<Identity> {
        self.lives.last().copied()
    }

    /// Without this the drill proves nothing.
    pub fn require(&self, held: impl Into<Option<bool>>, what: &str) -> Result<()> {
        match held.into() {
            Some(true) => Ok(()),
            Some(false) | None => Err(Error::Demand(what.to_owned())),
        }
    }

    /// Raises a castle with an empty repository and the table `memories`.
    pub async fn birth(&mut self, place: &(impl Environment + ?Sized)) -> Result<Box<dyn Castle>> {
        self.birth_as(place, CastlePlan::default()).await
    }

    /// Raises a castle built to a plan.
    pub async fn birth_as(
        &mut self,
        place: &(impl Environment + ?Sized),
        plan: CastlePlan,
    ) -> Result<Box<dyn Castle>> {
        let scene = &self.scene;
        let born = scene.spans.run("birth", async |span| {
            let castle = place.birth(scene, plan, span).await?;
            let database = castle.database();
            let identity = database.identity().await?;
            database.create_table().await?;
            Ok((castle, identity))
        });
        let (castle, identity) = born.await?;
        self.note_birth(place, identity);
        let scene = &self.scene;
        if scene.settings.size_bytes > 0 {
            let (bytes, database) = (scene.settings.size_bytes, castle.database());
            scene.spans.run("fill", async |span| database.fill(bytes, span).await).await?;
        }
        self.save()?;
        Ok(castle)
    }

    /// Raises a castle built to a plan, with the table `memories` and one full backup: what [`Self::birth_as`]
    /// and a backup give, by the shortest way that the environment knows.
    pub async fn birth_with_backup(
        &mut self,
        place: &(impl Environment + ?Sized),
        plan: CastlePlan,
    ) -> Result<(Box<dyn Castle>, BackupRecord)> {
        let scene = &self.scene;
        let born = scene.spans.run("birth with backup", async |span| {
            let (castle, backup) = place.birth_with_backup(scene, plan, span).await?;
            let identity = castle.database().identity().await?;
            Ok((castle, backup, identity))
        });
        let (castle, backup, identity) = born.await?;
        self.note_birth(place, identity);
        self.note_backup(&backup)?;
        Ok((castle, backup))
    }

    fn note_birth(&mut self, place: &(impl Environment + ?Sized), identity: Identity) {
        self.lives = vec![identity];
        let properties = &mut self.report.properties;
        properties.insert("system_identifier".into(), identity.system_identifier.to_string());
        properties.insert("wal_segment_bytes".into(), identity.segment_size.bytes().to_string());
        properties.extend(place.properties());
    }

    /// Writes down what is known so far.
    pub(crate) fn save(&mut self) -> Result<()> {
        self.scene.ledger.sync()?;
        self.report.spans = self.scene.spans.records();
        self.report.layers = self.scene.layers();
        self.scene.evidence.report(&self.report)
    }
}
