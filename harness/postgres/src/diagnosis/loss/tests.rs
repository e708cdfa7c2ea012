//! Logs as pgBackRest 2.45 and PostgreSQL 15 wrote them, of recoveries with a fault planted: one backup at
//! 0/700028 to 0/700100, then a row and a switch for each segment from 8 to C.

use super::*;
use phoenix_core::{
    Account, BackupInterval, Certainty, Commit, Moment, Promise, RecoveryTarget, RowId, SystemIdentifier,
    Xid, account::NamedRow, report::BackupRecord,
};
use proptest::prelude::*;
use std::collections::BTreeSet;
use uuid::Uuid;

const SIZE: SegmentSize = SegmentSize::MIN;

macro_rules! recorded {
    ($name:literal) => {
        include_str!(concat!("../recorded/", $name, ".txt"))
    };
}

fn segment(timeline: u32, number: u64) -> WalSegment {
    WalSegment { timeline: Timeline(timeline), number }
}

fn row(number: u64, life: u32) -> LostRow {
    let (start, id) = (number << 20, u128::from(number));
    let commit =
        Commit { xid: Xid(700 + number), lsn_before: Lsn(start + 40), lsn_after: Lsn(start + 0x1_9170) };
    let (row, label) = (RowId(Uuid::from_u128(id)), format!("row in segment {number:X}"));
    LostRow { row, label, commit, acknowledged_at: Moment(number), life }
}

fn backup(label: &str, start: u64, stop: u64) -> BackupRecord {
    BackupRecord {
        label: label.into(),
        kind: "full".into(),
        interval: BackupInterval { start: Lsn(start), stop: Lsn(stop) },
        timeline: Timeline(1),
        completed_at: chrono::DateTime::UNIX_EPOCH,
        cluster_bytes: 1,
        stored_bytes: 1,
        cipher: "none".into(),
    }
}

/// One case, to be altered by a test.
struct Given {
    loss: Loss,
    archive: BTreeSet<WalSegment>,
    ids: &'static [&'static str],
    histories: BTreeMap<Timeline, History>,
    table: Table,
    record: Record,
    log: String,
}

/// A castle that archived segments 7 to C on timeline 1 and lost the rows from this segment on.
fn given(log: &str, lost_from: u64) -> Given {
    let identity = |timeline| Identity {
        system_identifier: SystemIdentifier(7),
        timeline: Timeline(timeline),
        segment_size: SIZE,
    };
    let lost: Vec<_> = (lost_from..=12).map(|number| row(number, 0)).collect();
    let account = Account { acknowledged: 6, came_back: 6 - lost.len() as u64, lost, ..Account::default() };
    let held: BTreeSet<_> = segment(1, 7).through(segment(1, 12)).collect();
    Given {
        loss: Loss {
            account,
            promise: Promise::EveryAcknowledgedRow,
            beyond: None,
            backups: vec![backup("20261127-084603F", 0x70_0028, 0x70_0100)],
            target: Some(RecoveryTarget::Latest),
            lives: vec![identity(1), identity(2)],
            held: Some(held.clone()),
        },
        archive: held,
        ids: &["15-1"],
        histories: BTreeMap::new(),
        table: Table::There,
        record: Record::Unknown,
        log: log.to_owned(),
    }
}

impl Given {
    fn without(mut self, numbers: std::ops::RangeInclusive<u64>) -> Self {
        self.archive.retain(|segment| !numbers.contains(&segment.number));
        self
    }

    fn never_held(mut self) -> Self {
        self.loss.held = Some(self.archive.clone());
        self
    }

    /// A second life on timeline 2, left at this position, whose row in segment D was archived and lost.
    fn second_life(mut self, reborn: u32, history: &[(u32, u64)]) -> Self {
        self.archive.insert(segment(2, 13));
        self.loss.held = Some(self.archive.clone());
        let first = self.loss.lives[0];
        self.loss.lives = [1, 2, reborn].map(|n| Identity { timeline: Timeline(n), ..first }).into();
        self.loss.account.burned_life = 1;
        self.loss.account.lost = vec![row(13, 1)];
        let ancestors = history.iter().map(|(timeline, at)| (Timeline(*timeline), Lsn(*at))).collect();
        self.histories.insert(Timeline(reborn), History(ancestors));
        self
    }

