//! Damage to an answer's body on its way.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::Response;
use http::header::CONTENT_LENGTH;
use http_body::{Body, Frame, SizeHint};
use s3s::StdError;

use super::armed::Fit;
use super::plan::{Operation, WireFault};

/// Whether the fault can happen to the body of this answer.
pub(crate) fn fits<B: Body>(fault: WireFault, operation: Operation, response: &Response<B>) -> Fit {
    let offset = match fault {
        WireFault::Truncate { after_bytes } => after_bytes,
        WireFault::FlipBit { at_byte, .. } => at_byte,
        WireFault::Reset { .. } => return Fit::Passes,
    };
    let length = length_bytes(response).unwrap_or(0);
    Fit::from(operation != Operation::Head && response.status().is_success() && offset < length)
}

fn length_bytes<B: Body>(response: &Response<B>) -> Option<u64> {
    let header = response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    header.or_else(|| response.body().size_hint().exact())
}

/// A body that arrives damaged. Its promised length stays.
pub(crate) struct Damaged<B> {
    inner: B,
    fault: WireFault,
    /// How much of the body has passed.
    passed_bytes: u64,
    end: End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The body goes on.
    Ahead,
    /// The last bytes shall leave before the connection does.
    Flushing,
    /// Nothing more comes.
    Reached,
}

impl<B> Damaged<B> {
    pub(crate) fn new(inner: B, fault: WireFault) -> Self {
        Self { inner, fault, passed_bytes: 0, end: End::Ahead }
    }

    fn damage(&mut self, data: Bytes) -> Bytes {
        let start = self.passed_bytes;
        self.passed_bytes += data.len() as u64;
        match self.fault {
            WireFault::Truncate { after_bytes } if after_bytes <= self.passed_bytes => {
                self.end = End::Flushing;
                data.slice(..index(after_bytes - start))
            }
            WireFault::FlipBit { at_byte, bit } if (start..self.passed_bytes).contains(&at_byte) => {
                let mut damaged = BytesMut::from(data);
                damaged[index(at_byte - start)] ^= 1 << (bit % 8);
                damaged.freeze()
            }
            _ => data,
        }
    }
}

/// An offset within one buffer.
fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

impl<B: Body<Data = Bytes, Error = StdError> + Unpin> Body for Damaged<B> {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        match self.end {
            End::Ahead => {}
            End::Flushing => {
                // Hyper flushes what it has when a body makes it wait.
                self.end = End::Reached;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            End::Reached => return Poll::Ready(Some(Err(io::Error::other("truncated by a fault").into()))),
        }
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(|data| self.damage(data)))))
    }

    fn is_end_stream(&self) -> bool {
        self.end == End::Ahead && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, StreamBody};
    use proptest::prelude::*;
    use tokio::runtime;

    use super::*;

    /// What arrives of `data`, sent in chunks, and whether the body ended well.
    fn receive(data: &[u8], chunk_bytes: usize, fault: WireFault) -> (Vec<u8>, bool) {
        let frames: Vec<Result<Frame<Bytes>, StdError>> =
            data.chunks(chunk_bytes).map(|chunk| Ok(Frame::data(Bytes::copy_from_slice(chunk)))).collect();
        let mut body = Damaged::new(StreamBody::new(futures::stream::iter(frames)), fault);
        let mut received = Vec::new();
        let runtime = runtime::Builder::new_current_thread().build().unwrap();
        loop {
            match runtime.block_on(body.frame()) {
                Some(Ok(frame)) => received.extend(frame.into_data().unwrap()),
                Some(Err(_)) => return (received, false),
                None => return (received, true),
            }
        }
    }

    proptest! {
        #[test]
        fn exactly_one_bit_is_another(
            data in prop::collection::vec(any::<u8>(), 1..200),
            chunk in 1_usize..50,
            at in any::<prop::sample::Index>(),
            bit in 0_u8..8,
        ) {
            let at = at.index(data.len());
            let (received, whole) = receive(&data, chunk, WireFault::FlipBit { at_byte: at as u64, bit });
            let mut expected = data;
            expected[at] ^= 1 << bit;
            prop_assert_eq!((received, whole), (expected, true));
        }

        #[test]
        fn the_body_ends_where_it_was_cut(
            data in prop::collection::vec(any::<u8>(), 1..200),
            chunk in 1_usize..50,
            at in any::<prop::sample::Index>(),
        ) {
            let at = at.index(data.len());
            let (received, whole) = receive(&data, chunk, WireFault::Truncate { after_bytes: at as u64 });
            prop_assert_eq!((received.as_slice(), whole), (&data[..at], false));
        }
    }

    #[test]
    fn only_a_body_that_is_long_enough_fits() {
        let cut = WireFault::Truncate { after_bytes: 4 };
        let body = |text: &'static str| Response::new(http_body_util::Full::<Bytes>::from(text));
        assert_eq!(fits(cut, Operation::Get, &body("12345")), Fit::Fits);
        assert_eq!(fits(cut, Operation::Get, &body("1234")), Fit::Passes);
        assert_eq!(fits(cut, Operation::Head, &body("12345")), Fit::Passes);
        let mut failed = body("12345");
        *failed.status_mut() = http::StatusCode::NOT_FOUND;
        assert_eq!(fits(cut, Operation::Get, &failed), Fit::Passes);
    }
}
