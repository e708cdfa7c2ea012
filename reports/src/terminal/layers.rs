//! How the castle rose: a short table for each life, and what the whole had to wait for.

use super::Style;
use crate::{
    format::{plain, seconds},
    rise::{Rise, rises},
};
use console::{Alignment, measure_text_width, pad_str};
use phoenix_core::{LayerRecord, Report, layers::beginning};

/// As wide as the names of spans, so that the times stand below theirs.
const NAME_WIDTH: usize = 13;
const NO_LAYER: &str = "(no layer)";

/// A block for each life, with an empty line behind it; nothing where a castle has no layers.
pub(super) fn blocks(report: &Report, style: Style) -> String {
    rises(report).iter().map(|rise| format!("{}\n", block(rise, style))).collect()
}

fn block(rise: &Rise, style: Style) -> String {
    let widest = rise.layers.iter().map(|layer| measure_text_width(&plain(&layer.name))).max();
    let width = NAME_WIDTH.max(widest.unwrap_or_default());
    let budget = if rise.layers.iter().any(|layer| layer.budget.is_some()) { "budget" } else { "" };
    let mut text = line(' ', &beginning(rise.life), width, ["up", "ready", budget], "");
    for layer in &rise.layers {
        let mark = if rise.whole.as_ref().is_some_and(|whole| whole.waited_for(layer)) { '*' } else { ' ' };
        text += &row(mark, layer, width, style);
    }
    if let Some(whole) = &rise.whole {
        let of = format!("of {}", seconds(whole.elapsed));
        text += &line(' ', NO_LAYER, width, ["", &seconds(whole.no_layer), ""], &of);
        text += &format!("* critical path: {}\n", whole.path_line());
    }
    text
}

fn row(mark: char, layer: &LayerRecord, width: usize, style: Style) -> String {
    let budget = layer.budget.map(seconds).unwrap_or_default();
    let over = layer.over().map(|over| format!("over by {}", seconds(over)));
    let cells = [&seconds(layer.up), &seconds(layer.ready), &*budget];
    let line = line(mark, &layer.name, width, cells, over.as_deref().unwrap_or_default());
    match over {
        Some(_) => format!("{}\n", style.yellow(line.trim_end())),
        None => line,
    }
}

fn line(mark: char, name: &str, width: usize, [up, ready, budget]: [&str; 3], told: &str) -> String {
    let name = plain(name);
    let name = pad_str(&name, width, Alignment::Left, None);
    let budget = if budget.is_empty() { String::new() } else { format!("{budget:>10}") };
    let line = format!("{mark} {name} {up:>7}{ready:>10}{budget}   {told}");
    format!("{}\n", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use std::time::Duration;

    #[test]
    fn every_life_is_told_with_its_path_and_its_gaps() {
        let expected = "  birth              up     ready
* platform       0.30 s    0.60 s
* database       0.05 s    0.39 s
  (no layer)               0.02 s   of 0.71 s
* critical path: platform 0.3 (up) → database 0.4 s

  rebirth            up     ready    budget
* platform       3.00 s    9.00 s   20.00 s
  images         0.00 s    0.00 s
* engine         0.20 s    6.00 s    5.00 s   over by 1.00 s
* database       0.10 s    9.00 s
* service        0.00 s    0.14 s
  (no layer)               0.03 s   of 12.39 s
* critical path: platform 3.0 (up) → engine 0.2 (up) → database 9.0 → service 0.1 s

";
        assert_eq!(blocks(&sample::layered(), Style::Plain), expected);
        assert_eq!(blocks(&sample::valid(), Style::Plain), "");
    }

    #[test]
    fn a_rise_that_did_not_end_is_told_as_far_as_it_came() {
        let (layered, mut report) = (sample::layered(), sample::killed());
        report.layers = layered.layers.into_iter().filter(|layer| layer.life == 0).collect();
        report.layers[1].name = "a\u{1b}[1m name è too long".into();
        report.layers[1].up = Duration::from_secs(1_234);
        report.spans.clear();
        let expected = "  birth                           up     ready
  platform                    0.30 s    0.60 s
  a\\u{1b}[1m name è too long 1 234 s    0.39 s

";
        assert_eq!(blocks(&report, Style::Plain), expected);
    }

    #[test]
    fn what_is_over_its_budget_stands_out() {
        let coloured = blocks(&sample::layered(), Style::Colour);
        assert!(coloured.contains("\u{1b}[33m* engine "), "{coloured}");
        assert_eq!(console::strip_ansi_codes(&coloured), blocks(&sample::layered(), Style::Plain));
    }
}
