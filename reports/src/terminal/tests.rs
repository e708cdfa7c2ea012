//! Whole drills, to the letter.

use super::*;
use crate::{render, sample};
use phoenix_core::{Secret, SpanRecord, SpanStatus};

fn told(terminal: Terminal<Vec<u8>>, report: &Report) -> String {
    let mut terminal = terminal;
    terminal.event(&sample::started(report));
    for span in &report.spans {
        let (id, parent, name) = (span.id, span.parent, span.name.clone());
        terminal.event(&Event::SpanStarted { id, parent, name });
        terminal.event(&Event::Progress { id, detail: "half".into() });
        terminal.event(&Event::SpanFinished(span.clone()));
    }
    terminal.event(&Event::DrillFinished(Box::new(report.clone())));
    assert!(terminal.broken().is_none());
    String::from_utf8(terminal.into_inner()).unwrap()
}

fn plain_terminal() -> Terminal<Vec<u8>> {
    Terminal::new(Vec::new(), Style::Plain)
}

const SPANS: &str = "\
Phoenix Protocol · local · postgresql 15.18 · pgbackrest 2.45 · run 01JD6Z4M00PHN1XWA1ANDBACK0
  birth          0.71 s   initdb, start, stanza
  insert DATO_A  0.01 s   lsn 0/3000148
  backup         1.02 s   20261121-101500F · full · 22.4 MB · 31 MB/s
  wipe           0.02 s   SIGKILL · nothing left: 0 processes, 0 files
  rebirth       12.39 s   latest · timeline 2 · same system identifier · promoted
  query          0.01 s
  (no span)      0.01 s

";

#[test]
fn a_valid_drill_ends_with_its_rows_and_its_figures() {
    let rest = " id |             content              |          created_at
----+----------------------------------+-------------------------------
  1 | DATO_A_NEL_BACKUP_S3             | 2026-11-21 10:15:00.1+00        from the backup
  2 | DATO_B_VOLATILE_MA_IMMORTALE_WAL | 2026-11-21 10:15:00.123456+00   from WAL alone

VALID · 2 002 acknowledged, 2 002 came back, 0 lost · RTO 0.42 s · assisted RPO 0 rows · total 3.1 s
evidence: target/phoenix/latest/  (report.json, junit.xml, logs/)
";
    let terminal = plain_terminal().evidence("target/phoenix/latest");
    assert_eq!(told(terminal, &sample::valid()), format!("{SPANS}{rest}"));
}

#[test]
fn a_castle_of_layers_tells_how_it_rose_between_its_spans_and_its_rows() {
    let text = told(plain_terminal(), &sample::layered());
    let above =
        "  (no span)      0.01 s\n\n  birth              up     ready\n* platform       0.30 s    0.60 s\n";
    assert!(text.contains(above), "{text}");
    let below =
        "* critical path: platform 3.0 (up) → engine 0.2 (up) → database 9.0 → service 0.1 s\n\n id | ";
    assert!(text.contains(below), "{text}");
    let over = "OVER BUDGET: layer engine took 6.00 s at rebirth, over its budget of 5.00 s\n";
    assert!(text.ends_with(over), "{text}");
}

#[test]
fn a_loss_names_rows_budget_and_findings() {
    let over_budget = vec!["RPO 1001 rows is over its budget of 10 rows".to_owned()];
    let report = Report { over_budget, findings: vec![sample::finding()], ..sample::lossy(12) };
    let rest = "\
INVALID: rows are lost · 2 002 acknowledged, 1 990 came back, 12 lost · RTO 0.42 s · unassisted RPO 12 rows, 0.31 s, 1.2 MB of WAL · total 3.1 s
OVER BUDGET: RPO 1001 rows is over its budget of 10 rows
lost, acknowledged and not read:
  writer 1 row 1    xid 742 · lsn 0/4000050
  writer 1 row 2    xid 743 · lsn 0/4000090
  writer 1 row 3    xid 744 · lsn 0/40000D0
  writer 1 row 4    xid 745 · lsn 0/4000110
  writer 1 row 5    xid 746 · lsn 0/4000150
  writer 1 row 6    xid 747 · lsn 0/4000190
  writer 1 row 7    xid 748 · lsn 0/40001D0
  writer 1 row 8    xid 749 · lsn 0/4000210
  writer 1 row 9    xid 750 · lsn 0/4000250
  writer 1 row 10   xid 751 · lsn 0/4000290
  … and 2 more in report.json
finding cipher-key-missing (certain): the repository's passphrase is not the backup's
    ERROR: [029]: unable to load info file
  fix: give repo1-cipher-pass the passphrase of the source
";
    assert_eq!(told(plain_terminal(), &report), format!("{SPANS}{rest}"));
}

