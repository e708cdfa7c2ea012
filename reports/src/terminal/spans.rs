//! The spans of a drill: which run, which are shown, and how.

use super::{Detail, Style};
use crate::{
    format::{plain, seconds},
    lineage::lineage,
};
use phoenix_core::{SpanRecord, SpanStatus};
use std::{collections::BTreeSet, time::Duration};

const NAME_WIDTH: usize = 13;

/// What is known of the spans so far. Nested ones are kept until the outermost ends, so that they
/// stand below it although they end before it.
#[derive(Debug, Default)]
pub(super) struct Spans {
    running: Vec<Running>,
    nested: Vec<SpanRecord>,
    shown: BTreeSet<u32>,
}

#[derive(Debug)]
struct Running {
    id: u32,
    parent: Option<u32>,
    name: String,
    progress: String,
}

impl Spans {
    pub(super) fn start(&mut self, id: u32, parent: Option<u32>, name: &str) {
        self.running.push(Running { id, parent, name: name.to_owned(), progress: String::new() });
    }

    pub(super) fn progress(&mut self, id: u32, detail: &str) {
        if let Some(running) = self.running.iter_mut().find(|running| running.id == id) {
            running.progress = plain(detail);
        }
    }

    /// The youngest running span with those around it: `birth / initdb · 3 of 5`.
    pub(super) fn running(&self) -> String {
        let Some(youngest) = self.running.last() else { return String::new() };
        let mut names = vec![youngest.name.as_str()];
        let mut parent = youngest.parent;
        for around in self.running.iter().rev() {
            if Some(around.id) == parent {
                names.push(&around.name);
                parent = around.parent;
            }
        }
        names.reverse();
        let separator = if youngest.progress.is_empty() { "" } else { " · " };
        format!("{}{separator}{}", names.join(" / "), youngest.progress)
    }

    /// What to show now that a span ended: nothing for a nested one, the family for an outermost.
    pub(super) fn finish(&mut self, record: &SpanRecord, detail: Detail, style: Style) -> String {
        self.running.retain(|running| running.id != record.id);
        if record.parent.is_some() {
            self.nested.push(record.clone());
            return String::new();
        }
        let mut family = std::mem::take(&mut self.nested);
        family.push(record.clone());
        let (lines, others) = show(family, record.id, detail, style);
        self.nested = others;
        self.shown.insert(record.id);
        lines
    }

    /// What the report has and no event told: spans that were cut off, and those that ended within one
    /// that left no record.
    pub(super) fn rest(&self, all: &[SpanRecord], detail: Detail, style: Style) -> String {
        let unshown = |span: &&SpanRecord| lineage(all, span).len() == 1 && !self.shown.contains(&span.id);
        all.iter().filter(unshown).map(|root| show(all.to_vec(), root.id, detail, style).0).collect()
    }
}

/// The lines of a root and of its descendants; and the spans of other roots.
fn show(spans: Vec<SpanRecord>, root: u32, detail: Detail, style: Style) -> (String, Vec<SpanRecord>) {
    let placed = |span: &SpanRecord| {
        let line = lineage(&spans, span);
        (line.len() - 1, line.first().is_some_and(|first| first.id == root))
    };
    let mut family: Vec<_> = spans.iter().filter(|span| placed(span).1).collect();
    family.sort_by_key(|span| (span.start, span.id));
    let wanted =
        |span: &SpanRecord| span.id == root || detail == Detail::Nested || span.status == SpanStatus::Failed;
    let shown = family.iter().filter(|span| wanted(span));
    let lines = shown.map(|span| coloured(span, placed(span).0, style)).collect();
    let others = spans.iter().filter(|span| !placed(span).1).cloned().collect();
    (lines, others)
}

fn coloured(span: &SpanRecord, depth: usize, style: Style) -> String {
    let ended = |word: &str| {
        let told: Vec<_> = [word, &span.detail].into_iter().filter(|part| !part.is_empty()).collect();
        line(depth, &span.name, span.elapsed, &told.join(" · "))
    };
    let text = match span.status {
        SpanStatus::Done => ended(""),
        SpanStatus::Failed => style.red(&ended("failed")),
        SpanStatus::Interrupted => style.yellow(&ended("interrupted")),
    };
    format!("{text}\n")
}

/// One line, without its end: the name, indented by depth, the time in its column, the detail.
pub(super) fn line(depth: usize, name: &str, elapsed: Duration, detail: &str) -> String {
    let (indent, width) = (2 + 2 * depth, NAME_WIDTH.saturating_sub(2 * depth));
    let line = format!("{:indent$}{:width$} {:>7}   {}", "", plain(name), seconds(elapsed), plain(detail));
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::span;

    #[test]
    fn the_running_line_names_those_around() {
        let mut spans = Spans::default();
        assert_eq!(spans.running(), "");
        spans.start(1, None, "birth");
        spans.start(2, None, "watch");
        spans.start(3, Some(1), "initdb");
        assert_eq!(spans.running(), "birth / initdb");
        spans.progress(3, "3 of 5");
        assert_eq!(spans.running(), "birth / initdb · 3 of 5");
        spans.finish(&span(3, Some(1), "initdb"), Detail::Phases, Style::Plain);
        assert_eq!(spans.running(), "watch");
    }

    #[test]
    fn families_of_spans_side_by_side_stay_apart() {
        let mut spans = Spans::default();
        let mut finish = |record| spans.finish(&record, Detail::Nested, Style::Plain);
        assert_eq!(finish(span(4, Some(2), "b")) + &finish(span(3, Some(1), "a")), "");
        assert_eq!(finish(span(1, None, "one")), "  one            0.00 s\n    a            0.00 s\n");
        assert_eq!(finish(span(2, None, "two")), "  two            0.00 s\n    b            0.00 s\n");
    }

    #[test]
    fn a_span_within_one_that_left_no_record_is_shown_at_the_end() {
        let mut spans = Spans::default();
        spans.finish(&span(2, Some(1), "initdb"), Detail::Phases, Style::Plain);
        let all = [span(2, Some(1), "initdb"), span(3, None, "wipe"), span(4, Some(3), "kill")];
        spans.finish(&all[2], Detail::Phases, Style::Plain);
        spans.finish(&all[1], Detail::Phases, Style::Plain);
        assert_eq!(spans.rest(&all, Detail::Phases, Style::Plain), "  initdb         0.00 s\n");
    }

    #[test]
    fn a_nested_span_is_shown_only_if_it_failed_or_is_asked_for() {
        let failed = SpanRecord { status: SpanStatus::Failed, ..span(3, Some(2), "restore") };
        let mut spans = Spans::default();
        spans.finish(&failed, Detail::Phases, Style::Plain);
        spans.finish(&span(2, Some(1), "layer"), Detail::Phases, Style::Plain);
        let interrupted = SpanRecord {
            status: SpanStatus::Interrupted,
            detail: "ctrl-c".into(),
            ..span(1, None, "a name that is too long")
        };
        let lines = spans.finish(&interrupted, Detail::Phases, Style::Plain);
        let expected =
            "  a name that is too long  0.00 s   interrupted · ctrl-c\n      restore    0.00 s   failed\n";
        assert_eq!(lines, expected);
    }
}
