//! Session cookies (protocol.md section 7): one per session, named after it, so that writes and deletes of
//! different sessions commute.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use tenure_domain::id::SessionId;
use tenure_domain::refresh_token::{PresentedToken, RefreshKeyRing, RefreshTokenError};
use tenure_domain::session::Session;
use tenure_domain::time::Timestamp;

use crate::config::PublicUrl;

/// Kept this long beyond the session, so that the server, not the browser's clock, ends it.
const CLOCK_MARGIN: Duration = Duration::from_secs(86_400);

/// What all session cookies of this server have in common.
pub struct CookieShape {
    prefix: &'static str,
    attributes: String,
}

/// What a request's cookies held.
#[derive(Default)]
pub struct Jar {
    /// Tokens whose outer tag is ours, newest session first, one per session. As many as a request's head
    /// holds, which is about two hundred.
    pub tokens: Vec<PresentedToken>,
    /// There was at least one cookie with a session cookie's name.
    pub any: bool,
    /// The latest expiry named by a token under a key that we do not have.
    pub unknown_key_until: Option<Timestamp>,
}

impl CookieShape {
    pub fn new(public_url: &PublicUrl) -> Self {
        let (prefix, secure) =
            if public_url.https { ("__Secure-tenure_", "; Secure") } else { ("tenure_", "") };
        let path = format!("{}/api/v1/auth/refresh", public_url.path);
        Self { prefix, attributes: format!("; Path={path}; HttpOnly{secure}; SameSite=Lax") }
    }

    pub fn name(&self, session: SessionId) -> String {
        format!("{}{}", self.prefix, session.cookie_suffix())
    }

    /// Hands a token to the browser. A session that is not remembered gets no Max-Age: the cookie goes with
    /// the browser.
    pub fn set(&self, session: &Session, token: &str, now: Timestamp) -> HeaderValue {
        let max_age = if session.remembered {
            let margin = session.expires_at.since(now) + CLOCK_MARGIN;
            format!("; Max-Age={}", margin.as_secs())
        } else {
            String::new()
        };
        header_value(format!("{}={token}{}{max_age}", self.name(session.id), self.attributes))
    }

    /// Deletes the cookie of a session that has ended. Nothing else ever deletes one.
    pub fn delete(&self, session: SessionId) -> HeaderValue {
        header_value(format!("{}={}; Max-Age=0", self.name(session), self.attributes))
    }

    /// Reads the session cookies of a request. A token under another session's name was put there by
    /// somebody else and is ignored.
    pub fn read(&self, headers: &HeaderMap, keys: &RefreshKeyRing) -> Jar {
        let mut jar = Jar::default();
        for pair in cookie_pairs(headers) {
            let Some((name, value)) = pair.split_once('=') else { continue };
            if !name.starts_with(self.prefix) {
                continue;
            }
            jar.any = true;
            match keys.read(value) {
                Ok(token) if self.name(token.claims.session_id) == name => jar.tokens.push(token),
                Ok(_) | Err(RefreshTokenError::NotOurs) => {}
                Err(RefreshTokenError::UnknownKey { expires_at }) => {
                    jar.unknown_key_until = jar.unknown_key_until.max(Some(expires_at));
                }
            }
        }
        // Newest session first, and of one session the newest token: a sibling domain may have planted an
        // older copy under the same name.
        jar.tokens.sort_by_key(|token| std::cmp::Reverse((token.claims.session_id, token.claims.generation)));
        jar.tokens.dedup_by_key(|token| token.claims.session_id);
        jar
    }
}

pub fn cookie_pairs(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .map(|pair| pair.trim_matches([' ', '\t']))
}

