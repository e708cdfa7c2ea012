//! The judgement: a pure function of what was read. No I/O, no clock: when the repository was read is
//! part of what was read.

mod archives;
mod backups;
mod latest;
mod paths;
mod remarks;
mod stanzas;
mod wal;

pub(crate) use remarks::Remarks;

use crate::{
    inspection::{Bearing, Grade, Inspection, SCHEMA, Severity, Unseen},
    reference::Reference,
    seen::Seen,
};
use std::collections::BTreeSet;

/// Judges a repository: the intervals that recovery can go to, and whatever is wrong. With a reference
/// it says what lies between that and the end of what recovery reaches.
pub fn judge(seen: &Seen, reference: Option<&Reference>) -> Inspection {
    let (mut remarks, mut unseen) = (Vec::new(), seen.unseen.clone());
    let mut stanzas = Vec::new();
    for stanza in &seen.stanzas {
        let mut said = Remarks::about(&stanza.name);
        stanzas.push(stanzas::judge(stanza, seen, &mut said));
        remarks.extend(said.remarks);
        unseen.extend(said.unseen);
    }
    let held = reference.map(|reference| reference.hold(&stanzas));
    if let Some((held, stanza)) = held.as_ref().filter(|(held, _)| !held.is_reached) {
        let mut said = Remarks::about(stanza);
        said.harm(held.finding());
        remarks.extend(said.remarks);
    }
    if held.is_none() {
        unseen.extend(stanzas.iter().flat_map(beyond));
    }
    remarks.sort_by_key(|remark| remark.severity);
    let harmed = remarks.iter().any(|remark| remark.severity == Severity::Harm);
    let blind = unseen.iter().any(|unseen| unseen.bearing == Bearing::Decisive);
    Inspection {
        schema: SCHEMA.to_owned(),
        repository: seen.repository.clone(),
        looked_at: seen.looked_at,
        grade: match (harmed, blind) {
            (true, _) => Grade::Harmed,
            (false, true) => Grade::Unknown,
            (false, false) => Grade::Restorable,
        },
        stanzas,
        remarks,
        unseen,
        reference: held.map(|(held, _)| held),
    }
}

/// The files, by their place in the repository, whose content was read and is not as it should be.
pub(crate) fn suspects(seen: &Seen) -> BTreeSet<String> {
    let mut suspects = BTreeSet::new();
    for stanza in &seen.stanzas {
        for archive in &stanza.archives {
            let folder = format!("archive/{}/{}/", stanza.name, archive.id);
            let troubled = archive.contents.iter().filter(|(_, content)| content.whole().is_none());
            let foreign = archives::foreign(archive, stanza, archives::size(archive));
            let paths = troubled.map(|(path, _)| path).chain(foreign.keys());
            suspects.extend(paths.map(|path| format!("{folder}{path}")));
        }
        for (label, backup) in &stanza.backups {
            let paths = backup.damage.keys().map(|(path, _)| path);
            suspects.extend(paths.map(|path| format!("backup/{}/{label}/{path}", stanza.name)));
        }
    }
    suspects
}

/// What no store can tell: whether there was more than it was given.
fn beyond(stanza: &crate::inspection::Stanza) -> Option<Unseen> {
    let latest = stanza.latest.as_ref()?;
    let newest = latest.last.as_ref()?;
    let why = "the store does not know what it was never given; --reference holds a ledger, an LSN or a \
               segment's name against it";
    Some(Unseen::aside(format!("what was written after {newest} in stanza {}", stanza.name), why))
}
