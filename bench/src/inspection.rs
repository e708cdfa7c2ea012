//! An inspection of a repository with ten thousand WAL segments, in the embedded store over TLS and in a
//! directory, beside a bare recursive listing by the same client, in alternating rounds.

use crate::{document::table, house::House, occasion::Occasion, sample::Sample, say};
use futures::{StreamExt, TryStreamExt, stream};
use miette::{Context, IntoDiagnostic, Result, bail};
use phoenix_core::SegmentSize;
use phoenix_inspection::{Bucket, Directory, Inspection, Source};
use std::{fs, path::PathBuf, process::Stdio, time::Instant};
use tokio::process::Command;

/// The repository that the tests of an inspection are held against.
#[path = "../../harness/inspection/tests/reading/written.rs"]
mod written;

/// The smallest: names are all that is read.
pub(crate) const SIZE: SegmentSize = SegmentSize::MIN;
const SEGMENTS: u64 = 10_000;
const HEADING: &str = "## An inspection";
const MOST_SECONDS: f64 = 5.0;
/// How many objects are put at a time.
const AT_A_TIME: usize = 16;

/// Seconds in one place.
pub struct InPlace {
    what: &'static str,
    listing: Sample,
    inspection: Sample,
}

/// Everything.
pub struct Inspections {
    occasion: Occasion,
    places: [InPlace; 2],
}

/// Lists and inspects in both places in every round, each round beginning with another; the first does not
/// count.
pub async fn measure(house: &House, rounds: u32) -> Result<Inspections> {
    let occasion = Occasion::begin(rounds);
    let directory = fill(house).await?;
    let address = format!("s3://{}/repository", house.store.bucket);
    let bucket: Bucket = address.parse().into_diagnostic()?;
    let store = bucket.through(house.store.inspector()?);
    let mut places = ["the embedded store, over TLS", "a directory"].map(|what| InPlace {
        what,
        listing: Sample::default(),
        inspection: Sample::default(),
    });
    for round in 0..=rounds {
        let mut order = [0, 1, 2, 3];
        order.rotate_left(round as usize % 4);
        let mut seconds = [0.0; 4];
        for work in order {
            seconds[work] = match work {
                0 => list(&store).await?,
                1 => {
                    let mut command = Command::new(house.phoenix());
                    let endpoint = format!("localhost:{}", house.store.port);
                    command.args(["inspect", &address, "--endpoint", &endpoint, "--ca-file"]);
                    command.arg(&house.store.ca_file).args(["--region", &house.store.region]);
                    command.env("AWS_ACCESS_KEY_ID", &house.store.credentials.access_key);
                    command.env("AWS_SECRET_ACCESS_KEY", house.store.secret().expose());
                    inspect(command, house).await?
                }
                2 => list(&Directory::new(&directory)).await?,
                _ => {
                    let mut command = Command::new(house.phoenix());
                    command.arg("inspect").arg(&directory);
                    inspect(command, house).await?
                }
            };
        }
        let [listed, inspected, listed_here, inspected_here] = seconds;
        say(&format!(
            "inspection, round {round}: store {listed:.2} s listed, {inspected:.2} s inspected; \
             directory {listed_here:.2} s, {inspected_here:.2} s"
        ));
        let pairs = [[listed, inspected], [listed_here, inspected_here]];
        for (place, [listed, inspected]) in places.iter_mut().zip(pairs).filter(|_| round > 0) {
            place.listing.push(listed);
            place.inspection.push(inspected);
        }
    }
    Ok(Inspections { occasion: occasion.end(), places })
}

/// Puts the same repository into the store and into a directory.
async fn fill(house: &House) -> Result<PathBuf> {
    say(&format!("filling a repository with {SEGMENTS} segments"));
    let objects = written::repository(1..=SEGMENTS);
    let directory = house.ground().join("repository");
    for (key, bytes) in &objects {
        let path = directory.join(key);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).into_diagnostic()?;
        }
        fs::write(path, bytes).into_diagnostic()?;
    }
    let inspector = house.store.inspector()?;
    let puts = objects.into_iter().map(|(key, bytes)| {
        let inspector = inspector.clone();
        async move { inspector.put(&format!("repository/{key}"), bytes).await }
    });
    stream::iter(puts).buffer_unordered(AT_A_TIME).try_collect::<()>().await.into_diagnostic()?;
    Ok(directory)
}

async fn list(source: &dyn Source) -> Result<f64> {
    let start = Instant::now();
    let listed = source.list("").await.into_diagnostic()?.len() as u64;
    let seconds = start.elapsed().as_secs_f64();
    if listed < SEGMENTS {
        bail!("{} lists {listed} objects only", source.place());
    }
    Ok(seconds)
}

/// The program, from its start to its end.
async fn inspect(mut command: Command, house: &House) -> Result<f64> {
    command.arg("--json").current_dir(house.disk()).stdin(Stdio::null()).kill_on_drop(true);
    let start = Instant::now();
    let output = command.output().await.into_diagnostic().wrap_err("phoenix inspect does not start")?;
    let seconds = start.elapsed().as_secs_f64();
    if !output.status.success() {
        bail!("phoenix inspect ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    let inspection: Inspection = serde_json::from_slice(&output.stdout).into_diagnostic()?;
    let lines =
        inspection.stanzas.iter().flat_map(|stanza| &stanza.archives).flat_map(|archive| &archive.timelines);
    let segments: u64 = lines.map(|line| line.segments).sum();
    if segments != SEGMENTS {
        bail!("phoenix inspect saw {segments} segments");
    }
    Ok(seconds)
}

/// The section of the page.
pub fn section(measured: &Inspections) -> String {
    let mut text = format!(
        "\n{HEADING}\n\n{} A repository with 10 000 WAL segments and one backup, without gaps, on disk: in the embedded store \
(`phoenix store --directory DIR`, over TLS on 127.0.0.1) and in a directory. `phoenix inspect --json` without `--checksums`, from the \
program's start to its end, beside a bare recursive listing of the same keys by the same client, which is started already.\n\n",
        measured.occasion.sentence()
    );
    let rows = measured.places.iter().map(|place| {
        let InPlace { what, listing, inspection } = place;
        let (ratio, pairs) = (inspection.median() / listing.median(), inspection.over(listing));
        let word = if place.is_met() { "met" } else { "**MISSED**" };
        let goal = format!("≤ {MOST_SECONDS} s");
        vec![
            (*what).to_owned(),
            listing.show(2),
            inspection.show(2),
            format!("{ratio:.2}, {}", pairs.show(2)),
            goal,
            word.to_owned(),
        ]
    });
    let head = [
        "seconds",
        "bare listing",
        "`phoenix inspect`",
        "ratio of medians, ratios within a round",
        "goal",
        "",
    ];
    text.push_str(&table(&head, rows));
    text
}

/// The goals that were missed, one sentence each.
pub fn missed(measured: &Inspections) -> impl Iterator<Item = String> {
    measured.places.iter().filter(|place| !place.is_met()).map(|InPlace { what, inspection, .. }| {
        format!("an inspection of {what}: {:.2} s, and {MOST_SECONDS} s was the goal", inspection.median())
    })
}

impl InPlace {
    fn is_met(&self) -> bool {
        self.inspection.median() <= MOST_SECONDS
    }
}
