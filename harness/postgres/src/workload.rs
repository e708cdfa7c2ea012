//! Concurrent writers: every attempt is in the ledger before it is made.

use crate::{
    Sql,
    database::{Attempted, Session},
};
use futures::future::try_join_all;
use phoenix_core::RowId;
use phoenix_drill::{Database, NewRow, Result, Scene, Span, Workload, WorkloadDone};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use tokio::sync::Mutex;
use uuid::Uuid;

/// Progress is told this often, in rows.
const PROGRESS_ROWS: u64 = 250;

#[derive(Default)]
struct Tally {
    next: AtomicU64,
    acknowledged: AtomicU64,
    failed: AtomicU64,
    indeterminate: AtomicU64,
    switched: AtomicU64,
    /// Held while one switches: two at once would close one segment.
    switching: Mutex<()>,
    over: AtomicBool,
}

/// Runs the workload to its end: all rows, or the server's death.
pub(crate) async fn run(sql: &Sql, scene: &Scene, plan: Workload, span: &Span) -> Result<WorkloadDone> {
    let size = sql.identity().await?.segment_size.bytes();
    let before = sql.insert_position().await?;
    let mut sessions = Vec::new();
    for _ in 0..plan.writers {
        sessions.push(sql.connect().await?);
    }
    let tally = Tally::default();
    let writers = sessions
        .iter()
        .zip(1u32..)
        .map(|(session, writer)| write(sql, session, scene, &plan, writer, &tally, span));
    let last = try_join_all(writers).await?.into_iter().flatten().max();
    if plan.rows.is_some() {
        for _ in tally.switched.load(Relaxed)..u64::from(plan.switches) {
            switch(sql, &tally).await?;
        }
    }
    let after = match plan.rows {
        Some(_) => sql.insert_position().await?,
        None => last.unwrap_or(before),
    };
    let segments = after.0 / size - before.0 / size;
    let count = |counter: &AtomicU64| counter.load(Relaxed);
    let (acknowledged, failed) = (count(&tally.acknowledged), count(&tally.failed));
    Ok(WorkloadDone { acknowledged, failed, indeterminate: count(&tally.indeterminate), segments })
}

/// One writer's work; gives the position of its last commit.
async fn write(
    sql: &Sql,
    session: &Session,
    scene: &Scene,
    plan: &Workload,
    writer: u32,
    tally: &Tally,
    span: &Span,
) -> Result<Option<phoenix_core::Lsn>> {
    let every = plan.rows.map(|rows| rows.div_ceil(u64::from(plan.switches) + 1));
    let mut last = None;
    while !tally.over.load(Relaxed) && !plan.stop.load(Relaxed) {
        let number = tally.next.fetch_add(1, Relaxed) + 1;
        if plan.rows.is_some_and(|rows| number > rows) {
            break;
        }
        let row = new_row(scene, plan, writer, number);
        match session.insert(scene, &row).await? {
            Attempted::Ok(inserted) => {
                last = Some(inserted.commit.lsn_before);
                let done = tally.acknowledged.fetch_add(1, Relaxed) + 1;
                if done.is_multiple_of(PROGRESS_ROWS) {
                    span.progress(
                        plan.rows.map_or(format!("{done} rows"), |rows| format!("{done} of {rows} rows")),
                    );
                }
            }
            Attempted::Failed(_) => {
                tally.failed.fetch_add(1, Relaxed);
            }
            Attempted::Indeterminate(_) => {
                tally.indeterminate.fetch_add(1, Relaxed);
                tally.over.store(true, Relaxed);
            }
        }
        let due = every.filter(|every| plan.switches > 0 && number.is_multiple_of(*every));
        if due.is_some() && plan.rows != Some(number) {
            switch(sql, tally).await?;
        }
    }
    Ok(last)
}

/// Switches the WAL, one writer at a time: an empty transaction gives each switch something to close.
async fn switch(sql: &Sql, tally: &Tally) -> Result<()> {
    let _one = tally.switching.lock().await;
    sql.tick().await?;
    sql.switch_wal().await?;
    tally.switched.fetch_add(1, Relaxed);
    Ok(())
}

fn new_row(scene: &Scene, plan: &Workload, writer: u32, number: u64) -> NewRow {
    let label = format!("row {number} by writer {writer} in life {}", scene.life());
    let mut content = format!("{} {label}", scene.run);
    if plan.pad_bytes > 0 {
        content.push(' ');
        content.push_str(&padding(plan.seed ^ number.rotate_left(32), plan.pad_bytes));
    }
    NewRow { row: RowId(Uuid::new_v4()), content, label }
}

/// Hexadecimal text that follows from a seed (SplitMix64), so that pages and WAL do not compress away.
fn padding(mut seed: u64, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 16);
    while text.len() < bytes {
        seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = seed;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        text.push_str(&format!("{:016x}", word ^ (word >> 31)));
    }
    text.truncate(bytes);
    text
}
