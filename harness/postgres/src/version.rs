//! Versions of PostgreSQL and pgBackRest, as the programs print them.

use std::fmt;

/// A version: `15.18`, `2.45`, `18beta1` counts as 18.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Before the dot.
    pub major: u32,
    /// After the dot.
    pub minor: u32,
}

/// The oldest PostgreSQL that drills run on: `pg_current_xact_id()` came with it.
pub const OLDEST_POSTGRESQL: Version = Version { major: 13, minor: 0 };
/// The oldest pgBackRest that drills run on: `repo1-bundle` came with it.
pub const OLDEST_PGBACKREST: Version = Version { major: 2, minor: 39 };

impl Version {
    /// Finds the first version in a program's own words: `postgres (PostgreSQL) 15.18 (Debian …)`.
    pub fn find(text: &str) -> Option<Self> {
        text.split_whitespace().find_map(|word| {
            let mut parts = word.split('.');
            let major_text = parts.next()?;
            let digits: String = major_text.chars().take_while(char::is_ascii_digit).collect();
            let major = digits.parse().ok()?;
            let minor: String =
                parts.next().unwrap_or("0").chars().take_while(char::is_ascii_digit).collect();
            Some(Self { major, minor: minor.parse().unwrap_or(0) })
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_print() {
        let find = |text| Version::find(text).map(|version| version.to_string());
        assert_eq!(find("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)").unwrap(), "15.18");
        assert_eq!(find("postgres (PostgreSQL) 18beta1").unwrap(), "18.0");
        assert_eq!(find("pgBackRest 2.60.0dev").unwrap(), "2.60");
        assert_eq!(find("not a version"), None);
    }
}
