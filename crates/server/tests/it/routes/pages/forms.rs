//! The forms of the pages, as a browser without scripts posts them.

use tenure_domain::ends::{Actor, EndReason};
use tenure_store::{EndOrder, StoreError};

use super::value_of;
use crate::world::{Answer, Browser, Call, DAY, Fault, PASSWORD, Setup, TestApp};

const FORM: &str = "application/x-www-form-urlencoded";

fn encoded(fields: &[(&str, &str)]) -> String {
    let url = reqwest::Url::parse_with_params("http://x", fields).unwrap();
    url.query().unwrap_or_default().to_owned()
}

/// The form, sent by no browser in particular.
pub fn post(app: &TestApp, path: &str, fields: &[(&str, &str)]) -> Call {
    app.client.call("POST", path).body(FORM, encoded(fields))
}

async fn submit(browser: &mut Browser, path: &str, fields: &[(&str, &str)]) -> Answer {
    let answer = browser.call("POST", path).body(FORM, encoded(fields)).send().await;
    browser.receive(&answer);
    answer
}

/// What a refused form is told: a page with the policy of every page, and nothing that could be kept.
#[track_caller]
fn message(answer: &Answer) -> String {
    assert!(answer.is_page(), "{answer:?}");
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!((answer.header("cache-control"), answer.header("etag")), ("no-store", ""));
    assert_eq!(answer.set_cookies(), Vec::<&str>::new());
    let text = answer.text();
    let (_, message) = text.split_once("role=\"alert\">").unwrap();
    message.split_once("</p>").unwrap().0.to_owned()
}

#[tokio::test]
async fn a_form_signs_in_and_leads_to_where_one_wanted_to_go() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    for (remember, days) in [(true, 20), (false, 1)] {
        let mut browser = app.browser();
        let mut fields =
            vec![("email", user.email.as_str()), ("password", PASSWORD), ("return_to", "/x?y=1")];
        fields.extend(remember.then_some(("remember_me", "on")));
        let answer = submit(&mut browser, "/sign-in", &fields).await.expect(303);
        assert_eq!((answer.header("location"), answer.text().as_str()), ("/x?y=1", ""));
        assert_eq!(answer.set_cookies().len(), 1);
        assert_eq!(answer.set_cookies()[0].contains("Max-Age"), remember);
        let session = browser.refresh().await.expect(200).json()["session"].clone();
        assert_eq!(session["remembered"], remember);
        assert_eq!(session["expires_at"], (app.clock.get() + DAY * days).as_ms());
        browser.profile().await.expect(200);
    }
    let counted = app.metric("sign_in_attempts_total{method=\"password\",outcome=\"ok\"}");
    assert_eq!(counted, 2.0, "counted as every sign-in");
}

#[tokio::test]
async fn in_production_the_cookie_of_a_form_is_secure_and_prefixed() {
    let app = Setup::default().production().start().await;
    let user = app.user("ada").await;
    let mut browser = app.browser();
    let fields = [("email", user.email.as_str()), ("password", PASSWORD)];
    let answer = submit(&mut browser, "/sign-in", &fields).await.expect(303);
    assert_eq!(answer.header("location"), "/account");
    browser.refresh().await.expect(200);
}

#[tokio::test]
async fn wrong_credentials_are_one_page_whatever_was_wrong() {
    let app = TestApp::new().await;
    app.user("ada").await;
    for (email, password) in [
        ("ada@example.com", "a wrong password of Ada's"),
        ("nobody@example.com", PASSWORD),
        ("\"><script>alert(1)</script>{{config}}", "a wrong password of Ada's"),
        ("ada@example.com", ""),
    ] {
        let fields = [("email", email), ("password", password), ("remember_me", "on"), ("return_to", "/x")];
        let answer = post(&app, "/sign-in", &fields).send().await.expect(401);
        assert_eq!(message(&answer), "E-mail or password is wrong.");
        let page = answer.text();
        assert_eq!(value_of(&page, "email", "value"), email);
        assert_eq!(value_of(&page, "return_to", "value"), "/x");
        assert!(page.contains("name=\"remember_me\" checked>"), "what was ticked stays ticked: {page}");
        assert!(!page.contains("alert(1)</script>"), "{page}");
        assert!(password.is_empty() || (!page.contains(password) && !app.log().contains(password)));
    }
    let line = app.log_lines().pop().unwrap();
    assert_eq!((&line["path"], &line["code"]), (&"/sign-in".into(), &"invalid_credentials".into()));
    post(&app, "/sign-in", &[]).send().await.expect(401);
}

