//! Answers that are not the truth, in the words that S3 uses for them.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;

use super::plan::AnswerFault;

/// The error that the client gets; `None` for a fault that only delays.
pub(crate) fn response(fault: AnswerFault) -> Option<Response<Full<Bytes>>> {
    let (status, code, message) = match fault {
        AnswerFault::AccessDenied => (StatusCode::FORBIDDEN, "AccessDenied", "Access Denied"),
        AnswerFault::NoSuchKey => (StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist."),
        AnswerFault::SlowDown => {
            (StatusCode::SERVICE_UNAVAILABLE, "SlowDown", "Please reduce your request rate.")
        }
        AnswerFault::Delay { .. } => return None,
    };
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let mut response = Response::new(Full::from(xml));
    *response.status_mut() = status;
    let xml_type = http::HeaderValue::from_static("application/xml");
    response.headers_mut().insert(http::header::CONTENT_TYPE, xml_type);
    Some(response)
}
