//! The client that looks into any S3 store, and what it finds different from one look to the next.

mod client;
mod contents;
mod difference;
mod error;

pub use self::client::{Inspector, Level, ObjectInfo, Target, Versioning};
pub use self::difference::{Alteration, ObjectVersion, StoreDifference, VersionKind, difference};
pub use self::error::InspectError;
