//! A repository in a directory: `repo1-type=posix`, or one that was copied out of a store.

use super::{Level, Object, Source, SourceError};
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use std::{
    fs,
    io::{self, Read, Seek},
    path::{Path, PathBuf},
};

/// A directory.
#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// Nothing is read yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Symbolic links, such as `latest`, are no part of a repository: pgBackRest needs none of them.
    fn entries(&self, folder: &str) -> Result<Level, SourceError> {
        let path = self.root.join(folder);
        let unreadable = |source: io::Error| error(&path, source);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(absent) if absent.kind() == io::ErrorKind::NotFound => return Ok(Level::default()),
            Err(other) => return Err(unreadable(other)),
        };
        let mut level = Level::default();
        for entry in entries {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = match entry.file_type() {
                Ok(kind) => kind,
                Err(gone) if gone.kind() == io::ErrorKind::NotFound => continue,
                Err(other) => return Err(unreadable(other)),
            };
            if kind.is_dir() {
                level.folders.push(name);
            } else if kind.is_file() {
                // whatever is removed while it is listed was removed before
                match entry.metadata() {
                    Ok(about) => level.objects.push(Object {
                        key: format!("{folder}{name}"),
                        bytes: about.len(),
                        modified: about.modified().map_or(DateTime::UNIX_EPOCH, DateTime::<Utc>::from),
                    }),
                    Err(gone) if gone.kind() == io::ErrorKind::NotFound => {}
                    Err(other) => return Err(unreadable(other)),
                }
            }
        }
        level.objects.sort_by(|one, other| one.key.cmp(&other.key));
        level.folders.sort();
        Ok(level)
    }

    fn below(&self, folder: &str) -> Result<Vec<Object>, SourceError> {
        let (mut found, mut next) = (Vec::new(), vec![folder.to_owned()]);
        while let Some(folder) = next.pop() {
            let level = self.entries(&folder)?;
            found.extend(level.objects);
            next.extend(level.folders.into_iter().map(|name| format!("{folder}{name}/")));
        }
        found.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(found)
    }
}

impl Source for Directory {
    fn place(&self) -> String {
        self.root.display().to_string()
    }

    fn level<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Level, SourceError>> {
        let (this, folder) = (self.clone(), folder.to_owned());
        Box::pin(off_thread(move || this.entries(&folder)))
    }

    fn list<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<Object>, SourceError>> {
        let (this, folder) = (self.clone(), folder.to_owned());
        Box::pin(off_thread(move || this.below(&folder)))
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Vec<u8>, SourceError>> {
        let path = self.root.join(key);
        Box::pin(off_thread(move || fs::read(&path).map_err(|source| error(&path, source))))
    }

    fn part<'a>(
        &'a self,
        key: &'a str,
        from: u64,
        bytes: u64,
    ) -> BoxFuture<'a, Result<Vec<u8>, SourceError>> {
        let path = self.root.join(key);
        let read = move |path: &Path| {
            let (mut file, mut part) = (fs::File::open(path)?, Vec::new());
            file.seek(io::SeekFrom::Start(from))?;
            file.take(bytes).read_to_end(&mut part)?;
            Ok(part)
        };
        Box::pin(off_thread(move || read(&path).map_err(|source| error(&path, source))))
    }
}

/// Reading a directory blocks.
async fn off_thread<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, SourceError> + Send + 'static,
) -> Result<T, SourceError> {
    let ended = tokio::task::spawn_blocking(read).await;
    ended.unwrap_or_else(|ended| {
        Err(SourceError::Unreadable { what: "the directory".into(), source: ended.into() })
    })
}

fn error(path: &Path, source: io::Error) -> SourceError {
    let what = path.display().to_string();
    match source.kind() {
        io::ErrorKind::NotFound => SourceError::Absent(what),
        _ => SourceError::Unreadable { what, source: source.into() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_directory_is_listed_as_a_store_would_be() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("archive/a/15-1/x", "1"), ("archive/a/archive.info", "22"), ("backup/b", "")] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        std::os::unix::fs::symlink("a", folder.path().join("archive/latest")).unwrap();
        let source = Directory::new(folder.path());
        assert_eq!(source.level("").await.unwrap().folders, ["archive", "backup"]);
        let level = source.level("archive/a/").await.unwrap();
        assert_eq!((level.folders, level.objects.len()), (vec!["15-1".to_owned()], 1));
        let keys: Vec<_> =
            source.list("archive/").await.unwrap().into_iter().map(|o| (o.key, o.bytes)).collect();
        assert_eq!(keys, [("archive/a/15-1/x".to_owned(), 1), ("archive/a/archive.info".to_owned(), 2)]);
        assert_eq!(source.get("archive/a/archive.info").await.unwrap(), b"22");
        assert_eq!(source.part("archive/a/archive.info", 1, 9).await.unwrap(), b"2");
        assert_eq!(source.part("archive/a/archive.info", 9, 9).await.unwrap(), b"");
        assert!(matches!(source.part("archive/none", 0, 1).await, Err(SourceError::Absent(_))));
        assert!(matches!(source.get("archive/none").await, Err(SourceError::Absent(_))));
        assert_eq!(source.level("nowhere/").await.unwrap(), Level::default());
        // a file in a folder's place is no empty folder
        assert!(matches!(source.level("backup/b/").await, Err(SourceError::Unreadable { .. })));
    }
}
