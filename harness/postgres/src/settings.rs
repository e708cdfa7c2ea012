//! `postgresql.conf` for a victim.

use std::fmt::Write;

/// One setting with its value, and why it is set where that is not plain.
type Setting = (&'static str, String);

/// Where a victim listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    /// On its Unix socket alone, and lets in whoever reaches it.
    Socket,
    /// On every address too, and wants a password there.
    Everywhere,
}

impl Listen {
    /// The text of `pg_hba.conf`.
    pub fn pg_hba_conf(self) -> &'static str {
        match self {
            Self::Socket => "local all all trust\n",
            Self::Everywhere => "local all all trust\nhost all all all scram-sha-256\n",
        }
    }
}

/// Where a victim listens and how it archives.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Where it listens.
    pub listen: Listen,
    /// The directory of its Unix socket.
    pub socket_directory: String,
    /// The number in the socket's name.
    pub port: u16,
    /// The `archive_command`.
    pub archive_command: String,
    /// `archive_timeout` in seconds; 0 is PostgreSQL's default.
    pub archive_timeout_s: u32,
    /// How fast.
    pub pace: Pace,
    /// Lines that are shipped. What a drill cannot do without comes after them, and wins.
    pub shipped: Option<String>,
}

/// Fast settings, or PostgreSQL's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// What a drill of the machinery needs and nothing more. `fsync` is off: the disaster is SIGKILL,
    /// not a power cut, and the operating system keeps what was written.
    #[default]
    Fast,
    /// PostgreSQL's defaults.
    Default,
}

/// The configuration that is shipped with an image or a machine, to be drilled as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shipped {
    /// Lines of `postgresql.conf`.
    pub postgresql: Option<String>,
    /// Lines of the section `[global]` of `pgbackrest.conf`.
    pub pgbackrest: Option<String>,
}

impl Shipped {
    /// What is shipped is not made faster.
    pub fn pace(&self) -> Pace {
        if *self == Self::default() { Pace::Fast } else { Pace::Default }
    }
}

/// The text to append to `postgresql.conf`.
pub fn postgresql_conf(server: &ServerSettings) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let mut settings: Vec<Setting> = vec![
        ("listen_addresses", if server.listen == Listen::Socket { "''" } else { "'*'" }.into()),
        ("unix_socket_directories", quoted(&server.socket_directory)),
        ("unix_socket_permissions", "0777".into()),
        ("port", server.port.to_string()),
        // files in PGDATA: POSIX shared memory would outlive a SIGKILL
        ("dynamic_shared_memory_type", "mmap".into()),
        ("wal_level", "replica".into()),
        ("archive_mode", "on".into()),
        ("archive_command", quoted(&server.archive_command)),
        ("archive_timeout", server.archive_timeout_s.to_string()),
        ("log_line_prefix", "'%m [%p] '".into()),
        ("log_timezone", "'UTC'".into()),
        ("timezone", "'UTC'".into()),
        ("lc_messages", "'C'".into()),
    ];
    if server.pace == Pace::Fast {
        let fast = [
            ("fsync", "off"),
            ("full_page_writes", "off"),
            ("shared_buffers", "'32MB'"),
            ("max_connections", "50"),
            ("max_wal_senders", "0"),
            ("autovacuum", "off"),
            ("jit", "off"),
            ("huge_pages", "off"),
            ("max_parallel_workers", "0"),
        ];
        settings.extend(fast.map(|(name, value)| (name, value.to_owned())));
    }
    let mut text = String::new();
    if let Some(shipped) = &server.shipped {
        // writing to a String cannot fail
        let _ = writeln!(text, "\n# shipped\n{}", shipped.trim());
    }
    text.push_str("\n# Phoenix\n");
    for (name, value) in settings {
        // writing to a String cannot fail
        let _ = writeln!(text, "{name} = {value}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_doubled() {
        let server = ServerSettings {
            listen: Listen::Socket,
            socket_directory: "/tmp/it's".into(),
            port: 5432,
            archive_command: "push '%p'".into(),
            archive_timeout_s: 0,
            pace: Pace::Default,
            shipped: Some("port = 1\n".into()),
        };
        let text = postgresql_conf(&server);
        assert!(text.find("port = 1\n") < text.find("port = 5432\n"), "{text}");
        assert!(text.contains("unix_socket_directories = '/tmp/it''s'\n"), "{text}");
        assert!(text.contains("archive_command = 'push ''%p'''\n") && !text.contains("fsync"), "{text}");
    }
}
