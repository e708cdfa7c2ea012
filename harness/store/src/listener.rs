//! A port that is listened on, and the connections that came of it: starts, accepts, stops.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::connection::{Shared, serve};
use crate::error::StoreError;

/// How long a request under way may take to end once the server stops.
const STOP_DEADLINE: Duration = Duration::from_secs(2);
/// Before connections are accepted again after the system refused one.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A bound port that nobody accepts from yet.
pub(crate) struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

impl Bound {
    pub(crate) async fn to(address: SocketAddr) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => StoreError::AddressInUse { address },
            _ => failed(source),
        })?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Accepts connections until `shared` stops.
    pub(crate) fn accept(self, shared: Shared) -> Listening {
        let (address, stopping) = (self.address, shared.stopping.clone());
        let accepting = tokio::spawn(accept(self.listener, shared));
        let abort = accepting.abort_handle();
        Listening { address, stopping, accepting: Some(accepting), abort }
    }
}

/// A server at work. Dropped, it stops at once.
#[derive(Debug)]
pub(crate) struct Listening {
    address: SocketAddr,
    stopping: CancellationToken,
    accepting: Option<JoinHandle<()>>,
    abort: AbortHandle,
}

impl Listening {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets the requests under way end, then closes every connection.
    pub(crate) async fn shutdown(&mut self) {
        self.stopping.cancel();
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.await;
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stopping.cancel();
        self.abort.abort();
    }
}

/// Owns the connections, which end with it.
async fn accept(listener: TcpListener, shared: Shared) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    connections.spawn(serve(shared.clone(), socket));
                }
                // Out of file descriptors, say: those that are open will be closed.
                Err(_) => drop(timeout(ACCEPT_PAUSE, shared.stopping.cancelled()).await),
            },
            Some(_) = connections.join_next() => {}
            () = shared.stopping.cancelled() => break,
        }
    }
    drop(listener);
    let _ = timeout(STOP_DEADLINE, async { while connections.join_next().await.is_some() {} }).await;
}
