//! GET and HEAD of a key that a fault of storage may be for.

use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, HeaderValue, RANGE,
};
use http::{Method, Request, Response, StatusCode};

use super::error::ProxyError;
use super::forward::Forwarder;
use super::versions::Entry;
use crate::fault::answer;
use crate::fault::layer::AnswerBody;
use crate::fault::request::{Query, Target};
use crate::fault::sight::{EMPTY_ETAG, Held, Seen, see};
use crate::percent::encode;

impl Forwarder {
    /// Asks the store first: what it refuses is refused, and only what it would answer is changed.
    pub(super) async fn read(
        &self,
        target: &Target,
        request: Request<AnswerBody>,
    ) -> Result<Response<AnswerBody>, ProxyError> {
        let asked = Asked::of(&request);
        let answer = self.forward(request).await?;
        if !is_about_the_key(answer.status()) {
            return Ok(answer);
        }
        let Some(held) = self.versions().of(&target.bucket, &target.key).await? else { return Ok(answer) };
        match self.see(target, &target.key, held) {
            Seen::Latest(_) => Ok(answer),
            Seen::Lost => Ok(answer::no_such_key()),
            Seen::Before(entry) => {
                let query = asked.query_of(&entry.version_id);
                let (method, headers) = (asked.method, asked.headers);
                let own = self.signer.request(method, &target.bucket, &target.key, &query, headers)?;
                self.ask(own).await
            }
            Seen::Emptied(_) => Ok(emptied(answer, &asked.headers)),
        }
    }

    /// What a request finds under one key.
    pub(super) fn see(&self, target: &Target, key: &str, held: Held<Entry>) -> Seen<Entry> {
        let mut view = self.faults.storage(target.operation);
        let seen = see(&mut view, key, held);
        view.finish();
        seen
    }
}

fn is_about_the_key(status: StatusCode) -> bool {
    use StatusCode as S;
    matches!(status, S::OK | S::PARTIAL_CONTENT | S::NOT_FOUND | S::RANGE_NOT_SATISFIABLE)
}

/// What can be asked again of another version.
struct Asked {
    method: Method,
    query: String,
    headers: HeaderMap,
}

impl Asked {
    fn of(request: &Request<AnswerBody>) -> Self {
        let is_condition = |name: &HeaderName| *name == RANGE || name.as_str().starts_with("if-");
        let headers = request.headers().iter().filter(|(name, _)| is_condition(name));
        Self {
            method: request.method().clone(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            headers: headers.map(|(name, value)| (name.clone(), value.clone())).collect(),
        }
    }

    /// The query without its signature, if it was signed, and with the version.
    fn query_of(&self, version_id: &str) -> String {
        let pairs = Query(&self.query).pairs();
        let kept = pairs.filter(|(name, _)| !name.is_empty() && !name.starts_with("X-Amz-"));
        let kept: String = kept.map(|(name, value)| format!("{name}={value}&")).collect();
        format!("{kept}versionId={}", encode(version_id))
    }
}

/// The answer for an object without bytes, which has no range either.
fn emptied(answer: Response<AnswerBody>, asked: &HeaderMap) -> Response<AnswerBody> {
    if asked.contains_key(RANGE) {
        let message = "The requested range is not satisfiable";
        return answer::error(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", message);
    }
    let mut answer = answer.map(|_| answer::whole(""));
    let headers = answer.headers_mut();
    headers.remove(CONTENT_RANGE);
    let of_the_bytes = |name: &&HeaderName| name.as_str().starts_with("x-amz-checksum-");
    let checksums: Vec<HeaderName> = headers.keys().filter(of_the_bytes).cloned().collect();
    for name in checksums {
        headers.remove(name);
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Ok(etag) = HeaderValue::try_from(format!("\"{EMPTY_ETAG}\"")) {
        headers.insert(ETAG, etag);
    }
    answer
}
