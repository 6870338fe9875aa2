//! The few requests that a guard makes. It follows no redirect and reads no endless body.

use std::time::Duration;

use http::{HeaderMap, Request, Response, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};

/// The longest body that is read; the issuer's have a few hundred bytes, and its keys a few kilobytes.
const BODY_MAX: usize = 64 * 1024;

/// Idle connections that are kept for later.
const IDLE_MAX: usize = 32;

type Body = Empty<&'static [u8]>;

#[derive(Clone)]
pub struct Client {
    client: hyper_util::client::legacy::Client<HttpsConnector<HttpConnector>, Body>,
    timeout: Duration,
}

/// What this system lacks.
pub struct ClientError(pub String);

/// Nothing that could be called an answer has come.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    #[error("no answer within {0:?}")]
    Late(Duration),
    #[error("{0}")]
    Failed(String),
}

impl Client {
    pub fn new(timeout: Duration, is_encrypted: bool) -> Result<Self, ClientError> {
        let mut roots = RootCertStore::empty();
        // A system without any is fine for an issuer around the corner, which is asked in the clear.
        if is_encrypted {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(ClientError("it trusts no authority".into()));
            }
        }
        let tls = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(|error| ClientError(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(IDLE_MAX)
            .build(connector);
        Ok(Self { client, timeout })
    }

    /// The whole answer, or none.
    pub async fn get(&self, uri: &Uri, headers: HeaderMap) -> Result<Response<Vec<u8>>, NoAnswer> {
        let asking = tokio::time::timeout(self.timeout, self.ask(uri, headers));
        asking.await.map_err(|_| NoAnswer::Late(self.timeout))?
    }

    /// An answer that has no end. Its head has to be there in time; what follows is for the caller to wait for.
    pub async fn open(&self, uri: &Uri, headers: HeaderMap) -> Result<Response<Incoming>, NoAnswer> {
        let opening = tokio::time::timeout(self.timeout, self.send(uri, headers));
        opening.await.map_err(|_| NoAnswer::Late(self.timeout))?
    }

    async fn ask(&self, uri: &Uri, headers: HeaderMap) -> Result<Response<Vec<u8>>, NoAnswer> {
        let (parts, body) = self.send(uri, headers).await?.into_parts();
        let body = Limited::new(body, BODY_MAX).collect().await;
        let body = body.map_err(|error| NoAnswer::Failed(error.to_string()))?;
        Ok(Response::from_parts(parts, body.to_bytes().to_vec()))
    }

    async fn send(&self, uri: &Uri, headers: HeaderMap) -> Result<Response<Incoming>, NoAnswer> {
        let mut request = Request::new(Body::new());
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = headers;
        self.client.request(request).await.map_err(|error| NoAnswer::Failed(whole(&error)))
    }
}

/// An error with what it was caused by, without which it says nothing.
fn whole(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
