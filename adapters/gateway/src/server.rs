//! Connections: how many there are, how slow they may be, and how they end.

mod stall;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use stall::Impatient;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::limits::Limits;
use crate::quota::{AddressQuota, Ticket};

/// The network address at the other end of the connection: every request carries it. What a header claims about it
/// (`X-Forwarded-For`) is never asked.
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// What a connection takes up. Every request carries it, for what the connection may be upgraded to.
#[derive(Clone)]
pub(crate) struct Held {
    _place: Arc<(OwnedSemaphorePermit, Ticket)>,
    /// Who waits for the connections to end waits for this.
    _task: TaskTrackerToken,
}

/// The largest head of a request, in bytes.
const HEAD_BYTES: usize = 16 * 1_024;
/// The most headers of a request.
const HEADERS: usize = 64;
/// How long to wait when the system has no more sockets to give.
const NO_SOCKETS: Duration = Duration::from_millis(200);

/// What a connection needs.
struct Connection {
    routes: TowerToHyperService<Router>,
    http: http1::Builder,
    stalled_for: Duration,
    closing: CancellationToken,
    killing: CancellationToken,
}

/// Serves until `shutdown`, and then until the connections have ended.
pub(crate) async fn serve(
    listener: TcpListener,
    routes: Router,
    limits: &Limits,
    shutdown: CancellationToken,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.head_within)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS);
    let killing = CancellationToken::new();
    let connection = Arc::new(Connection {
        routes: TowerToHyperService::new(routes),
        http,
        stalled_for: limits.stalled_for,
        closing: shutdown.clone(),
        killing: killing.clone(),
    });
    let tasks = TaskTracker::new();
    let accepting = accept(listener, limits, &tasks, &connection);
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = accepting => {}
    }
    tasks.close();
    if tokio::time::timeout(limits.end_within, tasks.wait()).await.is_err() {
        tracing::warn!("connections did not end in time and are cut off");
        killing.cancel();
        tasks.wait().await;
    }
}

/// Accepts connections, for ever.
async fn accept(listener: TcpListener, limits: &Limits, tasks: &TaskTracker, connection: &Arc<Connection>) {
    let room = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
    let addresses = AddressQuota::new(limits.connections, limits.connections_per_address, true);
    loop {
        // A connection that there is no room for waits in the system's queue; those before it end in bounded time.
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let (socket, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!("no connection could be accepted: {error}");
                tokio::time::sleep(NO_SOCKETS).await;
                continue;
            }
        };
        let Ok(ticket) = addresses.take(from.ip()) else {
            tracing::debug!(from = %from.ip(), "a connection is dropped: its address has too many");
            continue;
        };
        let connection = Arc::clone(connection);
        let held = Held { _place: Arc::new((permit, ticket)), _task: tasks.token() };
        tasks.spawn(async move { connection.serve(socket, from.ip(), held).await });
    }
}

impl Connection {
    async fn serve(&self, socket: TcpStream, from: IpAddr, held: Held) {
        // Without it events wait for the acknowledgement of what was sent before them.
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!("a connection sends late: {error}");
        }
        let answer = |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(Peer(from));
            request.extensions_mut().insert(held.clone());
            self.routes.call(request)
        };
        let io = TokioIo::new(Impatient::new(socket, self.stalled_for));
        let mut serving = std::pin::pin!(self.http.serve_connection(io, service_fn(answer)).with_upgrades());
        let ended = tokio::select! {
            ended = &mut serving => Some(ended),
            () = self.closing.cancelled() => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                serving.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = &mut serving => ended,
                    () = self.killing.cancelled() => return,
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%from, "a connection broke: {error}");
        }
    }
}
