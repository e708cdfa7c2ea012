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

    /// Something that could not be seen, said once.
    pub(crate) fn unseen(&mut self, unseen: Unseen) {
        if !self.unseen.contains(&unseen) {
            self.unseen.push(unseen);
        }
    }

    /// A file that pgBackRest writes twice: `one` is said where only one of them is whole, `none` where
    /// neither is. What could not be seen is neither.
    pub(crate) fn pair<T>(&mut self, name: &str, pair: &Pair<T>, one: Finding, none: Finding) {
        let troubles = [("", pair.main.trouble()), (".copy", pair.copy.trouble())];
        let said = troubles.iter().filter_map(|(copy, trouble)| {
            let trouble = trouble.as_ref()?;
            Some(format!("{name}{copy} {trouble}"))
        });
        let said: Vec<_> = said.collect();
        match pair.content() {
            _ if said.is_empty() || pair.is_unseen() => {}
            Some(_) => self.warn(one.with_evidence(said)),
            None => self.harm(none.with_evidence(said)),
        }
    }
}
