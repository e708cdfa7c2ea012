//! What some environments can do to a castle or its store, and others cannot: capabilities. A scenario names
//! those that it asks for, and is registered only where they are.

use crate::{Castle, Environment, Span, Work};
use phoenix_core::RecoveryTarget;
use std::time::Duration;

/// Capability: a living castle's data can be restored in place from its local repository.
pub trait RestoreInPlace: Environment {
    /// Stops the castle's server, restores over its data from the second repository, and starts it again.
    fn restore_in_place<'a>(
        &'a self,
        castle: Box<dyn Castle>,
        target: RecoveryTarget,
        span: &'a Span,
    ) -> Work<'a, Box<dyn Castle>>;
}

/// Capability: the store can be made slow.
pub trait SlowStore: Environment {
    /// Every read of a backup's files takes this long, until healed.
    fn slow_restores(&self, delay: Duration) -> Work<'_, ()>;
    /// The store is itself again; gives evidence of every answer that was slow.
    fn heal_store(&self) -> Work<'_, Vec<String>>;
}

/// What can be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Casualty {
    /// The server's postmaster.
    Postgres,
    /// Every pgBackRest that runs.
    PgBackRest,
    /// The machine that they run on: a container, a pod.
    Machine,
}

/// Capability: parts of a living castle can be killed, and it can be started again on what they left.
pub trait Kill: Environment {
    /// Sends SIGKILL and gives evidence; an error if there was nothing to kill.
    fn kill(&self, casualty: Casualty) -> Work<'_, String>;
    /// Starts a castle again whose server is dead, on its own data.
    fn revive<'a>(&'a self, castle: Box<dyn Castle>, span: &'a Span) -> Work<'a, Box<dyn Castle>>;
}

/// Capability: a living castle can be frozen.
pub trait Pause: Environment {
    /// Freezes every process of the victim and gives evidence.
    fn pause(&self) -> Work<'_, String>;
    /// Lets them go on and gives evidence.
    fn resume(&self) -> Work<'_, String>;
}

/// Capability: the victim can be cut off from the store, while applications still reach it.
pub trait Partition: Environment {
    /// Cuts the victim off from the store and gives evidence.
    fn partition(&self) -> Work<'_, String>;
    /// Heals the partition and gives evidence.
    fn heal_partition(&self) -> Work<'_, String>;
}

/// A mistake that people make when they bring a castle back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// The credentials are there, but the restore is not told to use them.
    CredentialsNotListed,
    /// The Secret with the credentials was not created again.
    SecretMissing,
    /// The secret key is another one.
    WrongKey,
    /// The CA is not the one that signed the store's certificate.
    WrongCa,
    /// The bucket does not exist.
    BucketMissing,
    /// Nothing listens at the store's endpoint.
    EndpointRefused,
    /// The repository lies under another path.
    PathUnknown,
    /// The path lacks its leading slash.
    PathRelative,
    /// An option that the operator sets by itself.
    OptionRefused,
    /// A user's name that Kubernetes does not take.
    UserName,
    /// A field that the API does not declare.
    UndeclaredField,
    /// A setting at which PostgreSQL does not start, though it restores.
    SettingImpossible,
    /// A StorageClass that does not exist.
    VolumeClassMissing,
    /// A StorageClass for which nobody provisions.
    VolumeNeverReady,
    /// No data source: a new castle on the path of the old one.
    NoDataSource,
}

/// Capability: a castle can be asked to come back by a configuration with a mistake in it.
pub trait Misconfigure: Environment {
    /// Whatever comes back from now on is asked for with this mistake; gives what is wrong, as evidence.
    fn misconfigure(&self, mistake: Mistake) -> Work<'_, String>;
    /// The mistake is corrected.
    fn correct(&self) -> Work<'_, ()>;
}
