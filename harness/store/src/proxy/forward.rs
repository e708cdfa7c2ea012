//! Sends each request on as it came, unless a fault of storage may be for it.

use std::sync::Arc;

use http::header::{CONNECTION, HeaderMap, HeaderName, TRANSFER_ENCODING, UPGRADE};
use http::{Request, Response, Version};
use http_body_util::BodyExt;

use super::error::ProxyError;
use super::signer::Signer;
use super::upstream::{Line, Route};
use super::versions::Versions;
use crate::connection::{Backend, Handled, Handler};
use crate::fault::layer::AnswerBody;
use crate::fault::request::{Query, Target};
use crate::fault::{Faults, Operation};
use crate::request_body::RequestBody;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// The way to the store behind, for every connection.
pub(super) struct Forward {
    pub(super) route: Arc<Route>,
    pub(super) signer: Arc<Signer>,
    pub(super) faults: Faults,
}

impl Backend for Forward {
    fn connect(&self) -> Box<dyn Handler> {
        Box::new(Forwarder {
            line: Line::new(Arc::clone(&self.route)),
            own_line: Line::new(Arc::clone(&self.route)),
            signer: Arc::clone(&self.signer),
            faults: self.faults.clone(),
        })
    }
}

/// The way to the store behind, for one connection.
pub(super) struct Forwarder {
    line: Line,
    own_line: Line,
    pub(super) signer: Arc<Signer>,
    pub(super) faults: Faults,
}

impl Handler for Forwarder {
    fn handle<'a>(&'a self, target: &'a Target, request: Request<RequestBody>) -> Handled<'a> {
        Box::pin(async move {
            let answer = self.answer(target, request.map(|body| body.boxed_unsync())).await;
            Ok(answer.unwrap_or_else(ProxyError::into_response))
        })
    }
}

impl Forwarder {
    async fn answer(
        &self,
        target: &Target,
        request: Request<AnswerBody>,
    ) -> Result<Response<AnswerBody>, ProxyError> {
        let of_one_version = Query(request.uri().query().unwrap_or_default()).has("versionId");
        match target.operation {
            Operation::Copy => self.copy(target, request).await,
            operation if of_one_version || !self.faults.may_be_seen(operation, &target.key) => {
                self.forward(request).await
            }
            Operation::Get | Operation::Head => self.read(target, request).await,
            Operation::List | Operation::ListVersions => self.list(target, request).await,
            _ => self.forward(request).await,
        }
    }

    /// Passes a request on as it is, and its answer back.
    pub(super) async fn forward(
        &self,
        request: Request<AnswerBody>,
    ) -> Result<Response<AnswerBody>, ProxyError> {
        let (parts, body) = request.into_parts();
        let mut onward = Request::new(body);
        *onward.headers_mut() = beyond_hop(&parts.headers);
        (*onward.method_mut(), *onward.uri_mut()) = (parts.method, parts.uri);
        self.line.send(onward).await.map(returned)
    }

    /// Sends a request of the proxy's own, which may be while an answer is unread.
    pub(super) async fn ask(&self, request: Request<AnswerBody>) -> Result<Response<AnswerBody>, ProxyError> {
        self.own_line.send(request).await.map(returned)
    }

    pub(super) fn versions(&self) -> Versions<'_> {
        Versions { line: &self.own_line, signer: &self.signer }
    }
}

fn returned(mut response: Response<AnswerBody>) -> Response<AnswerBody> {
    *response.headers_mut() = beyond_hop(response.headers());
    *response.version_mut() = Version::HTTP_11;
    response
}

/// Removes what is between two neighbours only; each connection has its own. The rest keeps its order.
fn beyond_hop(headers: &HeaderMap) -> HeaderMap {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let named: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
    let is_of_hop = |name: &HeaderName| {
        [CONNECTION, KEEP_ALIVE, TRANSFER_ENCODING, UPGRADE].contains(name)
            || named.iter().any(|named| name.as_str().eq_ignore_ascii_case(named))
    };
    let beyond = headers.iter().filter(|(name, _)| !is_of_hop(name));
    beyond.map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_neighbours_is_removed() {
        let pairs = [
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("host", "localhost:9000"),
            ("expect", "100-continue"),
            ("x-amz-meta-odd", "a  b"),
        ];
        let headers: HeaderMap =
            pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let left = beyond_hop(&headers);
        let left: Vec<&str> = left.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["host", "expect", "x-amz-meta-odd"]);
    }
}
