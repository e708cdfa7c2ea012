//! What a server's log says of a recovery, PostgreSQL's lines and pgBackRest's between them.

use phoenix_core::{Lsn, SegmentSize, WalSegment};

/// What PostgreSQL says of WAL that cannot be what was written. Not among them: `invalid record length`,
/// with which a replay ends wherever the WAL does.
const DAMAGE: [&str; 12] = [
    "incorrect resource manager data checksum",
    "invalid magic number",
    "unexpected pageaddr",
    "invalid resource manager ID",
    "record with incorrect prev-link",
    "record with invalid length",
    "invalid info bits",
    "invalid contrecord length",
    "there is no contrecord flag",
    "out-of-sequence timeline ID",
    "invalid block_id",
    "WAL file is from different database system",
];

/// Why a file was not fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// pgBackRest says that the archive does not hold it.
    NotThere,
    /// pgBackRest ended in an error.
    Failed,
}

/// A file that was asked for and not fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfetched {
    /// Its name: a segment's or a history's.
    pub file: String,
    /// Why.
    pub why: Refusal,
    /// The lines that say so.
    pub said: Vec<String>,
}

/// What a server's log says of a recovery.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Recovery {
    /// Segments that were fetched, in the order in which they first were.
    pub restored: Vec<WalSegment>,
    /// What was not.
    pub unfetched: Vec<Unfetched>,
    /// The first record that was replayed.
    pub redo_from: Option<Lsn>,
    /// The last record that was replayed, with its line.
    pub redo_done: Option<(Lsn, String)>,
    /// The line that says that it stopped on purpose.
    pub stopping: Option<String>,
    /// WAL that cannot be what was written, with the line that says so.
    pub damage: Vec<(WalSegment, String)>,
    /// Where a record should begin and none does: the end of WAL, or of what is left of it.
    pub no_record: Option<(WalSegment, String)>,
}

impl Recovery {
    /// Reads a log; the last recovery in it counts. Damage without a timeline is on that of the last segment
    /// before it.
    pub fn read(log: &str, size: SegmentSize) -> Self {
        // a server that was started anew begins again: what an earlier recovery said is not about this one
        let from = log.rfind("starting archive recovery").or_else(|| log.rfind("starting point-in-time"));
        // the history of the newest timeline is asked for before
        let from = from.and_then(|at| log[..at].rfind("database system was interrupted")).unwrap_or(0);
        let mut reader = Reader { recovery: Self::default(), size, asked: None, open: None };
        log[from..].lines().for_each(|line| reader.line(line));
        reader.close();
        reader.recovery
    }

    /// How a file was refused that was never fetched after all.
    pub fn refusal(&self, file: &str, size: SegmentSize) -> Option<&Unfetched> {
        let fetched = |segment: &WalSegment| segment.name(size) == file;
        let mut refusals = self.unfetched.iter().filter(|unfetched| unfetched.file == file);
        let failed = refusals.clone().find(|unfetched| unfetched.why == Refusal::Failed);
        failed.or_else(|| refusals.next()).filter(|_| !self.restored.iter().any(fetched))
    }
}

struct Reader {
    recovery: Recovery,
    size: SegmentSize,
    /// What pgBackRest is fetching, where it says so.
    asked: Option<String>,
    /// What it has said of why it does not.
    open: Option<Unfetched>,
}

impl Reader {
    fn line(&mut self, line: &str) {
        let told = line.chars().take(400).collect::<String>().trim().to_owned();
        if let Some(file) = after(line, "archive-get command begin").and_then(|rest| between(rest, "[", ","))
        {
            self.close();
            self.asked = Some(file.to_owned());
        } else if line.contains("archive-get command end") {
            if line.contains("terminated on signal") {
                self.say(Refusal::Failed, told);
            }
            self.close();
            self.asked = None;
        } else if line.contains("unable to find ") && line.contains(" in the archive") {
            self.say(Refusal::NotThere, told);
        } else if line.contains("ERROR: [") || line.contains("WARN: repo") {
            self.say(Refusal::Failed, told);
        } else if line.starts_with("      ") {
            // continued; hints are for whoever reads the log itself
            if let Some(open) = self.open.as_mut().filter(|_| !line.contains("HINT:")) {
                open.said.push(told);
            }
        } else {
            // other processes of the server speak in between
            if self.asked.is_none() {
                self.close();
            }
            self.server(line, told);
        }
    }

