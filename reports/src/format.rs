//! Numbers, sizes and durations as every report shows them.

use std::time::Duration;

const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];

pub use phoenix_core::words::grouped as rows;

/// A size with one decimal: `22.4 MB`. Units are decimal: 1 kB is 10^3 bytes, 1 MB is 10^6.
pub fn bytes(count: u64) -> String {
    let (value, unit) = scaled(count as f64, 1);
    if unit == "B" { format!("{count} B") } else { format!("{value:.1} {unit}") }
}

/// A throughput: `31 MB/s`, with one decimal below ten; `-` if no time passed. Units are decimal.
pub fn rate(count: u64, elapsed: Duration) -> String {
    if elapsed.is_zero() {
        return "-".to_owned();
    }
    let per_second = count as f64 / elapsed.as_secs_f64();
    let (value, unit) = scaled(per_second, 0);
    if (value * 10.0).round() < 100.0 && unit != "B" {
        format!("{value:.1} {unit}/s")
    } else {
        format!("{value:.0} {unit}/s")
    }
}

/// The value in the smallest unit that needs no fourth digit before the point once it is rounded.
fn scaled(bytes: f64, decimals: i32) -> (f64, &'static str) {
    let precision = 10f64.powi(decimals);
    let (mut value, mut unit) = (bytes, 0);
    while (value * precision).round() >= 1000.0 * precision && unit + 1 < UNITS.len() {
        (value, unit) = (value / 1000.0, unit + 1);
    }
    (value, UNITS[unit])
}

/// A duration in seconds, as precise as five characters allow: `0.71 s`, `643.2 s`, `1 234 s`.
pub fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if (seconds * 100.0).round() < 10_000.0 { format!("{seconds:.2} s") } else { tenths(duration) }
}

/// A duration in seconds with one decimal: `3.1 s`; from a thousand seconds on without: `1 234 s`.
pub fn tenths(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if (seconds * 10.0).round() < 10_000.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{} s", rows(seconds.round() as u64))
    }
}

/// Text on one line: control characters (a line's end, a terminal's escape) and what XML forbids are
/// shown as escapes. What was read from a database may hold anything.
pub fn plain(text: &str) -> String {
    let forbidden = |c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}');
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if forbidden(c) { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        let shown = [0, 7, 999, 1_000, 2_002, 100_000, 1_234_567].map(rows);
        assert_eq!(shown, ["0", "7", "999", "1 000", "2 002", "100 000", "1 234 567"]);
        assert_eq!(rows(u64::MAX), "18 446 744 073 709 551 615");
    }

    #[test]
    fn sizes_are_decimal_and_round_into_the_next_unit() {
        let shown = [0, 999, 1_000, 22_400_000, 999_949, 999_950, 5_000_000_000_000_000].map(bytes);
        assert_eq!(shown, ["0 B", "999 B", "1.0 kB", "22.4 MB", "999.9 kB", "1.0 MB", "5000.0 TB"]);
    }

    #[test]
    fn rates_have_two_digits() {
        let second = Duration::from_secs(1);
        let shown = [0, 12, 9_900, 9_960, 31_200_000, 999_600_000].map(|count| rate(count, second));
        assert_eq!(shown, ["0 B/s", "12 B/s", "9.9 kB/s", "10 kB/s", "31 MB/s", "1.0 GB/s"]);
        assert_eq!(rate(5, Duration::ZERO), "-");
    }

    #[test]
    fn seconds_keep_to_their_column() {
        let shown = [0, 710, 99_994, 99_995, 643_210, 999_949, 999_950, 1_234_499]
            .map(|millis| seconds(Duration::from_millis(millis)));
        let expected = ["0.00 s", "0.71 s", "99.99 s", "100.0 s", "643.2 s", "999.9 s", "1 000 s", "1 234 s"];
        assert_eq!(shown, expected);
        assert_eq!(tenths(Duration::from_millis(3_140)), "3.1 s");
    }

    #[test]
    fn nothing_escapes_its_line() {
        assert_eq!(plain("a\nb\u{1b}[31mc\u{ffff}è"), "a\\nb\\u{1b}[31mc\\u{ffff}è");
    }
}
