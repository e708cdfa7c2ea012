//! A cluster's WAL in small: writers take turns, so that the intervals around their commits overlap;
//! a recovery brings back exactly the commits whose record ends at or before a cut.

use phoenix_core::{
    Commit, Digest, Entry, Lsn, Moment, ReadRow, RowId, RunId, Timeline, Xid, ledger::Outcome,
};
use uuid::Uuid;

/// Everything random follows from a seed (SplitMix64).
pub struct Dice(pub u64);

impl Dice {
    /// A number from 0, and less than `sides`.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (word ^ (word >> 31)) % sides
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.roll(times) == 0
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len() as u64) as usize]
    }

    /// The same in any order.
    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        for last in (1..all.len()).rev() {
            all.swap(last, self.roll(last as u64 + 1) as usize);
        }
    }

    /// An identity.
    pub fn row(&mut self) -> RowId {
        RowId(Uuid::from_u64_pair(self.roll(u64::MAX), self.roll(u64::MAX)))
    }
}

/// An attempt, with the truth about it that no ledger holds.
#[derive(Debug, Clone)]
pub struct Row {
    pub row: RowId,
    pub content: String,
    pub life: u32,
    pub invoked_at: Moment,
    /// What the ledger says; nothing, if the harness died.
    pub told: Option<Outcome>,
    /// Where its commit record really ends, if it committed.
    pub record_end: Option<Lsn>,
    /// Whether the cluster holds it.
    pub present: bool,
}

impl Row {
    /// Where the ledger says its commit lies, if it was acknowledged.
    pub fn commit(&self) -> Option<Commit> {
        match self.told {
            Some(Outcome::Ok { commit, .. }) => Some(commit),
            _ => None,
        }
    }

    /// When it was acknowledged.
    pub fn acknowledged_at(&self) -> Option<Moment> {
        match self.told {
            Some(Outcome::Ok { at, .. }) => Some(at),
            _ => None,
        }
    }

    /// Whether its commit record ends at or before this position.
    pub fn ends_by(&self, lsn: Lsn) -> bool {
        self.record_end.is_some_and(|end| end <= lsn)
    }
}

/// What a writer is about.
#[derive(Clone, Copy)]
enum Turn {
    Idle,
    Invoked(usize),
    Written(usize, Lsn),
    Committed(usize, Lsn),
}

/// A cluster, its writers and their ledger.
pub struct World {
    pub dice: Dice,
    pub run: RunId,
    pub rows: Vec<Row>,
    /// Ledger lines, each with its writer; the drill's own have none.
    pub lines: Vec<(Option<usize>, Entry)>,
    pub life: u32,
    pub position: Lsn,
    /// Positions in this life at which nobody was writing.
    pub quiet: Vec<Lsn>,
    clock: u64,
}

