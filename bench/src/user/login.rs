use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{refusal, wrong};
use crate::jar::Jar;
use crate::load::{User, Verdict};
use crate::token::{json_string, read_access_session, read_refresh};
use crate::wire::Response;

/// Who signs in: many people in turn, all with one password.
#[derive(Clone)]
pub struct Logins {
    emails: Arc<Vec<String>>,
    password: Arc<str>,
    next: Arc<AtomicUsize>,
}

/// Signs in one person after another.
pub struct LoginUser {
    target: SocketAddr,
    logins: Logins,
}

// === impl Logins ===

impl Logins {
    pub fn new(emails: Vec<String>, password: &str) -> Self {
        Self { emails: emails.into(), password: password.into(), next: Arc::default() }
    }
}

// === impl LoginUser ===

impl LoginUser {
    pub fn new(target: SocketAddr, logins: Logins) -> Self {
        Self { target, logins }
    }
}

impl User for LoginUser {
    fn request(&mut self, out: &mut Vec<u8>) -> bool {
        let n = self.logins.next.fetch_add(1, Ordering::Relaxed);
        let emails = &self.logins.emails;
        let Some(email) = emails.get(n % emails.len().max(1)) else { return false };
        let body = format!(
            r#"{{"email":"{email}","password":"{}","remember_me":true,"device_id":null}}"#,
            self.logins.password
        );
        // Writing into a vector cannot fail.
        let _ = write!(
            out,
            "POST /api/v1/auth/login HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.target,
            body.len(),
        );
        true
    }

    fn answer(&mut self, response: &Response<'_>) -> Verdict {
        if response.status() != 200 {
            return refusal(response);
        }
        let Some(jar) = Jar::of_answer(response) else { return wrong("no_session_cookie") };
        let Some(claims) = read_refresh(&jar.token) else { return wrong("cookie_is_no_refresh_token") };
        let access = json_string(response.body(), "access_token").and_then(read_access_session);
        if access != Some(claims.session) {
            return wrong("access_token_of_another_session");
        }
        Verdict::Good("signed_in")
    }

    fn kind(&self) -> &'static str {
        "login"
    }
}
