//! Requests of the proxy's own, signed with its keys.

use std::time::SystemTime;

use aws_credential_types::Credentials as SdkCredentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method, Request};

use super::config::Upstream;
use super::error::ProxyError;
use crate::config::Credentials;
use crate::fault::answer;
use crate::fault::layer::AnswerBody;
use crate::percent::encode;

/// Signs for the store behind the proxy.
pub(super) struct Signer {
    authority: String,
    region: String,
    credentials: Credentials,
}

impl Signer {
    pub(super) fn of(upstream: &Upstream) -> Self {
        let Upstream { host, port, region, credentials, .. } = upstream.clone();
        Self { authority: format!("{host}:{port}"), region, credentials }
    }

    /// A request without a body. The query is encoded already.
    pub(super) fn request(
        &self,
        method: Method,
        bucket: &str,
        key: &str,
        query: &str,
        headers: HeaderMap,
    ) -> Result<Request<AnswerBody>, ProxyError> {
        let mark = if query.is_empty() { "" } else { "?" };
        let path = format!("/{}/{}{mark}{query}", encode(bucket), encode(key));
        let mut request = Request::builder().method(method).uri(&path).body(answer::whole(""))?;
        *request.headers_mut() = headers;
        let host = HeaderValue::try_from(&self.authority).map_err(http::Error::from)?;
        request.headers_mut().insert(HOST, host);

        let Credentials { access_key, secret_key } = &self.credentials;
        let keys = SdkCredentials::new(access_key, secret_key.expose(), None, None, "phoenix");
        let identity = keys.into();
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        // S3 is not like the other services: the path is encoded once, and dots in it are dots.
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("s3")
            .time(SystemTime::now())
            .settings(settings)
            .build()?
            .into();
        let url = format!("https://{}{path}", self.authority);
        let headers = request.headers().iter();
        let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let signable =
            SignableRequest::new(request.method().as_str(), url, headers, SignableBody::Bytes(b""))?;
        let (instructions, _) = sign(signable, &params)?.into_parts();
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}
