//! Values of `castle.toml`, as they are written.

use phoenix_drill::Target;
use serde::Deserialize;
use std::time::Duration;

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum KeepWord {
    Never,
    OnFailure,
    Always,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum StorageWord {
    Tmpfs,
    Disk,
}

/// A value that is read from text by `FromStr` or a function like it.
macro_rules! from_text {
    ($name:ident($inner:ty) by $parse:expr) => {
        #[derive(Debug, Clone, Deserialize)]
        #[serde(try_from = "String")]
        pub(super) struct $name(pub $inner);

        impl TryFrom<String> for $name {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> {
                $parse(&text).map(Self).map_err(|error| error.to_string())
            }
        }
    };
}
from_text!(Bytes(u64) by parse_bytes);
from_text!(Period(Duration) by humantime::parse_duration);
from_text!(TargetText(Target) by str::parse::<Target>);

/// Reads a size: `512`, `64MB`, `1GiB`.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim_end();
    let unit = match text[digits.len()..].trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(format!("'{text}' is not a size, such as 64MB or 1GiB")),
    };
    let number: u64 = digits.parse().map_err(|_| format!("'{text}' is not a size, such as 64MB or 1GiB"))?;
    number.checked_mul(unit).ok_or_else(|| format!("'{text}' is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        let sizes = ["7", "64MB", "1GiB", "2 KiB"].map(|text| parse_bytes(text).unwrap());
        assert_eq!(sizes, [7, 64_000_000, 1 << 30, 2048]);
        for text in ["", "MB", "1.5GB", "1TB", "-1", "99999999999GiB"] {
            parse_bytes(text).unwrap_err();
        }
    }
}
