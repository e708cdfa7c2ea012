//! Why a drill could not be verified, as a finding: whatever ends unknown says what stood in the way, what is
//! known of it and what to do next.

use crate::Error;
use phoenix_core::{Certainty, Finding};
use std::error::Error as _;

/// Where to look for what the harness does not know.
const LOOK: &str =
    "look at runbook.md in the evidence, which has every command to repeat by hand, and at logs/";

/// What stopped a drill short of its judgement.
pub(crate) fn stopped(error: &Error) -> Finding {
    match error {
        Error::Usage { what, advice } => Finding::certain("asked-wrongly", what, advice),
        Error::Missing { what, advice } => Finding::certain("prerequisite-missing", what, advice),
        Error::NotReborn(finding) => (**finding).clone(),
        Error::Unverified { .. } => {
            Finding::certain("not-verified", format!("something failed: {}", error.chain()), LOOK)
                .with_certainty(Certainty::Unsure)
                .with_evidence(causes(error))
        }
        Error::Timeout { what, last, after } => {
            let sentence = format!("{what} was awaited for {after:?} in vain");
            Finding::certain("waited-in-vain", sentence, LOOK)
                .with_certainty(Certainty::Unsure)
                .with_evidence([format!("last seen: {last}")])
        }
        Error::Unfired(faults) => {
            let sentence =
                "a fault was armed and never happened, so that the drill does not show what it does";
            let fix = "arm it for a request that is made: the access log of the store has all that were";
            Finding::certain("fault-not-fired", sentence, fix).with_evidence(faults)
        }
        Error::Demand(what) => {
            let sentence = format!("what the drill needs to prove anything is not so: {what}");
            Finding::certain("demand-unmet", sentence, LOOK)
        }
    }
}

/// A judgement that says nothing.
pub(crate) fn judged(why: &str) -> Finding {
    let fix =
        "write more rows, switch the WAL more often, and let the scenario burn, restore and judge the castle";
    Finding::certain("proves-nothing", why, fix)
}

/// Somebody did not want it any more.
pub(crate) fn interrupted(signal: &str) -> Finding {
    let sentence = format!("{signal} ended the drill before its judgement");
    Finding::certain("interrupted", sentence, "drill again, and let it end")
}

/// The harness itself failed.
pub(crate) fn panicked(message: &str) -> Finding {
    let fix = "report it with the evidence: whatever a castle does, the harness must not panic";
    Finding::certain("harness-panicked", format!("the harness panicked: {message}"), fix)
}

/// An error's causes, one a line.
fn causes(error: &Error) -> Vec<String> {
    let (mut causes, mut cause) = (Vec::new(), error.source());
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Doing;
    use std::time::Duration;

    #[test]
    fn each_error_has_its_code_and_says_what_to_do() {
        let io = || std::io::Error::other("no space left");
        let unverified =
            Err::<(), _>(io()).doing("writing the ledger").doing("inserting DATO_A").unwrap_err();
        let after = Duration::from_secs(60);
        let timeout = Error::Timeout { what: "the store".into(), last: "2 missing".into(), after };
        for (error, code, sentence, evidence) in [
            (Error::usage("no rows", "give some"), "asked-wrongly", "no rows", vec![]),
            (Error::missing("no initdb", "install it"), "prerequisite-missing", "no initdb", vec![]),
            (
                unverified,
                "not-verified",
                "something failed: inserting DATO_A: writing the ledger: no space left",
                vec!["writing the ledger", "no space left"],
            ),
            (
                timeout,
                "waited-in-vain",
                "the store was awaited for 60s in vain",
                vec!["last seen: 2 missing"],
            ),
            (
                Error::Unfired(vec!["Denied (1)".into()]),
                "fault-not-fired",
                "a fault was armed and never happened, so that the drill does not show what it does",
                vec!["Denied (1)"],
            ),
            (
                Error::Demand("B lives in WAL alone".into()),
                "demand-unmet",
                "what the drill needs to prove anything is not so: B lives in WAL alone",
                vec![],
            ),
        ] {
            let finding = stopped(&error);
            assert_eq!((finding.code.as_str(), finding.sentence.as_str()), (code, sentence));
            assert_eq!(finding.evidence, evidence, "{code}");
            assert!(!finding.fix.is_empty(), "{code}");
        }
    }
}
