//! From blobs on disk to an answer's body.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use s3s::StdError;
use s3s::dto::StreamingBlob;
use s3s::stream::{ByteStream, RemainingLength};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::storage::{Object, Storage};

/// Reads of 4 KiB were measured at a tenth of the speed.
const CHUNK_BYTES: usize = 256 * 1024;
/// Chunks that are read before the client takes them.
const CHUNKS_AHEAD: usize = 4;

/// A piece of one blob.
struct Piece {
    path: PathBuf,
    start: u64,
    bytes: u64,
}

/// The bytes of an object in this range, which lies within it.
pub(super) fn body(storage: &Storage, object: &Object, range: Range<u64>) -> StreamingBlob {
    let remaining_bytes = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
    let pieces = pieces(storage, object, range);
    let (chunks, received) = mpsc::channel(CHUNKS_AHEAD);
    spawn_blocking(move || {
        if let Err(error) = read(&pieces, &chunks) {
            let _ = chunks.blocking_send(Err(error));
        }
    });
    StreamingBlob::new(Chunks { received, remaining_bytes })
}

fn pieces(storage: &Storage, object: &Object, range: Range<u64>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut offset = 0;
    for blob in &object.blobs {
        let (start, end) = (range.start.max(offset), range.end.min(offset + blob.bytes));
        if start < end {
            pieces.push(Piece { path: storage.blob_path(*blob), start: start - offset, bytes: end - start });
        }
        offset += blob.bytes;
    }
    pieces
}

/// Ends early, and well, if the client is gone.
fn read(pieces: &[Piece], chunks: &mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
    for piece in pieces {
        let mut file = File::open(&piece.path)?;
        file.seek(SeekFrom::Start(piece.start))?;
        let mut left = piece.bytes;
        while left > 0 {
            let wanted = usize::try_from(left).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES));
            let mut chunk = Vec::with_capacity(wanted);
            let read = (&mut file).take(wanted as u64).read_to_end(&mut chunk)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            left -= read as u64;
            if chunks.blocking_send(Ok(Bytes::from(chunk))).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

struct Chunks {
    received: mpsc::Receiver<io::Result<Bytes>>,
    remaining_bytes: usize,
}

impl Stream for Chunks {
    type Item = Result<Bytes, StdError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.received.poll_recv(context);
        if let Poll::Ready(Some(Ok(chunk))) = &polled {
            self.remaining_bytes -= chunk.len();
        }
        polled.map(|chunk| chunk.map(|chunk| chunk.map_err(StdError::from)))
    }
}

impl ByteStream for Chunks {
    fn remaining_length(&self) -> RemainingLength {
        RemainingLength::new_exact(self.remaining_bytes)
    }
}