#[tokio::test]
async fn what_the_api_refuses_the_form_refuses_in_its_words_and_with_its_status() {
    let app = Setup::default().set("LIMITS__SIGN_IN_PER_ACCOUNT_PER_MINUTE", "4").start().await;
    let user = app.user("ada").await;
    let fields = [("email", user.email.as_str()), ("password", PASSWORD)];
    let order = EndOrder {
        reason: EndReason::UserDisabled,
        actor: Actor::User,
        note: None,
        whence: Default::default(),
    };
    app.store().user_disable(user.id, order, app.clock.get()).await.unwrap();
    let disabled = post(&app, "/sign-in", &fields).send().await.expect(403);
    assert_eq!(message(&disabled), "This account has been disabled.");
    app.store().user_enable(user.id, crate::world::decree(), app.clock.get()).await.unwrap();

    app.expect_failure("storage_unavailable");
    app.faults.set("session_create", Fault::Fails(StoreError::Unavailable("gone".into())));
    let failed = post(&app, "/sign-in", &fields).send().await.expect(503);
    assert_eq!(message(&failed), "The store cannot be reached just now.");
    assert_eq!(failed.header("retry-after"), "1");
    app.faults.clear();

    // Both ways in share their buckets: two attempts are left, one is taken here, one by the API.
    post(&app, "/sign-in", &fields).send().await.expect(303);
    app.client.login(&user.email, PASSWORD).await.expect(200);
    app.client.login(&user.email, PASSWORD).await.expect(429);
    let limited = post(&app, "/sign-in", &fields).send().await.expect(429);
    let seconds: u64 = limited.header("retry-after").parse().unwrap();
    assert_eq!(message(&limited), format!("Too many attempts. Try again in {seconds} seconds."));
    app.clock.advance(std::time::Duration::from_secs(seconds));
    post(&app, "/sign-in", &fields).send().await.expect(303);
}

/// What `knows_target` refuses is listed beside it; here is what a browser is told for the worst of it.
#[tokio::test]
async fn a_form_leads_to_no_foreign_place() {
    let setup = Setup::default().production().set("ORIGINS__ALLOWED", "[\"https://app.example.com\"]");
    let app = setup.start().await;
    let user = app.user("ada").await;
    for (wanted, location) in [
        ("https://app.example.com/x", "https://app.example.com/x"),
        ("https://id.example.com/x", "https://id.example.com/x"),
        ("/x%0d%0aSet-Cookie:%20a=b", "/x%0d%0aSet-Cookie:%20a=b"),
        ("", "/account"),
        ("//evil.example", "/account"),
        ("/\\evil.example", "/account"),
        ("/\t/evil.example", "/account"),
        ("javascript:alert(1)", "/account"),
        ("data:text/html,x", "/account"),
        ("/x\r\nSet-Cookie: a=b", "/account"),
        ("https:evil.example", "/account"),
        ("https://app.example.com@evil.example/", "/account"),
        ("https://app.example.com.evil.example/", "/account"),
        ("https://app\u{3002}example.com/", "/account"),
        ("http://app.example.com/", "/account"),
        ("http://localhost:5173/", "/account"),
    ] {
        let fields = [("email", user.email.as_str()), ("password", PASSWORD), ("return_to", wanted)];
        let answer = post(&app, "/sign-in", &fields).send().await.expect(303);
        assert_eq!(answer.headers.get_all("location").iter().collect::<Vec<_>>(), [location], "{wanted:?}");
        assert_eq!(answer.set_cookies().len(), 1);
    }
}

