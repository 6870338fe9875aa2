//! Bare axum as a process of its own: the ceiling of any service on this machine with this HTTP stack.
//!
//! `/` answers a constant. The refresh endpoint is a mirror without store, key or check: it turns the
//! generation of whatever cookie it is given, so that the generator can be tried, and its own ceiling
//! measured, without Tenure.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::net::TcpListener;

use crate::failure::{Context as _, Result};

const CONSTANT: &str = r#"{"status":"ok","service":"bare","version":1}"#;
const JSON: (header::HeaderName, &str) = (header::CONTENT_TYPE, "application/json");

/// Serves until the process is ended.
pub fn serve(listen: SocketAddr, workers: usize) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .context("runtime")?;
    runtime.block_on(async {
        let listener = TcpListener::bind(listen).await.context(listen)?;
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
            // Without this an answer can wait for the peer's delayed acknowledgement.
            let _ = stream.set_nodelay(true);
        });
        axum::serve(listener, router()).await.context("serve")
    })
}

pub fn router() -> Router {
    Router::new()
        .route("/", get(|| async { ([JSON], CONSTANT) }))
        .route("/readyz", get(|| async { ([JSON], CONSTANT) }))
        .route("/api/v1/auth/profile", get(|| async { ([JSON], CONSTANT) }))
        .route("/api/v1/auth/refresh", post(mirror))
}

async fn mirror(headers: HeaderMap) -> axum::response::Response {
    match turned(&headers) {
        Some((cookie, body)) => ([JSON, (header::SET_COOKIE, &cookie)], body).into_response(),
        None => (StatusCode::UNAUTHORIZED, [JSON], r#"{"code":"no_session"}"#).into_response(),
    }
}

/// The cookie with its generation turned, and a body as long as a real one.
fn turned(headers: &HeaderMap) -> Option<(String, String)> {
    static NONCE: AtomicU64 = AtomicU64::new(0);
    let (name, token) = headers.get(header::COOKIE)?.to_str().ok()?.split_once('=')?;
    let mut bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix("tnr1_")?).ok()?;
    let generation = bytes.get_mut(20..24)?;
    let turned = u32::from_be_bytes(generation.try_into().ok()?).wrapping_add(1);
    generation.copy_from_slice(&turned.to_be_bytes());
    let nonce = NONCE.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    bytes.get_mut(32..40)?.copy_from_slice(&nonce);
    let sid: String = bytes.get(4..20)?.iter().map(|byte| format!("{byte:02x}")).collect();
    let claims = format!(
        r#"{{"iss":"http://127.0.0.1","aud":"tenure","sub":"usr_{sid}","sid":"ses_{sid}","ver":1,"role":"user"}}"#
    );
    let token = URL_SAFE_NO_PAD.encode(&bytes);
    let cookie = format!("{name}=tnr1_{token}; Path=/api/v1/auth/refresh; HttpOnly; SameSite=Lax");
    let (payload, signature) = (URL_SAFE_NO_PAD.encode(claims), URL_SAFE_NO_PAD.encode([0; 64]));
    let body =
        format!(r#"{{"access_token":"eyJhbGciOiJub25lIn0.{payload}.{signature}","token_type":"Bearer"}}"#);
    Some((cookie, body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jar::{Jar, JarPool};
    use crate::load::Load;
    use crate::user::{ConstantUser, RefreshUser, crowd};
    use std::time::Duration;

    /// The generator against a server that does as Tenure would.
    #[test]
    fn a_whole_run_against_the_mirror_rotates_every_jar_once_and_then_runs_dry() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let target = listener.local_addr().unwrap();
        runtime.spawn(async move { axum::serve(listener, router()).await });

        let load = Load { threads: 2, ..Load::new(target, Duration::from_secs(20)).without_warm_up() };
        let jars = (0..500u32).map(|n| {
            let mut bytes = [0; 108];
            bytes[4..8].copy_from_slice(&n.to_be_bytes());
            let token = format!("tnr1_{}", URL_SAFE_NO_PAD.encode(bytes));
            Jar { name: format!("tenure_{n:08x}").into(), token: token.into() }
        });
        let pool = JarPool::new(jars, Duration::from_secs(90));
        let summary = load.run(crowd(4, |_| RefreshUser::new(target, pool.clone()))).unwrap();
        assert_eq!((summary.operations, summary.outcome("rotated")), (500, 500));
        assert!(summary.ran_dry && summary.errors.is_empty() && pool.len() == 500);

        let paced = Load::new(target, Duration::from_millis(500)).without_warm_up().at_rate(100.0);
        let summary = paced.run(crowd(4, |_| ConstantUser::new(target, "/"))).unwrap();
        assert!((30..=60).contains(&summary.operations), "{}", summary.operations);
        let summary = paced.run(crowd(4, |_| ConstantUser::new(target, "/nowhere"))).unwrap();
        assert_eq!((summary.operations, summary.error_count() > 10), (0, true));
        assert!(summary.errors.contains_key("http_404"));
    }
}
