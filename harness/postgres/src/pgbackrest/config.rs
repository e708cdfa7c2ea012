//! `pgbackrest.conf`.

use phoenix_core::Secret;
use std::fmt::Write;

/// A repository in an object store.
#[derive(Debug, Clone)]
pub struct S3 {
    /// The path in the bucket; begins with `/`.
    pub path: String,
    /// The bucket.
    pub bucket: String,
    /// The server's host name. pgBackRest before 2.46 does not know addresses in certificates.
    pub host: String,
    /// The server's port.
    pub port: u16,
    /// The region; any word for most servers that are not Amazon's.
    pub region: String,
    /// Who asks.
    pub access_key: String,
    /// With what.
    pub secret_key: Secret,
    /// The CA that signed the server's certificate.
    pub ca_file: String,
    /// A host and port to connect to in its place, such as a proxy that presents its own name.
    pub connect_to: Option<(String, u16)>,
}

/// A repository.
#[derive(Debug, Clone)]
pub enum Repository {
    /// In an object store, encrypted if there is a passphrase.
    S3(Box<S3>, Option<Secret>),
    /// In a local directory.
    Directory(String),
}

/// What goes into `pgbackrest.conf`.
#[derive(Debug, Clone)]
pub struct Config {
    /// The stanza's name.
    pub stanza: String,
    /// The repositories, from `repo1` on.
    pub repositories: Vec<Repository>,
    /// PGDATA.
    pub data_directory: String,
    /// The server's port.
    pub port: u16,
    /// The directory of the server's socket.
    pub socket_directory: String,
    /// A directory for logs, locks and the spool.
    pub work_directory: String,
    /// Fast settings, or pgBackRest's own.
    pub pace: crate::settings::Pace,
    /// Lines for the section `[global]` that are shipped.
    pub shipped: Option<String>,
}

/// Whether secrets are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Secrets {
    Exposed,
    Redacted,
}

impl Config {
    /// The file's text, secrets and all: for a file of mode 0600.
    pub fn text(&self) -> String {
        self.render(Secrets::Exposed)
    }

    /// The file's text without its secrets: for the evidence.
    pub fn redacted(&self) -> String {
        self.render(Secrets::Redacted)
    }

    fn render(&self, secrets: Secrets) -> String {
        let shown = |secret: &Secret| match secrets {
            Secrets::Exposed => secret.expose().to_owned(),
            Secrets::Redacted => secret.to_string(),
        };
        let mut lines = vec!["[global]".to_owned()];
        for (repository, number) in self.repositories.iter().zip(1..) {
            let mut set = |name: &str, value: &str| lines.push(format!("repo{number}-{name}={value}"));
            match repository {
                Repository::S3(s3, cipher) => {
                    set("type", "s3");
                    set("path", &s3.path);
                    set("s3-bucket", &s3.bucket);
                    set("s3-endpoint", &s3.host);
                    set("s3-region", &s3.region);
                    set("s3-key", &s3.access_key);
                    set("s3-key-secret", &shown(&s3.secret_key));
                    set("s3-uri-style", "path");
                    if let Some((host, _)) = &s3.connect_to {
                        set("storage-host", host);
                    }
                    let port = s3.connect_to.as_ref().map_or(s3.port, |(_, port)| *port);
                    set("storage-port", &port.to_string());
                    set("storage-ca-file", &s3.ca_file);
                    if let Some(passphrase) = cipher {
                        set("cipher-type", "aes-256-cbc");
                        set("cipher-pass", &shown(passphrase));
                    }
                }
                Repository::Directory(path) => set("path", path),
            }
            set("retention-full", "8");
            if self.pace == crate::settings::Pace::Fast {
                set("bundle", "y");
            }
        }
        if self.pace == crate::settings::Pace::Fast {
            lines.extend(
                ["compress-type=zst", "start-fast=y", "io-timeout=5", "job-retry=1"].map(str::to_owned),
            );
        }
        lines.push("log-level-console=info\nlog-level-file=off".to_owned());
        for kind in ["log", "lock", "spool"] {
            lines.push(format!("{kind}-path={}/{kind}", self.work_directory));
        }
        lines.extend(self.shipped.iter().map(|shipped| shipped.trim().to_owned()));
        let mut text = lines.join("\n");
        let Self { stanza, data_directory, port, socket_directory, .. } = self;
        // writing to a String cannot fail
        let _ = write!(
            text,
            "\n\n[{stanza}]\npg1-path={data_directory}\npg1-port={port}\npg1-socket-path={socket_directory}\npg1-user=postgres\n"
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_in_the_file_and_nowhere_else() {
        let s3 = S3 {
            path: "/drill".into(),
            bucket: "castle".into(),
            host: "localhost".into(),
            port: 9000,
            region: "local".into(),
            access_key: "ACCESS".into(),
            secret_key: Secret::new("canary-key"),
            ca_file: "/ca.pem".into(),
            connect_to: None,
        };
        let config = Config {
            stanza: "castle".into(),
            repositories: vec![
                Repository::S3(Box::new(s3), Some(Secret::new("canary-cipher"))),
                Repository::Directory("/near".into()),
            ],
            data_directory: "/data".into(),
            port: 5432,
            socket_directory: "/run".into(),
            work_directory: "/work".into(),
            pace: crate::settings::Pace::Fast,
            shipped: Some("process-max=2\n".into()),
        };
        assert!(
            config.text().contains("repo1-s3-key-secret=canary-key")
                && config.text().contains("repo1-cipher-pass=canary-cipher")
        );
        assert!(!config.redacted().contains("canary"), "{}", config.redacted());
        assert!(config.text().contains("\nprocess-max=2\n\n[castle]"), "{}", config.text());
        assert!(
            config.text().contains("repo2-path=/near\n")
                && config.text().contains("\n\n[castle]\npg1-path=/data\n")
        );
    }
}
