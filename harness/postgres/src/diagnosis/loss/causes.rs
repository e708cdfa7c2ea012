//! Each cause of a loss, and what to do about it.

use super::{Case, Record, Table};
use phoenix_core::{Certainty, Finding, Timeline, WalSegment};
use std::collections::BTreeSet;

/// The first cause that fits: what is surest, or decides over the others, is looked for first.
pub(super) fn find(case: &Case<'_>) -> Finding {
    let causes = [
        another_identity,
        table_missing,
        archived_by_another,
        tampered,
        objects_missing,
        stopped_early,
        history_missing,
        not_followed,
        damaged,
        get_failed,
        older_backup,
        missing,
        another_archive,
        never_archived,
        not_listed,
        command_failed,
    ];
    let found = causes.iter().find_map(|cause| cause(case)).unwrap_or_else(|| unexplained(case));
    found.with_evidence(case.evidence())
}

fn another_identity(case: &Case<'_>) -> Option<Finding> {
    let (was, is) = (case.source.system_identifier, case.reborn.system_identifier);
    (was != is).then(|| {
        Finding::certain(
            "foreign-cluster",
            format!("another cluster came back: its system identifier is {is} and not {was}"),
            "look which cluster archives to this repository, and since when",
        )
    })
}

fn table_missing(case: &Case<'_>) -> Option<Finding> {
    let account = &case.scene.loss.account;
    let nothing = account.came_back == 0 && account.recovered.is_empty();
    let nothing = nothing && account.changed.is_empty() && account.unexpected.is_empty();
    let row = case.first().filter(|_| nothing)?;
    let backup = case.scene.loss.backups.last();
    let in_backup = backup.is_some_and(|backup| row.commit.lsn_after <= backup.interval.start);
    let certainty = match case.scene.table {
        Table::Gone => Certainty::Certain,
        Table::Unknown if in_backup || case.was_replayed(row) => Certainty::Likely,
        Table::There | Table::Unknown => return None,
    };
    let fix = "somebody dropped or emptied it, and the replay did so, too: restore to a time before that";
    let sentence = "the table of the rows is not there, although its rows were restored or replayed";
    Some(Finding::certain("table-missing", sentence, fix).with_certainty(certainty))
}

fn archived_by_another(case: &Case<'_>) -> Option<Finding> {
    let row = case.first().filter(|_| case.scene.record == Record::Other)?;
    let segment = WalSegment::containing(case.timeline(row), row.commit.lsn_before, case.size);
    (case.was_replayed(row) && case.holds(segment) == Some(true)).then(|| {
        let sentence = format!(
            "segment {} in the store is not the one that the castle wrote: another cluster on the same \
             timeline archived it first, and the castle's own never reached the store",
            case.name(segment)
        );
        let fix = "look for a copy of the cluster that archives to this stanza, and fence it; archive-push \
                   says [045] for each segment that it refuses";
        let finding = Finding::certain("wal-never-archived", sentence, fix);
        let evidence = format!("the archived WAL does not hold the commit of xid {}", row.commit.xid);
        finding.with_certainty(Certainty::Likely).with_evidence([evidence, held_line(case, segment)])
    })
}

