use std::io::Write as _;
use std::net::SocketAddr;

use super::{AccessTokens, refusal, wrong};
use crate::load::{User, Verdict};
use crate::wire::Response;

const PROFILE: &str = "/api/v1/auth/profile";
const FORWARD_AUTH: &str = "/api/v1/auth/check?require=active_account";

/// Asks for the profile with a bearer token: the strict check that every protected request passes. Or asks as a proxy
/// does before it passes a request on.
pub struct CheckUser {
    target: SocketAddr,
    path: &'static str,
    tokens: AccessTokens,
    next: usize,
    stride: usize,
}

// === impl CheckUser ===

impl CheckUser {
    /// User `n` of `count`, who presents every `count`-th token in turn: each user is many people.
    pub fn new(target: SocketAddr, tokens: AccessTokens, n: usize, count: usize) -> Self {
        Self { target, path: PROFILE, tokens, next: n, stride: count.max(1) }
    }

    pub fn as_a_proxy(self) -> Self {
        Self { path: FORWARD_AUTH, ..self }
    }
}

impl User for CheckUser {
    fn request(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(token) = self.tokens.get(self.next % self.tokens.len().max(1)) else { return false };
        self.next = self.next.wrapping_add(self.stride);
        let (target, path) = (self.target, self.path);
        // Writing into a vector cannot fail.
        let _ = write!(out, "GET {path} HTTP/1.1\r\nHost: {target}\r\nAuthorization: Bearer {token}\r\n\r\n");
        true
    }

    fn answer(&mut self, response: &Response<'_>) -> Verdict {
        match response.status() {
            200 if self.path == FORWARD_AUTH && response.body().is_empty() => Verdict::Good("let_through"),
            200 if self.path == PROFILE && response.body().starts_with(b"{") => Verdict::Good("checked"),
            200 => wrong("not_what_was_asked_for"),
            _ => refusal(response),
        }
    }

    fn kind(&self) -> &'static str {
        "check"
    }
}
