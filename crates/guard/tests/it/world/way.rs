//! The way that a stream takes, which may be cut.

use axum::body::{Body, Bytes};
use futures_util::stream;
use http_body_util::BodyExt as _;
use tokio::sync::watch;

/// What becomes of the stream of the revocation feed on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    #[default]
    Open,
    Cut,
    /// Nothing arrives, and nobody says so.
    Hangs,
}

pub fn along(way: watch::Receiver<Way>, body: Body) -> Body {
    Body::from_stream(stream::unfold((body, way), on_its_way))
}

/// The next piece of a stream, as it arrives.
async fn on_its_way(
    (mut body, mut way): (Body, watch::Receiver<Way>),
) -> Option<(Result<Bytes, std::io::Error>, (Body, watch::Receiver<Way>))> {
    loop {
        let present = *way.borrow_and_update();
        let piece = tokio::select! {
            _ = way.changed() => continue,
            frame = body.frame(), if present == Way::Open => {
                Ok(frame?.ok()?.into_data().unwrap_or_default())
            }
            () = std::future::ready(()), if present == Way::Cut => {
                Err(std::io::ErrorKind::ConnectionReset.into())
            }
        };
        return Some((piece, (body, way)));
    }
}