    /// A line of the server's own.
    fn server(&mut self, line: &str, told: String) {
        let place = self.place(line);
        let (size, recovery) = (self.size, &mut self.recovery);
        if let Some(name) = after(line, "restored log file \"") {
            let segment = name.get(..24).and_then(|name| WalSegment::parse(name, size).ok());
            let new = segment.filter(|segment| !recovery.restored.contains(segment));
            recovery.restored.extend(new);
        } else if let Some(lsn) = after(line, "redo starts at ").and_then(lsn) {
            recovery.redo_from = Some(lsn);
        } else if let Some(lsn) = after(line, "redo done at ").and_then(lsn) {
            recovery.redo_done = Some((lsn, told));
        } else if line.contains("recovery stopping ") {
            recovery.stopping = Some(told);
        } else if DAMAGE.iter().any(|damage| line.contains(damage)) {
            recovery.damage.extend(place.map(|segment| (segment, told)));
        } else if line.contains("invalid record length at") {
            recovery.no_record = place.map(|segment| (segment, told));
        }
    }

    /// The segment that a line is about.
    fn place(&self, line: &str) -> Option<WalSegment> {
        let words = || line.split([' ', ',', '"']);
        let named = words().find_map(|word| WalSegment::parse(word, self.size).ok());
        named.or_else(|| {
            let lsn = after(line, " at ").and_then(lsn)?;
            Some(WalSegment::containing(self.recovery.restored.last()?.timeline, lsn, self.size))
        })
    }

    fn say(&mut self, why: Refusal, line: String) {
        // where pgBackRest does not name what it fetches, it is the segment after the last one
        let next = || {
            let last = *self.recovery.restored.last()?;
            Some(WalSegment { number: last.number + 1, ..last }.name(self.size))
        };
        if self.open.is_none() {
            let file = self.asked.clone().or_else(next).unwrap_or_default();
            self.open = Some(Unfetched { file, why, said: Vec::new() });
        }
        if let Some(open) = &mut self.open {
            open.said.push(line);
            if why == Refusal::Failed {
                open.why = why;
            }
        }
    }

    fn close(&mut self) {
        self.recovery.unfetched.extend(self.open.take());
    }
}

fn after<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    line.split_once(mark).map(|(_, rest)| rest)
}

fn between<'a>(line: &'a str, from: &str, to: &str) -> Option<&'a str> {
    after(line, from)?.split_once(to).map(|(found, _)| found)
}

fn lsn(text: &str) -> Option<Lsn> {
    text.split([' ', ',', ':']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTROL: &str = include_str!("recorded/control.txt");
    const MIDNOCONF: &str = include_str!("recorded/midnoconf.txt");

    fn read(log: &str) -> Recovery {
        Recovery::read(log, SegmentSize::MIN)
    }

    #[test]
    fn a_recovery_is_read_from_the_log() {
        let recovery = read(CONTROL);
        let numbers: Vec<_> = recovery.restored.iter().map(|segment| segment.number).collect();
        assert_eq!(numbers, [7, 8, 9, 10, 11, 12]);
        assert_eq!(recovery.redo_from, Some(Lsn(0x70_0028)));
        assert_eq!(recovery.redo_done.as_ref().unwrap().0, Lsn(0xC1_91D8));
        let refused = recovery.refusal("00000001000000000000000D", SegmentSize::MIN).unwrap();
        assert_eq!(refused.why, Refusal::NotThere);
        assert_eq!(recovery.refusal("00000001000000000000000C", SegmentSize::MIN), None);
        assert!(recovery.damage.is_empty() && recovery.stopping.is_none());
        assert!(recovery.unfetched.iter().all(|unfetched| unfetched.why == Refusal::NotThere));
    }

    #[test]
    fn an_error_of_a_pgbackrest_that_names_no_file_is_about_the_next_segment() {
        let recovery = read(MIDNOCONF);
        let refused = recovery.refusal("00000001000000000000000A", SegmentSize::MIN).unwrap();
        assert_eq!(refused.why, Refusal::Failed);
        assert!(refused.said[0].starts_with("ERROR: [055]: unable to open missing file"), "{refused:?}");
    }

    #[test]
    fn only_the_last_recovery_counts() {
        let twice = format!("{}{}", MIDNOCONF, CONTROL);
        assert_eq!(read(&twice), read(CONTROL));
        assert_eq!(read(""), Recovery::default());
    }
}
