//! A request's body that is read to its end even if its request was refused.
//!
//! Many clients, pgBackRest among them, send all of a body before they read the answer. If the
//! connection were closed with some of it unread, the kernel would reset it and the answer, which
//! says why, would be lost.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use s3s::StdError;

/// A body that its handler may leave half-read, and that can be drained then.
#[derive(Clone, Debug)]
pub(crate) struct RequestBody {
    body: Arc<Mutex<Incoming>>,
    /// Set when the handler's turn is over. A body wakes one reader only: without this, a handler
    /// that still reads on another task would be woken in place of the one that drains.
    drained: Arc<AtomicBool>,
}

impl RequestBody {
    pub(crate) fn new(body: Incoming) -> Self {
        Self { body: Arc::new(Mutex::new(body)), drained: Arc::default() }
    }

    /// Reads and forgets what is left. For its handler the body ends in an error.
    pub(crate) async fn drain(self) {
        self.drained.store(true, Ordering::SeqCst);
        while let Some(Ok(_)) = poll_fn(|context| self.poll(context)).await {}
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.with(|body| Pin::new(body).poll_frame(context))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Incoming) -> T) -> T {
        work(&mut self.body.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        if self.drained.load(Ordering::SeqCst) {
            return Poll::Ready(Some(Err("the request was answered before its body was read".into())));
        }
        self.poll(context).map_err(StdError::from)
    }

    fn is_end_stream(&self) -> bool {
        self.with(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.with(|body| body.size_hint())
    }
}