    fn found(&self) -> Vec<Finding> {
        let sha = "0123456789012345678901234567890123456789";
        let key = |segment: &WalSegment| {
            let name = segment.name(SIZE);
            format!("drill/archive/castle/15-1/{}/{name}-{sha}.zst", &name[..16])
        };
        let keys: Vec<_> = self.archive.iter().map(key).collect();
        let mut archive = Archive::of(keys.iter().map(|key| (key.as_str(), 4096)), SIZE);
        archive.ids = self.ids.iter().map(|id| (*id).to_owned()).collect();
        lost(&LossScene {
            loss: &self.loss,
            archive: Ok(&archive),
            histories: &self.histories,
            recovery_log: &self.log,
            table: self.table,
            record: self.record,
        })
    }

    #[track_caller]
    fn is(&self, code: &str, certainty: Certainty, says: &[&str]) {
        let found = self.found();
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!((found[0].code.as_str(), found[0].certainty), (code, certainty), "{found:#?}");
        let told = format!("{} {}", found[0].sentence, found[0].evidence.join("\n"));
        for said in says {
            assert!(told.contains(said), "{said} is not in {told}");
        }
    }
}

use Certainty::{Certain, Likely, Unsure};

const A: &str = "00000001000000000000000A";

#[test]
fn where_nothing_is_lost_nothing_is_found() {
    assert_eq!(given(recorded!("control"), 13).found(), []);
}

#[test]
fn a_gap_is_named_with_its_neighbours() {
    let gap = given(recorded!("gap"), 10).without(10..=10);
    gap.is(
        "wal-missing",
        Certain,
        &[A, "removed since", "000000010000000000000009-", "00000001000000000000000B-"],
    );
    gap.is("wal-missing", Certain, &["first lost row: row in segment A (xid 710)", "redo done at 0/9191D8"]);
    given(recorded!("gap"), 10).without(10..=10).never_held().is(
        "wal-missing",
        Certain,
        &[A, "did not hold it"],
    );
}

#[test]
fn a_tail_was_removed_or_never_came() {
    let tail = || given(recorded!("tail"), 11).without(11..=12);
    let name = "00000001000000000000000B";
    tail().is("wal-tail-missing", Certain, &[name, "removed since"]);
    tail().never_held().is("wal-never-archived", Certain, &[name, "00000001000000000000000A-"]);
    let mut unknown = tail();
    unknown.loss.held = None;
    unknown.is("wal-never-archived", Likely, &[name]);
}

#[test]
fn damage_is_told_from_a_store_that_does_not_answer() {
    for (log, says) in [
        (recorded!("truncated"), "unexpected eof in compressed data"),
        (recorded!("uncompressed"), "incorrect resource manager data checksum in record at 0/A02040"),
        (recorded!("uncompressedmagic"), "invalid magic number FFFF in log segment"),
        (recorded!("flipped"), "unexpected pageaddr 0/A06300 in log segment"),
    ] {
        given(log, 10).is("wal-damaged", Certain, &[A, says]);
    }
    for (log, says) in [
        (recorded!("denied"), "the file may not be read"),
        (recorded!("midcipher"), "the repository's key is missing or wrong"),
        (recorded!("midnoconf"), "configuration or a file it names is missing"),
        (recorded!("midstop"), "there is a stop file"),
        (recorded!("midterm"), "terminated (SIGTERM)"),
    ] {
        given(log, 10).is("archive-get-failed", Certain, &[A, says]);
    }
}

/// The texts of an object store's answers, in the place where a file could not be read.
#[test]
fn what_the_store_answered_is_named() {
    for (answer, says) in [
        ("[ProtocolError] HTTP request failed with 403 (Forbidden):", "refused the credentials (403)"),
        ("[ServiceError] HTTP request failed with 503 (Service Unavailable):", "overloaded (503)"),
        (
            "[FileReadError] timeout after 5000ms waiting for read from 'localhost:9000'",
            "did not answer in time",
        ),
        (
            "[HostConnectError] unable to connect to 'localhost:9000': [111] Connection refused",
            "could not be reached",
        ),
        ("[FileReadError] unexpected EOF reading HTTP content", "the connection broke off"),
        ("[CryptoError] unable to verify certificate presented by 'localhost:9000'", "certificate"),
    ] {
        let log = recorded!("denied");
        let (before, rest) = log.split_once("[FileOpenError]").unwrap();
        let log = format!("{before}{answer}\n{}", rest.split_once('\n').unwrap().1);
        given(&log, 10).is("archive-get-failed", Certain, &[A, says]);
    }
}

#[test]
fn a_segment_that_is_there_was_not_listed() {
    given(recorded!("gap"), 10).is("wal-not-listed", Likely, &[A, "unable to find"]);
}

