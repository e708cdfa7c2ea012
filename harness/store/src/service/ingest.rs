//! From a request's body to a blob on disk.
//!
//! A thread of its own hashes and writes while the connection's task receives: MD5 is the slowest
//! step of an upload and must not hold up the others.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use s3s::checksum::ChecksumHasher;
use s3s::dto::StreamingBlob;
use s3s::{S3Error, S3ErrorCode, S3Result, StdError, s3_error};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::checks::Claims;
use super::convert::joined;
use crate::storage::{Storage, Written};

/// Handed over at once: large enough that handing over costs nothing.
const BATCH_BYTES: usize = 512 * 1024;
/// Batches between the connection and the disk.
const BATCHES_AHEAD: usize = 4;

enum Step {
    Write(Vec<Bytes>),
    /// Without this, the connection broke and the blob is dropped.
    Finish,
}

/// Writes a body and holds it against what is claimed about it. Nothing names the blob yet.
pub(super) async fn ingest(
    storage: &Arc<Storage>,
    body: Option<StreamingBlob>,
    claims: &Claims,
) -> S3Result<Written> {
    let (steps, received) = mpsc::channel(BATCHES_AHEAD);
    let hasher = claims.hasher();
    let disk = Arc::clone(storage);
    let writing = spawn_blocking(move || write(&disk, received, hasher));
    if let Some(body) = body {
        receive(body, &steps).await?;
    }
    // If the writer is gone, it says below why.
    let _ = steps.send(Step::Finish).await;
    drop(steps);
    let (written, hasher) = joined(writing.await)?.map_err(S3Error::internal_error)?;
    if let Err(error) = claims.verify(written.md5, hasher) {
        storage.discard(written);
        return Err(error);
    }
    Ok(written)
}

async fn receive(mut body: StreamingBlob, steps: &mpsc::Sender<Step>) -> S3Result<()> {
    let (mut batch, mut batch_bytes) = (Vec::new(), 0);
    while let Some(data) = body.next().await {
        let data = data.map_err(broken_body)?;
        batch_bytes += data.len();
        batch.push(data);
        if batch_bytes >= BATCH_BYTES {
            batch_bytes = 0;
            if steps.send(Step::Write(std::mem::take(&mut batch))).await.is_err() {
                return Ok(());
            }
        }
    }
    let _ = steps.send(Step::Write(batch)).await;
    Ok(())
}

fn write(
    storage: &Storage,
    mut received: mpsc::Receiver<Step>,
    mut hasher: ChecksumHasher,
) -> std::io::Result<(Written, ChecksumHasher)> {
    let mut blob = storage.write_blob()?;
    while let Some(step) = received.blocking_recv() {
        match step {
            Step::Write(batch) => {
                for data in batch {
                    hasher.update(&data);
                    blob.write(&data)?;
                }
            }
            Step::Finish => return Ok((blob.finish()?, hasher)),
        }
    }
    Err(std::io::ErrorKind::UnexpectedEof.into())
}

/// The body is checked against `x-amz-content-sha256` and its chunks' signatures as it is read.
fn broken_body(error: StdError) -> S3Error {
    let text = error.to_string();
    if text.contains("Sha256Mismatch") {
        return s3_error!(
            BadDigest,
            "The x-amz-content-sha256 you specified did not match what we received."
        );
    }
    let code = if text.contains("Signature") {
        S3ErrorCode::SignatureDoesNotMatch
    } else {
        S3ErrorCode::IncompleteBody
    };
    S3Error::with_source(code, error)
}
