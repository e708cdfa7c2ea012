//! Remarks as they are gathered.

use crate::{
    inspection::{Remark, Severity, Unseen},
    seen::Pair,
};
use phoenix_core::Finding;

/// What is said about one stanza.
#[derive(Debug)]
pub(crate) struct Remarks {
    stanza: String,
    pub(crate) remarks: Vec<Remark>,
    pub(crate) unseen: Vec<Unseen>,
}

impl Remarks {
    pub(crate) fn about(stanza: &str) -> Self {
        Self { stanza: stanza.to_owned(), remarks: Vec::new(), unseen: Vec::new() }
    }

    pub(crate) fn stanza(&self) -> &str {
        &self.stanza
    }

    pub(crate) fn say(&mut self, severity: Severity, finding: Finding) {
        let remark = Remark { severity, stanza: self.stanza.clone(), finding };
        // paths share their ancestors, and what is wrong with those is said once
        if !self.remarks.contains(&remark) {
            self.remarks.push(remark);
        }
    }

    pub(crate) fn harm(&mut self, finding: Finding) {
        self.say(Severity::Harm, finding);
    }

    pub(crate) fn warn(&mut self, finding: Finding) {
        self.say(Severity::Warning, finding);
    }

    pub(crate) fn note(&mut self, finding: Finding) {
        self.say(Severity::Note, finding);
    }

    /// A file that pgBackRest writes twice: one of the two is a warning, both are harm. What could not be
    /// seen is neither. The codes are `<code>-copy` and `<code>-lost`.
    pub(crate) fn pair<T>(&mut self, name: &str, code: &str, pair: &Pair<T>, fix: &str) {
        let troubles = [("", pair.main.trouble()), (".copy", pair.copy.trouble())];
        let said =
            troubles.iter().filter_map(|(copy, trouble)| Some(format!("{name}{copy} {}", trouble.as_ref()?)));
        let said: Vec<_> = said.collect();
        if said.is_empty() || pair.is_unseen() {
            return;
        }
        if pair.content().is_some() {
            let sentence = format!("only one copy of {name} is whole");
            let fix = format!(
                "pgBackRest writes both anew at its next backup or stanza-create; until then one more damage is harm: {fix}"
            );
            self.warn(Finding::certain(&format!("{code}-copy"), sentence, fix).with_evidence(said));
        } else {
            let sentence = format!("neither {name} nor its copy is whole");
            self.harm(Finding::certain(&format!("{code}-lost"), sentence, fix).with_evidence(said));
        }
    }
}
