//! The rows that a person wants to see, as `psql` would show them, each with where it came back from.

use crate::format::plain;
use chrono::{DateTime, Timelike, Utc};
use console::{Alignment, measure_text_width, pad_str};
use phoenix_core::report::Memory;

const HEADINGS: [&str; 3] = ["id", "content", "created_at"];

/// The table, or nothing if there is no row.
pub(super) fn table(memories: &[Memory]) -> String {
    if memories.is_empty() {
        return String::new();
    }
    let cells: Vec<_> = memories.iter().map(cells).collect();
    let widths: [usize; 3] = std::array::from_fn(|column| {
        let widest = cells.iter().map(|cells| measure_text_width(&cells[column])).max().unwrap_or_default();
        widest.max(HEADINGS[column].len())
    });
    let headings: [_; 3] =
        std::array::from_fn(|column| pad_str(HEADINGS[column], widths[column], Alignment::Center, None));
    let mut table = format!(" {}\n", headings.join(" | ").trim_end());
    table += &format!("{}\n", widths.map(|width| "-".repeat(width + 2)).join("+"));
    for (cells, memory) in cells.iter().zip(memories) {
        let sides = [Alignment::Right, Alignment::Left, Alignment::Left];
        let padded: [_; 3] =
            std::array::from_fn(|column| pad_str(&cells[column], widths[column], sides[column], None));
        let from = memory.provenance.map(|provenance| provenance.phrase()).unwrap_or_default();
        table += format!(" {}   {from}", padded.join(" | ")).trim_end();
        table.push('\n');
    }
    table
}

fn cells(memory: &Memory) -> [String; 3] {
    [memory.id.to_string(), plain(&memory.content), timestamptz(memory.created_at)]
}

/// A time as `psql` shows it in UTC: to the microsecond, without trailing zeros.
fn timestamptz(time: DateTime<Utc>) -> String {
    let micros = format!(".{:06}", time.nanosecond() / 1_000 % 1_000_000);
    let fraction = micros.trim_end_matches('0').trim_end_matches('.');
    format!("{}{fraction}+00", time.format("%Y-%m-%d %H:%M:%S"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn is_a_table_of_psql() {
        let expected = " id |             content              |          created_at
----+----------------------------------+-------------------------------
  1 | DATO_A_NEL_BACKUP_S3             | 2026-11-21 10:15:00.1+00        from the backup
  2 | DATO_B_VOLATILE_MA_IMMORTALE_WAL | 2026-11-21 10:15:00.123456+00   from WAL alone
";
        assert_eq!(table(&sample::valid().memories), expected);
        assert_eq!(table(&[]), "");
    }

    #[test]
    fn a_whole_second_has_no_fraction() {
        let time = DateTime::parse_from_rfc3339("2026-11-21T10:15:00Z").unwrap().to_utc();
        assert_eq!(timestamptz(time), "2026-11-21 10:15:00+00");
    }
}
