//! The API's listener: the product's door, with a clock and faults before it.
//!
//! It is a loop of its own because the product's own could neither reset a connection nor swallow an answer.

use std::fmt;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tenure::http::arrival::Peer;
use tenure::http::door::Door;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::clock::WorldClock;
use crate::faults::{Fault, Faults, Kind};

/// A request with this header is served at that time, Unix milliseconds.
const VIRTUAL_NOW: &str = "x-virtual-now";

const PORTAL: &str = "<!doctype html><title>Welcome</title><p>Accept the terms of this network to go on.</p>";

/// What stands before the door.
#[derive(Clone)]
pub struct Front {
    pub clock: Arc<WorldClock>,
    pub faults: Arc<Faults>,
}

/// The connection ends here, and whoever waits is told nothing.
#[derive(Debug)]
struct BrokenOff;

impl fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken off as ordered")
    }
}

impl std::error::Error for BrokenOff {}

/// Serves until `stop`, and then is gone at once with every connection, as a process that is killed.
pub async fn serve(listener: TcpListener, door: Door, front: Front, mut stop: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stop => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(connect(stream, Peer(peer), door.clone(), front.clone()));
                }
                Err(error) => eprintln!("testbed: a connection was not accepted: {error}"),
            },
        }
    }
    drop(listener);
    connections.shutdown().await;
}

async fn connect(stream: TcpStream, peer: Peer, door: Door, front: Front) {
    let Ok((stream, handle)) = with_handle(stream) else { return };
    let answer = service_fn(move |request: hyper::Request<Incoming>| {
        let (door, front, handle) = (door.clone(), front.clone(), Arc::clone(&handle));
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        async move { front.answer(request, door, &handle).await }
    });
    // Errors here are ours by order, or the peer's.
    let _ =
        http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer).await;
}

/// The stream, and a second handle of its socket with which the connection can be reset.
fn with_handle(stream: TcpStream) -> std::io::Result<(TcpStream, Arc<TcpStream>)> {
    stream.set_nodelay(true)?;
    let stream = stream.into_std()?;
    let handle = TcpStream::from_std(stream.try_clone()?)?;
    Ok((TcpStream::from_std(stream)?, Arc::new(handle)))
}

impl Front {
    async fn answer(
        &self,
        mut request: Request,
        door: Door,
        connection: &TcpStream,
    ) -> Result<Response, BrokenOff> {
        if let Some(now) = request.headers_mut().remove(VIRTUAL_NOW) {
            let now = now.to_str().ok().and_then(|text| text.parse().ok());
            if !now.is_some_and(|now| self.clock.set(now)) {
                let why = "x-virtual-now is Unix milliseconds, on a virtual clock";
                return Ok((StatusCode::NOT_IMPLEMENTED, why).into_response());
            }
        }
        // Before the fault is taken, so that whoever sees it taken can also clear it.
        let mut cleared = self.faults.cleared();
        let Some(fault) = self.faults.befalling(request.uri().path()) else {
            return Ok(door.answer(request).await);
        };
        match fault.kind {
            Kind::Status | Kind::Html => Ok(foreign(&fault)),
            Kind::Hang => {
                let _ = cleared.changed().await;
                Err(BrokenOff)
            }
            Kind::Reset => {
                let _ = connection.set_zero_linger();
                Err(BrokenOff)
            }
            Kind::DropAnswer => {
                drop(door.answer(request).await);
                Err(BrokenOff)
            }
            Kind::Delay => {
                let answer = door.answer(request).await;
                tokio::time::sleep(fault.delay()).await;
                Ok(answer)
            }
        }
    }
}

/// An answer that is not ours.
fn foreign(fault: &Fault) -> Response {
    let (status, content_type, body) = match fault.kind {
        Kind::Html => (fault.status.unwrap_or(200), "text/html; charset=utf-8", PORTAL.to_owned()),
        _ => (fault.status.unwrap_or(503), "text/plain", fault.body.clone()),
    };
    let content_type = fault.content_type.clone().unwrap_or_else(|| content_type.to_owned());
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    (status, [(header::CONTENT_TYPE, content_type)], body).into_response()
}