#[tokio::test]
async fn a_form_registers_and_signs_in() {
    let app = TestApp::new().await;
    let mut browser = app.browser();
    let fields = [
        ("email", "ada@example.com"),
        ("password", PASSWORD),
        ("name", "Ada Lovelace & Co"),
        ("remember_me", "on"),
        ("return_to", "/x"),
    ];
    let answer = submit(&mut browser, "/sign-up", &fields).await.expect(303);
    assert_eq!(answer.header("location"), "/x");
    let body = browser.refresh().await.expect(200).json();
    assert_eq!((&body["user"]["name"], &body["session"]["remembered"]), (&fields[2].1.into(), &true.into()));

    let taken = post(&app, "/sign-up", &fields).send().await.expect(409);
    assert_eq!(message(&taken), "Somebody is registered under that address; sign in instead.");
    assert_eq!(value_of(&taken.text(), "name", "value"), "Ada Lovelace & Co");
    assert_eq!(value_of(&taken.text(), "email", "value"), "ada@example.com");
}

#[tokio::test]
async fn a_registration_is_told_all_that_is_wrong_at_once() {
    let app = TestApp::new().await;
    let fields = [("email", "nobody"), ("password", "h4rdly"), ("name", "")];
    let answer = post(&app, "/sign-up", &fields).send().await.expect(422);
    let message = message(&answer);
    for part in ["E-mail: not an e-mail address", "Name: a name has", "Password: use at least 8 characters."]
    {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!(value_of(&answer.text(), "email", "value"), "nobody");
    assert!(!answer.text().contains("h4rdly"));
}

#[tokio::test]
async fn registration_that_does_not_sign_in_leads_to_signing_in() {
    let app = Setup::default().set("REGISTRATION__AUTO_SIGN_IN", "false").start().await;
    let person = [("email", "ada@example.com"), ("password", PASSWORD), ("name", "Ada")];
    let fields = [&person[..], &[("return_to", "/x?y=1&z")]].concat();
    let answer = post(&app, "/sign-up", &fields).send().await.expect(303).without_cookies();
    assert_eq!(answer.header("location"), "/sign-in?return_to=/x?y=1%26z");
    app.client.login("ada@example.com", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn where_registration_is_closed_the_form_says_so() {
    let app = Setup::default().set("REGISTRATION__OPEN", "false").start().await;
    let fields = [("email", "ada@example.com"), ("password", PASSWORD), ("name", "Ada")];
    let answer = post(&app, "/sign-up", &fields).send().await.expect(403);
    assert_eq!(message(&answer), "New users are added by an administrator here.");
    app.client.login("ada@example.com", PASSWORD).await.expect(401);
}

#[tokio::test]
async fn only_a_form_of_reasonable_size_is_read() {
    let app = TestApp::new().await;
    for path in ["/sign-in", "/sign-up"] {
        let send = async |kind: &str, body: &str| app.client.call("POST", path).body(kind, body).send().await;
        for kind in ["application/json", "text/plain", "multipart/form-data; boundary=x", "x"] {
            send(kind, "email=a").await.expect(415).problem("unsupported_media_type");
        }
        let packed = app.client.call("POST", path).header("content-encoding", "gzip").body(FORM, "email=a");
        packed.send().await.expect(415).problem("unsupported_media_type");
        let large = format!("email={}", "x".repeat(16 * 1024));
        send(FORM, &large).await.expect(413).problem("payload_too_large");
        let twice = send(FORM, "password=first+secret&password=second+secret").await.expect(422);
        twice.problem("validation_failed");
        assert!(!twice.text().contains("secret"), "{}", twice.text());
        let utf8 = format!("{FORM}; charset=utf-8");
        assert!(send(&utf8, "email=%ff%fe&password=%00").await.is_page());
    }
}

/// A page whose referrer policy hid the sender would have its own forms refused.
#[tokio::test]
async fn a_form_from_a_page_of_ours_is_taken_and_one_from_elsewhere_touches_nothing() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let fields = [("email", user.email.as_str()), ("password", PASSWORD)];
    let ours = app.origin().to_owned();
    for (origin, site, status) in [
        (ours.as_str(), "same-origin", 303),
        ("null", "cross-site", 403),
        ("https://evil.example", "cross-site", 403),
        (ours.as_str(), "cross-site", 403),
        ("null", "same-origin", 403),
    ] {
        let call = post(&app, "/sign-in", &fields).header("origin", origin).header("sec-fetch-site", site);
        let answer = call.send().await.expect(status);
        assert_eq!(answer.set_cookies().len(), usize::from(status == 303), "{origin} {site}");
    }
}
