//! Connections to the store behind the proxy.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::config::Upstream;
use super::error::ProxyError;
use crate::connection::BUFFER_BYTES;
use crate::error::StoreError;
use crate::fault::layer::AnswerBody;
use crate::tls;

const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// How long the connection of the last request may take to be free: it is busy for good if an answer
/// was left unread, or came before all of the request was sent.
const IDLE_DEADLINE: Duration = Duration::from_millis(100);

/// How to get to the store.
pub(super) struct Route {
    host: String,
    port: u16,
    name: ServerName<'static>,
    tls: TlsConnector,
}

impl Route {
    pub(super) fn to(upstream: &Upstream) -> Result<Self, StoreError> {
        let Upstream { host, port, tls_name, ca_pem, .. } = upstream.clone();
        let name = ServerName::try_from(tls_name.clone());
        let name = name.map_err(|source| StoreError::ServerName { name: tls_name, source })?;
        Ok(Self { host, port, name, tls: TlsConnector::from(tls::client(&ca_pem)?) })
    }

    async fn dial(&self) -> Result<SendRequest<AnswerBody>, ProxyError> {
        let connect = async {
            let socket = TcpStream::connect((self.host.as_str(), self.port)).await?;
            socket.set_nodelay(true)?;
            self.tls.connect(self.name.clone(), socket).await
        };
        let in_time = timeout(CONNECT_DEADLINE, connect).await;
        let stream = in_time.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let stream = stream.map_err(|source| ProxyError::Connect { address: self.to_string(), source })?;
        let mut builder = http1::Builder::new();
        builder.max_buf_size(BUFFER_BYTES);
        let (sender, connection) =
            builder.handshake(TokioIo::new(stream)).await.map_err(|source| self.unanswered(source))?;
        // Ends with the sender and the last answer; what went wrong is told to them.
        tokio::spawn(connection);
        Ok(sender)
    }

    fn unanswered(&self, source: hyper::Error) -> ProxyError {
        ProxyError::Answer { address: self.to_string(), source }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.host, self.port)
    }
}

/// One connection, made when it is needed and again when it was lost.
pub(super) struct Line {
    route: Arc<Route>,
    idle: Mutex<Option<SendRequest<AnswerBody>>>,
}

impl Line {
    pub(super) fn new(route: Arc<Route>) -> Self {
        Self { route, idle: Mutex::default() }
    }

    /// Sends a request; its answer's body may be left unread.
    pub(super) async fn send(
        &self,
        mut request: Request<AnswerBody>,
    ) -> Result<Response<AnswerBody>, ProxyError> {
        let mut idle = self.idle.lock().await;
        if let Some(mut sender) = idle.take()
            && matches!(timeout(IDLE_DEADLINE, sender.ready()).await, Ok(Ok(())))
        {
            match sender.try_send_request(request).await {
                Ok(response) => {
                    *idle = Some(sender);
                    return Ok(boxed(response));
                }
                Err(mut error) => match error.take_message() {
                    // The store had closed the connection, and saw nothing of the request.
                    Some(unsent) => request = unsent,
                    None => return Err(self.route.unanswered(error.into_error())),
                },
            }
        }
        let mut sender = self.route.dial().await?;
        let response = sender.send_request(request).await.map_err(|error| self.route.unanswered(error))?;
        *idle = Some(sender);
        Ok(boxed(response))
    }
}

fn boxed(response: Response<Incoming>) -> Response<AnswerBody> {
    response.map(|body| body.map_err(Into::into).boxed_unsync())
}