/// Our cookies are made of base64url and our own words, which every header can hold.
pub fn header_value(text: String) -> HeaderValue {
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tenure_domain::refresh_token::{RefreshClaims, mint};
    use tenure_domain::rotation::{Generation, Rotation};
    use tenure_domain::secret::MasterSecret;

    const NOW: Timestamp = Timestamp::from_ms(1_795_000_000_000);

    fn shape(url: &str) -> CookieShape {
        CookieShape::new(&PublicUrl::parse(url).unwrap())
    }

    fn ring() -> RefreshKeyRing {
        RefreshKeyRing::new(MasterSecret::from_bytes([1; 32]).refresh_key(), vec![])
    }

    fn session_id(n: u8) -> SessionId {
        SessionId::generate(Timestamp::from_ms(i64::from(n) + 1), [n; 10])
    }

    fn cookie(n: u8, generation: u32) -> String {
        let claims = RefreshClaims {
            session_id: session_id(n),
            generation: Generation(generation),
            expires_at: NOW,
            nonce: [0; 12],
        };
        let token = mint(ring().current(), &claims, &[0; 16]);
        format!("{}={token}", shape("http://localhost").name(session_id(n)))
    }

    fn read(lines: &[String]) -> Jar {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, HeaderValue::from_str(line).unwrap());
        }
        shape("http://localhost").read(&headers, &ring())
    }

    #[test]
    fn attributes_follow_the_public_url() {
        let session = Session {
            id: session_id(1),
            user_id: tenure_domain::id::UserId::from_bytes([0; 16]),
            salt: [0; 16],
            remembered: true,
            created_at: NOW,
            expires_at: NOW + Duration::from_secs(100),
            rotation: Rotation::at_sign_in(NOW),
            ended: None,
        };
        let secure = shape("https://id.example/tenure").set(&session, "t", NOW);
        assert_eq!(
            secure.to_str().unwrap(),
            "__Secure-tenure_01010101=t; Path=/tenure/api/v1/auth/refresh; HttpOnly; Secure; SameSite=Lax; Max-Age=86500"
        );
        let short = Session { remembered: false, ..session };
        let plain = shape("http://localhost:7700").set(&short, "t", NOW);
        assert_eq!(plain, "tenure_01010101=t; Path=/api/v1/auth/refresh; HttpOnly; SameSite=Lax");
        let gone = shape("https://id.example").delete(session_id(1));
        assert!(gone.to_str().unwrap().ends_with("; Max-Age=0"));
    }

    #[test]
    fn the_newest_session_comes_first_and_of_one_session_the_newest_token() {
        let jar = read(&[format!("{}; other=1; {}", cookie(1, 3), cookie(2, 1)), cookie(1, 9)]);
        let seen: Vec<_> = jar.tokens.iter().map(|t| (t.claims.session_id, t.claims.generation.0)).collect();
        assert_eq!(seen, [(session_id(2), 1), (session_id(1), 9)]);
    }

    #[test]
    fn two_hundred_cookies_are_read_newest_first() {
        let all: Vec<_> = (0..200).map(|n| cookie(n, 1)).collect();
        let jar = read(&[all.join("; ")]);
        assert_eq!(jar.tokens.len(), 200);
        assert_eq!(jar.tokens[0].claims.session_id, session_id(199));
    }

    #[test]
    fn a_token_under_another_name_a_quoted_one_and_garbage_are_ignored() {
        let foreign = cookie(1, 1).replace("tenure_01010101", "tenure_02020202");
        let quoted = cookie(1, 1).replacen('=', "=\"", 1) + "\"";
        for line in [
            foreign,
            quoted,
            "tenure_01010101=".into(),
            "tenure_=x".into(),
            format!("tenure_1={}", "x".repeat(8192)),
        ] {
            let jar = read(&[line]);
            assert!(jar.any && jar.tokens.is_empty());
        }
        assert!(!read(&["theme=dark; tenure=1".into()]).any);
    }

    proptest! {
        #[test]
        fn no_cookie_header_makes_the_reader_panic(line in "[ -~\\t]{0,200}") {
            let _ = read(&[line]);
        }
    }
}
