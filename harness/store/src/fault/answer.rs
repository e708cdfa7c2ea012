//! Answers that are not the truth, in the words that S3 uses for them.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use quick_xml::escape::escape;

use super::layer::AnswerBody;
use super::plan::AnswerFault;

/// The error that the client gets; `None` for a fault that only delays.
pub(crate) fn response(fault: AnswerFault) -> Option<Response<AnswerBody>> {
    Some(match fault {
        AnswerFault::AccessDenied => error(StatusCode::FORBIDDEN, "AccessDenied", "Access Denied"),
        AnswerFault::NoSuchKey => no_such_key(),
        AnswerFault::SlowDown => {
            error(StatusCode::SERVICE_UNAVAILABLE, "SlowDown", "Please reduce your request rate.")
        }
        AnswerFault::Delay { .. } => return None,
    })
}

/// What S3 says of a key that is not there.
pub(crate) fn no_such_key() -> Response<AnswerBody> {
    error(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist.")
}

/// An error as S3 words it.
pub(crate) fn error(status: StatusCode, code: &str, message: &str) -> Response<AnswerBody> {
    let message = escape(message);
    let mut response = xml(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    ));
    *response.status_mut() = status;
    response
}

/// An answer of XML.
pub(crate) fn xml(text: String) -> Response<AnswerBody> {
    let mut response = Response::new(whole(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

/// A body that is all there.
pub(crate) fn whole(body: impl Into<Bytes>) -> AnswerBody {
    Full::new(body.into()).map_err(|never| match never {}).boxed_unsync()
}
