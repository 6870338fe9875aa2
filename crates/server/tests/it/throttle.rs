//! Floods and guesses: they are limited, and never at the cost of whoever is signed in.

mod scopes;

use serde_json::{Value, json};

use crate::world::{Answer, Call, MINUTE, PASSWORD, Setup, TestApp, at_once};

fn login(app: &TestApp, email: &str, password: &str) -> Call {
    app.client.post("/api/v1/auth/login", &json!({ "email": email, "password": password }))
}

fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

/// A21: a lockout is not beaten by parallel tries.
#[tokio::test]
async fn of_two_hundred_guesses_at_once_no_more_than_the_limit_are_looked_at() {
    let app = Setup::default().set("LIMITS__SIGN_IN_PER_ACCOUNT_PER_MINUTE", "10").start().await;
    let user = app.user("ada").await;
    let mut browser = app.signed_in(&user).await;
    let hashed = app.metric("password_hash_duration_seconds_count");
    let guesses = at_once((0..200).map(|n| login(&app, &user.email, &format!("guess number {n}")))).await;
    assert!(count(&guesses, 401) <= 9, "one was spent on the honest sign-in");
    assert_eq!(count(&guesses, 401) + count(&guesses, 429), 200);
    assert_eq!(app.metric("password_hash_duration_seconds_count") - hashed, count(&guesses, 401) as f64);
    for limited in guesses.iter().filter(|answer| answer.status == 429) {
        assert!(limited.problem("rate_limited")["retry_after"].as_u64().unwrap() >= 1);
    }
    // Even the right password waits now; whoever is signed in does not.
    login(&app, &user.email, PASSWORD).send().await.expect(429);
    browser.refresh().await.expect(200);
    browser.profile().await.expect(200);
    login(&app, "bob@example.com", "a guess at somebody else").send().await.expect(401);
    app.clock.advance(MINUTE);
    login(&app, &user.email, PASSWORD).send().await.expect(200);
}

#[tokio::test]
async fn waiting_as_long_as_retry_after_says_is_long_enough() {
    let app = Setup::default().set("LIMITS__SIGN_IN_PER_ACCOUNT_PER_MINUTE", "6").start().await;
    let user = app.user("ada").await;
    for _ in 0..6 {
        login(&app, &user.email, "a wrong guess").send().await.expect(401);
    }
    let limited = login(&app, &user.email, PASSWORD).send().await.expect(429);
    let seconds = limited.json()["retry_after"].as_u64().unwrap();
    assert!(seconds <= 60);
    app.clock.advance(std::time::Duration::from_secs(seconds));
    login(&app, &user.email, PASSWORD).send().await.expect(200);
}

#[tokio::test]
async fn spellings_of_one_address_share_one_bucket() {
    let app = Setup::default().set("LIMITS__SIGN_IN_PER_ACCOUNT_PER_MINUTE", "3").start().await;
    for spelling in ["ada@example.com", "ADA@example.com", " ada@EXAMPLE.com"] {
        login(&app, spelling, "a wrong guess").send().await.expect(401);
    }
    login(&app, "ada\u{FF20}example.com", "a wrong guess").send().await.expect(429);
}

