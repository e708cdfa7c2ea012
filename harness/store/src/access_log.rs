//! What was asked of the store: one JSON line for each request, written when its answer has ended.
//!
//! A line holds the operation and the key but neither headers nor the query, which may hold
//! signatures.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use s3s::StdError;
use serde::Serialize;

use crate::error::StoreError;
use crate::fault::Operation;
use crate::fault::request::Target;

/// The open log.
#[derive(Clone, Debug)]
pub(crate) struct AccessLog {
    file: Arc<Mutex<File>>,
}

#[derive(Serialize)]
struct Line<'a> {
    at: DateTime<Utc>,
    operation: Operation,
    bucket: &'a str,
    key: &'a str,
    /// `None` if the connection was lost or reset before there was an answer.
    status: Option<u16>,
    sent_bytes: u64,
    ms: u64,
}

impl AccessLog {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let file = File::options().append(true).create(true).open(path);
        let file = file.map_err(StoreError::file("open", path))?;
        Ok(Self { file: Arc::new(Mutex::new(file)) })
    }

    /// Starts the line of a request.
    pub(crate) fn begin(&self, target: Target) -> Access {
        let (at, started) = (Utc::now(), Instant::now());
        Access { log: self.clone(), target, at, started, status: None, sent_bytes: 0 }
    }

    /// A line that cannot be written is lost: the log must not fail a request.
    fn write(&self, line: &Line<'_>) {
        let Ok(mut bytes) = serde_json::to_vec(line) else { return };
        bytes.push(b'\n');
        let _ = self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&bytes);
    }
}

/// A request under way. Its line is written when this is dropped, however that comes about.
pub(crate) struct Access {
    log: AccessLog,
    target: Target,
    at: DateTime<Utc>,
    started: Instant,
    status: Option<StatusCode>,
    sent_bytes: u64,
}

impl Access {
    /// Counts the bytes of the answer's body and ends with it.
    pub(crate) fn answered<B>(mut self, status: StatusCode, body: B) -> Counted<B> {
        self.status = Some(status);
        Counted { body, access: Some(self) }
    }
}

impl Drop for Access {
    fn drop(&mut self) {
        self.log.write(&Line {
            at: self.at,
            operation: self.target.operation,
            bucket: &self.target.bucket,
            key: &self.target.key,
            status: self.status.map(|status| status.as_u16()),
            sent_bytes: self.sent_bytes,
            ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
    }
}

/// A body that is counted, if there is a log.
pub(crate) struct Counted<B> {
    body: B,
    access: Option<Access>,
}

impl<B> Counted<B> {
    /// A body that nobody counts.
    pub(crate) fn unlogged(body: B) -> Self {
        Self { body, access: None }
    }
}

impl<B: Body<Data = Bytes, Error = StdError> + Unpin> Body for Counted<B> {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let (Poll::Ready(Some(Ok(frame))), Some(access)) = (&polled, &mut self.access) {
            access.sent_bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
