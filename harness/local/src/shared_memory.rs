//! PostgreSQL's System V shared memory segment. It outlives a SIGKILL, unless it lay in a capsule's own
//! IPC namespace; `postmaster.pid` names it.

use phoenix_drill::{Doing, Result, Wait, wait_for};
use std::{fmt, fs, path::Path, process::Stdio, time::Duration};

/// A segment: the key follows from the data directory, and so tells it from another server's of the
/// same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    key: u64,
    id: u32,
}

/// A segment as `/proc/sysvipc/shm` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shown {
    attached: u32,
    owner: u32,
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shared memory segment {}", self.id)
    }
}

impl Segment {
    /// Whether it is there, in the harness's own namespace.
    pub fn is_there(self) -> bool {
        self.shown().is_some()
    }

    fn shown(self) -> Option<Shown> {
        let table = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
        table.lines().find_map(|line| self.shown_in(line))
    }

    /// Columns: key, shmid, perms, size, cpid, lpid, nattch, uid, …
    fn shown_in(self, line: &str) -> Option<Shown> {
        let columns: Vec<_> = line.split_whitespace().collect();
        let number = |column: usize| columns.get(column).and_then(|text| text.parse::<u64>().ok());
        let same = number(0) == Some(self.key) && number(1) == Some(self.id.into());
        let small = |column| number(column).and_then(|number| u32::try_from(number).ok());
        same.then_some(Shown { attached: small(6)?, owner: small(7)? })
    }
}

/// The segment of the server in this data directory: the seventh line of `postmaster.pid` is key and id.
pub(crate) fn of(data: &Path) -> Option<Segment> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let mut numbers = text.lines().nth(6)?.split_whitespace();
    Some(Segment { key: numbers.next()?.parse().ok()?, id: numbers.next()?.parse().ok()? })
}

/// Removes a segment that outlived its server once nobody is attached to it, as its owner: root in a
/// container may not do it.
pub(crate) async fn release(segment: Option<Segment>) -> Result<()> {
    let Some(segment) = segment else { return Ok(()) };
    let what = format!("{segment} to be let go");
    wait_for(&what, Duration::from_secs(30), Duration::from_millis(5), || async {
        let Some(shown) = segment.shown() else { return Ok(Wait::Ready(())) };
        if shown.attached == 0 {
            remove(segment, shown.owner).await?;
        }
        Ok(Wait::NotYet(format!("{} processes attached", shown.attached)))
    })
    .await
}

async fn remove(segment: Segment, owner: u32) -> Result<()> {
    let mut command = tokio::process::Command::new("setpriv");
    if nix::unistd::getuid().is_root() {
        command.args([format!("--reuid={owner}"), "--clear-groups".to_owned()]);
    }
    command.args(["--", "ipcrm", "-m"]).arg(segment.id.to_string()).stdin(Stdio::null());
    command.status().await.doing(format!("removing {segment}")).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_segment_is_taken_for_it() {
        let line = "  36487      65536   600   56  10  11  2  101  104  101 104 0 0 0";
        let segment = Segment { key: 36487, id: 65536 };
        assert_eq!(segment.shown_in(line), Some(Shown { attached: 2, owner: 101 }));
        assert_eq!(Segment { key: 36488, ..segment }.shown_in(line), None);
        assert_eq!(Segment { id: 65537, ..segment }.shown_in(line), None);
        assert_eq!(segment.shown_in("       key      shmid perms                  size"), None);
    }
}
