//! One client's connection: TLS, HTTP/1.1, the faults, and the store or another behind them.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::StdError;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::access_log::{AccessLog, Counted};
use crate::fault::Faults;
use crate::fault::layer::{AnswerBody, FaultLayer};
use crate::fault::request::Target;
use crate::request_body::RequestBody;

/// A client that does not finish its handshake must not stay for ever.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// Chunks of the answer go out whole.
pub(crate) const BUFFER_BYTES: usize = 1024 * 1024;

/// What is behind all connections.
pub(crate) trait Backend: Send + Sync {
    /// What is behind one more connection.
    fn connect(&self) -> Box<dyn Handler>;
}

/// Answers the requests of one connection, one after the other.
pub(crate) trait Handler: Send + Sync {
    /// The request's body may be left unread.
    fn handle<'a>(&'a self, target: &'a Target, request: Request<RequestBody>) -> Handled<'a>;
}

/// An answer to come; an error ends the connection.
pub(crate) type Handled<'a> = BoxFuture<'a, Result<Response<AnswerBody>, StdError>>;

/// What all connections share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) tls: TlsAcceptor,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) faults: Faults,
    pub(crate) access_log: Option<AccessLog>,
    /// Cancelled when the server stops.
    pub(crate) stopping: CancellationToken,
}

/// Serves a client until it leaves, the server stops or a fault resets the connection.
pub(crate) async fn serve(shared: Shared, socket: TcpStream) {
    // Without this, every small answer waits for the client's delayed acknowledgement of the last.
    if socket.set_nodelay(true).is_err() {
        return;
    }
    let Ok(Ok(stream)) = timeout(HANDSHAKE_DEADLINE, shared.tls.accept(socket)).await else { return };
    let reset = Arc::new(Notify::new());
    let stopping = shared.stopping.clone();
    let faults = FaultLayer {
        faults: shared.faults.clone(),
        reset: Arc::clone(&reset),
        stopping: shared.stopping.clone(),
    };
    let handler = shared.backend.connect();
    let service = service_fn(|request| answer(&shared, &faults, handler.as_ref(), request));
    let mut builder = http1::Builder::new();
    let mut connection = builder.max_buf_size(BUFFER_BYTES).serve_connection(TokioIo::new(stream), service);
    let mut going = Going::On;
    loop {
        tokio::select! {
            _ = &mut connection => return,
            () = reset.notified() => break,
            () = stopping.cancelled(), if going == Going::On => {
                std::pin::Pin::new(&mut connection).graceful_shutdown();
                going = Going::UntilAnswered;
            }
        }
    }
    let stream = connection.into_parts().io.into_inner();
    // The socket is closed when it is dropped, and without lingering that is a reset.
    let _ = stream.get_ref().0.set_zero_linger();
}

/// How long a connection goes on.
#[derive(PartialEq, Eq)]
enum Going {
    On,
    /// The server stops: the request under way is the last.
    UntilAnswered,
}

async fn answer(
    shared: &Shared,
    faults: &FaultLayer,
    handler: &dyn Handler,
    request: Request<Incoming>,
) -> Result<Response<Counted<AnswerBody>>, StdError> {
    let target = Target::of(request.method(), request.uri(), request.headers());
    let access = shared.access_log.as_ref().map(|log| log.begin(target.clone()));
    let request = request.map(RequestBody::new);
    let unread = request.body().clone();
    let response = faults.call(&target, request, handler).await?;
    let status = response.status();
    if !status.is_success() {
        unread.drain().await;
    }
    Ok(response.map(|body| match access {
        Some(access) => access.answered(status, body),
        None => Counted::unlogged(body),
    }))
}