fn tampered(case: &Case<'_>) -> Option<Finding> {
    let account = &case.scene.loss.account;
    let (holes, changed, unexpected) = (account.holes.len(), account.changed.len(), account.unexpected.len());
    let certain = changed + unexpected > 0;
    let replayed: Vec<_> = case.broken.iter().filter(|row| case.was_replayed(row)).collect();
    if !certain && (holes + replayed.len() == 0 || not_followed(case).is_some()) {
        return None;
    }
    let sentence = format!(
        "the rows are not what was written, and no lost WAL does that: {holes} lost before later ones, \
         {} lost though replayed, {changed} changed, {unexpected} that nobody wrote",
        replayed.len()
    );
    let fix = "look who wrote to the cluster or its files besides the application: a job, a trigger, \
               another cluster's backup; restore to a time before that";
    let mut evidence = Vec::new();
    let gone: BTreeSet<_> = account.holes.iter().map(|row| row.row).collect();
    let gone = account.lost.iter().filter(|row| gone.contains(&row.row)).chain(replayed.into_iter().copied());
    let xids: BTreeSet<_> = gone.map(|row| row.commit.xid).collect();
    if let (Some(first), Some(last)) = (xids.first(), xids.last()) {
        evidence.push(format!("the missing rows are of transactions {first} to {last}"));
    }
    for (what, rows) in
        [("missing", &account.holes), ("changed", &account.changed), ("unexpected", &account.unexpected)]
    {
        evidence.extend(rows.first().map(|row| format!("first {what}: {} {}", row.row, row.label)));
    }
    let certainty = if certain || holes > 0 { Certainty::Certain } else { Certainty::Likely };
    Some(Finding::certain("rows-tampered", sentence, fix).with_certainty(certainty).with_evidence(evidence))
}

fn objects_missing(case: &Case<'_>) -> Option<Finding> {
    let missing = case.scene.loss.account.missing_objects.len();
    (missing > 0 && case.broken.is_empty()).then(|| {
        let sentence = format!(
            "every row came back, but not all that stood around them: {missing} missing or set back, and no lost \
             WAL does that"
        );
        let fix = "look who altered the cluster since it came back: a script of the restore, a migration, a \
                   person; make again what is missing, and set a sequence past the greatest value in its column";
        Finding::certain("objects-missing", sentence, fix)
    })
}

fn stopped_early(case: &Case<'_>) -> Option<Finding> {
    let line = case.recovery.stopping.clone()?;
    case.first()?;
    let target = case.scene.loss.target.as_ref().map_or("a target".to_owned(), ToString::to_string);
    let what = line.split_once("recovery stopping ").map_or("", |(_, what)| what);
    let sentence =
        format!("recovery was told to go to {target} and stopped {what}, before the first lost row");
    let fix = "restore to a later target, or to none for all that the archive holds; names of restore \
               points must be unique";
    Some(Finding::certain("recovery-stopped-early", sentence, fix).with_evidence([line]))
}

fn history_missing(case: &Case<'_>) -> Option<Finding> {
    let before = case.scene.loss.lives.iter().rev().skip(1).map(|life| life.timeline);
    let held = case.scene.loss.held.iter().flatten().map(|segment| segment.timeline);
    let timelines: BTreeSet<_> = before.chain(held).filter(|timeline| *timeline > Timeline(1)).collect();
    let fix = "bring the .history file back into archive/<stanza>/<id>/ and restore again: without it the \
               timeline's WAL is not looked at, and a cluster that was promoted writes under its number";
    let refused = timelines.iter().rev().find_map(|timeline| {
        let refusal = case.refused_history(*timeline)?;
        Some((*timeline, refusal.said.clone(), Certainty::Certain))
    });
    let reused = || {
        let (was, is) = (case.source.timeline, case.reborn.timeline);
        let reused = case.scene.loss.lives.len() > 1 && is <= was;
        reused.then(|| (was, Vec::new(), Certainty::Likely))
    };
    let (timeline, said, certainty) = refused.or_else(reused)?;
    let sentence = format!(
        "the history of timeline {timeline} could not be fetched, so recovery fell back to an older one and \
         was promoted to timeline {}",
        case.reborn.timeline
    );
    let finding = Finding::certain("history-missing", sentence, fix).with_certainty(certainty);
    Some(finding.with_evidence(said))
}

