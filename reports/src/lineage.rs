//! Which span lies in which.

use phoenix_core::SpanRecord;
use std::collections::BTreeMap;

/// A span with those around it, outermost first, itself last. A parent that left no record ends the
/// line, and so does one that is not older than its child: no evidence makes this run for ever.
pub(crate) fn lineage<'a>(spans: &'a [SpanRecord], span: &'a SpanRecord) -> Vec<&'a SpanRecord> {
    let mut line = vec![span];
    let mut youngest = span;
    while let Some(parent) = youngest.parent.filter(|parent| *parent < youngest.id) {
        let Some(record) = spans.iter().find(|record| record.id == parent) else { break };
        line.push(record);
        youngest = record;
    }
    line.reverse();
    line
}

/// Each span in the order of beginning with its path, `birth / initdb`. A path that occurs again is
/// numbered: `rebirth`, `rebirth (2)`.
pub(crate) fn paths(spans: &[SpanRecord]) -> Vec<(String, &SpanRecord)> {
    let mut times = BTreeMap::new();
    let mut ordered: Vec<_> = spans.iter().collect();
    ordered.sort_by_key(|span| (span.start, span.id));
    let named = ordered.into_iter().map(|span| {
        let names: Vec<_> = lineage(spans, span).iter().map(|span| span.name.as_str()).collect();
        (unique(names.join(" / "), &mut times), span)
    });
    named.collect()
}

/// The name, numbered if it was given before.
pub(crate) fn unique(name: String, times: &mut BTreeMap<String, u32>) -> String {
    let time = times.entry(name.clone()).or_insert(0);
    *time += 1;
    if *time == 1 { name } else { format!("{name} ({time})") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::span;

    #[test]
    fn paths_follow_the_parents_and_are_unique() {
        let spans = [
            span(1, None, "birth"),
            span(2, Some(1), "initdb"),
            span(3, None, "wipe"),
            span(4, None, "wipe"),
        ];
        let paths: Vec<_> = paths(&spans).into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["birth", "birth / initdb", "wipe", "wipe (2)"]);
    }

    #[test]
    fn a_broken_line_ends() {
        let spans = [span(1, Some(2), "a"), span(2, Some(1), "b"), span(3, Some(9), "c")];
        let lengths = [0, 1, 2].map(|index| lineage(&spans, &spans[index]).len());
        assert_eq!(lengths, [1, 2, 1]);
    }
}
