//! `docs/benchmarks.md`, whole.

use crate::{
    chapters,
    cluster::Disasters,
    commits::Commits,
    containers::Contained,
    inspection::{self, Inspections},
    large::{self, Large},
    machine::Facts,
    repository::Repositories,
    rounds::{Drills, Runner, STEPS, Times},
    sample::Sample,
    throughput::Throughput,
};

/// A drill may take so much of the time of bare commands with the same settings.
const OF_BARE: f64 = 1.05;
/// A drill may take so much of the time of bare commands with the programs' defaults.
const OF_DEFAULTS: f64 = 0.5;

/// The section that stays the last.
pub const TO_REPEAT_IT: &str = "\n## To repeat it\n\n```sh\njust bench            # everything but 1 GiB on disk; takes three quarters of an hour\njust bench --large    # and 1 GiB on disk\n\
just bench --only store --storage disk    # one part, printed and not written here\n\
just bench --only inspect --rounds 3 --write    # one part, written here in place of the old\n\
just bench --only repository,containers --write    # parts, written here in place of the old\n\
just bench --only cluster --rounds 3 --write    # a disaster on a kind cluster, in three rounds of some minutes each\n```\n\nThe programs are built with the \
profile `dev`, as `just drill` builds them: the crates that the bytes of a backup pass through are optimised, ours mostly not. \
What else runs on the machine shows in the brackets.\n";

/// All that was measured.
pub struct Measured {
    /// The machine and the versions.
    pub facts: Facts,
    rounds: u32,
    /// A drill beside bare commands, by storage.
    pub drills: Vec<Drills>,
    /// The embedded store, by storage.
    pub stores: Vec<Throughput>,
    /// The ledger, by storage.
    pub ledgers: Vec<Commits>,
    /// An inspection beside a bare listing.
    pub inspections: Option<Inspections>,
    /// A drill with 1 GiB.
    pub large: Option<Large>,
    /// pgBackRest with the embedded store beside MinIO.
    pub repositories: Option<Repositories>,
    /// A drill in containers beside bare docker.
    pub contained: Option<Contained>,
    /// A disaster on a kind cluster beside one by hand.
    pub disasters: Option<Disasters>,
    /// Sections that say why they have nothing to say.
    pub left_out: Vec<String>,
}

impl Measured {
    /// Nothing yet.
    pub fn new(facts: Facts, rounds: u32) -> Self {
        Self {
            facts,
            rounds,
            drills: Vec::new(),
            stores: Vec::new(),
            ledgers: Vec::new(),
            inspections: None,
            large: None,
            repositories: None,
            contained: None,
            disasters: None,
            left_out: Vec::new(),
        }
    }

    /// The goals that were missed, one sentence each.
    pub fn missed(&self) -> Vec<String> {
        let with_engine = chapters::goals(self.repositories.as_ref(), self.contained.as_ref());
        let disasters = self.disasters.iter().flat_map(chapters::goals_of_disasters);
        let goals = self.drills.iter().flat_map(goals).chain(with_engine).chain(disasters);
        let inspections = self.inspections.iter().flat_map(inspection::missed);
        goals.filter(|goal| !goal.met()).map(|goal| goal.sentence()).chain(inspections).collect()
    }

    /// What was measured, a section each.
    pub fn sections(&self) -> Vec<String> {
        let mut sections = Vec::new();
        if !self.drills.is_empty() {
            sections.push(drills(&self.drills));
        }
        if !self.stores.is_empty() {
            sections.push(stores(&self.stores));
        }
        if !self.ledgers.is_empty() {
            sections.push(ledgers(&self.ledgers));
        }
        sections.extend(self.inspections.as_ref().map(inspection::section));
        sections.extend(self.large.as_ref().map(large_drill));
        sections.extend(self.repositories.as_ref().map(chapters::repositories));
        sections.extend(self.contained.as_ref().map(chapters::contained));
        sections.extend(self.disasters.as_ref().map(chapters::disasters));
        sections.extend_from_slice(&self.left_out);
        sections
    }
}

/// A ratio that must not be exceeded.
pub struct Goal {
    what: String,
    medians: f64,
    pairs: Sample,
    limit: f64,
}

impl Goal {
    /// These values may be so much of those.
    pub fn new(what: String, ours: &Sample, theirs: &Sample, limit: f64) -> Self {
        Self { what, medians: ours.median() / theirs.median(), pairs: ours.over(theirs), limit }
    }

    fn met(&self) -> bool {
        self.medians <= self.limit
    }

    fn sentence(&self) -> String {
        format!("{}: {:.3} of it, and {} was the goal", self.what, self.medians, self.limit)
    }
}

fn goals(drills: &Drills) -> Vec<Goal> {
    let (drill, word) = (drills.of(Runner::Drill).birth_to_query, drills.storage.word());
    let goal = |what: &str, runner: Runner, limit: f64| {
        let base = drills.of(runner).birth_to_query;
        Goal::new(format!("the drill beside {what}, {word}"), &drill, &base, limit)
    };
    vec![
        goal("bare commands with the same settings", Runner::Bare, OF_BARE),
        goal("bare commands with the defaults", Runner::Defaults, OF_DEFAULTS),
    ]
}

