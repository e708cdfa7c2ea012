//! The faults of a running store: which of them fires for a request, and the proof that it did.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::describe::Describe;
use super::plan::{AnswerFault, Effect, Fault, FaultPlan, Operation, StorageFault, WireFault};
use super::request::Target;

/// Why a fault was not armed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FaultError {
    /// The evidence could not tell the two apart.
    #[error("a fault labelled {label:?} was armed before")]
    DuplicateLabel {
        /// The label.
        label: String,
    },
}

/// A fault that happened to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fired {
    /// The fault's label.
    pub fault: String,
    /// When, by the store's clock.
    pub at: DateTime<Utc>,
    /// What the request did.
    pub operation: Operation,
    /// The key; for a LIST the first key that it concerned, or else its prefix.
    pub key: String,
    /// What was done to it.
    pub detail: String,
}

/// How often a fault was asked and happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultCount {
    /// The fault's label.
    pub fault: String,
    /// Requests that it was for, counting those that it skipped.
    pub matched: u64,
    /// Requests that it happened to.
    pub fired: u64,
}

/// The faults of one store, shared with whoever arms them while it runs.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    faults: Vec<Known>,
    evidence: Vec<Fired>,
}

#[derive(Debug)]
struct Known {
    fault: Fault,
    phase: Phase,
    matched: u64,
    fired: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    Armed,
    Disarmed,
}

impl Known {
    /// Whether the next request that this fault is for is one that it happens to.
    fn is_due(&self) -> bool {
        let occurrences = self.fault.occurrences;
        self.matched >= occurrences.skip && occurrences.times.is_none_or(|times| self.fired < times)
    }

    fn is_for(&self, operation: Operation) -> bool {
        self.phase == Phase::Armed && self.fault.operation.covers(operation)
    }
}

impl Faults {
    /// Arms one more fault, to be asked after those that are armed.
    ///
    /// # Errors
    /// Refuses a label that was armed before, even if it was disarmed since.
    pub fn arm(&self, fault: Fault) -> Result<(), FaultError> {
        self.arm_plan(FaultPlan { faults: vec![fault] })
    }

    /// Arms all faults of a plan, or none.
    ///
    /// # Errors
    /// Refuses a label that was armed before, even if it was disarmed since.
    pub fn arm_plan(&self, plan: FaultPlan) -> Result<(), FaultError> {
        let mut state = self.state();
        let mut labels: BTreeSet<&str> =
            state.faults.iter().map(|known| known.fault.label.as_str()).collect();
        if let Some(fault) = plan.faults.iter().find(|fault| !labels.insert(&fault.label)) {
            return Err(FaultError::DuplicateLabel { label: fault.label.clone() });
        }
        let armed = |fault| Known { fault, phase: Phase::Armed, matched: 0, fired: 0 };
        state.faults.extend(plan.faults.into_iter().map(armed));
        Ok(())
    }

    /// Ends a fault; the evidence stays. A label that is not armed is none of our business.
    pub fn disarm(&self, label: &str) {
        for known in self.state().faults.iter_mut().filter(|known| known.fault.label == label) {
            known.phase = Phase::Disarmed;
        }
    }

    /// Ends all faults; the evidence stays.
    pub fn disarm_all(&self) {
        for known in &mut self.state().faults {
            known.phase = Phase::Disarmed;
        }
    }

    /// All that happened, in order.
    #[must_use]
    pub fn evidence(&self) -> Vec<Fired> {
        self.state().evidence.clone()
    }

    /// For each fault that was ever armed, how often it happened.
    #[must_use]
    pub fn counts(&self) -> Vec<FaultCount> {
        let count = |known: &Known| FaultCount {
            fault: known.fault.label.clone(),
            matched: known.matched,
            fired: known.fired,
        };
        self.state().faults.iter().map(count).collect()
    }

    /// The faults that never happened: a drill that relies on one of them proved nothing.
    #[must_use]
    pub fn unfired(&self) -> Vec<Fault> {
        self.state().faults.iter().filter(|known| known.fired == 0).map(|known| known.fault.clone()).collect()
    }

