//! The catalogue of defects, wherever they can be planted.

use phoenix_core::{
    Defect, Verdict,
    defect::{Ending, Lost},
};
use phoenix_drill::{Drill, Result, Sabotage};

/// How the defects of a family are played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Rows are missing and all is green; and what looks so.
    SilentLoss,
    /// Nothing comes back.
    LoudFailure,
    /// A second life.
    Timelines,
}

/// Every defect, with how it is played.
pub fn all() -> impl Iterator<Item = (&'static Defect, Family)> {
    let of = |defects: &'static [Defect], family| defects.iter().map(move |defect| (defect, family));
    of(&phoenix_silent_loss::DEFECTS, Family::SilentLoss)
        .chain(of(&phoenix_loud_failure::DEFECTS, Family::LoudFailure))
        .chain(of(&phoenix_silent_loss::LOOK_ALIKES, Family::SilentLoss))
        .chain(of(&phoenix_timelines::DEFECTS, Family::Timelines))
}

/// The defect of this name.
pub fn find(name: &str) -> Option<(&'static Defect, Family)> {
    all().find(|(defect, _)| defect.name == name)
}

/// Plays a defect.
pub async fn play(
    family: Family,
    drill: &mut Drill,
    place: &(impl Sabotage + ?Sized),
    defect: &Defect,
    lost: Lost,
) -> Result<Verdict> {
    match family {
        Family::SilentLoss => phoenix_silent_loss::play(drill, place, defect, lost).await,
        Family::LoudFailure => phoenix_loud_failure::play(drill, place, defect, lost).await,
        Family::Timelines => phoenix_timelines::play(drill, place, defect, lost).await,
    }
}

/// The catalogue as a table in Markdown.
pub fn table() -> String {
    let mut table = "| Defect | What is wrong | To the end of WAL | Rows lost | Sealed | Rows lost |\n\
                     |---|---|---|---|---|---|\n"
        .to_owned();
    let cells = |ending: &Ending| {
        let finding = ending.finding.as_ref().map(|code| format!(", `{code}`")).unwrap_or_default();
        format!("{}{finding} | {}", ending.verdict().word(), ending.lost.words())
    };
    for (defect, _) in all() {
        let sealed = defect.sealed.as_ref().map_or_else(|| "— | —".to_owned(), cells);
        table +=
            &format!("| `{}` | {} | {} | {sealed} |\n", defect.name, defect.about, cells(&defect.latest));
    }
    table
}

/// The catalogue for a terminal.
pub fn lines() -> String {
    let line = |recovery: &str, ending: &Ending| {
        let finding = ending.finding.as_deref().unwrap_or("-");
        let lost = format!("lost: {}", ending.lost.words());
        format!("  {recovery:<8}{:<20}{lost:<42}{finding}\n", ending.verdict().word())
    };
    all()
        .map(|(defect, _)| {
            let sealed = defect.sealed.as_ref().map(|ending| line("sealed", ending)).unwrap_or_default();
            format!("{}: {}\n{}{sealed}", defect.name, defect.about, line("latest", &defect.latest))
        })
        .collect()
}

/// The catalogue for machines.
pub fn json() -> serde_json::Value {
    let ending = |ending: &Ending| {
        let (expected, lost, finding) = (ending.verdict().word(), ending.lost, &ending.finding);
        serde_json::json!({ "expected": expected, "lost": lost, "finding": finding })
    };
    all()
        .map(|(defect, _)| {
            let (latest, sealed) = (ending(&defect.latest), defect.sealed.as_ref().map(ending));
            serde_json::json!({ "name": defect.name, "about": defect.about, "latest": latest, "sealed": sealed })
        })
        .collect()
}

#[cfg(test)]
mod tests;
