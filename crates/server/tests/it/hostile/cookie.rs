//! Cookie headers that were tampered with: flipped, cut, doubled, tossed from a sibling domain.

use crate::world::{Browser, QUIET, TestApp, at_once};

const REFRESH: &str = "/api/v1/auth/refresh";

async fn still_signed_in(browser: &mut Browser) {
    browser.profile().await.expect(200);
    browser.refresh().await.expect(200);
}

#[tokio::test]
async fn a_bit_flipped_or_a_cut_in_the_value_is_not_found_and_ends_nothing() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    let (name, value) = (browser.cookies().only().name.clone(), browser.token());
    let mut forged = vec![];
    for position in (0..value.len()).step_by(3) {
        let mut bytes = value.clone().into_bytes();
        bytes[position] ^= 1 << (position % 3);
        forged.push(String::from_utf8(bytes).unwrap());
        forged.push(value[..position].to_owned());
    }
    forged.extend(["A", "=", "==", " ", "\t", "%00"].map(|extra| format!("{value}{extra}x")));
    let calls = forged
        .iter()
        .map(|forged| app.client.call("POST", REFRESH).header("cookie", format!("{name}={forged}")));
    for (answer, forged) in at_once(calls).await.into_iter().zip(&forged) {
        assert_eq!(answer.status, 401, "{forged}");
        answer.without_cookies().problem("session_not_found");
    }
    still_signed_in(&mut browser).await;
}

#[tokio::test]
async fn a_value_under_another_sessions_name_is_ignored() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let (mut one, two) = (app.signed_in(&user).await, app.signed_in(&user).await);
    let crossed = format!("{}={}", one.cookies().only().name, two.token());
    app.client.refresh_with(&crossed).await.expect(401).without_cookies().problem("session_not_found");
    app.client.call("DELETE", REFRESH).header("cookie", crossed).send().await.expect(204).without_cookies();
    still_signed_in(&mut one).await;
}

#[tokio::test]
async fn quoted_padded_and_odd_pairs_are_not_taken_for_a_session() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    let (name, value) = (browser.cookies().only().name.clone(), browser.token());
    for line in [
        format!("{name}=\"{value}\""),
        format!("{name} ={value}"),
        format!("{}={value}", name.to_uppercase()),
        format!("{name}={value}; "),
        format!("; ; ;{name}={value}"),
        format!("{name}={value}\t"),
        name.clone(),
        format!("{name}="),
        "=".into(),
        ";;;;".into(),
        format!("{name}=%74nr1_{}", &value[5..]),
    ] {
        let answer = app.client.refresh_with(&line).await;
        assert!(matches!(answer.status, 200 | 401), "{line}: {}", answer.status);
    }
    still_signed_in(&mut browser).await;
}

/// A sibling subdomain may toss cookies of the same name at us, older or made up.
#[tokio::test]
async fn tossed_cookies_of_the_same_name_do_not_displace_the_newest_real_one() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    let old = browser.cookie_header(REFRESH);
    for _ in 0..3 {
        app.clock.advance(QUIET);
        browser.refresh().await.expect(200);
    }
    let (name, good) = (browser.cookies().only().name.clone(), browser.cookie_header(REFRESH));
    for line in [
        format!("{old}; {good}"),
        format!("{good}; {old}"),
        format!("{name}=garbage; {good}; {name}=tnr1_more"),
        format!("{good}; {good}; {good}"),
    ] {
        app.client.refresh_with(&line).await.expect(200);
    }
    let call = app.client.call("POST", REFRESH).header("cookie", &old).header("cookie", &good);
    call.send().await.expect(200);
    assert_eq!(app.metric("tenure_dead_token_total"), 0.0);
    still_signed_in(&mut browser).await;
}

/// A9: what an attacker planted before the sign-in is not what the sign-in hands out.
#[tokio::test]
async fn a_planted_session_is_neither_taken_over_nor_served_after_a_sign_in() {
    let app = TestApp::new().await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    let evil = app.signed_in(&eve).await;
    let mut browser = app.browser();
    browser.set_cookies(evil.cookies());
    app.clock.advance(crate::world::SECOND);
    let answer = browser.sign_in(&ada).await;
    assert_ne!(answer.session_id(), evil.session);
    for _ in 0..3 {
        assert_eq!(browser.refresh().await.json()["user"]["id"], serde_json::json!(ada.id));
        app.clock.advance(QUIET);
    }
}

#[tokio::test]
async fn two_hundred_cookies_and_values_of_8_kib_are_looked_through() {
    let app = TestApp::new().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    let good = browser.cookie_header(REFRESH);
    let many: String = (0..200).map(|n| format!("tenure_{n:08x}=tnr1_{n}; ")).collect();
    app.client.refresh_with(&format!("{many}{good}")).await.expect(200);
    app.client.refresh_with(&many).await.expect(401).problem("session_not_found");
    let big = "x".repeat(8 * 1024);
    app.client.refresh_with(&format!("tenure_00000000={big}; {good}")).await.expect(200);
    app.client.refresh_with(&format!("other={big}; {good}")).await.expect(200);
    let call = app.client.call("POST", REFRESH).header("cookie", b"tenure_00000000=\xff\xfe".as_slice());
    call.header("cookie", &good).send().await.expect(200);
}

/// A18: a token of another server, environment or deployment.
#[tokio::test]
async fn a_session_of_another_server_is_none_here() {
    let (here, there) = (TestApp::new().await, crate::world::Setup::default().secret(7).start().await);
    let browser = there.signed_in(&there.user("ada").await).await;
    let answer = here.client.refresh_with(&browser.cookie_header(REFRESH)).await;
    answer.expect(401).without_cookies().problem("session_not_found");
    here.client.profile(&browser.access).await.expect(401).problem("access_token_invalid");
}
