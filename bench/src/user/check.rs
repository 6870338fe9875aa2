use std::io::Write as _;
use std::net::SocketAddr;

use super::{AccessTokens, refusal, wrong};
use crate::load::{User, Verdict};
use crate::wire::Response;

/// Asks for the profile with a bearer token: the strict check that every protected request passes.
pub struct CheckUser {
    target: SocketAddr,
    tokens: AccessTokens,
    next: usize,
    stride: usize,
}

// === impl CheckUser ===

impl CheckUser {
    /// User `n` of `count`, who presents every `count`-th token in turn: each user is many people.
    pub fn new(target: SocketAddr, tokens: AccessTokens, n: usize, count: usize) -> Self {
        Self { target, tokens, next: n, stride: count.max(1) }
    }
}

impl User for CheckUser {
    fn request(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(token) = self.tokens.get(self.next % self.tokens.len().max(1)) else { return false };
        self.next = self.next.wrapping_add(self.stride);
        let target = self.target;
        // Writing into a vector cannot fail.
        let _ = write!(
            out,
            "GET /api/v1/auth/profile HTTP/1.1\r\nHost: {target}\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        true
    }

    fn answer(&mut self, response: &Response<'_>) -> Verdict {
        match response.status() {
            200 if response.body().starts_with(b"{") => Verdict::Good("checked"),
            200 => wrong("profile_is_no_object"),
            _ => refusal(response),
        }
    }

    fn kind(&self) -> &'static str {
        "check"
    }
}