fn not_followed(case: &Case<'_>) -> Option<Finding> {
    let row = case.first()?;
    let history = case.history()?;
    let on = case.timeline(row);
    let within = WalSegment::containing(on, row.commit.lsn_before, case.size);
    let in_store = |segment| case.holds(segment) == Some(true) || case.held(segment) == Some(true);
    let left = history.left(on);
    let beyond = left.is_none_or(|left| row.commit.lsn_after > left);
    let (segment, certainty) = if case.is_off_path(within) && beyond && in_store(within) {
        (within, Certainty::Certain)
    } else {
        // written elsewhere than the ledger knows: by a primary that nobody had told that it was replaced
        let all = case.archive.iter().flat_map(|archive| archive.segments.keys());
        let mut twins = all.filter(|segment| segment.number == within.number && case.is_off_path(**segment));
        let twin =
            *twins.next().filter(|_| case.was_replayed(row) || !case.scene.loss.account.holes.is_empty())?;
        (twin, Certainty::Likely)
    };
    let sentence = format!(
        "the lost rows are on timeline {}, which timeline {} does not come from or left before them",
        segment.timeline, case.reborn.timeline
    );
    let fix = "two primaries archived to one stanza, or the wrong branch was restored: fence the one that \
               was replaced, and restore with --target-timeline to have the other branch's rows";
    let lines = history.0.iter().map(|(timeline, at)| {
        format!("history of timeline {}: it left timeline {timeline} at {at}", case.reborn.timeline)
    });
    let finding = Finding::certain("timeline-not-followed", sentence, fix).with_certainty(certainty);
    Some(finding.with_evidence(lines).with_evidence([held_line(case, segment)]))
}

/// Whoever fails before it says what it was to fetch names no segment.
fn command_failed(case: &Case<'_>) -> Option<Finding> {
    case.first()?;
    let errors = case.scene.recovery_log.lines().filter(|line| line.trim_start().starts_with("ERROR: ["));
    let errors: BTreeSet<_> = errors.map(str::to_owned).collect();
    let sentence = "restore_command ended in an error, and PostgreSQL took that for the end of WAL";
    let fix = "run restore_command by hand as PostgreSQL's user: its configuration, path and rights";
    let finding = Finding::certain("archive-get-failed", sentence, fix).with_certainty(Certainty::Likely);
    (!errors.is_empty()).then(|| finding.with_evidence(errors))
}

/// What pgBackRest says of an object whose bytes are not those that were archived.
fn tells_of_damage(said: &str) -> bool {
    const DAMAGE: [&str; 8] = [
        "[FormatError]",
        "[ChecksumError]",
        "compressed data",
        "zlib threw",
        "zst error",
        "lz4 error",
        "bz2 error",
        "unable to flush decrypt",
    ];
    let info = said.contains("unable to load info file");
    !info && DAMAGE.iter().any(|damage| said.contains(damage))
}

fn damaged(case: &Case<'_>) -> Option<Finding> {
    let stop = case.stop?;
    if case.holds(stop) == Some(false) {
        return None;
    }
    let name = case.name(stop);
    let seen =
        case.recovery.damage.iter().find(|(segment, _)| *segment == stop).map(|(_, line)| line.clone());
    let no_record = case.recovery.no_record.clone().filter(|(segment, _)| *segment == stop);
    let (lines, certainty) = if let Some(line) = seen {
        (vec![line], Certainty::Certain)
    } else if let Some(said) = case.failure(stop).filter(|said| tells_of_damage(&said.join(" "))) {
        (said.to_vec(), Certainty::Certain)
    } else {
        (vec![no_record?.1], Certainty::Likely)
    };
    let sentence =
        format!("segment {name} is damaged in the store, and PostgreSQL took that for the end of WAL");
    let fix = "bring the segment back from another copy of the repository or an older version of the \
               object, or take a new full backup; find out what altered it, and lock the bucket's objects";
    let finding = Finding::certain("wal-damaged", sentence, fix).with_certainty(certainty);
    Some(finding.with_evidence(lines).with_evidence([held_line(case, stop)]))
}