impl World {
    /// An empty cluster.
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let (run, position) = (RunId::new(1, u128::from(dice.roll(u64::MAX))), Lsn(0x300_0000));
        let (rows, lines, quiet) = (Vec::new(), Vec::new(), Vec::new());
        Self { dice, run, rows, lines, life: 0, position, quiet, clock: 0 }
    }

    /// One life with a fire at its end, after which the store gives back all of it.
    pub fn of_one_life(seed: u64, writers: usize, rows: usize) -> Self {
        let mut world = Self::new(seed);
        world.live(writers, rows);
        world
    }

    fn now(&mut self) -> Moment {
        self.clock += 1 + self.dice.roll(50);
        Moment(self.clock)
    }

    fn log(&mut self, bytes: u64) {
        self.position.0 += bytes + self.dice.roll(bytes);
    }

    fn tell(&mut self, writer: usize, index: usize, outcome: Outcome) {
        let (row, at, error) = (self.rows[index].row, self.now(), String::from("it said so"));
        let (entry, outcome) = match outcome {
            Outcome::Ok { commit, .. } => (Entry::Ok { row, commit, at }, Outcome::Ok { commit, at }),
            Outcome::Failed => (Entry::Failed { row, error, at }, Outcome::Failed),
            Outcome::Indeterminate => (Entry::Indeterminate { row, error, at }, Outcome::Indeterminate),
        };
        self.lines.push((Some(writer), entry));
        self.rows[index].told = Some(outcome);
    }

    fn acknowledge(&mut self, writer: usize, index: usize, lsn_before: Lsn, lsn_after: Lsn) {
        let commit = Commit { xid: Xid(index as u64 + 3), lsn_before, lsn_after };
        self.tell(writer, index, Outcome::Ok { commit, at: Moment(0) });
    }

    fn invoke(&mut self, writer: usize) -> Turn {
        let (row, at, index, life) = (self.dice.row(), self.now(), self.rows.len(), self.life);
        let content = format!("row {index} by writer {writer} in life {life}");
        let digest = Digest::of(self.run.as_str(), &content);
        self.lines.push((Some(writer), Entry::Invoked { row, label: content.clone(), digest, life, at }));
        let (told, record_end, invoked_at) = (None, None, at);
        self.rows.push(Row { row, content, life, invoked_at, told, record_end, present: false });
        Turn::Invoked(index)
    }

    /// The answer never came, and perhaps not even that was written down.
    fn leave_unanswered(&mut self, writer: usize, index: usize) {
        if !self.dice.one_in(3) {
            self.tell(writer, index, Outcome::Indeterminate);
        }
    }

    /// A writer's next step.
    fn step(&mut self, writer: usize, turn: Turn) -> Turn {
        match turn {
            Turn::Idle => return self.invoke(writer),
            Turn::Invoked(index) if self.dice.one_in(30) => self.tell(writer, index, Outcome::Failed),
            Turn::Invoked(index) => {
                self.log(60);
                return Turn::Written(index, self.position);
            }
            Turn::Written(index, _) if self.dice.one_in(40) => self.leave_unanswered(writer, index),
            Turn::Written(index, before) => {
                self.log(34);
                (self.rows[index].record_end, self.rows[index].present) = (Some(self.position), true);
                return Turn::Committed(index, before);
            }
            Turn::Committed(index, _) if self.dice.one_in(30) => self.leave_unanswered(writer, index),
            Turn::Committed(index, before) => self.acknowledge(writer, index, before, self.position),
        }
        Turn::Idle
    }

    /// The server dies: an acknowledgement may have come through, but not where the commit lies.
    fn die(&mut self, turns: &mut [Turn]) {
        for (writer, turn) in turns.iter_mut().enumerate() {
            match std::mem::replace(turn, Turn::Idle) {
                Turn::Committed(index, before) if self.dice.one_in(2) => {
                    self.acknowledge(writer, index, before, Lsn::UNKNOWN);
                }
                Turn::Invoked(index) | Turn::Written(index, _) | Turn::Committed(index, _) => {
                    self.leave_unanswered(writer, index);
                }
                Turn::Idle => {}
            }
        }
    }

    /// Everybody finishes, and for a moment nobody writes.
    fn lull(&mut self, turns: &mut [Turn]) {
        for (writer, turn) in turns.iter_mut().enumerate() {
            while !matches!(turn, Turn::Idle) {
                *turn = self.step(writer, *turn);
            }
        }
        self.log(24);
        self.quiet.push(self.position);
        self.log(24);
    }

    /// A life that ends in the midst of its writers' work, once so many rows more are acknowledged.
    /// Now and then the server crashes and goes on, or everybody pauses.
    pub fn live(&mut self, writers: usize, rows: usize) {
        let mut turns = vec![Turn::Idle; writers];
        let goal = self.acknowledged().count() + rows;
        while self.acknowledged().count() < goal {
            // a burst between two looks at the goal, so that counting costs little
            for _ in 0..(4 * rows).min(64) {
                let writer = self.dice.roll(writers as u64) as usize;
                turns[writer] = self.step(writer, turns[writer]);
            }
            match self.dice.roll(12) {
                0 => self.die(&mut turns),
                1 | 2 => self.lull(&mut turns),
                _ => self.log(8),
            }
        }
        self.die(&mut turns);
        self.log(24);
    }

    /// The rows that were acknowledged.
    pub fn acknowledged(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.commit().is_some())
    }

    /// Where an acknowledged row's commit must lie, by all that the ledger says: before whatever this
    /// life's writers began after its acknowledgement.
    pub fn commit_of(&self, row: &Row) -> Option<Commit> {
        let (commit, at) = (row.commit()?, row.acknowledged_at()?);
        if commit.lsn_after != Lsn::UNKNOWN {
            return Some(commit);
        }
        let began_later = |other: &&Row| other.life == row.life && other.invoked_at > at;
        let later = self.rows.iter().filter(began_later).filter_map(Row::commit);
        let bound = later.map(|later| later.lsn_before).min();
        Some(Commit { lsn_after: bound.unwrap_or(Lsn::UNKNOWN), ..commit })
    }

    /// The acknowledged rows of this life by the position of their commit records.
    pub fn in_commit_order(&self) -> Vec<Row> {
        let mut rows: Vec<_> = self.acknowledged().filter(|row| row.life == self.life).cloned().collect();
        rows.sort_by_key(|row| row.record_end);
        rows
    }

    /// The last position from which recovery loses exactly so many acknowledged rows of this life.
    pub fn cut_losing(&self, rows: usize) -> Lsn {
        let order = self.in_commit_order();
        let first = order.len().checked_sub(rows).and_then(|index| order.get(index));
        first.and_then(|row| row.record_end).map_or(self.position, |end| Lsn(end.0 - 1))
    }

    /// Fire, and a rebirth that replays this life's WAL up to the cut. Gives the time of the fire.
    pub fn burn(&mut self, cut: Lsn) -> Moment {
        let (disaster, reborn) = (self.now(), self.now());
        for row in self.rows.iter_mut().filter(|row| row.life == self.life) {
            row.present &= row.ends_by(cut);
        }
        let timeline = Timeline(self.life + 2);
        self.lines.push((None, Entry::Disaster { at: disaster }));
        self.lines.push((None, Entry::Rebirth { timeline, at: reborn }));
        (self.life, self.position) = (self.life + 1, cut);
        self.quiet.clear();
        self.log(50);
        disaster
    }

    /// A row as it is read.
    pub fn as_read(&self, row: &Row) -> ReadRow {
        let digest = Digest::of(self.run.as_str(), &row.content);
        ReadRow { row: row.row, digest, label: row.content.clone() }
    }

    /// Every row that the cluster holds.
    pub fn reads(&self) -> Vec<ReadRow> {
        self.rows.iter().filter(|row| row.present).map(|row| self.as_read(row)).collect()
    }

    /// The ledger, with what was read at its end.
    pub fn ledger_with(&self, reads: Vec<ReadRow>) -> Vec<Entry> {
        let lines = self.lines.iter().map(|(_, entry)| entry.clone());
        lines.chain(reads.into_iter().map(Entry::Read)).collect()
    }

    /// The ledger, with every row that the cluster holds read at its end.
    pub fn ledger(&self) -> Vec<Entry> {
        self.ledger_with(self.reads())
    }
}