#[test]
fn a_killed_drill_says_so() {
    let report = Report { scenario: "sealed".into(), spans: Vec::new(), ..sample::killed() };
    let expected = "\
Phoenix · sealed · local · postgresql 15.18 · pgbackrest 2.45 · run 01JD6Z4M00PHN1XWA1ANDBACK0
  (no span)      0.01 s

INTERRUPTED: started and never finished · total 3.1 s
";
    assert_eq!(told(plain_terminal(), &report), expected);
}

#[test]
fn nested_spans_stand_below_the_one_around_them() {
    let text = told(plain_terminal().detail(Detail::Nested), &sample::valid());
    let expected = "  birth          0.71 s   initdb, start, stanza\n    initdb       0.50 s\n";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn a_span_that_only_the_report_knows_is_shown_before_the_rest_of_the_time() {
    let cut_off = SpanRecord { status: SpanStatus::Interrupted, ..sample::span(9, None, "rebirth") };
    let report = Report { spans: vec![cut_off], ..sample::killed() };
    let mut terminal = plain_terminal();
    terminal.event(&Event::DrillFinished(Box::new(report)));
    let text = String::from_utf8(terminal.into_inner()).unwrap();
    let expected = "  rebirth        0.00 s   interrupted\n  (no span)      0.01 s\n";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn colours_are_added_to_the_same_text() {
    let over_budget = vec!["RTO 2.00 s is over its budget of 1.00 s".to_owned()];
    let failed = SpanRecord { status: SpanStatus::Failed, ..sample::span(9, None, "query") };
    let report = Report { over_budget, spans: vec![failed], ..sample::lossy(1) };
    let coloured = told(Terminal::new(Vec::new(), Style::Colour), &report);
    assert!(coloured.contains("\u{1b}[31m\u{1b}[1mINVALID: rows are lost"), "{coloured}");
    assert!(coloured.contains("\u{1b}[33mOVER BUDGET: RTO"), "{coloured}");
    assert!(coloured.contains("\u{1b}[31m\u{1b}[1m  query"), "{coloured}");
    assert_eq!(console::strip_ansi_codes(&coloured), told(plain_terminal(), &report));
    let valid = told(Terminal::new(Vec::new(), Style::Colour), &sample::valid());
    assert!(valid.contains("\u{1b}[32m\u{1b}[1mVALID"), "{valid}");
}

#[test]
fn a_report_reads_as_it_was_told() {
    for report in [sample::valid(), sample::lossy(12), sample::killed(), sample::layered()] {
        assert_eq!(render(&report), told(plain_terminal(), &report));
    }
}

#[test]
fn a_broken_pipe_disturbs_nobody() {
    struct Broken(u32);
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            self.0 += 1;
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut terminal = Terminal::new(Broken(0), Style::Plain);
    terminal.event(&sample::started(&sample::valid()));
    terminal.event(&Event::DrillFinished(Box::new(sample::valid())));
    assert_eq!(terminal.broken().unwrap().kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(terminal.into_inner().0, 1);
}

#[test]
fn a_secret_in_the_evidence_stays_redacted() {
    let secret = Secret::new("canary-4711");
    let finding = sample::finding().with_evidence([format!("repo1-cipher-pass={secret} {secret:?}")]);
    let text = told(plain_terminal(), &Report { findings: vec![finding], ..sample::lossy(1) });
    assert!(text.contains("repo1-cipher-pass=[redacted] [redacted]") && !text.contains("canary"), "{text}");
}
