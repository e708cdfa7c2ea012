//! Listings whose keys a fault of storage may be for: the store's own page, written again.
//!
//! A page stays the page that the store made: where it begins and ends, and its tokens, are the
//! store's, so that a client can go on when a fault comes or goes between two pages. What the page
//! shows is decided from all versions of the keys between its beginning and the beginning of the
//! next, as the embedded store decides it.

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, ETAG, HeaderMap};
use http::{Method, Request, Response, StatusCode};

use super::error::ProxyError;
use super::forward::Forwarder;
use super::page::{keys_page, versions_page};
use super::span::Span;
use super::versions::{Keys, Wanted, text};
use super::xml::Document;
use crate::fault::layer::AnswerBody;
use crate::fault::request::{Query as UrlQuery, Target};
use crate::fault::{Operation, answer};
use crate::storage::listing::Query;

impl Forwarder {
    /// Asks the store first, so that what it refuses is refused.
    pub(super) async fn list(
        &self,
        target: &Target,
        request: Request<AnswerBody>,
    ) -> Result<Response<AnswerBody>, ProxyError> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let mut answer = self.forward(request).await?;
        if answer.status() != StatusCode::OK {
            return Ok(answer);
        }
        if answer.headers().contains_key(CONTENT_ENCODING) {
            // It was compressed for the client, who will not mind one that is not.
            answer = self.list_again(target, &query).await?;
        }
        let (mut head, body) = answer.into_parts();
        let listing = text(Response::new(body)).await?;
        let document = Document::parse(&listing)?;
        let rewritten = self.rewrite(target, UrlQuery(&query), &document).await?;
        let body = rewritten.unwrap_or(listing);
        for stale in [CONTENT_LENGTH, ETAG] {
            head.headers.remove(stale);
        }
        Ok(Response::from_parts(head, answer::whole(body)))
    }

    async fn list_again(&self, target: &Target, query: &str) -> Result<Response<AnswerBody>, ProxyError> {
        let pairs = UrlQuery(query).pairs().filter(|(name, _)| !name.starts_with("X-Amz-"));
        let query: Vec<String> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
        let own = self.signer.request(Method::GET, &target.bucket, "", &query.join("&"), HeaderMap::new())?;
        self.ask(own).await
    }

    /// `None` if the page stays as it is.
    async fn rewrite(
        &self,
        target: &Target,
        url: UrlQuery<'_>,
        document: &Document<'_>,
    ) -> Result<Option<String>, ProxyError> {
        let expected = match target.operation {
            Operation::List => "ListBucketResult",
            _ => "ListVersionsResult",
        };
        let delimiter = url.value("delimiter");
        let query = Query {
            prefix: &target.key,
            delimiter: delimiter.as_deref(),
            after_prefix: None,
            limit: usize::MAX,
        };
        let Some(span) = Span::of(document, url, query).filter(|_| document.root == expected) else {
            return Ok(None);
        };
        let after = span.key_before_all();
        let wanted = Wanted { bucket: &target.bucket, prefix: query.prefix, after: &after };
        let enough = |keys: &Keys| span.next_page(keys).is_some();
        let Some(keys) = self.versions().list(wanted, enough).await? else { return Ok(None) };
        Ok(Some(match target.operation {
            Operation::List => keys_page(document, &span, &keys, &self.faults),
            _ => versions_page(document, &span, &keys, &self.faults),
        }))
    }
}
