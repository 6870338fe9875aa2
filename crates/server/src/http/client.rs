//! The client for asking other systems. It follows no redirect and sends nothing twice.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use tower::Service;

pub type Client = legacy::Client<HttpsConnector<HttpConnector<Names>>, Full<Bytes>>;

/// Where names lead: as we were told, or else as the system says. A port that we were told is that of addresses which
/// name none.
#[derive(Clone, Default)]
pub struct Names(Arc<BTreeMap<String, SocketAddr>>);

/// Connections that are kept for later.
const IDLE_MAX: usize = 16;

/// The error says what this system lacks.
pub fn client(is_encrypted: bool) -> Result<Client, String> {
    client_with(is_encrypted, Names::default())
}

pub fn client_with(is_encrypted: bool, names: Names) -> Result<Client, String> {
    let mut roots = RootCertStore::empty();
    if is_encrypted {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err("this system trusts no authority for certificates".into());
        }
    }
    let tls = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut http = HttpConnector::new_with_resolver(names);
    http.enforce_http(false);
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
    let connector = connector.wrap_connector(http);
    Ok(legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_max_idle_per_host(IDLE_MAX)
        // A request that is sent twice without our knowledge would be taken for a lost answer.
        .retry_canceled_requests(false)
        .build(connector))
}

// === impl Names ===

impl Names {
    pub fn new(told: impl IntoIterator<Item = (String, SocketAddr)>) -> Self {
        Self(Arc::new(told.into_iter().collect()))
    }

    pub fn told(&self, host: &str) -> Option<SocketAddr> {
        self.0.get(host).copied()
    }

    pub fn all(&self) -> impl Iterator<Item = (&String, &SocketAddr)> {
        self.0.iter()
    }
}

impl Service<Name> for Names {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let told = self.told(name.as_str());
        Box::pin(async move {
            match told {
                Some(address) => Ok(vec![address].into_iter()),
                None => Ok(GaiResolver::new().call(name).await?.collect::<Vec<_>>().into_iter()),
            }
        })
    }
}

/// An error with what it was caused by, without which it says nothing.
pub fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
