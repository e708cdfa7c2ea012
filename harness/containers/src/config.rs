//! How the containers environment is set up. The names of all images but MinIO's are here
//! and nowhere else.

use phoenix_core::SegmentSize;
use phoenix_docker::MINIO_IMAGE;
use phoenix_postgres::settings::Shipped;
use phoenix_repository::ExternalStore;

/// The images of a drill. Each may be pinned by digest: `debian@sha256:…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// The object store: MinIO, or one that is started and configured as MinIO is.
    pub store: String,
    /// What the victim's own image is built on: Debian or Ubuntu.
    pub base: String,
    /// PostgreSQL's major version in the victim's own image; the distribution's, if absent.
    pub postgresql: Option<String>,
    /// pgBackRest's version in the victim's own image; the distribution's, if absent.
    pub pgbackrest: Option<String>,
    /// An image with PostgreSQL and pgBackRest that takes the place of the victim's own.
    pub victim: Option<String>,
    /// An image in which the castle comes back, if it is not the one in which it was born.
    pub rebirth: Option<String>,
}

impl Default for Images {
    fn default() -> Self {
        Self {
            store: MINIO_IMAGE.to_owned(),
            base: "debian:trixie-slim".to_owned(),
            postgresql: None,
            pgbackrest: None,
            victim: None,
            rebirth: None,
        }
    }
}

impl Images {
    /// The environment variables that override each image or version.
    pub const VARIABLES: [&str; 6] = [
        "PHOENIX_STORE_IMAGE",
        "PHOENIX_BASE_IMAGE",
        "PHOENIX_POSTGRESQL_VERSION",
        "PHOENIX_PGBACKREST_VERSION",
        "PHOENIX_VICTIM_IMAGE",
        "PHOENIX_REBIRTH_IMAGE",
    ];

    /// These images, but for those that a variable names.
    #[must_use]
    pub fn overridden(mut self, variable: impl Fn(&str) -> Option<String>) -> Self {
        let [store, base, postgresql, pgbackrest, victim, rebirth] =
            Self::VARIABLES.map(|name| variable(name).filter(|value| !value.is_empty()));
        self.store = store.unwrap_or(self.store);
        self.base = base.unwrap_or(self.base);
        self.postgresql = postgresql.or(self.postgresql);
        self.pgbackrest = pgbackrest.or(self.pgbackrest);
        self.victim = victim.or(self.victim);
        self.rebirth = rebirth.or(self.rebirth);
        self
    }
}

/// How the containers environment is set up.
#[derive(Debug, Clone)]
pub struct ContainersConfig {
    /// The images.
    pub images: Images,
    /// The user in the victim's image that PostgreSQL and pgBackRest run as.
    pub victim_user: String,
    /// The configuration that is shipped; without any, a drill's own, made for speed.
    pub shipped: Shipped,
    /// The size of WAL segments; if absent 1 MiB, so that few rows fill several, or PostgreSQL's 16 MiB
    /// for bulk data of 64 MiB or more.
    pub segment_size: Option<SegmentSize>,
    /// `archive_timeout` in seconds; 0 is PostgreSQL's default.
    pub archive_timeout_s: u32,
    /// A store that is there already, instead of MinIO. The victim must reach it by the same name.
    pub store: Option<ExternalStore>,
}

impl Default for ContainersConfig {
    fn default() -> Self {
        Self {
            images: Images::default(),
            victim_user: "postgres".to_owned(),
            shipped: Shipped::default(),
            segment_size: None,
            archive_timeout_s: 0,
            store: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_overrides_the_file_and_an_empty_one_does_not() {
        let file = Images { base: "debian:bookworm-slim".into(), ..Images::default() };
        let images = file.overridden(|name| match name {
            "PHOENIX_STORE_IMAGE" => Some("pgsty/minio@sha256:00".into()),
            "PHOENIX_BASE_IMAGE" => Some(String::new()),
            _ => None,
        });
        assert_eq!(
            (images.store.as_str(), images.base.as_str()),
            ("pgsty/minio@sha256:00", "debian:bookworm-slim")
        );
        assert_eq!(images.victim, None);
    }
}
