//! PostgreSQL's System V shared memory segment. It outlives a SIGKILL, unless it lay in a capsule's own
//! IPC namespace; `postmaster.pid` names it.

use phoenix_drill::{Doing, Result};
use std::{fmt, fs, path::Path, process::Stdio};

/// The id of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentId(u32);

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shared memory segment {}", self.0)
    }
}

impl SegmentId {
    /// Whether nobody is attached to it any more, in the harness's own namespace; 56 bytes are
    /// PostgreSQL's interlock, and nothing else of ours.
    pub fn is_there(self) -> bool {
        let table = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
        table.lines().any(|line| is_orphaned_interlock(line, self.0))
    }
}

/// Columns of `/proc/sysvipc/shm`: key, shmid, perms, size, cpid, lpid, nattch, …
fn is_orphaned_interlock(line: &str, id: u32) -> bool {
    let columns: Vec<_> = line.split_whitespace().collect();
    let is = |column: usize, value: &str| columns.get(column) == Some(&value);
    is(1, &id.to_string()) && is(3, "56") && is(6, "0")
}

/// The segment of the server in this data directory: the seventh line of `postmaster.pid` is key and id.
pub(crate) fn of(data: &Path) -> Option<SegmentId> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    text.lines().nth(6)?.split_whitespace().nth(1)?.parse().ok().map(SegmentId)
}

/// Removes a segment that outlived its server.
pub(crate) async fn release(segment: Option<SegmentId>) -> Result<()> {
    let Some(id) = segment.filter(|id| id.is_there()) else { return Ok(()) };
    let mut command = tokio::process::Command::new("ipcrm");
    let status = command.arg("-m").arg(id.0.to_string()).stdin(Stdio::null()).status().await;
    status.doing(format!("removing {id}")).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_orphaned_interlock_is_taken_for_one() {
        let line = |size, attached| format!("  36487      65536   600   {size}  10  11  {attached}  101  104  101 104 0 0 0");
        assert!(is_orphaned_interlock(&line(56, 0), 65536));
        assert!(!is_orphaned_interlock(&line(56, 2), 65536) && !is_orphaned_interlock(&line(4096, 0), 65536));
        assert!(!is_orphaned_interlock(&line(56, 0), 65537));
    }
}
