//! `pg_waldump`: where in the WAL a transaction committed.

use phoenix_core::{Lsn, Xid};
use std::collections::BTreeMap;

/// What `pg_waldump` is asked: the transactions that end in one segment of a directory, or in the one
/// after it, for a record that lies across their border. It exits with 1 where the WAL it is given ends.
pub fn argv(program: String, directory: &str, segment: &str, next: Option<&str>) -> Vec<String> {
    let options = [format!("--path={directory}"), "--rmgr=Transaction".to_owned(), segment.to_owned()];
    std::iter::once(program).chain(options).chain(next.map(str::to_owned)).collect()
}

/// The position of each commit record in what it printed, by transaction. Its ids have 32 bits.
pub fn commits(output: &str) -> BTreeMap<u32, Lsn> {
    let commit = |line: &str| {
        let (head, _) = line.split_once("desc: COMMIT")?;
        let after = |mark: &str| head.split_once(mark)?.1.trim_start().split(',').next();
        Some((after("tx:")?.parse().ok()?, after("lsn:")?.parse().ok()?))
    };
    output.lines().filter_map(commit).collect()
}

/// The records of the transactions that are looked for.
pub fn records_of(wanted: impl IntoIterator<Item = Xid>, commits: &BTreeMap<u32, Lsn>) -> BTreeMap<Xid, Lsn> {
    let low = |xid: Xid| (xid.0 & 0xFFFF_FFFF) as u32;
    wanted.into_iter().filter_map(|xid| Some((xid, *commits.get(&low(xid))?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_commits_count() {
        let output = "\
rmgr: Transaction len (rec/tot):     34/    34, tx:        731, lsn: 0/0161F8A8, prev 0/0161F868, desc: COMMIT 2026-11-21 10:15:00.1 UTC
rmgr: Transaction len (rec/tot):     34/    34, tx:        732, lsn: 0/0161F9A8, prev 0/0161F868, desc: ABORT 2026-11-21 10:15:00.1 UTC
";
        let found = commits(output);
        assert_eq!(found, BTreeMap::from([(731, Lsn(0x161_F8A8))]));
        let with_epoch = Xid(1 << 32 | 731);
        assert_eq!(records_of([with_epoch, Xid(9)], &found), BTreeMap::from([(with_epoch, Lsn(0x161_F8A8))]));
    }
}
