//! The house as the tests about it see it: what cargo says of it, and its files.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use cargo_metadata::{Metadata, MetadataCommand};
use std::{fs, path::PathBuf};

/// The root of the workspace.
pub fn root() -> PathBuf {
    fs::canonicalize(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).expect("the workspace's root")
}

/// What cargo says of the workspace, for this platform, without touching Cargo.lock.
pub fn metadata() -> Metadata {
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options(["--locked".to_owned(), "--filter-platform".to_owned(), platform])
        .exec()
        .expect("cargo metadata")
}

/// The files of the house, without what is built.
pub struct Tree {
    root: PathBuf,
    files: Vec<String>,
}

impl Tree {
    /// Looks at all of it.
    pub fn of_the_house() -> Self {
        let root = root();
        let mut files = Vec::new();
        let mut next = vec![root.clone()];
        while let Some(directory) = next.pop() {
            for entry in fs::read_dir(&directory).expect("a directory") {
                let entry = entry.expect("an entry");
                let name = entry.file_name();
                if entry.file_type().expect("its type").is_dir() {
                    let built_or_hidden = name == "target" || name.as_encoded_bytes().starts_with(b".");
                    if !built_or_hidden || name == ".ci" || name == ".config" {
                        next.push(entry.path());
                    }
                } else {
                    let path = entry.path();
                    files.push(path.strip_prefix(&root).expect("below the root").display().to_string());
                }
            }
        }
        files.sort();
        Self { root, files }
    }

    /// The files whose path ends so.
    pub fn files(&self, ending: &str) -> impl Iterator<Item = String> {
        self.files.iter().filter(move |path| path.ends_with(ending)).cloned()
    }

    /// The text of a file.
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}
