//! The folders of backups: every file's size, and the manifests.

use super::{AT_A_TIME, files::Opener};
use crate::{
    manifest::Manifest,
    seen::SeenBackup,
    source::{Source, SourceError},
};
use futures::{StreamExt, TryStreamExt, stream};
use std::collections::BTreeMap;

const MANIFEST: &str = "backup.manifest";

pub(super) async fn read(
    source: &dyn Source,
    stanza: &str,
    opener: &Opener,
) -> Result<BTreeMap<String, SeenBackup>, SourceError> {
    let root = format!("backup/{stanza}/");
    let labels = source.level(&root).await?.folders.into_iter().filter(|name| is_label(name));
    let root = root.as_str();
    let each = labels.map(|label| async move {
        let folder = format!("{root}{label}/");
        Ok::<_, SourceError>((label, one(source, &folder, opener).await?))
    });
    stream::iter(each).buffer_unordered(AT_A_TIME).try_collect().await
}

async fn one(source: &dyn Source, folder: &str, opener: &Opener) -> Result<SeenBackup, SourceError> {
    let (key, copy_key) = (format!("{folder}{MANIFEST}"), format!("{folder}{MANIFEST}.copy"));
    let (objects, main, copy) = futures::join!(source.list(folder), source.get(&key), source.get(&copy_key));
    let objects = objects?;
    let written_at = objects.iter().find(|object| object.key == key).map(|object| object.modified);
    let inside = |key: &str| key.strip_prefix(folder).map(str::to_owned);
    let files = objects.into_iter().filter_map(|object| Some((inside(&object.key)?, object.bytes)));
    Ok(SeenBackup {
        manifest: opener.pair(&main, &copy, Manifest::parse),
        written_at,
        files: files.collect(),
        damage: BTreeMap::new(),
    })
}

/// Whether a folder's name is a backup's label: `20261127-082856F`, or that with `_20261127-082859I` or `D`.
fn is_label(name: &str) -> bool {
    let time = |text: &str| {
        let plain =
            |part: &str, length| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
        text.split_once('-').is_some_and(|(day, second)| plain(day, 8) && plain(second, 6))
    };
    let (full, rest) = name.split_once('_').map_or((name, None), |(full, rest)| (full, Some(rest)));
    let rest_is_right =
        rest.is_none_or(|rest| rest.strip_suffix('D').or(rest.strip_suffix('I')).is_some_and(time));
    full.strip_suffix('F').is_some_and(time) && rest_is_right
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_labels_are_labels() {
        for name in
            ["20261127-082856F", "20261127-082856F_20261127-082859I", "20261127-082856F_20261127-082902D"]
        {
            assert!(is_label(name), "{name}");
        }
        for name in ["backup.history", "latest", "20261127-082856", "20261127-082856F_20261127-082859F", "F"]
        {
            assert!(!is_label(name), "{name}");
        }
    }
}
