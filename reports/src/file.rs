//! Files that are there in whole or not at all.

use std::{
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// A report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file system refused.
    #[error("cannot write {}", path.display())]
    File {
        /// What was to be written.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The suites cannot be put into XML.
    #[error("cannot write {} as XML", path.display())]
    Xml {
        /// What was to be written.
        path: PathBuf,
        /// Why not.
        source: quick_junit::SerializeError,
    },
}

impl WriteError {
    /// Names the path in an error of the file system.
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> WriteError {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

/// Writes beside the path and renames, so that a reader never sees half a file.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<(), WriteError> {
    let replace = || {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        // as any file that is written here, not as a private temporary one: others collect reports
        let permissions = std::fs::Permissions::from_mode(0o666);
        let mut file = tempfile::Builder::new().permissions(permissions).tempfile_in(directory)?;
        file.write_all(content)?;
        file.persist(path)?;
        Ok(())
    };
    replace().map_err(WriteError::at(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_and_leaves_nothing_beside() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("junit.xml");
        write(&path, b"old").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
    }

    #[test]
    fn names_the_path_it_could_not_write() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("absent/junit.xml");
        let error = write(&path, b"").unwrap_err();
        assert_eq!(error.to_string(), format!("cannot write {}", path.display()));
    }
}