/// What went wrong when a segment was fetched, as the end of a sentence.
fn trouble(said: &str) -> &'static str {
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    match () {
        () if says(&["SIGTERM", "[063]"]) => "archive-get was terminated (SIGTERM)",
        () if says(&["[062]"]) => "pgBackRest is stopped: there is a stop file",
        () if says(&["403 (Forbidden)"]) => "the store refused the credentials (403)",
        () if says(&["503 ("]) => "the store was overloaded (503)",
        () if says(&["500 (", "502 (", "504 ("]) => "the store failed (5xx)",
        () if says(&["unable to get address"]) => "the store's name was not found",
        () if says(&["certificate", "[095]"]) => "the store's certificate or its CA was refused",
        () if says(&["cipher header", "outside of section"]) => "the repository's key is missing or wrong",
        () if says(&["404 (", "FileMissingError"]) => {
            "the store lists it and says that it is not there (404)"
        }
        () if says(&["timeout"]) => "the store did not answer in time",
        () if says(&["reset", "unexpected EOF", "unexpected eof"]) => "the connection broke off",
        () if says(&["HostConnectError", "[049]", "unable to connect"]) => "the store could not be reached",
        () if says(&["Permission denied"]) => "the file may not be read",
        () if says(&["archive.info"]) => "archive.info could not be read in the repository",
        () if says(&["[055]"]) => "pgBackRest's configuration or a file it names is missing",
        () => "archive-get ended in an error",
    }
}

fn get_failed(case: &Case<'_>) -> Option<Finding> {
    let stop = case.stop?;
    let said = case.failure(stop).filter(|_| case.holds(stop) != Some(false))?;
    let sentence = format!(
        "segment {} could not be fetched, and PostgreSQL took that for the end of WAL: {}",
        case.name(stop),
        trouble(&said.join(" "))
    );
    let fix = "clear what pgBackRest's message names and restore again; a restore_command that turns every \
               error of archive-get into an exit status above 125 makes recovery fail in its place";
    let finding = Finding::certain("archive-get-failed", sentence, fix);
    Some(finding.with_evidence(said.to_vec()).with_evidence([held_line(case, stop)]))
}

fn older_backup(case: &Case<'_>) -> Option<Finding> {
    let (stop, from) = (case.stop?, case.recovery.redo_from?);
    let backups = &case.scene.loss.backups;
    let restored = backups.iter().find(|backup| backup.interval.start == from)?;
    let newest = backups.last().filter(|newest| newest.label != restored.label)?;
    let end = WalSegment::containing(newest.timeline, newest.interval.start, case.size);
    if case.holds(stop) != Some(false) || stop.number > end.number {
        return None;
    }
    let sentence = format!(
        "backup {} was restored, and the archive's WAL ends before the newer backup {}",
        restored.label, newest.label
    );
    let fix = "restore the newest backup; repo1-retention-archive keeps WAL for the newest ones alone, so \
               raise it if older ones must be able to go on";
    let finding = Finding::certain("older-backup-restored", sentence, fix);
    let evidence = format!("redo starts at {from}; segment {} is not in the store", case.name(stop));
    Some(finding.with_certainty(Certainty::Likely).with_evidence([evidence]))
}

/// That a segment is missing of which the store holds later ones, or held it.
fn missing(case: &Case<'_>) -> Option<Finding> {
    let stop = case.stop.filter(|stop| case.holds(*stop) == Some(false))?;
    let name = case.name(stop);
    let later = |segment: &WalSegment| segment.timeline == stop.timeline && segment.number > stop.number;
    let gap = case.archive.is_some_and(|archive| archive.segments.keys().any(later));
    let held = case.held(stop);
    if !gap && held != Some(true) {
        return None;
    }
    let since = match held {
        Some(true) => "the store held it when the castle was dead: it was removed since",
        Some(false) => "the store did not hold it when the castle was dead",
        None => "whether the store ever held it is not known",
    };
    let neighbours = case.archive.into_iter().flat_map(|archive| {
        let before = archive.segments.range(..stop).next_back();
        let after = archive.segments.range(stop..).next();
        [("before", before), ("after", after)]
    });
    let neighbours = neighbours.filter_map(|(which, found)| {
        let (_, stored) = found.filter(|(segment, _)| segment.timeline == stop.timeline)?;
        Some(format!("the segment {which} it: {} ({} bytes)", stored.key, stored.bytes))
    });
    let fix = "bring the segment back from another copy of the repository or an older version of the \
               object, or take a new full backup; find out who removes objects under archive/: a lifecycle \
               rule, a person, another tool";
    let finding = if gap {
        let sentence =
            format!("segment {name} is not in the store although later ones are: replay ended there");
        Finding::certain("wal-missing", sentence, fix)
    } else {
        let sentence = format!("segment {name} and all after it are no longer in the store");
        Finding::certain("wal-tail-missing", sentence, fix)
    };
    let finding = finding.with_evidence([format!("{name}: {since}")]);
    Some(finding.with_evidence(neighbours).with_evidence(log_of(case, stop)))
}

