//! What becomes of an option of pgBackRest's.

use serde::Deserialize;

/// What becomes of an option: in the catalogue a value, which may be empty, `true` or `false`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Written")]
pub enum Setting {
    /// It has this value.
    Value(String),
    /// It is given without one.
    Given,
    /// It is not given.
    Absent,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Value(String),
    Given(bool),
}

impl From<Written> for Setting {
    fn from(written: Written) -> Self {
        match written {
            Written::Value(value) => Self::Value(value),
            Written::Given(true) => Self::Given,
            Written::Given(false) => Self::Absent,
        }
    }
}

impl Setting {
    /// The line of a configuration file, if there is one.
    pub fn line(&self, name: &str) -> Option<String> {
        match self {
            Self::Value(value) => Some(format!("{name}={value}")),
            Self::Given => Some(format!("{name}=y")),
            Self::Absent => None,
        }
    }

    /// The word of a command line, if there is one.
    pub fn word(&self, name: &str) -> Option<String> {
        match self {
            Self::Value(value) => Some(format!("--{name}={value}")),
            Self::Given => Some(format!("--{name}")),
            Self::Absent => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_value_is_another_thing_than_none() {
        let parse = |text: &str| serde_json::from_str::<Setting>(text).unwrap();
        let shown = |text: &str| (parse(text).line("set"), parse(text).word("set"));
        let both = |line: &str, word: &str| (Some(line.to_owned()), Some(word.to_owned()));
        assert_eq!(shown(r#""x""#), both("set=x", "--set=x"));
        assert_eq!(shown(r#""""#), both("set=", "--set="));
        assert_eq!(shown("true"), both("set=y", "--set"));
        assert_eq!(shown("false"), (None, None));
        serde_json::from_str::<Setting>("7").unwrap_err();
    }
}
