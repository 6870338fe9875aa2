use super::{CheckUser, LoginUser, RefreshUser};
use crate::load::{User, Verdict};
use crate::wire::Response;

/// One day's mixture: of a thousand requests 900 are checks, 99 refreshes and one is a sign-in.
pub struct MixedUser {
    check: CheckUser,
    refresh: RefreshUser,
    login: LoginUser,
    turn: usize,
    now: Turn,
}

#[derive(Clone, Copy)]
enum Turn {
    Check,
    Refresh,
    Login,
}

// === impl MixedUser ===

impl MixedUser {
    /// `n` shifts the pattern, so that users do not sign in all at once.
    pub fn new(check: CheckUser, refresh: RefreshUser, login: LoginUser, n: usize) -> Self {
        Self { check, refresh, login, turn: n.wrapping_mul(137), now: Turn::Check }
    }

    fn inner(&mut self) -> &mut dyn User {
        match self.now {
            Turn::Check => &mut self.check,
            Turn::Refresh => &mut self.refresh,
            Turn::Login => &mut self.login,
        }
    }
}

impl User for MixedUser {
    fn request(&mut self, out: &mut Vec<u8>) -> bool {
        self.turn = (self.turn + 1) % 1000;
        self.now = match self.turn {
            5 => Turn::Login,
            turn if turn % 10 == 5 => Turn::Refresh,
            _ => Turn::Check,
        };
        self.inner().request(out)
    }

    fn answer(&mut self, response: &Response<'_>) -> Verdict {
        self.inner().answer(response)
    }

    fn unanswered(&mut self) {
        self.inner().unanswered();
    }

    fn kind(&self) -> &'static str {
        match self.now {
            Turn::Check => self.check.kind(),
            Turn::Refresh => self.refresh.kind(),
            Turn::Login => self.login.kind(),
        }
    }
}
