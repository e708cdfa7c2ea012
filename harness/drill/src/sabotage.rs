//! Capability: defects can be planted.

use crate::{Environment, Work};
use phoenix_core::{
    defect::{Act, Marks},
    detector::{Hearing, Testimony},
};

/// Capability: harm can be done to a castle, its store and its rebirth, on purpose.
pub trait Sabotage: Environment {
    /// Does it and gives evidence of what was done; an error if there was nothing to do it to. A fault of the
    /// store is armed, and happens later.
    fn sabotage<'a>(&'a self, act: &'a Act, marks: &'a Marks) -> Work<'a, Vec<String>>;
    /// The store is itself again; gives what was armed and never happened.
    fn heal(&self) -> Work<'_, Vec<String>>;
    /// What the checks that people rely on say of the castle that lives.
    fn witnesses(&self, hearing: Hearing) -> Work<'_, Vec<Testimony>>;
}
