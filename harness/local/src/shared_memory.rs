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
    /// Whether it outlived its server, in the harness's own namespace.
    pub fn is_there(self) -> bool {
        self.owner().is_some()
    }

    fn owner(self) -> Option<u32> {
        let table = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
        table.lines().find_map(|line| owner_of_orphan(line, self.0))
    }
}

/// The owner in a line of `/proc/sysvipc/shm` (key, shmid, perms, size, cpid, lpid, nattch, uid, …), if it
/// is this segment, nobody is attached to it, and it has the 56 bytes of PostgreSQL's interlock.
fn owner_of_orphan(line: &str, id: u32) -> Option<u32> {
    let columns: Vec<_> = line.split_whitespace().collect();
    let is = |column: usize, value: &str| columns.get(column) == Some(&value);
    let orphan = is(1, &id.to_string()) && is(3, "56") && is(6, "0");
    columns.get(7).filter(|_| orphan)?.parse().ok()
}

/// The segment of the server in this data directory: the seventh line of `postmaster.pid` is key and id.
pub(crate) fn of(data: &Path) -> Option<SegmentId> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    text.lines().nth(6)?.split_whitespace().nth(1)?.parse().ok().map(SegmentId)
}

/// Removes a segment that outlived its server, as its owner: root in a container may not do it.
pub(crate) async fn release(segment: Option<SegmentId>) -> Result<()> {
    let Some((id, owner)) = segment.and_then(|id| Some((id, id.owner()?))) else { return Ok(()) };
    let mut command = tokio::process::Command::new("setpriv");
    if nix::unistd::getuid().is_root() {
        command.args([format!("--reuid={owner}"), "--clear-groups".to_owned()]);
    }
    command.args(["--", "ipcrm", "-m"]).arg(id.0.to_string()).stdin(Stdio::null());
    command.status().await.doing(format!("removing {id}")).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_orphaned_interlock_is_taken_for_one() {
        let line = |size, attached| {
            format!("  36487      65536   600   {size}  10  11  {attached}  101  104  101 104 0 0 0")
        };
        assert_eq!(owner_of_orphan(&line(56, 0), 65536), Some(101));
        assert_eq!(owner_of_orphan(&line(56, 2), 65536), None);
        assert_eq!(owner_of_orphan(&line(4096, 0), 65536), None);
        assert_eq!(owner_of_orphan(&line(56, 0), 65537), None);
    }
}