    /// What the store shall answer to this request in place of the truth.
    pub(crate) fn answer(&self, target: &Target) -> Option<AnswerFault> {
        self.decide(target, |effect| match effect {
            Effect::Answer(fault) => Some(fault),
            Effect::Wire(_) | Effect::Storage(_) => None,
        })
    }

    /// What shall happen to the answer on its way; `fits` says what can happen to this answer.
    pub(crate) fn wire(&self, target: &Target, fits: impl Fn(WireFault) -> Fit) -> Option<WireFault> {
        self.decide(target, |effect| match effect {
            Effect::Wire(fault) => (fits(fault) == Fit::Fits).then_some(fault),
            Effect::Answer(_) | Effect::Storage(_) => None,
        })
    }

    /// Whether a fault of storage is armed that may be for this request. Which keys a listing will show
    /// is not known beforehand.
    pub(crate) fn may_be_seen(&self, operation: Operation, key: &str) -> bool {
        let lists = matches!(operation, Operation::List | Operation::ListVersions);
        self.state().faults.iter().filter(|known| known.is_for(operation)).any(|known| {
            match known.fault.effect {
                Effect::Storage(StorageFault::Lost | StorageFault::Old) if lists => true,
                Effect::Storage(_) => known.fault.key.matches(key),
                Effect::Answer(_) | Effect::Wire(_) => false,
            }
        })
    }

    /// The faults of storage for one request, which looks at one key or at many.
    pub(crate) fn storage(&self, operation: Operation) -> StorageView<'_> {
        StorageView { state: self.state(), operation, concerned: Vec::new() }
    }

    fn decide<T: Copy + Describe>(&self, target: &Target, choose: impl Fn(Effect) -> Option<T>) -> Option<T> {
        let mut state = self.state();
        for at in 0..state.faults.len() {
            let known = &state.faults[at];
            if !known.is_for(target.operation) || !known.fault.key.matches(&target.key) {
                continue;
            }
            let Some(chosen) = choose(known.fault.effect) else { continue };
            if state.count(at, target.operation, &target.key, || chosen.describe()) {
                return Some(chosen);
            }
        }
        None
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts a request that the fault is for; true if it happens to it.
    fn count(&mut self, at: usize, operation: Operation, key: &str, detail: impl FnOnce() -> String) -> bool {
        let known = &mut self.faults[at];
        let due = known.is_due();
        known.matched += 1;
        if due {
            known.fired += 1;
            let fault = known.fault.label.clone();
            let key = key.to_owned();
            self.evidence.push(Fired { fault, at: Utc::now(), operation, key, detail: detail() });
        }
        due
    }
}

/// Whether a fault can happen to what is at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    Fits,
    Passes,
}

impl From<bool> for Fit {
    fn from(fits: bool) -> Self {
        if fits { Self::Fits } else { Self::Passes }
    }
}

/// Looks at keys for one request, so that a listing counts once however many keys it hides.
pub(crate) struct StorageView<'a> {
    state: MutexGuard<'a, State>,
    operation: Operation,
    /// Faults that the request is for, each with the first key and the number of keys.
    concerned: Vec<(usize, String, u64)>,
}

