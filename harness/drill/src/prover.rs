//! The proof of the detector: once a drill has begun, and before its scenario, a loss is planted in another drill to
//! see whether it is found. Whoever follows the drill follows that, too.

use crate::{Drill, Result, Span, Work};
use phoenix_core::{Event, detector::Proof};
use std::{fmt, path::Path};

/// Proves the detector, or shows that it is blind.
pub trait Prover: fmt::Debug + Send + Sync {
    /// What is planted: a defect of the catalogue.
    fn defect(&self) -> &str;
    /// Plants it in a drill of its own, which makes its evidence in this directory and is told within the span;
    /// nothing if a signal ended it.
    fn prove<'a>(&'a self, evidence: &'a Path, span: &'a Span) -> Work<'a, Option<Proof>>;
}

/// How the proof of a detector ended.
pub(crate) enum Proven {
    /// It is known what the detector sees, or nobody asked.
    Known,
    /// A signal ended it.
    Interrupted,
}

/// Has the detector proved, if the settings ask for it.
pub(crate) async fn prove(drill: &mut Drill) -> Result<Proven> {
    let scene = drill.scene.clone();
    let Some(prover) = &scene.settings.proof else { return Ok(Proven::Known) };
    scene
        .spans
        .emit(&Event::Notice { text: format!("proving the detector first, with {}", prover.defect()) });
    let evidence = scene.evidence.directory().join("proof");
    let proof = scene.spans.run("proof", async |span| {
        let proof = prover.prove(&evidence, span).await?;
        let found = proof.as_ref().map(|proof| if proof.missed.is_none() { "found" } else { "NOT found" });
        span.detail(format!("{} · {}", prover.defect(), found.unwrap_or("interrupted")));
        Ok(proof)
    });
    let Some(proof) = proof.await? else { return Ok(Proven::Interrupted) };
    drill.report.proof = Some(proof);
    drill.save()?;
    Ok(Proven::Known)
}
