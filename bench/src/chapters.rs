//! The page's sections that need a Docker engine.

use crate::{
    Part,
    cluster::{self, Disasters},
    containers::{self, Contained},
    document::{Goal, table, verdict},
    keeper::Kind,
    repository::{InManner, Repositories, WORKS, Work},
    rounds::Times,
    sample::Sample,
};

/// A drill may take so much of the time of bare commands.
const OF_BARE: f64 = 1.05;
/// The embedded store may take so much of MinIO's time.
const OF_MINIO: f64 = 1.0;
/// The drill's disaster may take so much of the time of one by hand.
const OF_BY_HAND: f64 = 0.6;
/// So much of a drill's time may be in no span.
const IN_NO_SPAN: f64 = 0.01;
const REPOSITORIES: &str = "## The embedded store beside MinIO";
const CONTAINED: &str = "## A drill in containers beside bare docker";
const DISASTERS: &str = "## A disaster on a kind cluster beside one by hand";
/// The stores that the embedded one is held against.
const MINIOS: [(Kind, &str); 2] =
    [(Kind::MinIo, "MinIO, published port"), (Kind::MinIoNear, "MinIO, host network")];

/// The section in place of a part that was not measured, since what it needs was not there.
pub fn left_out(part: Part, why: &str) -> String {
    let heading = match part {
        Part::Repository => REPOSITORIES,
        Part::Cluster => DISASTERS,
        _ => CONTAINED,
    };
    format!(
        "\n{heading}\n\n**NOT MEASURED: what it needs could not be used where this page was written.** {why}\n"
    )
}

/// pgBackRest with one store and the other.
pub fn repositories(measured: &Repositories) -> String {
    let mut text = format!(
        "\n{REPOSITORIES}\n\n{} A PostgreSQL with 1 GiB of text in one table, of which half compresses away, on disk, is backed up by pgBackRest and \
restored from it; what comes back is started and compared. The stores are fresh each time, with all their data in directories \
side by side on that same disk: the embedded one (`phoenix store --directory DIR`), and MinIO in a container with that \
directory mounted, both over TLS with a CA made for them, both keeping versions, both on 127.0.0.1. MinIO runs twice: with its \
port published as a drill does it, which passes everything through Docker's proxy, and on the host's network, where nothing \
stands between it and pgBackRest, as the embedded store. `pgbackrest.conf` and the options are the same but for address, keys and CA. \
A PUT is answered by the embedded store when the object's file, its directory and the journal are synchronised (`fsync`); by \
MinIO when the file (`fdatasync`) and its metadata (`fdatasync` or `O_DSYNC`) are, its directories not. What was just backed up is in \
memory when it is restored; for the last line the kernel is told to forget the stores' files.\n\n",
        measured.occasion.sentence()
    );
    for one in &measured.manners {
        let [cluster, stored] = one.megabytes;
        text.push_str(&format!(
            "`process-max={}`, `compress-type={}`: {cluster:.0} MB, {stored:.0} MB in the store.\n\n",
            one.manner.process_max, one.manner.compress_type
        ));
        let rows = WORKS.into_iter().map(|work| {
            let mut row = vec![word(work).to_owned()];
            for kind in [Kind::Embedded, Kind::MinIo, Kind::MinIoNear] {
                let seconds = one.of(kind, work);
                row.push(format!("{} s, {:.0} MB/s", seconds.show(2), cluster / seconds.median()));
            }
            row
        });
        text.push_str(&table(&["", "embedded", MINIOS[0].1, MINIOS[1].1], rows));
        text.push('\n');
    }
    let goals = measured.manners.iter().flat_map(of_manner);
    let head =
        ["seconds of the embedded store beside", "ratio of medians", "ratios within a round", "goal", ""];
    text.push_str(&table(&head, goals.map(verdict)));
    text
}

fn word(work: Work) -> &'static str {
    match work {
        Work::Backup => "full backup",
        Work::Restore => "restore",
        Work::ColdRestore => "restore, read from the disk",
    }
}

fn of_manner(one: &InManner) -> Vec<Goal> {
    let goal = |work: Work, (kind, name): (Kind, &str)| {
        let (ours, theirs) = (one.of(Kind::Embedded, work), one.of(kind, work));
        let manner = format!("{}, process-max={}", one.manner.compress_type, one.manner.process_max);
        Goal::new(format!("{name}: {}, {manner}", word(work)), &ours, &theirs, OF_MINIO)
    };
    WORKS.into_iter().flat_map(|work| MINIOS.map(|minio| goal(work, minio))).collect()
}