/// The whole document.
pub fn render(measured: &Measured) -> String {
    let mut text = format!(
        "# Benchmarks\n\nWritten by `just bench`, never by hand. Everything is measured in alternating rounds: in each \
round every candidate runs once, each round begins with another, and the first round does not count. Numbers are \
the median of {} rounds where nothing else is said, with the least and the greatest in brackets.\n\n",
        measured.rounds
    );
    text.push_str(&table(
        &["", ""],
        measured.facts.list.iter().map(|(name, value)| vec![(*name).to_owned(), value.clone()]),
    ));
    text.push_str(&measured.sections().concat());
    text.push_str(TO_REPEAT_IT);
    text
}

/// A table in Markdown.
pub fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        text.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    text
}

fn drills(all: &[Drills]) -> String {
    let mut text = "\n## A drill beside bare commands\n\nFrom birth to query, in seconds: `initdb`, start, stanza, table, a row, \
three WAL switches, full backup, the same again, archive, SIGKILL, removal, restore, recovery, both rows read. \
[`bare.sh`](../bench/bare.sh) types these steps against the same kind of store (`phoenix store --directory DIR`, started beside), with the \
drill's settings or with PostgreSQL's and pgBackRest's own; both archive the same segments. `phoenix drill --rows 1 \
--writers 1` plays them, with its own store inside, its ledger, evidence on disk, account and proof. pgBackRest's backup waits for the clock's \
next second, which is most of what lies between the least and the greatest; each round begins at another fraction of a second, \
the same for all three.\n\n"
        .to_owned();
    let runners = [Runner::Bare, Runner::Defaults, Runner::Drill];
    let seconds = |what: &str, drills: &Drills, of: fn(&Times) -> &Sample| {
        let mut row = vec![format!("{}, {what}", drills.storage.word())];
        row.extend(runners.map(|runner| of(&drills.of(runner)).show(2)));
        row
    };
    let rows = all.iter().flat_map(|drills| {
        [
            seconds("birth to query", drills, |times| &times.birth_to_query),
            seconds("program start to end", drills, |times| &times.whole),
        ]
    });
    text.push_str(&table(&["seconds", "bare, same settings", "bare, defaults", "`phoenix drill`"], rows));
    text.push('\n');
    let rows = all.iter().flat_map(goals).map(verdict);
    text.push_str(&table(&["birth to query", "ratio of medians", "ratios within a round", "goal", ""], rows));
    for drills in all {
        text.push_str(&format!("\nWhere the seconds go, {}:\n\n", drills.storage.word()));
        let rows = STEPS.into_iter().chain(["the rest", "outside"]).map(|step| {
            let sample = |runner| drills.of(runner).steps.get(step).cloned().unwrap_or_default().show(3);
            let mut row = vec![step.to_owned()];
            row.extend(runners.map(sample));
            row
        });
        text.push_str(&table(&["step", "bare, same settings", "bare, defaults", "`phoenix drill`"], rows));
    }
    text.push_str("\n\"Outside\" is before the birth and after the query: looking for the programs, the account, clearing away.\n");
    text
}

/// A goal as a row.
pub fn verdict(goal: Goal) -> Vec<String> {
    let word = if goal.met() { "met" } else { "**MISSED**" };
    let ratio = format!("{:.3}", goal.medians);
    vec![goal.what, ratio, goal.pairs.show(3), format!("≤ {}", goal.limit), word.to_owned()]
}

fn stores(all: &[Throughput]) -> String {
    let mut text = "\n## The embedded store\n\nObjects of 64 MiB over TLS on one connection, in MiB/s, beside a plain copy of a \
file of the same size on the same storage. Server (`phoenix store --directory DIR`, every PUT synchronised before the answer) and client share \
the machine's cores. The bare client signs with a digest that is computed beforehand; Inspector is the harness's own client.\n\n"
        .to_owned();
    let mut head = vec!["MiB/s"];
    head.extend(all.iter().map(|one| one.storage.word()));
    let names: Vec<_> =
        all.first().map(|one| one.rows.iter().map(|(what, _)| *what).collect()).unwrap_or_default();
    let rows = names.iter().enumerate().map(|(place, what)| {
        let mut row = vec![(*what).to_owned()];
        row.extend(all.iter().map(|one| one.rows[place].1.show(0)));
        row
    });
    text.push_str(&table(&head, rows));
    text
}

fn ledgers(all: &[Commits]) -> String {
    let mut text = "\n## The ledger's cost per commit\n\n2 000 rows, each in a transaction of its own, by one writer over the Unix \
socket, with and without the attempt and its outcome in the ledger, in microseconds per commit. The server's `fsync` is off, so \
that the ledger's share is as large as it gets; the ledger is on disk.\n\n"
        .to_owned();
    let rows = all.iter().map(|one| {
        let share = one.with.less(&one.without);
        let ratio = one.with.over(&one.without);
        let word = one.storage.word().to_owned();
        vec![word, one.without.show(1), one.with.show(1), share.show(1), one.ledger.show(1), ratio.show(3)]
    });
    text.push_str(&table(
        &["server on", "without", "with", "difference", "ledger alone", "with / without"],
        rows,
    ));
    text
}

fn large_drill(large: &Large) -> String {
    let mut text =
        format!("\n## A realistic size\n\nOne run of `phoenix drill {}`.\n\n", large::ARGUMENTS.join(" "));
    let rows = large
        .rows
        .iter()
        .map(|(what, seconds, detail)| vec![(*what).to_owned(), format!("{seconds:.1}"), detail.clone()]);
    text.push_str(&table(&["", "seconds", ""], rows));
    text
}
