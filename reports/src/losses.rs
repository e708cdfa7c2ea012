//! The rows that an account holds against a rebirth, and the findings, as lines of text.

use crate::format::{plain, rows};
use console::{Alignment, measure_text_width, pad_str};
use phoenix_core::{Account, Certainty, Finding, LostRow, account::NamedRow};

/// The rows in question under a heading for each kind, at most `limit` of a kind.
pub(crate) fn lines(account: &Account, limit: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let lost = account.lost.iter().map(lost_row).collect();
    list(&mut lines, "lost, acknowledged and not read:", lost, limit);
    let kinds = [
        ("holes, lost though a later row came back (corruption or tampering):", &account.holes),
        ("changed, read with other content:", &account.changed),
        ("unexpected, read though never acknowledged to this drill, or read twice:", &account.unexpected),
        ("overshot, read though beyond the recovery target:", &account.overshot),
    ];
    for (heading, named) in kinds {
        list(&mut lines, heading, named.iter().map(named_row).collect(), limit);
    }
    if !account.missing_objects.is_empty() {
        lines.push("around the rows, there before the fire and not now:".to_owned());
        let objects = account.missing_objects.iter().map(|object| format!("  {}", plain(object)));
        lines.extend(objects.take(limit));
    }
    lines
}

/// A finding: the sentence, the evidence, the fix.
pub(crate) fn finding(finding: &Finding) -> Vec<String> {
    let certainty = match finding.certainty {
        Certainty::Certain => "certain",
        Certainty::Likely => "likely",
        Certainty::Unsure => "unsure",
    };
    let mut lines = vec![format!("finding {} ({certainty}): {}", finding.code, plain(&finding.sentence))];
    lines.extend(finding.evidence.iter().map(|line| format!("    {}", plain(line))));
    if !finding.fix.is_empty() {
        lines.push(format!("  fix: {}", plain(&finding.fix)));
    }
    lines
}

/// What a person calls a row, and how the database knows it.
type Cells = (String, String);

fn lost_row(row: &LostRow) -> Cells {
    (plain(&row.label), format!("xid {} · lsn {}", row.commit.xid, row.commit.lsn_after))
}

fn named_row(row: &NamedRow) -> Cells {
    (plain(&row.label), row.row.to_string())
}

fn list(lines: &mut Vec<String>, heading: &str, cells: Vec<Cells>, limit: usize) {
    if cells.is_empty() {
        return;
    }
    lines.push(heading.to_owned());
    let shown = &cells[..limit.min(cells.len())];
    let width = shown.iter().map(|(label, _)| measure_text_width(label)).max().unwrap_or_default();
    let line = |(label, rest): &Cells| format!("  {}   {rest}", pad_str(label, width, Alignment::Left, None));
    lines.extend(shown.iter().map(line));
    if cells.len() > limit {
        lines.push(format!("  … and {} more in report.json", rows((cells.len() - limit) as u64)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn ten_rows_speak_for_the_rest() {
        let report = sample::lossy(1_001);
        let lines = lines(report.account.as_ref().unwrap(), 10);
        assert_eq!(lines.len(), 12);
        assert_eq!(lines[0], "lost, acknowledged and not read:");
        assert_eq!(lines[1], "  writer 1 row 1    xid 742 · lsn 0/4000050");
        assert_eq!(lines[10], "  writer 1 row 10   xid 751 · lsn 0/4000290");
        assert_eq!(lines[11], "  … and 991 more in report.json");
    }

    #[test]
    fn every_kind_has_its_heading_and_an_empty_one_has_none() {
        let row = || vec![sample::named("DATO_B")];
        let account = Account { holes: row(), unexpected: row(), ..Account::default() };
        let id = sample::named("DATO_B").row;
        let expected = [
            "holes, lost though a later row came back (corruption or tampering):".to_owned(),
            format!("  DATO_B   {id}"),
            "unexpected, read though never acknowledged to this drill, or read twice:".to_owned(),
            format!("  DATO_B   {id}"),
        ];
        assert_eq!(lines(&account, 10), expected);
        assert!(lines(&Account::default(), 10).is_empty());
    }

    #[test]
    fn a_finding_ends_with_its_fix() {
        let expected = [
            "finding cipher-key-missing (certain): the repository's passphrase is not the backup's",
            "    ERROR: [029]: unable to load info file",
            "  fix: give repo1-cipher-pass the passphrase of the source",
        ];
        assert_eq!(finding(&sample::finding()), expected);
    }
}
