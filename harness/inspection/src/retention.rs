//! How much WAL pgBackRest was told to keep, and from which backup on it keeps all of it. Pure.
//!
//! Source: pgBackRest, `command/expire/expire.c` (`removeExpiredArchive`): the newest backups that count
//! are taken from the whole stanza, and the oldest of them that is of the cluster decides.

use crate::info::BackupEntry;
use std::{fmt, num::NonZeroUsize, str::FromStr};

/// What `repo1-retention-archive` and `repo1-retention-archive-type` are set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// Nothing: WAL is kept as long as a backup that needs it or leads to it.
    Default,
    /// The WAL that follows the newest backups, and of older ones only what they need.
    Newest(NonZeroUsize, Counted),
}

/// Which backups count: `repo1-retention-archive-type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Full ones.
    Full,
    /// Full and differential ones.
    Differential,
    /// All of them.
    Incremental,
}

/// The text says nothing about retention.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is neither a number of backups such as 2, a number with a type such as 2:diff, nor default")]
pub struct NotARetention(String);

impl Counted {
    const ALL: [Self; 3] = [Self::Full, Self::Differential, Self::Incremental];

    /// pgBackRest's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Differential => "diff",
            Self::Incremental => "incr",
        }
    }

    fn includes(self, backup: &BackupEntry) -> bool {
        match self {
            Self::Full => backup.kind == "full",
            Self::Differential => backup.kind != "incr",
            Self::Incremental => true,
        }
    }
}

impl Retention {
    /// The label of the backup from whose start on all WAL of a cluster is kept; nothing where all is.
    pub(crate) fn decides(self, backups: &[BackupEntry], db_id: u64) -> Option<&str> {
        let Self::Newest(count, counted) = self else { return None };
        let mut newest: Vec<_> = backups.iter().filter(|backup| counted.includes(backup)).collect();
        newest.sort_by(|one, other| other.label.cmp(&one.label));
        let of_this = |backup: &&&BackupEntry| backup.db_id == db_id;
        // with fewer backups than that the oldest one decides, and without one among them the newest does
        let kept = newest.iter().take(count.get()).rfind(of_this);
        kept.or_else(|| newest.iter().find(of_this)).map(|backup| backup.label.as_str())
    }

    /// The plainest setting with which a backup decides.
    pub(crate) fn with_which(label: &str, backups: &[BackupEntry]) -> Option<Self> {
        Counted::ALL.into_iter().find_map(|counted| {
            let of_kind = |backup: &&BackupEntry| counted.includes(backup);
            backups.iter().filter(of_kind).find(|backup| backup.label == label)?;
            let newer = backups.iter().filter(of_kind).filter(|backup| backup.label.as_str() > label).count();
            Some(Self::Newest(NonZeroUsize::MIN.saturating_add(newer), counted))
        })
    }
}

impl FromStr for Retention {
    type Err = NotARetention;
    fn from_str(text: &str) -> Result<Self, NotARetention> {
        if text == "default" {
            return Ok(Self::Default);
        }
        let (count, kind) = text.split_once(':').unwrap_or((text, Counted::Full.word()));
        let counted = Counted::ALL.into_iter().find(|counted| counted.word() == kind);
        let told = count.parse().ok().zip(counted).map(|(count, counted)| Self::Newest(count, counted));
        told.ok_or_else(|| NotARetention(text.to_owned()))
    }
}

/// As it stands in `pgbackrest.conf`.
impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("repo1-retention-archive not set"),
            Self::Newest(count, Counted::Full) => write!(f, "repo1-retention-archive={count}"),
            Self::Newest(count, counted) => {
                write!(
                    f,
                    "repo1-retention-archive={count} with repo1-retention-archive-type={}",
                    counted.word()
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{info::BackupInfo, sample::BACKUP_INFO};

    fn told(text: &str) -> Retention {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_told_is_read() {
        assert_eq!(told("default"), Retention::Default);
        assert_eq!(told("2").to_string(), "repo1-retention-archive=2");
        assert_eq!(
            told("3:incr").to_string(),
            "repo1-retention-archive=3 with repo1-retention-archive-type=incr"
        );
        for text in ["", "0", "-1", "2:", "2:all", "full", "2 diff"] {
            assert_eq!(text.parse::<Retention>(), Err(NotARetention(text.into())));
        }
    }

    /// A full backup, an incremental and a differential one of it, and another full one.
    #[test]
    fn the_oldest_of_the_newest_decides() {
        let backups = BackupInfo::parse(BACKUP_INFO.as_bytes()).unwrap().backups;
        let [full, incr, diff, second] = [0, 1, 2, 3].map(|at: usize| backups[at].label.as_str());
        let decides = |text: &str| told(text).decides(&backups, 1);
        assert_eq!([decides("1"), decides("2"), decides("3")], [Some(second), Some(full), Some(full)]);
        assert_eq!([decides("2:diff"), decides("3:diff")], [Some(diff), Some(full)]);
        assert_eq!([decides("2:incr"), decides("3:incr")], [Some(diff), Some(incr)]);
        assert_eq!(decides("default"), None);
        assert_eq!(told("1").decides(&backups, 2), None);
        for backup in &backups {
            let setting = Retention::with_which(&backup.label, &backups).unwrap();
            assert_eq!(setting.decides(&backups, 1), Some(backup.label.as_str()), "{setting}");
        }
        assert_eq!(Retention::with_which("none", &backups), None);
    }

    /// Where the newest backups are all of another cluster, the newest of this one decides.
    #[test]
    fn the_backups_of_another_cluster_count_too() {
        let mut backups = BackupInfo::parse(BACKUP_INFO.as_bytes()).unwrap().backups;
        backups[3].db_id = 2;
        assert_eq!(told("1").decides(&backups, 1), Some(backups[0].label.as_str()));
        assert_eq!(told("1:incr").decides(&backups, 1), Some(backups[2].label.as_str()));
        assert_eq!(told("1").decides(&backups, 2), Some(backups[3].label.as_str()));
    }
}
