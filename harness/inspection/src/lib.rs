//! A pgBackRest repository, inspected before anything burns: the intervals to which recovery is possible
//! along each way that history took, and what stands in the way. Three rooms, one after the other: a
//! [`source`] gives listings and bytes; [`read()`] makes of them what was [`seen`], by parsers without I/O
//! ([`text`], [`info`], [`manifest`], [`history`], [`names`], [`page`]); [`judge()`] makes of that an [`Inspection`],
//! and is a pure function: whoever has a [`seen::Seen`] of his own, or reads one, may judge it. Nothing here
//! can write to a repository. The program and whoever asks why rows are lost call it; it may use
//! `phoenix-core` and the client of `phoenix-store`, and knows no PostgreSQL and no drill.

pub mod cipher;
pub mod compression;
pub mod history;
pub mod info;
pub mod inspection;
pub mod judge;
pub mod manifest;
pub mod names;
pub mod page;
pub mod read;
pub mod reference;
pub mod retention;
pub mod seen;
pub mod source;
pub mod table;
pub mod text;

#[cfg(test)]
mod sample;

pub use inspection::{Grade, Inspection};
pub use judge::judge;
pub use read::{Options, ReadError, read, read_backups, read_segments};
pub use reference::Reference;
pub use retention::Retention;
pub use source::{Bucket, Directory, Source};

use inspection::{Remark, Severity, Unseen};
use read::Which;
use seen::Seen;
use std::time::Duration;

/// How often a repository is read that changes while harm is looked for.
const LOOKS: u32 = 3;
/// From one look to the next: several segments are archived side by side, and may arrive in any order.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Whether the content of files is read too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// Names and sizes are believed.
    Believed,
    /// Every segment is read and held against the SHA-1 in its name, and its first page against its name.
    Segments,
    /// The files of backups too, and held against the digests in their manifests.
    Everything,
}

/// Reads a repository and judges it. Harm is said only if a second look finds it too: a backup or an
/// expiry may have been under way.
///
/// # Errors
/// See [`ReadError`].
pub async fn inspect(
    source: &dyn Source,
    options: &Options,
    contents: Contents,
    reference: Option<&Reference>,
) -> Result<Inspection, ReadError> {
    let mut which = Which::All;
    let mut last: Option<Inspection> = None;
    let mut pace = tokio::time::interval(BETWEEN_LOOKS);
    for _ in 0..LOOKS {
        pace.tick().await;
        let seen = look(source, options, contents, &which).await?;
        // what was whole is not read again
        which = Which::These(judge::suspects(&seen));
        let inspection = judge(&seen, reference);
        if inspection.grade != Grade::Harmed
            || last.as_ref().is_some_and(|last| harm(last) == harm(&inspection))
        {
            return Ok(inspection);
        }
        last = Some(inspection);
    }
    let why = "each look found another harm: a backup or an expiry is under way, or somebody is deleting";
    let unsettled = Unseen::decisive("the repository at rest", why);
    let mut inspection = match last {
        Some(inspection) => inspection,
        None => judge(&read(source, options).await?, reference),
    };
    inspection.unseen.push(unsettled);
    Ok(inspection)
}

async fn look(
    source: &dyn Source,
    options: &Options,
    contents: Contents,
    which: &Which,
) -> Result<Seen, ReadError> {
    let mut seen = read(source, options).await?;
    let why = "nobody read it: names and sizes are believed without --checksums";
    match contents {
        Contents::Believed => seen.unseen.push(Unseen::aside("the content of segments and of backups", why)),
        Contents::Segments => {
            read_segments(source, &mut seen, which).await;
            seen.unseen.push(Unseen::aside("the content of backups", why));
        }
        Contents::Everything => {
            read_segments(source, &mut seen, which).await;
            read_backups(source, &mut seen, which).await;
        }
    }
    Ok(seen)
}

fn harm(inspection: &Inspection) -> Vec<&Remark> {
    inspection.remarks.iter().filter(|remark| remark.severity == Severity::Harm).collect()
}