fn another_archive(case: &Case<'_>) -> Option<Finding> {
    let ids = &case.archive?.ids;
    (ids.len() > 1).then(|| {
        let fix = "look which cluster archives to this repository, and since when; give each its own path";
        let sentence = "more than one cluster archived to this stanza, and the lost rows' WAL is not there";
        let ids: Vec<_> = ids.iter().map(|id| format!("archive id {id}")).collect();
        let finding = Finding::certain("foreign-cluster", sentence, fix);
        finding.with_certainty(Certainty::Likely).with_evidence(ids)
    })
}

fn never_archived(case: &Case<'_>) -> Option<Finding> {
    let stop = case.stop.filter(|stop| case.holds(*stop) == Some(false))?;
    let certainty = if case.held(stop).is_some() { Certainty::Certain } else { Certainty::Likely };
    let name = case.name(stop);
    let sentence =
        format!("segment {name} and all after it never reached the store: they burned with the castle");
    let fix = "look whether archive_command does archive: pg_stat_archiver, .ready files, `dropped WAL \
               file` in the log; archive_timeout bounds what a quiet cluster can lose";
    let last = case.archive.and_then(|archive| {
        let mut before = archive.segments.range(..stop).rev();
        before.find(|(segment, _)| segment.timeline == stop.timeline)
    });
    let last = last.map(|(_, stored)| format!("the last one in the store: {}", stored.key));
    let finding = Finding::certain("wal-never-archived", sentence, fix).with_certainty(certainty);
    Some(finding.with_evidence(last).with_evidence(log_of(case, stop)))
}

fn not_listed(case: &Case<'_>) -> Option<Finding> {
    let stop = case.stop.filter(|stop| case.holds(*stop) == Some(true))?;
    let refusal = case.refusal(&case.name(stop))?;
    let sentence = format!(
        "segment {} is in the store now, but the store answered during recovery that it was not",
        case.name(stop)
    );
    let fix = "the store's listing left it out: look at its consistency, replication and any cache or proxy \
               before it, and restore again";
    let finding = Finding::certain("wal-not-listed", sentence, fix).with_certainty(Certainty::Likely);
    Some(finding.with_evidence(refusal.said.clone()).with_evidence([held_line(case, stop)]))
}

fn unexplained(case: &Case<'_>) -> Finding {
    let fix = "read the logs in the evidence, list the archive in the store, and hold both against the \
               positions of the lost rows in ledger.jsonl";
    let sentence = "rows did not come back as was promised, and nothing that is known here says why";
    let stop = case.stop.map(|stop| format!("replay ended before segment {}", case.name(stop)));
    Finding::certain("loss-unexplained", sentence, fix).with_certainty(Certainty::Unsure).with_evidence(stop)
}

/// What the log says of a segment that was not fetched.
fn log_of(case: &Case<'_>, segment: WalSegment) -> Vec<String> {
    case.refusal(&case.name(segment)).map(|refusal| refusal.said.clone()).unwrap_or_default()
}

fn held_line(case: &Case<'_>, segment: WalSegment) -> String {
    let stored = case.archive.and_then(|archive| archive.segments.get(&segment));
    match stored {
        Some(stored) => format!("in the store: {} ({} bytes)", stored.key, stored.bytes),
        None => format!("segment {} is not in the store now", case.name(segment)),
    }
}
