//! The listeners: accept, serve, and stop without dropping anybody.
//!
//! HTTP/1.1 only: a TLS-terminating proxy stands in front, and what is not spoken cannot be abused.

mod patient;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::Request;
use futures_util::FutureExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use self::patient::Patient;
use crate::App;
use crate::http::arrival::Peer;
use crate::http::door::Door;

/// A connection that has not sent its next request's head in this time is closed. It also bounds how slowly
/// a head may be dripped in.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);

/// A connection that takes nothing of an answer for this time is closed.
const WRITE_PATIENCE: Duration = Duration::from_secs(75);

/// A request's head; ours are well under 4 KiB.
const HEAD_BYTES_MAX: usize = 32 * 1024;
const HEADERS_MAX: usize = 100;

/// Serves the API until `stop` turns true, then finishes what is running: new requests get 503
/// `maintenance`, running ones up to the configured grace.
pub async fn api(app: Arc<App>, listener: TcpListener, mut stop: watch::Receiver<bool>) {
    let slots = Arc::new(Semaphore::new(app.settled.config.server.connections_max));
    let door = crate::http::door(Arc::clone(&app));
    app.revocations.begin(&app);
    if let Some(telemetry) = &app.telemetry {
        telemetry.begin(&app);
    }
    let connections = GracefulShutdown::new();
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stop) => break,
        };
        let Some((stream, peer)) = accepted_or_wait(accepted).await else { continue };
        let connection = connections.watch(connect(stream, peer, door.clone(), true));
        tokio::spawn(async move {
            // Errors here are the peer's: it hung up, or spoke no HTTP. hyper has answered where it could.
            let _ = connection.await;
            drop(slot);
        });
    }
    app.draining.store(true, Ordering::Relaxed);
    let open = connections.count();
    tokio::select! {
        // Every connection has written its last answer.
        () = connections.shutdown() => {}
        () = turn_away(&listener, door) => {}
        () = tokio::time::sleep(app.settled.config.server.shutdown_grace.0) => {
            tracing::warn!(open, "stopped before all connections had finished");
        }
    }
    if let Some(telemetry) = &app.telemetry {
        telemetry.finish().await;
    }
}

/// Answers newcomers while the last requests finish: 503, and the connection closes.
async fn turn_away(listener: &TcpListener, door: Door) {
    loop {
        if let Some((stream, peer)) = accepted_or_wait(listener.accept().await).await {
            tokio::spawn(connect(stream, peer, door.clone(), false));
        }
    }
}

/// Out of file descriptors is a state that passes; spinning on it would make it worse.
async fn accepted_or_wait(
    accepted: std::io::Result<(TcpStream, SocketAddr)>,
) -> Option<(TcpStream, SocketAddr)> {
    match accepted {
        Ok(accepted) => Some(accepted),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

fn connect(
    stream: TcpStream,
    peer: SocketAddr,
    door: Door,
    keep_alive: bool,
) -> impl GracefulConnection<Error = hyper::Error> + Send {
    let _ = stream.set_nodelay(true);
    let answer = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request: Request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(Peer(peer));
        door.clone().answer(request).map(Ok::<_, Infallible>)
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .keep_alive(keep_alive)
        .serve_connection(TokioIo::new(Patient::new(stream, WRITE_PATIENCE)), answer)
}

/// Waits until the server is told to stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Serves the operators' listener until `stop`; it is the last to go, so that draining can be watched.
pub async fn ops(app: Arc<App>, listener: TcpListener, mut stop: watch::Receiver<bool>) {
    let served = axum::serve(listener, crate::routes::ops::router(app)).with_graceful_shutdown(async move {
        stopped(&mut stop).await;
    });
    if let Err(error) = served.await {
        tracing::error!(%error, "the operators' listener failed");
    }
}
