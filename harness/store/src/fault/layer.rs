//! Puts faults around an HTTP service that speaks S3, whatever is behind it.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use s3s::StdError;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::answer;
use super::armed::{Faults, Fit};
use super::plan::{AnswerFault, ResetMoment, WireFault};
use super::request::Target;
use super::wire::{self, Damaged};
use crate::connection::Handler;
use crate::request_body::RequestBody;

/// The body of an answer, damaged or not.
pub(crate) type AnswerBody = UnsyncBoxBody<Bytes, StdError>;

/// The faults as one connection meets them.
#[derive(Clone, Debug)]
pub(crate) struct FaultLayer {
    pub(crate) faults: Faults,
    /// Told when the connection shall be reset: its owner holds the socket.
    pub(crate) reset: Arc<Notify>,
    /// Ends delays early when the server stops.
    pub(crate) stopping: CancellationToken,
}

impl FaultLayer {
    /// Has a request handled, or does to it what the armed faults want. The request's body may be left
    /// unread.
    pub(crate) async fn call(
        &self,
        target: &Target,
        request: Request<RequestBody>,
        handler: &dyn Handler,
    ) -> Result<Response<AnswerBody>, StdError> {
        if let Some(fault) = self.faults.answer(target) {
            if let AnswerFault::Delay { delay } = fault {
                let _ = timeout(delay, self.stopping.cancelled()).await;
            }
            if let Some(response) = answer::response(fault) {
                return Ok(response);
            }
        }
        self.reset_if(target, ResetMoment::BeforeHandling).await;
        let response = handler.handle(target, request).await?;
        self.reset_if(target, ResetMoment::AfterHandling).await;
        Ok(match self.faults.wire(target, |fault| wire::fits(fault, target.operation, &response)) {
            Some(fault) => response.map(|body| Damaged::new(body, fault).boxed_unsync()),
            None => response,
        })
    }

    /// Never returns if the connection is to be reset: its owner drops it.
    async fn reset_if(&self, target: &Target, now: ResetMoment) {
        let fits = |fault| Fit::from(matches!(fault, WireFault::Reset { moment } if moment == now));
        if self.faults.wire(target, fits).is_some() {
            self.reset.notify_one();
            std::future::pending::<()>().await;
        }
    }
}
