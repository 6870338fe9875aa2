//! Access tokens that were tampered with (A14, A16), and Authorization headers of every shape (A24).

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::world::{Answer, TestApp};

/// One part of a JWS, decoded: 0 is the header, 1 the claims.
pub fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// Each forged token is refused as no token of ours, and the honest one still stands.
async fn all_refused(forge: impl Fn(&str, &Value) -> Vec<String>) {
    let app = TestApp::new().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    let keys = app.client.get("/.well-known/jwks.json").send().await.json();
    for forged in forge(&browser.access, &keys["keys"][0]) {
        let answer = app.client.profile(&forged).await;
        assert_eq!(answer.status, 401, "{forged}");
        answer.without_cookies().problem("access_token_invalid");
    }
    browser.profile().await.expect(200);
}

#[tokio::test]
async fn headers_that_name_another_algorithm_or_key_are_refused() {
    all_refused(|token, _| {
        let header = part(token, 0);
        let rest = token.split_once('.').unwrap().1;
        let with = |changes: Value| {
            let mut header = header.clone();
            header.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            format!("{}.{rest}", encoded(&header))
        };
        let mut forged = vec![];
        for alg in ["none", "None", "NONE", "HS256", "HS512", "RS256", "ES256", "Ed448", "", "EdDSA "] {
            forged.push(with(json!({ "alg": alg })));
        }
        for kid in ["", "../../etc/passwd", "k' OR 1=1 --", "k\u{0}", &"k".repeat(1_000)] {
            forged.push(with(json!({ "kid": kid })));
        }
        for (name, value) in [
            ("jku", json!("https://evil.example/jwks")),
            ("x5u", json!("https://evil.example/x5u")),
            ("jwk", json!({ "kty": "OKP" })),
            ("x5c", json!(["MIIB"])),
            ("crit", json!(["exp"])),
            ("b64", json!(false)),
            ("typ", json!("JWT")),
            ("cty", json!("JWT")),
        ] {
            forged.push(with(json!({ name: value })));
        }
        forged.push(format!("{}.{rest}", URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA","alg":"none"}"#)));
        forged
    })
    .await;
}

#[tokio::test]
async fn the_public_key_is_no_hmac_secret() {
    all_refused(|token, jwk| {
        let header = encoded(&json!({ "alg": "HS256", "typ": "at+jwt", "kid": jwk["kid"] }));
        let signed = format!("{header}.{}", token.split('.').nth(1).unwrap());
        let raw = URL_SAFE_NO_PAD.decode(jwk["x"].as_str().unwrap()).unwrap();
        let secrets = [raw, jwk["x"].as_str().unwrap().into(), jwk.to_string().into_bytes(), vec![]];
        let sign = |secret: &Vec<u8>| {
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
        };
        secrets.iter().map(sign).collect()
    })
    .await;
}

#[tokio::test]
async fn claims_cannot_be_changed_left_out_or_signed_by_nobody() {
    all_refused(|token, _| {
        let parts: Vec<_> = token.split('.').collect();
        let claims = part(token, 1);
        let mut forged = vec![
            format!("{}.{}.", parts[0], parts[1]),
            format!("{}.{}", parts[0], parts[1]),
            format!("{}..{}", parts[0], parts[2]),
            format!("{}.{}.{}", parts[0], parts[1], "A".repeat(86)),
            format!("{token}.{}.{}", parts[1], parts[2]),
            format!("{token}="),
            format!("{token}A"),
        ];
        for (name, value) in [
            ("exp", json!(i64::MAX)),
            ("exp", json!(null)),
            ("exp", json!("9999999999")),
            ("exp", json!(1.5e300)),
            ("exp", json!(-1)),
            ("iat", json!(9_999_999_999_i64)),
            ("aud", json!([])),
            ("aud", json!({})),
            ("ver", json!(99)),
            ("role", json!("superuser")),
            ("sub", json!("usr_00000000000000000000000000000000")),
        ] {
            let mut changed = claims.clone();
            changed[name] = value;
            forged.push(format!("{}.{}.{}", parts[0], encoded(&changed), parts[2]));
        }
        forged
    })
    .await;
}

#[tokio::test]
async fn a_bit_flipped_or_a_cut_anywhere_is_refused() {
    all_refused(|token, _| {
        let flip = |position: usize| {
            let mut bytes = token.as_bytes().to_vec();
            bytes[position] ^= 1;
            String::from_utf8(bytes).unwrap()
        };
        let positions = (0..token.len()).step_by(7);
        positions
            .clone()
            .map(flip)
            .chain(positions.filter(|at| *at > 0).map(|at| token[..at].to_owned()))
            .collect()
    })
    .await;
}

#[tokio::test]
async fn other_shapes_and_sizes_are_refused() {
    all_refused(|token, _| {
        let jwe = "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.a.b.c.d";
        let big = format!("{}.{}", "A".repeat(20_000), token);
        vec![
            jwe.into(),
            big,
            "..".into(),
            ".".into(),
            "null".into(),
            token.to_uppercase(),
            token.replace('.', ".."),
        ]
    })
    .await;
}

/// A24: whatever stands in the header, the answer is 401 and never 500.
#[tokio::test]
async fn malformed_authorization_headers_are_401() {
    let app = TestApp::new().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    let good = browser.access.clone();
    let ask = async |lines: Vec<Vec<u8>>| -> Answer {
        let mut call = app.client.get("/api/v1/auth/profile");
        for line in lines {
            call = call.header("authorization", line);
        }
        call.send().await
    };
    let odd: Vec<Vec<u8>> = vec![
        b"".into(),
        b"Bearer".into(),
        b"Bearer ".into(),
        b"Bearer\t".into(),
        b"Basic dXNlcjpwYXNz".into(),
        b"Digest username=x".into(),
        b"\xff\xfe\xfd".into(),
        b"Bearer \xff\xfe".into(),
        format!("Bearer{good}").into(),
        format!("Bearer {good} trailing").into(),
        format!("Bearer {good},{good}").into(),
        format!("Bearer \"{good}\"").into(),
        format!("Token {good}").into(),
        good.clone().into(),
        vec![b' '; 3_000],
        vec![b'A'; 20_000],
    ];
    for line in odd {
        let shown = String::from_utf8_lossy(&line).chars().take(60).collect::<String>();
        let answer = ask(vec![line]).await;
        assert_eq!(answer.status, 401, "{shown}");
        assert!(matches!(answer.code().as_str(), "access_token_invalid" | "access_token_missing"), "{shown}");
    }
    let bearer = format!("Bearer {good}").into_bytes();
    ask(vec![bearer.clone(), bearer.clone()]).await.expect(401).problem("access_token_invalid");
    ask(vec![b"Bearer x".into(), bearer.clone()]).await.expect(401);
    ask(vec![bearer]).await.expect(200);
}
