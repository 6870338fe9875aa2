use std::net::SocketAddr;
use std::sync::Arc;

use super::refusal;
use crate::load::{User, Verdict};
use crate::wire::Response;

/// Asks for the same public thing again and again.
pub struct ConstantUser {
    request: Arc<[u8]>,
}

// === impl ConstantUser ===

impl ConstantUser {
    pub fn new(target: SocketAddr, path: &str) -> Self {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {target}\r\nAccept: application/json\r\n\r\n");
        Self { request: request.into_bytes().into() }
    }
}

impl User for ConstantUser {
    fn request(&mut self, out: &mut Vec<u8>) -> bool {
        out.extend_from_slice(&self.request);
        true
    }

    fn answer(&mut self, response: &Response<'_>) -> Verdict {
        if response.status() == 200 { Verdict::Good("answered") } else { refusal(response) }
    }

    fn kind(&self) -> &'static str {
        "constant"
    }
}
