//! What a castle stands on. A platform makes a Kubernetes cluster, or takes one as given.

mod existing;
mod kind;

pub(crate) use existing::Existing;
pub(crate) use kind::{Kind, LABEL, write_mirrors};

use crate::kubernetes::Kubernetes;
use phoenix_drill::{Span, Work};
use std::collections::BTreeSet;

/// What is left of a platform: a kind of thing, and names.
pub(crate) type Remains = Vec<(&'static str, BTreeSet<String>)>;

/// A platform.
pub(crate) trait Platform: Send + Sync {
    /// `kind`, `existing`.
    fn name(&self) -> &'static str;
    /// Whether the operator is there, and is not the drill's to install.
    fn operator_is_given(&self) -> bool;
    /// Raises it, and comes back as soon as its API answers.
    fn up<'a>(&'a self, span: &'a Span) -> Work<'a, Kubernetes>;
    /// Waits until every node is ready.
    fn ready<'a>(&'a self, kubernetes: &'a Kubernetes, span: &'a Span) -> Work<'a, ()>;
    /// Stops whoever raises it, once all that it will have can be found. Nothing to do where nobody does.
    fn halt(&self) -> Work<'_, ()>;
    /// Destroys it whole: SIGKILL first, all nodes at once. An error where a drill may not.
    fn destroy(&self) -> Work<'_, ()>;
    /// What is left of it.
    fn remains(&self) -> Work<'_, Remains>;
    /// Directories of volumes of a namespace on the nodes, by name; `None` where nodes cannot be looked at.
    fn volume_directories<'a>(&'a self, namespace: &'a str) -> Work<'a, Option<BTreeSet<String>>>;
}
