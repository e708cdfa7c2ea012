//! The embedded store beside a plain copy: 64 MiB objects over TLS, in alternating rounds.

use crate::{
    house::{House, Storage},
    raw::Raw,
    sample::Sample,
    say,
};
use bytes::Bytes;
use miette::{Context, IntoDiagnostic, Result, bail};
use std::{
    fs::{self, File},
    time::Instant,
};

const OBJECT_MIB: usize = 64;

/// MiB/s on one storage.
pub struct Throughput {
    /// Where.
    pub storage: Storage,
    /// What was done, and how fast, in the order of the table.
    pub rows: Vec<(&'static str, Sample)>,
}

/// Copies, puts and gets in every round; the first does not count.
pub async fn measure(house: &House, rounds: u32) -> Result<Throughput> {
    let body = content();
    let [source, copy] = ["source", "copy"].map(|name| house.ground().join(name));
    fs::write(&source, &body).into_diagnostic()?;
    let inspector = house.store.inspector()?;
    let mut raw = Raw::connect(&house.store).await.wrap_err("the bare client does not reach the store")?;
    let mut rows = [
        "a plain copy",
        "a plain copy, and fsync",
        "PUT, bare client",
        "GET, bare client",
        "PUT, Inspector",
        "GET, Inspector",
    ]
    .map(|what| (what, Sample::default()));
    for round in 0..=rounds {
        let keys = ["raw", "inspector"].map(|client| format!("throughput/{client}-{round}"));
        let mut order = [0, 1, 2, 3];
        order.rotate_left(round as usize % 4);
        let mut speeds = [0.0; 6];
        for work in order {
            match work {
                0 => speeds[0] = timed(|| fs::copy(&source, &copy).map(drop))?,
                1 => {
                    speeds[1] =
                        timed(|| fs::copy(&source, &copy).and_then(|_| File::open(&copy)?.sync_all()))?
                }
                2 => {
                    let digest = Raw::digest(&body);
                    let start = Instant::now();
                    raw.put(&keys[0], body.clone(), &digest).await?;
                    speeds[2] = speed(start);
                    let start = Instant::now();
                    let got = raw.get(&keys[0]).await?;
                    speeds[3] = speed(start);
                    same(&got, &body)?;
                }
                _ => {
                    let start = Instant::now();
                    inspector.put(&keys[1], body.clone()).await.into_diagnostic()?;
                    speeds[4] = speed(start);
                    let start = Instant::now();
                    let got = inspector.get(&keys[1]).await.into_diagnostic()?;
                    speeds[5] = speed(start);
                    same(&got, &body)?;
                }
            }
            let _ = fs::remove_file(&copy);
        }
        let shown: Vec<_> =
            rows.iter().zip(speeds).map(|((what, _), speed)| format!("{what} {speed:.0}")).collect();
        say(&format!("MiB/s on {}, round {round}: {}", house.storage.word(), shown.join(", ")));
        if round > 0 {
            rows.iter_mut().zip(speeds).for_each(|((_, sample), speed)| sample.push(speed));
        }
    }
    Ok(Throughput { storage: house.storage, rows: rows.into() })
}

fn timed(work: impl FnOnce() -> std::io::Result<()>) -> Result<f64> {
    let start = Instant::now();
    work().into_diagnostic()?;
    Ok(speed(start))
}

fn speed(start: Instant) -> f64 {
    OBJECT_MIB as f64 / start.elapsed().as_secs_f64()
}

fn same(got: &Bytes, sent: &Bytes) -> Result<()> {
    if got != sent {
        bail!("the store gave other bytes than it was given");
    }
    Ok(())
}

/// Bytes that nothing compresses away (SplitMix64).
fn content() -> Bytes {
    let mut state = 0u64;
    let words = std::iter::repeat_with(|| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (word ^ (word >> 31)).to_le_bytes()
    });
    words.take((OBJECT_MIB << 20) / 8).flatten().collect()
}
