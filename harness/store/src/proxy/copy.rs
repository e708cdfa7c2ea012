//! A copy from a key that a fault of storage may be for.

use http::header::{AUTHORIZATION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response};

use super::error::ProxyError;
use super::forward::Forwarder;
use super::versions::text;
use crate::fault::answer;
use crate::fault::layer::AnswerBody;
use crate::fault::request::Target;
use crate::fault::sight::{EMPTY_ETAG, Seen};
use crate::percent::{Plus, decode, encode};

const SOURCE: HeaderName = HeaderName::from_static("x-amz-copy-source");

impl Forwarder {
    /// The source is what a fault is for, as it is in a store. Unlike a read, a copy that shall not
    /// happen must not be passed on, so that its signature is not checked then.
    pub(super) async fn copy(
        &self,
        target: &Target,
        request: Request<AnswerBody>,
    ) -> Result<Response<AnswerBody>, ProxyError> {
        let Some((bucket, key)) = source(request.headers()) else { return self.forward(request).await };
        if !self.faults.may_be_seen(target.operation, &key) {
            return self.forward(request).await;
        }
        let Some(held) = self.versions().of(&bucket, &key).await? else { return self.forward(request).await };
        let mut headers = unsigned(request.headers());
        match self.see(target, &key, held) {
            Seen::Latest(_) => self.forward(request).await,
            Seen::Lost => Ok(answer::no_such_key()),
            Seen::Before(entry) => {
                let path = format!("{}/{}", encode(&bucket), encode(&key));
                let source = format!("{path}?versionId={}", encode(&entry.version_id));
                headers.insert(SOURCE, HeaderValue::try_from(source).map_err(http::Error::from)?);
                self.put(target, headers).await
            }
            Seen::Emptied(_) => {
                let of_copies = |name: &&HeaderName| {
                    name.as_str().starts_with("x-amz-copy-source") || name.as_str().ends_with("-directive")
                };
                let names: Vec<HeaderName> = headers.keys().filter(of_copies).cloned().collect();
                for name in names {
                    headers.remove(name);
                }
                headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
                let put = self.put(target, headers).await?;
                if put.status().is_success() { copied(put).await } else { Ok(put) }
            }
        }
    }

    async fn put(&self, target: &Target, headers: HeaderMap) -> Result<Response<AnswerBody>, ProxyError> {
        self.ask(self.signer.request(Method::PUT, &target.bucket, &target.key, "", headers)?).await
    }
}

/// Bucket and key of the source; `None` if it is one version or no key.
fn source(headers: &HeaderMap) -> Option<(String, String)> {
    let source = headers.get(SOURCE)?.to_str().ok()?;
    if source.contains("?versionId=") {
        return None;
    }
    let path = decode(source, Plus::IsPlus);
    let (bucket, key) = path.strip_prefix('/').unwrap_or(&path).split_once('/')?;
    Some((bucket.to_owned(), key.to_owned()))
}

/// What the client said of the object, without what belongs to its signature.
fn unsigned(headers: &HeaderMap) -> HeaderMap {
    let is_kept = |name: &HeaderName| {
        ![AUTHORIZATION, CONTENT_LENGTH, EXPECT, HOST].contains(name)
            && !["x-amz-date", "x-amz-content-sha256"].contains(&name.as_str())
    };
    let kept = headers.iter().filter(|(name, _)| is_kept(name));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The answer to a copy, from the answer to a PUT of nothing.
async fn copied(put: Response<AnswerBody>) -> Result<Response<AnswerBody>, ProxyError> {
    let version = put.headers().get("x-amz-version-id").cloned();
    text(put).await?;
    let modified = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%S%.3fZ");
    let mut answer = answer::xml(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CopyObjectResult><LastModified>{modified}</LastModified><ETag>&quot;{EMPTY_ETAG}&quot;</ETag></CopyObjectResult>"
    ));
    if let Some(version) = version {
        answer.headers_mut().insert("x-amz-version-id", version);
    }
    Ok(answer)
}
