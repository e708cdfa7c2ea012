//! Why the proxy has no answer of the store behind it.

use std::error::Error as StdError;
use std::io;

use aws_sigv4::http_request::SigningError;
use aws_sigv4::sign::v4::signing_params::BuildError;
use http::{Response, StatusCode};
use thiserror::Error;

use crate::fault::answer;
use crate::fault::layer::AnswerBody;

/// Why there is no answer to pass on.
#[derive(Debug, Error)]
pub(super) enum ProxyError {
    #[error("no connection to {address}")]
    Connect { address: String, source: io::Error },
    #[error("{address} ended the connection without an answer")]
    Answer { address: String, source: hyper::Error },
    #[error("the upstream's answer broke off")]
    BrokeOff(#[source] Box<dyn StdError + Send + Sync>),
    #[error("the upstream answered {status} to the proxy, which asked for versions")]
    Versions { status: StatusCode },
    #[error("the upstream's listing is unreadable: {reason}")]
    Unreadable { reason: String },
    #[error("sign a request of the proxy")]
    Sign(#[from] SigningError),
    #[error("prepare to sign a request of the proxy")]
    SigningParams(#[from] BuildError),
    #[error("make a request of the proxy")]
    Request(#[from] http::Error),
}

impl ProxyError {
    /// Tells the client that this is not the store's doing.
    pub(super) fn into_response(self) -> Response<AnswerBody> {
        let mut message = format!("the proxy has no answer: {self}");
        let mut cause = self.source();
        while let Some(error) = cause {
            message.push_str(": ");
            message.push_str(&error.to_string());
            cause = error.source();
        }
        answer::error(StatusCode::BAD_GATEWAY, "BadGateway", &message)
    }
}
