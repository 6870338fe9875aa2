//! Tokens that a real simplejwt has signed (`tokens.py`), and those that somebody would like to pass for such.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp::from_ms(1_795_000_000_000);
const SECRET: &str = "a secret of the old back end, of 50 characters....";

#[derive(Deserialize)]
struct Written {
    secret: String,
    public: String,
    public_pkcs1: String,
    tokens: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    algorithm: Algorithm,
    audience: Option<String>,
    issuer: Option<String>,
    user: String,
    jti: String,
    issued_at: i64,
    expires_at: i64,
    refresh: String,
    access: String,
    sliding: String,
}

impl Written {
    fn read() -> Self {
        serde_json::from_str(include_str!("tokens.json")).unwrap()
    }

    fn key_text(&self, algorithm: Algorithm) -> &str {
        if algorithm.as_str().starts_with("HS") { &self.secret } else { &self.public }
    }

    fn key(&self, algorithm: Algorithm) -> Key {
        Key::new(algorithm, self.key_text(algorithm)).unwrap()
    }
}

fn expected() -> Expectations {
    Expectations { user_id_claim: "user_id".into(), ..Expectations::default() }
}

#[test]
fn what_simplejwt_has_signed_is_read_whichever_way_it_signs() {
    let written = Written::read();
    assert_eq!(written.tokens.len(), 36);
    for row in &written.tokens {
        let key = written.key(row.algorithm);
        let demanded =
            Expectations { issuer: row.issuer.clone(), audience: row.audience.clone(), ..expected() };
        let claims = Claims {
            jti: row.jti.clone(),
            user: row.user.clone(),
            issued_at: Timestamp::from_ms(row.issued_at * 1000),
            expires_at: Timestamp::from_ms(row.expires_at * 1000),
        };
        for demanded in [demanded, expected()] {
            assert_eq!(read(&row.refresh, &key, &demanded, NOW), Ok(claims.clone()));
        }
        for other in [&row.access, &row.sliding] {
            assert_eq!(read(other, &key, &expected(), NOW), Err(TokenError::NotForRefresh));
        }
        for algorithm in Algorithm::ALL.into_iter().filter(|other| *other != row.algorithm) {
            let refused = read(&row.refresh, &written.key(algorithm), &expected(), NOW);
            assert_eq!(refused, Err(TokenError::WrongAlgorithm), "{algorithm:?}");
        }
        let foreign = Expectations { issuer: Some("https://other.example.com".into()), ..expected() };
        assert_eq!(read(&row.refresh, &key, &foreign, NOW), Err(TokenError::WrongIssuer));
        let foreign = Expectations { audience: Some("other".into()), ..expected() };
        assert_eq!(read(&row.refresh, &key, &foreign, NOW), Err(TokenError::WrongAudience));
    }
    let pkcs1 = Key::new(Algorithm::Rs256, &written.public_pkcs1).unwrap();
    let row = written.tokens.iter().find(|row| row.algorithm == Algorithm::Rs256).unwrap();
    assert!(read(&row.refresh, &pkcs1, &expected(), NOW).is_ok());
}

#[test]
fn a_key_of_the_wrong_kind_is_refused_before_any_token_comes() {
    let written = Written::read();
    for hs in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
        assert_eq!(Key::new(hs, &written.public).err(), Some(KeyError::PemForHmac));
        assert_eq!(Key::new(hs, "").err(), Some(KeyError::Empty));
    }
    for rs in [Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512] {
        let private = written.public.replace("PUBLIC", "PRIVATE");
        assert_eq!(Key::new(rs, &private).err(), Some(KeyError::PrivateKey));
        for odd in ["", SECRET, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"] {
            assert_eq!(Key::new(rs, odd).err(), Some(KeyError::NoPublicKey), "{odd}");
        }
    }
    assert!(
        is_weak(Algorithm::Hs256, "short") && is_weak(Algorithm::Hs512, &format!("{PLACEHOLDER}{SECRET}"))
    );
    assert!(!is_weak(Algorithm::Hs256, SECRET) && !is_weak(Algorithm::Rs256, &written.public));
}

