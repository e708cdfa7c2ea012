//! The detector's proof: once a drill that is asked for has begun, a loss is planted in a drill of its own, in the
//! same environment. A detector that misses it has not proved anything by what it says of the other one.

use crate::{catalogue::defects, run::Place};
use phoenix_containers::Containers;
use phoenix_core::{Defect, Report, defect::Act, detector::Proof};
use phoenix_drill::{
    Error, Keep, Prover, Reporter, Result, Sabotage, Scenario, Settings, Span, Target, Work,
    stage::{self, Played},
};
use phoenix_local::Local;
use std::path::Path;

/// Rows enough to tell one loss from another.
const ROWS: u64 = 200;

/// What can be planted in any castle with any store: the silent losses that can be sealed and need no fault of
/// the store.
pub fn candidates() -> Vec<&'static Defect> {
    let acts = |defect: &'static Defect| {
        [&defect.born, &defect.writing, &defect.before_fire, &defect.after_fire].into_iter().flatten()
    };
    let needs_fault = |defect| acts(defect).any(Act::is_fault);
    let of_any_store = |defect: &&'static Defect| defect.sealed.is_some() && !needs_fault(defect);
    phoenix_silent_loss::DEFECTS.iter().filter(of_any_store).collect()
}

/// The one that a seed picks: seeds one after the other go through all.
pub fn pick<'a>(candidates: &[&'a Defect], seed: u64) -> Option<&'a Defect> {
    let count = u64::try_from(candidates.len()).ok()?;
    let at = usize::try_from(seed.checked_rem(count)?).ok()?;
    candidates.get(at).copied()
}

/// A defect that is planted to prove the detector of a drill.
#[derive(Debug)]
pub struct Planted {
    place: Place,
    defect: &'static Defect,
    seed: u64,
    keep: Keep,
}

impl Planted {
    /// A defect for a drill that is asked for; an error where nothing can be planted.
    pub fn new(defect: &'static Defect, place: &Place, asked: &Settings) -> Result<Self> {
        if let Place::Cluster(_) = place {
            return Err(Error::usage(
                "on Kubernetes no loss can be planted, so that the detector is not proved there",
                "leave prove-detector out, or drill in the environment local or containers",
            ));
        }
        Ok(Self { place: place.clone(), defect, seed: asked.seed, keep: asked.keep })
    }

    async fn play(&self, evidence: &Path, reporter: Box<dyn Reporter>) -> Result<Played> {
        let (target, evidence) = (Target::Sealed, evidence.to_owned());
        let (seed, keep) = (self.seed, self.keep);
        let settings = Settings { rows: ROWS, target, evidence, seed, keep, ..Settings::default() };
        match &self.place {
            Place::Local(config) => {
                planted(&Local::new((**config).clone()).await?, self.defect, settings, reporter).await
            }
            Place::Containers(config) => {
                planted(&Containers::new((**config).clone()).await?, self.defect, settings, reporter).await
            }
            Place::Cluster(_) => Err(Error::Demand("a loss can be planted here".into())),
        }
    }
}

impl Prover for Planted {
    fn defect(&self) -> &str {
        &self.defect.name
    }

    fn prove<'a>(&'a self, evidence: &'a Path, span: &'a Span) -> Work<'a, Option<Proof>> {
        Box::pin(async move {
            let played = self.play(evidence, span.teller()).await?;
            match (played.exit_status, played.error) {
                (130, _) => Ok(None),
                // asked for wrongly: so is the drill
                (2, Some(error)) => Err(error),
                _ => Ok(Some(of(self.defect, &played.report))),
            }
        })
    }
}

async fn planted<E: Sabotage>(
    place: &E,
    defect: &'static Defect,
    settings: Settings,
    reporter: Box<dyn Reporter>,
) -> Result<Played> {
    let about = Scenario::of(defect, &settings)?;
    let lost = phoenix_drill::defects::ending(defect, &settings)?.lost;
    let family = defects::Family::SilentLoss;
    let play = async |drill: &mut phoenix_drill::Drill, place: &E| {
        defects::play(family, drill, place, defect, lost).await
    };
    stage::play(stage::new_run(), &about, place, settings, vec![reporter], play).await
}

/// What a drill that was played for it says of the detector.
fn of(defect: &Defect, report: &Report) -> Proof {
    let ended = || {
        let verdict = report.verdict.as_ref().map_or_else(|| "no verdict".to_owned(), ToString::to_string);
        format!("it ended with {verdict}, and had to with {}", report.expected)
    };
    Proof {
        defect: defect.name.clone(),
        run: report.run.clone(),
        elapsed: report.total,
        missed: (!report.as_expected()).then(ended),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_seed_picks_reproducibly_and_in_time_each_of_them() {
        let all = candidates();
        assert!(all.len() >= 12, "{}", all.len());
        let names = |seeds: std::ops::Range<u64>| -> Vec<_> {
            seeds.map(|seed| pick(&all, seed).unwrap().name.as_str()).collect()
        };
        let count = all.len() as u64;
        assert_eq!(names(0..count), names(0..count));
        assert_eq!(names(7..count + 7).into_iter().collect::<BTreeSet<_>>().len(), all.len());
        assert!(pick(&[], 7).is_none() && pick(&all, u64::MAX).is_some());
    }
}
