use std::io::Write as _;
use std::net::SocketAddr;

use super::{refusal, wrong};
use crate::clock;
use crate::jar::{Jar, JarPool};
use crate::load::{User, Verdict};
use crate::token::{json_string, read_access_session, read_refresh};
use crate::wire::Response;

/// Refreshes sessions out of a pool of jars and proves for each answer that it rotated.
pub struct RefreshUser {
    target: SocketAddr,
    pool: JarPool,
    jar: Option<Jar>,
}

// === impl RefreshUser ===

impl RefreshUser {
    pub fn new(target: SocketAddr, pool: JarPool) -> Self {
        Self { target, pool, jar: None }
    }
}

impl User for RefreshUser {
    fn request(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(jar) = self.pool.take() else { return false };
        // Writing into a vector cannot fail.
        let _ = write!(
            out,
            "POST /api/v1/auth/refresh HTTP/1.1\r\nHost: {}\r\nCookie: {}={}\r\nTenure-Sent-At: {}\r\n\
             Content-Length: 0\r\n\r\n",
            self.target,
            jar.name,
            jar.token,
            clock::unix_ms(),
        );
        self.jar = Some(jar);
        true
    }

    fn answer(&mut self, response: &Response<'_>) -> Verdict {
        let Some(mut jar) = self.jar.take() else { return wrong("answer_without_request") };
        let verdict = judge(&mut jar, response);
        // A session that the server says has ended has no cookie left; any other failure leaves the jar alone.
        if response.status() != 401 {
            self.pool.put_back(jar);
        }
        verdict
    }

    fn unanswered(&mut self) {
        if let Some(jar) = self.jar.take() {
            self.pool.put_back(jar);
        }
    }

    fn kind(&self) -> &'static str {
        "refresh"
    }
}

/// Checks an answer against the jar it was asked with, and puts the new cookie into the jar.
fn judge(jar: &mut Jar, response: &Response<'_>) -> Verdict {
    if response.status() != 200 {
        return refusal(response);
    }
    let Some(token) = jar.value_in(response) else { return wrong("no_cookie_of_this_name") };
    if token == jar.token {
        return wrong("same_cookie_again");
    }
    let (Some(before), Some(after)) = (read_refresh(&jar.token), read_refresh(&token)) else {
        return wrong("cookie_is_no_refresh_token");
    };
    jar.token = token;
    if before.session != after.session {
        return wrong("cookie_of_another_session");
    }
    let access = json_string(response.body(), "access_token").and_then(read_access_session);
    if access != Some(after.session) {
        return wrong("access_token_of_another_session");
    }
    match after.generation.cmp(&before.generation) {
        std::cmp::Ordering::Greater => Verdict::Good("rotated"),
        std::cmp::Ordering::Equal => Verdict::Good("handed_again"),
        std::cmp::Ordering::Less => wrong("generation_went_back"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Layout;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use std::time::Duration;

    fn token(session: u8, generation: u32, nonce: u8) -> String {
        let mut bytes = vec![0; 4];
        bytes.extend([session; 16]);
        bytes.extend(generation.to_be_bytes());
        bytes.extend([nonce; 8 + 12 + 64]);
        format!("tnr1_{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    fn answer(status: u16, cookie: &str, session: u8) -> Vec<u8> {
        let sid: String = std::iter::repeat_n(format!("{session:02x}"), 16).collect();
        let payload = URL_SAFE_NO_PAD.encode(format!(r#"{{"sid":"ses_{sid}"}}"#));
        let body = format!(r#"{{"access_token":"e30.{payload}.c2ln","code":"teapot"}}"#);
        let length = body.len();
        format!(
            "HTTP/1.1 {status} X\r\nSet-Cookie: {cookie}; HttpOnly\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }

    fn check(status: u16, cookie: &str, session: u8, expected: &str) {
        let mut jar = Jar { name: "tenure_1".into(), token: token(1, 5, 0).into() };
        let bytes = answer(status, cookie, session);
        let layout = Layout::find(&bytes, false).unwrap().unwrap();
        let said = match judge(&mut jar, &Response::new(&bytes, &layout)) {
            Verdict::Good(outcome) => outcome.to_owned(),
            Verdict::Bad(code) => code,
        };
        assert_eq!(said, expected);
    }

    #[test]
    fn only_a_new_cookie_of_the_same_session_counts_and_its_generation_tells_which_kind() {
        let cookie = |text: String| format!("tenure_1={text}");
        check(200, &cookie(token(1, 6, 0)), 1, "rotated");
        check(200, &cookie(token(1, 5, 1)), 1, "handed_again");
        check(200, &cookie(token(1, 4, 1)), 1, "generation_went_back");
        check(200, &cookie(token(1, 5, 0)), 1, "same_cookie_again");
        check(200, &cookie(token(2, 6, 0)), 2, "cookie_of_another_session");
        check(200, &cookie(token(1, 6, 0)), 2, "access_token_of_another_session");
        check(200, &cookie("garbage".into()), 1, "cookie_is_no_refresh_token");
        check(200, &format!("tenure_2={}", token(1, 6, 0)), 1, "no_cookie_of_this_name");
        check(503, &cookie(token(1, 6, 0)), 1, "teapot");
    }

    #[test]
    fn a_jar_survives_everything_but_a_401() {
        let target = "127.0.0.1:1".parse().unwrap();
        let pool =
            JarPool::new([Jar { name: "tenure_1".into(), token: token(1, 5, 0).into() }], Duration::ZERO);
        let mut user = RefreshUser::new(target, pool.clone());
        let mut request = Vec::new();
        for (status, left) in [(200, 1), (503, 1), (429, 1), (401, 0)] {
            assert!(user.request(&mut request));
            assert_eq!(pool.len(), 0);
            let bytes = answer(status, &format!("tenure_1={}", token(1, 6, 7)), 1);
            let layout = Layout::find(&bytes, false).unwrap().unwrap();
            user.answer(&Response::new(&bytes, &layout));
            assert_eq!(pool.len(), left);
        }
        assert!(!user.request(&mut request));
    }
}