/// Signs with a shared secret, whatever the header says.
fn sign(header: &Value, payload: &Value, secret: &[u8]) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encode(header), encode(payload));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn payload() -> Value {
    json!({
        "token_type": "refresh", "exp": 1_795_086_400, "iat": 1_794_990_000, "jti": "0123456789abcdef0123456789abcdef",
        "user_id": "17",
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut changed = payload();
    changed[name] = value;
    changed
}

fn without(name: &str) -> Value {
    let mut changed = payload();
    changed.as_object_mut().unwrap().remove(name);
    changed
}

#[test]
fn no_forged_token_is_believed() {
    let written = Written::read();
    let (hs, rs) = (Key::new(Algorithm::Hs256, SECRET).unwrap(), written.key(Algorithm::Rs256));
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    let good = sign(&header, &payload(), SECRET.as_bytes());
    assert!(read(&good, &hs, &expected(), NOW).is_ok());
    let (message, tag) = good.rsplit_once('.').unwrap();
    let headed = |header: Value| sign(&header, &payload(), SECRET.as_bytes());
    let unsigned = |alg: &str| {
        let signed = headed(json!({ "alg": alg, "typ": "JWT" }));
        format!("{}.", signed.rsplit_once('.').unwrap().0)
    };
    let of_public_key = sign(&header, &payload(), written.public.as_bytes());
    let claiming_rs = sign(&json!({ "alg": "RS256" }), &payload(), written.public.as_bytes());
    let other = sign(&header, &with("user_id", json!("1")), SECRET.as_bytes());
    let swapped = format!("{}.{tag}", other.rsplit_once('.').unwrap().0);
    use TokenError::{Malformed, NotAuthentic, WrongAlgorithm};
    for (name, key, token, refusal) in [
        ("no signature at all", &hs, unsigned("none"), WrongAlgorithm),
        ("spelled otherwise", &hs, unsigned("nOnE"), WrongAlgorithm),
        ("an empty algorithm", &hs, unsigned(""), WrongAlgorithm),
        ("an empty tag", &hs, format!("{message}."), NotAuthentic),
        ("a shortened tag", &hs, format!("{message}.{}", &tag[..20]), NotAuthentic),
        ("another key", &hs, sign(&header, &payload(), b"another secret of at least 32 bytes"), NotAuthentic),
        ("another one's payload", &hs, swapped, NotAuthentic),
        ("signed with the public key", &rs, of_public_key, WrongAlgorithm),
        ("and called RS256", &rs, claiming_rs, NotAuthentic),
        ("another hash", &hs, headed(json!({ "alg": "HS512" })), WrongAlgorithm),
        ("in small letters", &hs, headed(json!({ "alg": "hs256" })), WrongAlgorithm),
        ("what must be understood", &hs, headed(json!({ "alg": "HS256", "crit": ["exp"] })), WrongAlgorithm),
        ("no algorithm", &hs, headed(json!({ "typ": "JWT" })), Malformed),
        ("algorithms", &hs, headed(json!({ "alg": ["HS256"] })), Malformed),
        ("two parts", &hs, message.to_owned(), Malformed),
        ("four parts", &hs, format!("{good}.{tag}"), NotAuthentic),
        ("nothing", &hs, String::new(), Malformed),
        ("dots", &hs, "..".to_owned(), Malformed),
        ("padding", &hs, format!("{good}="), Malformed),
        ("a blank", &hs, format!("{good} "), Malformed),
        ("a huge one", &hs, format!("{message}.{}", "A".repeat(TEXT_LENGTH_MAX)), Malformed),
    ] {
        assert_eq!(read(&token, key, &expected(), NOW), Err(refusal), "{name}");
    }
}

#[test]
fn a_token_that_is_signed_and_makes_no_sense_is_refused_by_name() {
    let key = Key::new(Algorithm::Hs256, SECRET).unwrap();
    let now = NOW.as_secs();
    use TokenError::{Expired, NotForRefresh, OddTimes, WithoutName, WithoutUser};
    for (name, payload, refusal) in [
        ("an access token", with("token_type", json!("access")), NotForRefresh),
        ("no type", without("token_type"), NotForRefresh),
        ("types", with("token_type", json!(["refresh"])), NotForRefresh),
        ("no name", without("jti"), WithoutName),
        ("an empty name", with("jti", json!("")), WithoutName),
        ("a number for a name", with("jti", json!(7)), WithoutName),
        ("a huge name", with("jti", json!("x".repeat(256))), WithoutName),
        ("no end", without("exp"), OddTimes),
        ("an end in words", with("exp", json!("1795086400")), OddTimes),
        ("no beginning", without("iat"), OddTimes),
        ("a beginning to come", with("iat", json!(now + 31)), OddTimes),
        ("an end before the beginning", with("exp", json!(1_794_989_999)), OddTimes),
        ("an end that nobody lives to see", with("exp", json!(now + 11 * 366 * 86_400)), OddTimes),
        ("an end beyond numbers", with("exp", json!(u64::MAX)), OddTimes),
        ("an end in milliseconds", with("exp", json!(NOW.as_ms() + 1)), OddTimes),
        ("a negative beginning", with("iat", json!(-1)), OddTimes),
        ("over", with("exp", json!(now - 30)), Expired),
        ("no user", without("user_id"), WithoutUser),
        ("an empty user", with("user_id", json!("")), WithoutUser),
        ("a user with a point", with("user_id", json!(1.5)), WithoutUser),
        ("users", with("user_id", json!([17])), WithoutUser),
        ("a huge user", with("user_id", json!("x".repeat(101))), WithoutUser),
    ] {
        let token = sign(&json!({ "alg": "HS256" }), &payload, SECRET.as_bytes());
        assert_eq!(read(&token, &key, &expected(), NOW), Err(refusal), "{name}");
    }
    for fits in [with("iat", json!(now + 30)), with("exp", json!(now - 29)), with("aud", json!("anybody"))] {
        let token = sign(&json!({ "alg": "HS256" }), &fits, SECRET.as_bytes());
        assert!(read(&token, &key, &expected(), NOW).is_ok(), "{fits}");
    }
    for not_json in ["", "[]", "{", r#"{"jti":"a","jti":"b"}"#] {
        let message = format!("eyJhbGciOiJIUzI1NiJ9.{}", URL_SAFE_NO_PAD.encode(not_json));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), message.as_bytes());
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag));
        assert_eq!(read(&token, &key, &expected(), NOW), Err(TokenError::Malformed), "{not_json}");
    }
}

#[test]
fn no_bit_of_a_token_can_be_changed() {
    let written = Written::read();
    for algorithm in [Algorithm::Hs256, Algorithm::Rs256] {
        let key = written.key(algorithm);
        let row = written.tokens.iter().find(|row| row.algorithm == algorithm).unwrap();
        for at in 0..row.refresh.len() {
            for bit in 0..6 {
                let mut other = row.refresh.clone().into_bytes();
                other[at] ^= 1 << bit;
                let Ok(other) = String::from_utf8(other) else { continue };
                assert!(read(&other, &key, &expected(), NOW).is_err(), "{at} {bit}");
            }
        }
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,80}", parts in "[A-Za-z0-9_.-]{0,200}") {
        let key = Key::new(Algorithm::Hs256, SECRET).unwrap();
        let _ = (read(&text, &key, &expected(), NOW), read(&parts, &key, &expected(), NOW));
        let payload = format!("eyJhbGciOiJIUzI1NiJ9.{}", URL_SAFE_NO_PAD.encode(&text));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), payload.as_bytes());
        let _ = read(&format!("{payload}.{}", URL_SAFE_NO_PAD.encode(tag)), &key, &expected(), NOW);
    }
}