/// The drill in containers.
pub fn contained(measured: &Contained) -> String {
    let mut text = format!(
        "\n{CONTAINED}\n\n{} The whole protocol, in seconds: network, MinIO over TLS with a CA made for it, a container with volumes for the \
victim, `initdb`, start, stanza, 1000 rows by four writers with three WAL switches and one row more, full backup, the same rows \
again, archive, SIGKILL, removal of container and volumes, a new container with new volumes, restore, recovery, all rows counted, \
everything removed. [`bare-docker.sh`](../bench/bare-docker.sh) types these steps with `docker` on the same images and with the same \
settings; both archive the same segments. Its certificates are made before its clock starts; MinIO gets them by a bind mount, which is the \
fastest way and works with an engine on the same machine alone. It neither asks for versions nor notes where a row stands in the WAL, looks at nothing \
twice and proves nothing. `phoenix drill --environment containers` does, with its ledger, evidence on disk, the inventory of the ashes, \
account and proof.\n\n",
        measured.occasion.sentence()
    );
    text.push_str(&table(
        &["", ""],
        measured.on.iter().map(|(name, value)| vec![(*name).to_owned(), value.clone()]),
    ));
    let row = |what: &str, of: fn(&Times) -> &Sample| {
        vec![what.to_owned(), of(&measured.bare).show(2), of(&measured.drill).show(2)]
    };
    text.push('\n');
    let head = ["seconds", "bare docker", "`phoenix drill`"];
    let whole = row("program start to end", |times| &times.whole);
    text.push_str(&table(&head, [whole, row("birth to query", |times| &times.birth_to_query)]));
    text.push('\n');
    let head = ["program start to end", "ratio of medians", "ratios within a round", "goal", ""];
    text.push_str(&table(&head, goals_contained(measured).map(verdict)));
    text.push_str("\nWhere the seconds go:\n\n");
    let rows = containers::STEPS.into_iter().chain(["the rest", "outside"]).map(|step| {
        let sample = |times: &Times| times.steps.get(step).cloned().unwrap_or_default();
        let (bare, drill) = (sample(&measured.bare), sample(&measured.drill));
        vec![step.to_owned(), bare.show(3), drill.show(3), drill.less(&bare).show(3)]
    });
    text.push_str(&table(&["step", "bare docker", "`phoenix drill`", "drill less bare"], rows));
    text.push_str("\n\"Container\" is both of the victim's, with what they are furnished with. \"Outside\" is before the birth and after the query: the account, clearing away.\n");
    text
}

fn goals_contained(measured: &Contained) -> [Goal; 1] {
    let what = "the drill in containers beside bare docker".to_owned();
    [Goal::new(what, &measured.drill.whole, &measured.bare.whole, OF_BARE)]
}

/// All goals of both.
pub fn goals(repositories: Option<&Repositories>, contained: Option<&Contained>) -> Vec<Goal> {
    let repositories = repositories.into_iter().flat_map(|one| one.manners.iter().flat_map(of_manner));
    repositories.chain(contained.into_iter().flat_map(goals_contained)).collect()
}

/// The disaster on a kind cluster.
pub fn disasters(measured: &Disasters) -> String {
    let mut text = format!(
        "\n{DISASTERS}\n\n{} In seconds, from the order to destroy until the first row is read through pgBouncer: SIGKILL for three nodes \
and their removal, three new ones, the images, the operator, the Secrets, restore and recovery from MinIO over TLS beside the \
cluster. [`by-hand-cluster.sh`](../bench/by-hand-cluster.sh) does these steps with kind and kubectl, one after the other, \
`kind load docker-image` for each image; it watches the fields that tell, and never sleeps meanwhile. Every round counts. Both are born before on the same kind of cluster, \
with the same PostgresCluster, 200 rows and DATO_A before a full backup, 200 rows, four WAL switches and DATO_B after it; DATO_A and DATO_B are \
both read in the end, or the run fails. Nothing of that birth is counted, and nothing of it is in the new nodes: those of the drill pull \
from a registry that stands beside the cluster as the store does, and was filled before the fire. \
`phoenix drill --environment cluster` wipes, looks for what is left, and raises its layers at the same time.\n\n",
        measured.occasion.sentence()
    );
    text.push_str(&table(
        &["", ""],
        measured.on.iter().map(|(name, value)| vec![name.clone(), value.clone()]),
    ));
    text.push('\n');
    let row =
        vec!["order to destroy to first row".to_owned(), measured.script.show(1), measured.drill.show(1)];
    text.push_str(&table(&["seconds", "by hand", "`phoenix drill`"], [row]));
    text.push('\n');
    let head = ["", "ratio of medians", "ratios within a round", "goal", ""];
    text.push_str(&table(&head, goals_of_disasters(measured).map(verdict)));
    text.push_str("\nBy hand, one after the other:\n\n");
    let sample = |step: &str| measured.steps.get(step).cloned().unwrap_or_default();
    text.push_str(&table(
        &["step", "seconds"],
        cluster::STEPS.map(|step| vec![step.to_owned(), sample(step).show(1)]),
    ));
    text.push_str("\nThe drill, in seconds since the order:\n\n");
    let mut layers: Vec<_> = measured.layers.iter().collect();
    layers.sort_by(|(_, one), (_, other)| one[2].median().total_cmp(&other[2].median()));
    let wipe = vec!["wipe".to_owned(), "0".to_owned(), String::new(), measured.wipe.show(1)];
    let layers = layers.into_iter().map(|(name, moments)| {
        std::iter::once(name.clone()).chain(moments.iter().map(|moment| moment.show(1))).collect()
    });
    let row = vec!["first row".to_owned(), String::new(), String::new(), measured.drill.show(1)];
    let rows = std::iter::once(wipe).chain(layers).chain([row]);
    text.push_str(&table(&["layer", "begins", "up", "ready"], rows));
    text.push_str(&format!(
        "\nThe whole drills took {} s each; {} s of that were in no span.\n",
        measured.whole.show(1),
        measured.uncovered.show(3)
    ));
    text
}

/// Its goals.
pub fn goals_of_disasters(measured: &Disasters) -> [Goal; 2] {
    let Disasters { drill, script, whole, uncovered, .. } = measured;
    [
        Goal::new("the drill's disaster beside one by hand".to_owned(), drill, script, OF_BY_HAND),
        Goal::new("time in no span, of the whole drill".to_owned(), uncovered, whole, IN_NO_SPAN),
    ]
}