#[test]
fn a_recovery_that_stopped_on_purpose_says_where() {
    for (log, from, says) in [
        (recorded!("immediate"), 8, "after reaching consistency"),
        (recorded!("name"), 10, "at restore point \"p3\""),
        (recorded!("lsntarget"), 11, "after WAL location"),
        (recorded!("timemid"), 10, "before commit of transaction 727"),
    ] {
        let mut stopped = given(log, from);
        stopped.loss.target = Some(RecoveryTarget::Immediate);
        stopped.is("recovery-stopped-early", Certain, &[says, "to go to immediate"]);
    }
}

#[test]
fn a_history_that_is_missing_or_refused_is_named() {
    for (log, says) in [
        (recorded!("nohistory"), "unable to find 00000002.history"),
        (recorded!("deniedhistory"), "[042]: unable to get 00000002.history"),
    ] {
        let case = given(log, 13).second_life(2, &[(1, 0xD0_0000)]);
        case.is("history-missing", Certain, &["history of timeline 2", says]);
    }
    let quiet = given("", 13).second_life(2, &[(1, 0xD0_0000)]);
    quiet.is("history-missing", Likely, &["promoted to timeline 2"]);
}

#[test]
fn rows_of_another_branch_were_not_followed() {
    let current = given(recorded!("current"), 13).second_life(3, &[(1, 0xD0_0000)]);
    current.is(
        "timeline-not-followed",
        Certain,
        &["lost rows are on timeline 2", "left timeline 1 at 0/D00000"],
    );
    // the control: on the branch that was followed, its own row is not on another
    let followed = given(recorded!("tl2control"), 13).second_life(3, &[(1, 0xD0_0000), (2, 0xD0_1170)]);
    assert_ne!(followed.found()[0].code, "timeline-not-followed");
}

/// As PostgreSQL 15 wrote it when the WAL of the third of five timelines ended before it was left.
#[test]
fn a_fork_that_replay_did_not_reach_was_not_gone_through() {
    let history = |entries: &[(u32, u64)]| {
        History(entries.iter().map(|(timeline, left)| (Timeline(*timeline), Lsn(*left))).collect())
    };
    let whole = [(1, 0xD0_0000), (2, 0x120_0000), (3, 0x190_0000), (4, 0x1F0_0000)];
    assert_eq!(walked(history(&whole)), history(&whole), "the control");
    let ended = [&whole[..], &[(5, 0x150_4C18)]].concat();
    assert_eq!(walked(history(&ended)), history(&[(1, 0xD0_0000), (2, 0x120_0000), (3, 0x150_4C18)]));
    assert_eq!(walked(History::default()), History::default());
}

/// An old primary goes on beside the reborn one: the ledger knows its rows as those of the same life.
#[test]
fn rows_of_a_primary_that_was_replaced_are_on_the_other_branch() {
    let mut rival = given(recorded!("tl2control"), 13).second_life(3, &[(1, 0xD0_0000), (2, 0xD1_9300)]);
    rival.archive.insert(segment(1, 13));
    rival.is("timeline-not-followed", Likely, &["lost rows are on timeline 1"]);
}

#[test]
fn another_cluster_is_told_by_its_identifier_or_its_archive() {
    let mut other = given(recorded!("control"), 8);
    other.loss.lives[1].system_identifier = SystemIdentifier(8);
    other.is("foreign-cluster", Certain, &["system identifier is 8"]);
    let mut upgraded = given(recorded!("tail"), 11).without(11..=12).never_held();
    upgraded.ids = &["15-1", "15-2"];
    upgraded.is("foreign-cluster", Likely, &["archive id 15-2"]);
}

#[test]
fn rows_that_are_wrong_though_all_was_replayed_were_tampered_with() {
    let named = |number| NamedRow { row: row(number, 0).row, label: "DATO".into() };
    let mut holes = given(recorded!("control"), 12);
    holes.loss.account.lost = vec![row(9, 0), row(10, 0)];
    holes.loss.account.holes = vec![named(9), named(10)];
    holes.is("rows-tampered", Certain, &["2 lost before later ones", "transactions 709 to 710"]);
    let mut changed = given(recorded!("control"), 13);
    changed.loss.account.changed = vec![named(9)];
    changed.loss.account.unexpected = vec![named(99)];
    changed.is("rows-tampered", Certain, &["1 changed, 1 that nobody wrote"]);
    given(recorded!("control"), 12).is("rows-tampered", Likely, &["1 lost though replayed"]);
}

#[test]
fn what_stood_around_the_rows_is_named_and_is_not_the_cause_of_a_loss() {
    let gone = || vec!["role reader is gone".to_owned()];
    let mut bare = given(recorded!("control"), 13);
    bare.loss.account.missing_objects = gone();
    bare.is(
        "objects-missing",
        Certain,
        &["every row came back, but not", "1 missing or set back", "role reader is gone"],
    );
    let mut lossy = given(recorded!("tail"), 11).without(11..=12);
    lossy.loss.account.missing_objects = gone();
    lossy.is("wal-tail-missing", Certain, &["role reader is gone"]);
}

