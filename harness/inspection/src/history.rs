//! Timeline history files: from where a timeline branched off, and its ancestors. Pure.
//!
//! Source: PostgreSQL, `timeline.c`: a line is a timeline, the position where it was left, and why.

use phoenix_core::{Lsn, Timeline};

/// Where a timeline was left for the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Fork {
    /// The timeline that was left.
    pub timeline: Timeline,
    /// Where: what it holds from here on is no part of the next.
    pub at: Lsn,
}

/// A history file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The ancestors of the timeline, the oldest first. Each is younger than the one before it, and left later.
    pub forks: Vec<Fork>,
    /// Why its parent was left where it was.
    pub ended: Ended,
}

/// Why a recovery ended, and a new timeline began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It found no more WAL: nobody had asked it to stop.
    WithoutTarget,
    /// It got to what it was asked to go to, or the file does not say.
    AtTarget,
}

/// What PostgreSQL writes where a recovery or a standby was not asked to stop anywhere.
const WITHOUT_TARGET: &str = "no recovery target specified";

/// Not a history file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is no timeline with the position where it was left")]
pub struct NotAHistory {
    /// Counted from 1.
    line: usize,
}

/// Reads a history file.
pub fn parse(bytes: &[u8]) -> Result<History, NotAHistory> {
    let text = str::from_utf8(bytes).map_err(|_| NotAHistory { line: 1 })?;
    let (mut forks, mut ended) = (Vec::<Fork>::new(), Ended::AtTarget);
    for (line, content) in text.lines().enumerate() {
        let content = content.trim_start();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let wrong = NotAHistory { line: line + 1 };
        let mut words = content.split_whitespace();
        let fork = (|| {
            let timeline = Timeline(words.next()?.parse().ok()?);
            Some(Fork { timeline, at: words.next()?.parse().ok()? })
        })()
        .ok_or(wrong.clone())?;
        if forks.last().is_some_and(|last| last.timeline >= fork.timeline || last.at > fork.at) {
            return Err(wrong);
        }
        forks.push(fork);
        let is_without = content.trim_end().ends_with(WITHOUT_TARGET);
        ended = if is_without { Ended::WithoutTarget } else { Ended::AtTarget };
    }
    // a history without an ancestor belongs to no timeline: PostgreSQL writes none for the first
    if forks.is_empty() { Err(NotAHistory { line: 1 }) } else { Ok(History { forks, ended }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::HISTORY;

    fn fork(timeline: u32, at: u64) -> Fork {
        Fork { timeline: Timeline(timeline), at: Lsn(at) }
    }

    #[test]
    fn what_postgresql_wrote_is_read() {
        let is = |forks, ended| Ok(History { forks, ended });
        assert_eq!(parse(HISTORY.as_bytes()), is(vec![fork(1, 0x130_0000)], Ended::WithoutTarget));
        let two =
            "1\t0/A000000\tno recovery target specified\n\n# said by hand\n2\t1/10\tbefore 2026-01-01\n";
        assert_eq!(
            parse(two.as_bytes()),
            is(vec![fork(1, 0xA00_0000), fork(2, 0x1_0000_0010)], Ended::AtTarget)
        );
    }

    #[test]
    fn what_is_none_is_refused() {
        for (text, line) in
            [("", 1), ("1\n", 1), ("1\t0/1\n1\t0/2\n", 2), ("1\t0/5\n2\t0/2\n", 2), ("x\t0/1", 1)]
        {
            assert_eq!(parse(text.as_bytes()), Err(NotAHistory { line }), "{text:?}");
        }
        assert_eq!(parse(b"\xff"), Err(NotAHistory { line: 1 }));
    }
}
