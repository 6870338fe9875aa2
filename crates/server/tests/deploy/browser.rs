//! Somebody outside: TLS to the proxy by its name, from an address that is not the proxy's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::nodes::SITE;
use crate::proxies::Front;

/// Where it calls from.
pub const OUTSIDE: &str = "127.0.0.9";

/// A client gives up after this long.
const PATIENCE: Duration = Duration::from_secs(15);

pub struct Browser {
    proxy: SocketAddr,
    tls: TlsConnector,
    site: &'static str,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    body: Bytes,
}

impl Browser {
    pub fn of(front: &Front) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&front.certificate).unwrap()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Self { proxy: front.address, tls: TlsConnector::from(Arc::new(config)), site: SITE }
    }

    /// The same browser on another site behind the same proxy.
    pub fn on(&self, site: &'static str) -> Self {
        Self { proxy: self.proxy, tls: self.tls.clone(), site }
    }

    /// A new user, signed in.
    pub async fn register(&self, email: &str) -> Answer {
        let password = "correct horse battery staple";
        let body = json!({ "email": email, "name": "Ada", "password": password, "remember_me": true });
        let headers = [("content-type", "application/json"), ("x-forwarded-for", "203.0.113.7")];
        let answer = self.ask("POST", "/api/v1/auth/register", &headers, &body.to_string()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer
    }

    /// One request on a connection of its own. No answer within a client's patience is status 0.
    pub async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let asked = async {
            let stream = connect(self.proxy).await;
            let name = ServerName::try_from(self.site).unwrap();
            let stream = self.tls.connect(name, stream).await.unwrap();
            send(stream, method, path, &[&[("host", self.site)], headers].concat(), body).await
        };
        let none = |_| Answer { status: 0, headers: HeaderMap::new(), body: Bytes::new() };
        tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(none)
    }

    /// Listens to an answer that has no end until it has said so.
    pub async fn hears(&self, path: &str, headers: &[(&str, &str)], said: &str) {
        let listening = async {
            let stream = connect(self.proxy).await;
            let stream = self.tls.connect(ServerName::try_from(self.site).unwrap(), stream).await.unwrap();
            let headers = [&[("host", self.site)], headers].concat();
            let mut body = begin(stream, "GET", path, &headers, "").await.into_body();
            let mut heard = String::new();
            while !heard.contains(said) {
                let piece = body.frame().await.expect("goes on").unwrap().into_data().unwrap();
                heard += std::str::from_utf8(&piece).unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, listening).await.expect("as it is said, and not when it ends");
    }

    /// Straight to a node, in clear text.
    pub async fn past_the_proxy(&self, node: SocketAddr, headers: &[(&str, &str)]) -> Answer {
        send(connect(node).await, "GET", "/api/v1/system/ping", &[&[("host", SITE)], headers].concat(), "")
            .await
    }
}

async fn connect(to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(OUTSIDE.parse().unwrap(), 0)).unwrap();
    socket.connect(to).await.unwrap()
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let (parts, body) = begin(stream, method, path, headers, body).await.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

/// An answer whose head has come.
async fn begin(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Response<Incoming> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap();
    sender.send_request(request).await.unwrap()
}

impl Answer {
    /// All values of a header, as they arrived.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    /// The cookie to send back.
    pub fn cookie(&self) -> String {
        self.all("set-cookie")[0].split(';').next().unwrap().to_owned()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The code of a refusal.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}
