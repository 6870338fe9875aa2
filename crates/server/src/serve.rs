//! The listeners: accept, serve, and stop without dropping anybody.
//!
//! HTTP/1.1 only: a TLS-terminating proxy stands in front, and what is not spoken cannot be abused.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::Service as _;

use crate::App;
use crate::http::arrival::Peer;

/// A connection that has not sent its next request's head in this time is closed. It also bounds how slowly
/// a head may be dripped in.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);

/// A request's head; ours are well under 4 KiB.
const HEAD_BYTES_MAX: usize = 32 * 1024;
const HEADERS_MAX: usize = 100;

/// Serves the API until `stop` turns true, then finishes what is running: new requests get 503
/// `maintenance`, running ones up to the configured grace.
pub async fn api(app: Arc<App>, listener: TcpListener, mut stop: watch::Receiver<bool>) {
    let slots = Arc::new(Semaphore::new(app.settled.config.server.connections_max));
    let running = Arc::new(AtomicUsize::new(0));
    let service = crate::http::service(Arc::clone(&app));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stop) => break,
        };
        let Some((stream, peer)) = accepted_or_wait(accepted).await else { continue };
        let serving = serve(stream, peer, service.clone(), Arc::clone(&running), stop.clone());
        tokio::spawn(async move {
            serving.await;
            drop(slot);
        });
    }
    app.draining.store(true, Ordering::Relaxed);
    drain(&app, &listener, service, &running, stop).await;
}

/// Answers newcomers with 503 until the last running request has finished or the grace is over.
async fn drain(
    app: &App,
    listener: &TcpListener,
    service: crate::http::Service,
    running: &Arc<AtomicUsize>,
    stop: watch::Receiver<bool>,
) {
    let finished = async {
        while running.load(Ordering::Acquire) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let newcomers = async {
        loop {
            if let Some((stream, peer)) = accepted_or_wait(listener.accept().await).await {
                tokio::spawn(serve(stream, peer, service.clone(), Arc::clone(running), stop.clone()));
            }
        }
    };
    tokio::select! {
        () = finished => {}
        () = newcomers => {}
        () = tokio::time::sleep(app.settled.config.server.shutdown_grace.0) => {
            tracing::warn!(running = running.load(Ordering::Relaxed), "stopped before all requests had finished");
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

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    service: crate::http::Service,
    running: Arc<AtomicUsize>,
    mut stop: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let answer = service_fn(move |request: hyper::Request<Incoming>| {
        let mut service = service.clone();
        let counted = Counted::new(&running);
        async move {
            let mut request: Request = request.map(axum::body::Body::new);
            request.extensions_mut().insert(Peer(peer));
            let response: Result<Response, Infallible> = service.call(request).await;
            drop(counted);
            response
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), answer);
    tokio::pin!(connection);
    // Errors here are the peer's: it hung up, or spoke no HTTP. hyper has answered 400 or 431 where it could.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// Waits until the server is told to stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// One running request.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(running: &Arc<AtomicUsize>) -> Self {
        running.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(running))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
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