#[tokio::test]
async fn forwarded_addresses_from_anybody_do_not_make_new_buckets() {
    let app = Setup::default().set("LIMITS__SIGN_IN_PER_ADDRESS_PER_MINUTE", "5").start().await;
    let calls = (0..50).map(|n| {
        let call = login(&app, &format!("user{n}@example.com"), "a wrong guess");
        call.header("x-forwarded-for", format!("203.0.113.{n}"))
            .header("x-real-ip", format!("198.51.100.{n}"))
    });
    assert!(count(&at_once(calls).await, 401) <= 5);
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_address_has_its_own_bucket_and_no_client_can_choose_it() {
    let app = Setup::default()
        .set("SERVER__TRUSTED_PROXIES", "[\"127.0.0.1\"]")
        .set("LIMITS__SIGN_IN_PER_ADDRESS_PER_MINUTE", "2")
        .start()
        .await;
    let from = async |forwarded: &str| {
        login(&app, "ada@example.com", "a wrong guess")
            .header("x-forwarded-for", forwarded)
            .send()
            .await
            .status
    };
    assert_eq!(
        [from("203.0.113.1").await, from("203.0.113.1").await, from("203.0.113.1").await],
        [401, 401, 429]
    );
    assert_eq!(from("203.0.113.2").await, 401);
    // What the client wrote in front of what the proxy added does not count.
    assert_eq!(from("1.2.3.4, 203.0.113.1").await, 429);
}

#[tokio::test]
async fn an_unknown_user_and_a_wrong_password_cannot_be_told_apart() {
    let app = TestApp::new().await;
    app.user("ada").await;
    let ask = async |email: &str, password: &str| {
        let before = app.metric("password_hash_duration_seconds_count");
        let answer = login(&app, email, password).header("x-request-id", "same-request-id").send().await;
        let hashes = app.metric("password_hash_duration_seconds_count") - before;
        let mut names: Vec<_> =
            answer.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        // What is left of the sender's own attempts is the sender's business, whomever they were at.
        names.retain(|(name, _)| name != "date" && !name.as_str().starts_with("ratelimit"));
        (answer.status, answer.json(), names, hashes)
    };
    let wrong = ask("ada@example.com", "a wrong guess").await;
    let unknown = ask("nobody@example.com", "a wrong guess").await;
    let no_address = ask("nobody", "a wrong guess").await;
    assert_eq!(wrong.3, 1.0, "one hash");
    assert_eq!(wrong, unknown);
    assert_eq!(wrong, no_address);
}

/// More sign-ins than the hashing threads and their queue take.
#[tokio::test]
async fn an_overflow_of_the_password_queue_is_503_while_refreshes_go_on() {
    let app = Setup::default()
        .set("PASSWORD__WORKERS", "1")
        .set("PASSWORD__QUEUE", "2")
        .set("PASSWORD__MEMORY_KIB", "65536")
        .set("PASSWORD__PASSES", "2")
        .start()
        .await;
    let user = app.user("ada").await;
    let mut browser = app.signed_in(&user).await;
    app.expect_failure("overloaded");
    let flood = at_once((0..30).map(|_| login(&app, &user.email, PASSWORD)));
    let refreshes = async {
        for _ in 0..20 {
            browser.refresh().await.expect(200);
        }
    };
    let (flood, ()) = tokio::join!(flood, refreshes);
    let (served, shed) = (count(&flood, 200), count(&flood, 503));
    assert!(served >= 1 && shed >= 1 && served + shed == 30, "{served} {shed}");
    for answer in flood.iter().filter(|answer| answer.status == 503) {
        answer.problem("overloaded");
    }
    login(&app, &user.email, PASSWORD).send().await.expect(200);
    assert_eq!(app.metric("password_hash_queue_depth"), 0.0, "the gauge comes back down");
}

/// C43: a thousand refreshes of many people behind one address.
#[tokio::test]
async fn c43_many_people_behind_one_address_are_never_in_each_others_way() {
    let app = Setup::default().set("LIMITS__SIGN_IN_PER_ADDRESS_PER_MINUTE", "25").start().await;
    let mut browsers = vec![];
    for n in 0..20 {
        browsers.push(app.signed_in(&app.user(&format!("user{n}")).await).await);
    }
    let calls: Vec<_> = (0..50).flat_map(|_| browsers.iter().map(|browser| browser.refresh_call())).collect();
    let answers = at_once(calls).await;
    assert_eq!((answers.len(), count(&answers, 200)), (1_000, 1_000));
}

#[tokio::test]
async fn limits_never_answer_what_could_sign_out() {
    let app = Setup::default()
        .set("LIMITS__REFRESH_PER_SESSION_PER_MINUTE", "5")
        .set("LIMITS__SIGN_IN_PER_ADDRESS_PER_MINUTE", "5")
        .start()
        .await;
    let user = app.user("ada").await;
    let browser = app.signed_in(&user).await;
    let answers = at_once((0..100).map(|_| browser.refresh_call())).await;
    let classes: Vec<Value> =
        answers.iter().filter(|a| a.status != 200).map(|a| a.json()["class"].clone()).collect();
    assert!(classes.len() >= 90 && classes.iter().all(|class| class == "transport"), "{}", classes.len());
    app.clock.advance(MINUTE);
    browser.send_refresh().await.expect(200);
}
