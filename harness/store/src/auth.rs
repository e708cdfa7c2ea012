//! Who may send requests: the holder of one pair of keys, who signs for our region.

use async_trait::async_trait;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Uri};
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Result, s3_error};

use crate::config::Credentials;

/// Answers `InvalidAccessKeyId` for any other access key; a signature that another secret made is
/// answered with `SignatureDoesNotMatch` by the caller.
pub(crate) struct OnePair(pub(crate) Credentials);

#[async_trait]
impl S3Auth for OnePair {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == self.0.access_key {
            Ok(SecretKey::from(self.0.secret_key.expose()))
        } else {
            Err(s3_error!(
                InvalidAccessKeyId,
                "The AWS Access Key Id you provided does not exist in our records."
            ))
        }
    }
}

/// Refuses requests that are not signed, or signed for another region, as Amazon does.
pub(crate) struct OneRegion(pub(crate) String);

#[async_trait]
impl S3Access for OneRegion {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        if context.credentials().is_none() {
            return Err(s3_error!(AccessDenied, "Access Denied"));
        }
        let scope = scope(context.headers(), context.uri());
        let region = scope.as_deref().and_then(region).unwrap_or("none");
        if region == self.0 {
            return Ok(());
        }
        let expected = &self.0;
        Err(s3_error!(
            AuthorizationHeaderMalformed,
            "The authorization header is malformed; the region '{region}' is wrong; expecting '{expected}'"
        ))
    }
}

/// `key/date/region/service/aws4_request`, from the header or from a presigned URL.
fn scope(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let signed = header.and_then(|value| value.split_once("Credential=")).map(|(_, scope)| scope);
    let presigned = || uri.query()?.split('&').find_map(|pair| pair.strip_prefix("X-Amz-Credential="));
    let scope = signed.or_else(presigned)?;
    scope.split([',', ' ']).next().map(|scope| scope.replace("%2F", "/").replace("%2f", "/"))
}

fn region(scope: &str) -> Option<&str> {
    scope.rsplit('/').nth(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_read_from_the_header_and_from_the_url() {
        let plain = Uri::from_static("/bucket/key");
        let authorization =
            "AWS4-HMAC-SHA256 Credential=KEY/20261121/eu-west-1/s3/aws4_request, SignedHeaders=host";
        let headers = HeaderMap::from_iter([(AUTHORIZATION, authorization.parse().unwrap())]);
        let read = scope(&headers, &plain);
        assert_eq!(read.as_deref().and_then(region), Some("eu-west-1"));
        let presigned =
            Uri::from_static("/b/k?a=b&X-Amz-Credential=KEY%2F20261121%2Feu-west-1%2Fs3%2Faws4_request");
        let read = scope(&HeaderMap::new(), &presigned);
        assert_eq!(read.as_deref().and_then(region), Some("eu-west-1"));
        assert_eq!(scope(&HeaderMap::new(), &plain), None);
    }
}
