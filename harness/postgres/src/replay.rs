//! What PostgreSQL's log says of a replay.

use phoenix_core::Lsn;

/// What was replayed and how fast, from `redo starts at …` and `redo done at … elapsed: 0.05 s`.
pub fn summary(log: &str) -> Option<String> {
    let after = |mark: &str| log.rsplit_once(mark).map(|(_, rest)| rest);
    let lsn = |text: &str| text.split_whitespace().next()?.parse::<Lsn>().ok();
    let (from, done) = (lsn(after("redo starts at ")?)?, after("redo done at ")?);
    let to = lsn(done)?;
    let elapsed: f64 =
        done.lines().next()?.rsplit_once("elapsed: ")?.1.split_whitespace().next()?.parse().ok()?;
    let megabytes = to.bytes_since(from) as f64 / 1e6;
    let rate = if elapsed > 0.0 { format!(" · {:.0} MB/s", megabytes / elapsed) } else { String::new() };
    Some(format!("replayed {from} to {to} · {megabytes:.1} MB in {elapsed:.2} s{rate}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_replay_is_read_from_the_log() {
        let log = "LOG:  redo starts at 0/300000\nLOG:  redo done at 0/700000 system usage: CPU: user: 0.01 s, system: 0.00 s, elapsed: 0.50 s\n";
        assert_eq!(summary(log).unwrap(), "replayed 0/300000 to 0/700000 · 4.2 MB in 0.50 s · 8 MB/s");
        assert_eq!(summary("LOG:  database system is ready"), None);
    }
}