impl StorageView<'_> {
    /// What the request does.
    pub(crate) fn operation(&self) -> Operation {
        self.operation
    }

    /// What the store shall seem to hold for `key`; `fits` says what can be made of it.
    pub(crate) fn see(&mut self, key: &str, fits: impl Fn(StorageFault) -> Fit) -> Option<StorageFault> {
        for at in 0..self.state.faults.len() {
            let known = &self.state.faults[at];
            let Effect::Storage(fault) = known.fault.effect else { continue };
            if !known.is_for(self.operation) || !known.fault.key.matches(key) || fits(fault) == Fit::Passes {
                continue;
            }
            let due = known.is_due();
            match self.concerned.iter_mut().find(|(known, ..)| *known == at) {
                Some((.., keys)) => *keys += 1,
                None => self.concerned.push((at, key.to_owned(), 1)),
            }
            if due {
                return Some(fault);
            }
        }
        None
    }

    /// Counts the request and keeps the evidence.
    pub(crate) fn finish(mut self) {
        for (at, key, keys) in std::mem::take(&mut self.concerned) {
            let Effect::Storage(fault) = self.state.faults[at].fault.effect else { continue };
            let operation = self.operation;
            self.state.count(at, operation, &key, || format!("{}, {keys} key(s)", fault.describe()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::KeyMatch;
    use super::*;

    fn get(key: &str) -> Target {
        Target { operation: Operation::Get, bucket: "bucket".to_owned(), key: key.to_owned() }
    }

    #[test]
    fn a_fault_skips_fires_and_ends() {
        let faults = Faults::default();
        faults.arm(Fault::new("busy", AnswerFault::SlowDown).after(2).times(3)).unwrap();
        let answers: Vec<bool> = (0..7).map(|_| faults.answer(&get("key")).is_some()).collect();
        assert_eq!(answers, [false, false, true, true, true, false, false]);
        assert_eq!(faults.evidence().len(), 3);
        let counts = faults.counts();
        assert_eq!((counts[0].matched, counts[0].fired), (7, 3));
        assert_eq!(faults.unfired(), []);
    }

    #[test]
    fn a_fault_for_another_key_or_operation_never_fires_and_says_so() {
        let faults = Faults::default();
        let other = KeyMatch::Exact("other".to_owned());
        faults.arm(Fault::new("other key", AnswerFault::SlowDown).on_keys(other)).unwrap();
        faults.arm(Fault::new("other operation", AnswerFault::SlowDown).on(Operation::Put)).unwrap();
        assert_eq!(faults.answer(&get("key")), None);
        assert_eq!(faults.unfired().len(), 2);
        assert_eq!(faults.evidence(), []);
    }

    #[test]
    fn the_first_fault_of_the_plan_goes_first() {
        let faults = Faults::default();
        faults.arm(Fault::new("first", AnswerFault::NoSuchKey).times(1)).unwrap();
        faults.arm(Fault::new("second", AnswerFault::AccessDenied)).unwrap();
        assert_eq!(faults.answer(&get("key")), Some(AnswerFault::NoSuchKey));
        assert_eq!(faults.answer(&get("key")), Some(AnswerFault::AccessDenied));
    }

    #[test]
    fn a_disarmed_fault_is_silent_and_keeps_its_evidence_and_its_label() {
        let faults = Faults::default();
        let fault = Fault::new("busy", AnswerFault::SlowDown);
        faults.arm(fault.clone()).unwrap();
        faults.answer(&get("key"));
        faults.disarm("busy");
        assert_eq!(faults.answer(&get("key")), None);
        assert_eq!(faults.evidence().len(), 1);
        assert_eq!(faults.arm(fault), Err(FaultError::DuplicateLabel { label: "busy".to_owned() }));
    }

    #[test]
    fn a_plan_is_armed_whole_or_not_at_all() {
        let faults = Faults::default();
        let twice = vec![Fault::new("a", AnswerFault::SlowDown), Fault::new("a", StorageFault::Lost)];
        assert!(faults.arm_plan(FaultPlan { faults: twice }).is_err());
        assert_eq!(faults.counts(), []);
    }

    #[test]
    fn a_listing_counts_once_however_many_keys_it_hides() {
        let faults = Faults::default();
        faults.arm(Fault::new("lost", StorageFault::Lost).times(1)).unwrap();
        for expected in [Some(StorageFault::Lost), None] {
            let mut view = faults.storage(Operation::List);
            assert_eq!(view.see("a", |_| Fit::Fits), expected);
            assert_eq!(view.see("b", |_| Fit::Fits), expected);
            view.finish();
        }
        assert_eq!(faults.evidence()[0].detail, "not there, 2 key(s)");
        assert_eq!((faults.counts()[0].matched, faults.counts()[0].fired), (2, 1));
    }

    #[test]
    fn what_does_not_fit_is_not_counted() {
        let faults = Faults::default();
        faults.arm(Fault::new("cut", WireFault::Truncate { after_bytes: 10 })).unwrap();
        assert_eq!(faults.wire(&get("key"), |_| Fit::Passes), None);
        assert_eq!(faults.counts()[0].matched, 0);
        assert!(faults.wire(&get("key"), |_| Fit::Fits).is_some());
    }
}
