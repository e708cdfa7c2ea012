//! A store that is slow to give backups, and what any faults in it did.

use phoenix_store::{AnswerFault, Fault, Faults, Fired, KeyMatch, Operation};
use std::time::Duration;

/// Every read of a backup's files takes this long.
pub fn slow_restore(delay: Duration) -> Fault {
    Fault::new("slow restore", AnswerFault::Delay { delay })
        .on(Operation::Get)
        .on_keys(KeyMatch::Contains("/backup/".to_owned()))
}

/// The faults that really happened, one line each.
pub fn fired(faults: &Faults) -> Vec<String> {
    let line = |fired: Fired| format!("{} · {} · {}", fired.fault, fired.key, fired.detail);
    faults.evidence().into_iter().map(line).collect()
}
