//! Why rows came back that lie beyond the target: recovery stopped too late, or was never told to stop.

use super::LossScene;
use crate::diagnosis::recovery::Recovery;
use phoenix_core::{Certainty, Finding, SegmentSize};

/// The cause, as the log of the recovery tells it.
pub(super) fn find(scene: &LossScene<'_>, size: SegmentSize) -> Finding {
    let (loss, recovery) = (scene.loss, Recovery::read(scene.recovery_log, size));
    let target = loss.target.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
    let first = loss.beyond.as_ref().map(|(label, commit)| {
        format!("first row beyond: {label} (xid {}), committed after {}", commit.xid, commit.lsn_before)
    });
    let count = loss.account.overshot.len();
    let finding = match (&recovery.stopping, &recovery.redo_done) {
        (None, Some(_)) => {
            let sentence = format!(
                "the target ({target}) was ignored: recovery replayed all it found, and {count} rows beyond it came back"
            );
            let fix = "give the restore --type together with --target, and look in postgresql.auto.conf for another recovery_target that wins";
            Finding::certain("target-ignored", sentence, fix)
        }
        (stopping, _) => {
            let sentence =
                format!("recovery stopped after the target ({target}), and {count} rows beyond it came back");
            let fix = "hold the target against where recovery stopped: its time zone, whether it is exclusive, and whether a name was used before";
            let certainty = if stopping.is_some() { Certainty::Likely } else { Certainty::Unsure };
            Finding::certain("target-overshot", sentence, fix).with_certainty(certainty)
        }
    };
    finding
        .with_evidence([format!("promised: {}", loss.promise)])
        .with_evidence(first)
        .with_evidence(recovery.stopping)
        .with_evidence(recovery.redo_done.map(|(_, line)| line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::{Record, Table, lost};
    use phoenix_core::{
        Account, Commit, Lsn, Promise, RecoveryTarget, RowId, SystemIdentifier, Timeline, Xid,
        account::NamedRow,
    };
    use phoenix_drill::{Identity, Loss};
    use std::collections::BTreeMap;
    use uuid::Uuid;

    const IGNORED: &str = include_str!("../recorded/control.txt");
    const STOPPED: &str = include_str!("../recorded/lsntarget.txt");

    /// What is found of so many rows beyond the target.
    fn found(rows: usize, log: &str) -> Vec<Finding> {
        let named = NamedRow { row: RowId(Uuid::nil()), label: "DATO_C".into() };
        let identity = |timeline| Identity {
            system_identifier: SystemIdentifier(7),
            timeline: Timeline(timeline),
            segment_size: SegmentSize::MIN,
        };
        let commit = Commit { xid: Xid(742), lsn_before: Lsn(0xB0_0028), lsn_after: Lsn(0xB0_0100) };
        let loss = Loss {
            account: Account { came_back: 9, overshot: vec![named; rows], ..Account::default() },
            promise: Promise::RowsUntil { lsn: Lsn(0xA0_0028) },
            beyond: (rows > 0).then(|| ("DATO_C".to_owned(), commit)),
            backups: Vec::new(),
            target: Some(RecoveryTarget::Lsn(Lsn(0xA0_0028))),
            lives: vec![identity(1), identity(2)],
            held: None,
        };
        lost(&LossScene {
            loss: &loss,
            archive: Err("not asked"),
            histories: &BTreeMap::new(),
            recovery_log: log,
            table: Table::There,
            record: Record::Unknown,
        })
    }

    #[test]
    fn rows_beyond_the_target_are_explained_and_others_are_not() {
        for (log, code, certainty) in [
            (IGNORED, "target-ignored", Certainty::Certain),
            (STOPPED, "target-overshot", Certainty::Likely),
            ("", "target-overshot", Certainty::Unsure),
        ] {
            let found = found(3, log);
            let [finding] = found.as_slice() else { panic!("{found:?}") };
            assert_eq!((finding.code.as_str(), finding.certainty), (code, certainty));
            assert!(
                finding.sentence.contains("0/A00028") && finding.sentence.contains("3 rows"),
                "{finding:?}"
            );
            let first = "first row beyond: DATO_C (xid 742), committed after 0/B00028";
            assert!(finding.evidence.iter().any(|line| line == first), "{finding:?}");
            let stop = finding.evidence.iter().filter(|line| line.contains("recovery stopping ")).count();
            assert_eq!(stop, usize::from(log == STOPPED), "{finding:?}");
            assert!(self::found(0, log).is_empty(), "the control");
        }
    }
}