/// A copy of the cluster archives its own segment C first; the castle's is refused.
#[test]
fn a_segment_that_somebody_else_wrote_is_not_the_castles() {
    let mut twin = given(recorded!("control"), 12);
    twin.record = Record::Other;
    twin.is("wal-never-archived", Likely, &["00000001000000000000000C", "archived it first"]);
    twin.record = Record::Commit;
    twin.is("rows-tampered", Likely, &[]);
}

/// Where compressed pages are overwritten by nothing, no damage is seen: a record just does not begin.
#[test]
fn a_record_that_does_not_begin_within_a_whole_segment_is_damage() {
    let log = recorded!("uncompressed").replace(
        "incorrect resource manager data checksum in record at 0/A02040",
        "invalid record length at 0/A02040: wanted 24, got 0",
    );
    given(&log, 10).is("wal-damaged", Likely, &[A, "invalid record length at 0/A02040"]);
    let last = given(&log, 10).without(11..=12).never_held();
    last.is("wal-damaged", Likely, &[A]);
}

#[test]
fn a_table_that_is_gone_is_named() {
    let mut dropped = given(recorded!("control"), 8);
    dropped.loss.account.came_back = 0;
    dropped.table = Table::Gone;
    dropped.is("table-missing", Certain, &["the table of the rows is not there"]);
    dropped.table = Table::Unknown;
    dropped.is("table-missing", Likely, &[]);
    dropped.table = Table::There;
    dropped.is("rows-tampered", Likely, &["5 lost though replayed"]);
}

#[test]
fn an_older_backup_whose_wal_ends_is_named() {
    let mut older = given(recorded!("gap"), 10).without(10..=10).never_held();
    older.loss.backups.push(backup("20261127-090000F", 0xB0_0028, 0xB0_0100));
    older.is("older-backup-restored", Likely, &["backup 20261127-084603F was restored", "20261127-090000F"]);
}

#[test]
fn what_is_not_known_is_said_to_be() {
    given("", 10).is("loss-unexplained", Unsure, &["first lost row: row in segment A"]);
    let case = given("", 10);
    let found = lost(&LossScene {
        loss: &case.loss,
        archive: Err("the store does not answer"),
        histories: &case.histories,
        recovery_log: "",
        table: Table::There,
        record: Record::Unknown,
    });
    assert_eq!((found[0].code.as_str(), found[0].certainty), ("loss-unexplained", Unsure));
    assert!(found[0].evidence.iter().any(|line| line.contains("the store does not answer")), "{found:#?}");
}

/// The log that a recovery writes which fetched segments of timeline 1 and then was told that there is no more.
fn written_log(first: u64, missing: u64) -> String {
    let mut log = String::new();
    for number in first..missing {
        let name = segment(1, number).name(SIZE);
        log += &format!("UTC [9] LOG:  restored log file \"{name}\" from archive\n");
    }
    let name = segment(1, missing).name(SIZE);
    log + &format!(
        "P00   INFO: archive-get command begin 2.45: [{name}, pg_wal/RECOVERYXLOG]\n\
         P00   INFO: unable to find {name} in the archive\n\
         P00   INFO: archive-get command end: completed successfully (2ms)\n\
         UTC [9] LOG:  redo done at {} system usage: CPU: user: 0.00 s\n",
        Lsn((missing << 20) - 4096)
    )
}

proptest! {
    /// Wherever a gap lies, the finding names it and nothing else, with a log and without.
    #[test]
    fn the_segment_of_a_gap_is_named_exactly(first in 1u64..5000, before in 1u64..40, after in 1u64..40, with_log: bool) {
        let (gap, last) = (first + before, first + before + after);
        let log = if with_log { written_log(first, gap) } else { String::new() };
        let mut case = given(&log, 13);
        case.archive = segment(1, first).through(segment(1, last)).collect();
        case.loss.held = Some(case.archive.clone());
        case.archive.remove(&segment(1, gap));
        case.loss.backups = vec![backup("F", (first << 20) + 40, (first << 20) + 256)];
        case.loss.account.lost = (gap..=last).map(|number| row(number, 0)).collect();
        let found = case.found();
        prop_assert_eq!(found.len(), 1);
        prop_assert_eq!(&found[0].code, "wal-missing");
        let name = segment(1, gap).name(SIZE);
        prop_assert!(found[0].sentence.contains(&name), "{:?}", found);
    }
}
