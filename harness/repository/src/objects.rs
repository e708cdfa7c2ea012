//! Which keys of a repository a defect is about.

use crate::{STANZA, Vault};
use phoenix_core::{
    WalSegment,
    defect::{Marks, Object, Request, StoreFault},
};
use phoenix_drill::{Doing, Error, Result};
use phoenix_postgres::pgbackrest::archive::history_name;
use phoenix_store::{KeyMatch, ObjectInfo};

/// The keys in the repository that lies under a path; an error if there is none.
pub(crate) async fn keys(vault: &Vault, path: &str, object: Object, marks: &Marks) -> Result<Vec<String>> {
    let held = vault.inspector()?.list(&format!("{path}/")).await.doing("listing the store")?;
    let keys = choose(&held, path, object, marks);
    if keys.is_empty() {
        return Err(Error::Demand(format!("the store holds {object:?}, to plant a defect in")));
    }
    Ok(keys)
}

fn choose(held: &[ObjectInfo], prefix: &str, object: Object, marks: &Marks) -> Vec<String> {
    let (archive, backups) = (format!("{prefix}/archive/{STANZA}"), format!("{prefix}/backup/{STANZA}"));
    let backup = format!("{backups}/{}", marks.backup.label);
    let those = |chosen: &dyn Fn(&str) -> bool| -> Vec<String> {
        held.iter().filter(|held| chosen(&held.key)).map(|held| held.key.clone()).collect()
    };
    let named = |names: &[String]| those(&|key| names.iter().any(|name| name == key));
    let copies = |path: String| named(&[path.clone(), format!("{path}.copy")]);
    let segments = |segments: &[WalSegment]| {
        let names: Vec<_> =
            segments.iter().map(|segment| format!("/{}-", segment.name(marks.size))).collect();
        those(&|key| key.starts_with(&archive) && names.iter().any(|name| key.contains(name)))
    };
    match object {
        Object::FirstSegment => segments(&[marks.first_segment()]),
        Object::MiddleSegment => segments(&[marks.middle_segment()]),
        Object::LastSegment => segments(&[marks.last_segment()]),
        Object::BackupSegments => {
            let (timeline, interval) = (marks.backup.timeline, marks.backup.interval);
            let first = WalSegment::containing(timeline, interval.start, marks.size);
            let last = WalSegment::ending_at(timeline, interval.stop, marks.size);
            segments(&first.through(last).collect::<Vec<_>>())
        }
        Object::Archive => those(&|key| key.starts_with(&archive)),
        Object::History => {
            let name = format!("/{}", history_name(marks.timeline));
            those(&|key| key.starts_with(&archive) && key.ends_with(&name))
        }
        Object::ArchiveInfo => copies(format!("{archive}/archive.info")),
        Object::ArchiveInfoMain => named(&[format!("{archive}/archive.info")]),
        Object::BackupInfo => copies(format!("{backups}/backup.info")),
        Object::BackupInfoMain => named(&[format!("{backups}/backup.info")]),
        Object::Manifest => copies(format!("{backup}/backup.manifest")),
        Object::ManifestMain => named(&[format!("{backup}/backup.manifest")]),
        Object::BackupFile => {
            let data = format!("{backup}/");
            let files = held.iter().filter(|held| {
                held.key.starts_with(&data) && !held.key.contains("backup.manifest") && held.bytes > 0
            });
            files.max_by_key(|held| held.bytes).map(|held| held.key.clone()).into_iter().collect()
        }
        Object::Backup => those(&|key| key.starts_with(&format!("{backup}/"))),
    }
}

/// Which requests a fault is for. What is listed, and what is not there yet, has no key.
pub(crate) async fn matches(
    vault: &Vault,
    path: &str,
    fault: &StoreFault,
    marks: &Marks,
) -> Result<Vec<KeyMatch>> {
    let archive = format!("{path}/archive/{STANZA}/");
    match (fault.on, fault.request) {
        (Object::Archive, _) | (_, Request::Put | Request::List) => Ok(vec![KeyMatch::Prefix(archive)]),
        (object, Request::Get) => {
            Ok(keys(vault, path, object, marks).await?.into_iter().map(KeyMatch::Exact).collect())
        }
    }
}
