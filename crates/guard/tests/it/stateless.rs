//! Believing what a token says, because of who signed it.

use std::time::Duration;

use tenure_domain::user::Role;
use tenure_guard::{Freshness, Guard};

use crate::world::{CHECK, Issuer, JWKS, Trick, ask, ask_with};

/// With as much patience as a busy machine needs.
fn stateless(issuer: &Issuer) -> Guard {
    issuer.guard(Freshness::Stateless).timeout(Duration::from_secs(15)).build().unwrap()
}

/// For an issuer that hangs.
fn impatient(issuer: &Issuer) -> Guard {
    issuer.guard(Freshness::Stateless).timeout(Duration::from_millis(500)).build().unwrap()
}

#[tokio::test]
async fn a_token_is_believed_until_it_expires_and_nobody_is_asked() {
    let issuer = Issuer::start().await;
    let (ada, guard) = (issuer.ada().await, stateless(&issuer));
    let caller = ask_with(&guard, &ada.token).await.passed();
    assert_eq!((caller.user, caller.role), (Some(ada.id), Some(Role::User)));
    assert!(caller.session.is_some() && caller.account.is_none() && caller.email.is_none());
    ask(&guard, &[]).await.refused(401, "access_token_missing");
    ask_with(&guard, "garbage").await.refused(401, "access_token_invalid");
    ask_with(&guard, "tnr1_AAAA").await.refused(401, "wrong_token_type");
    ask_with(&guard, &format!("{}A", ada.token)).await.refused(401, "access_token_invalid");
    // What it says is so, and how old: the price of not asking.
    issuer.end_sessions(&ada).await;
    ask_with(&guard, &ada.token).await.passed();
    issuer.clock.advance(Duration::from_secs(901));
    ask_with(&guard, &ada.token).await.refused(401, "access_token_expired");
    assert_eq!(issuer.asked(CHECK), 0);
}

#[tokio::test]
async fn another_audience_and_another_issuer_are_refused() {
    let issuer = Issuer::start().await;
    let ada = issuer.ada().await;
    let other = issuer.guard(Freshness::Stateless).audience("billing").build().unwrap();
    ask_with(&other, &ada.token).await.refused(401, "access_token_invalid");
    let stranger = Issuer::start().await;
    stranger.ada().await;
    ask_with(&stateless(&stranger), &ada.token).await.refused(401, "access_token_invalid");
}

#[tokio::test]
async fn what_cannot_be_verified_here_is_not_accepted() {
    let issuer = Issuer::start().await;
    let (ada, guard) = (issuer.ada().await, stateless(&issuer));
    let (key, bearer) = (issuer.api_key(&ada, "a").await, format!("Bearer {}", ada.token));
    ask(&guard, &[("x-api-key", &key)]).await.refused(401, "wrong_token_type");
    ask(&guard, &[("x-api-key", &key), ("authorization", &bearer)]).await.refused(401, "wrong_token_type");
    ask_with(&guard, &key).await.refused(401, "wrong_token_type");
    let twice = [("authorization", bearer.as_str()), ("authorization", &bearer)];
    ask(&guard, &twice).await.refused(401, "access_token_invalid");
}

#[tokio::test]
async fn a_new_key_is_found_and_made_up_ones_are_no_load() {
    let issuer = Issuer::start().await;
    let (ada, guard) = (issuer.ada().await, stateless(&issuer));
    ask_with(&guard, &ada.token).await.passed();
    assert_eq!(issuer.asked(JWKS), 1);
    issuer.rotate().await;
    let fresh = issuer.sign_in().await;
    // Asked a moment ago: not again yet, however often. So nobody knows whether there is such a key.
    for _ in 0..20 {
        ask_with(&guard, &fresh).await.refused(503, "storage_unavailable");
    }
    assert_eq!(issuer.asked(JWKS), 1);
    issuer.clock.advance(Duration::from_secs(10));
    ask_with(&guard, &fresh).await.passed();
    ask_with(&guard, &ada.token).await.passed();
    assert_eq!(issuer.asked(JWKS), 2);

    let stranger = Issuer::start().await;
    let foreign = stranger.ada().await.token;
    issuer.clock.advance(Duration::from_secs(10));
    // The first one had the issuer asked, which has no such key; of the others nobody knows.
    ask_with(&guard, &foreign).await.refused(401, "access_token_invalid");
    for _ in 0..20 {
        ask_with(&guard, &foreign).await.refused(503, "storage_unavailable");
        ask_with(&guard, "e30.e30.AA").await.refused(401, "access_token_invalid");
    }
    assert_eq!(issuer.asked(JWKS), 3);
}

#[tokio::test]
async fn all_callers_share_one_fetch() {
    let issuer = Issuer::start().await;
    let (ada, guard) = (issuer.ada().await, stateless(&issuer));
    let asking = (0..50).map(|_| {
        let (guard, token) = (guard.clone(), ada.token.clone());
        tokio::spawn(async move { ask_with(&guard, &token).await.passed() })
    });
    for one in asking.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    assert_eq!(issuer.asked(JWKS), 1);
}

#[tokio::test]
async fn whoever_hangs_up_has_nothing_fetched_anew() {
    let issuer = Issuer::start().await;
    let (ada, guard) = (issuer.ada().await, impatient(&issuer));
    issuer.trick(Trick::Hangs);
    let (hasty, token) = (guard.clone(), ada.token.clone());
    let asking = tokio::spawn(async move { ask_with(&hasty, &token).await });
    while issuer.asked(JWKS) == 0 {
        tokio::task::yield_now().await;
    }
    asking.abort();
    assert!(asking.await.is_err());
    ask_with(&guard, &ada.token).await.refused(503, "storage_unavailable");
    assert_eq!(issuer.asked(JWKS), 1);
}

#[tokio::test]
async fn keys_are_fetched_again_when_their_time_is_over() {
    let issuer = Issuer::start().await;
    let (ada, guard) = (issuer.ada().await, stateless(&issuer));
    for (seconds, fetches) in [(0, 1), (299, 1), (1, 2), (1, 2)] {
        issuer.clock.advance(Duration::from_secs(seconds));
        ask_with(&guard, &ada.token).await.passed();
        assert_eq!(issuer.asked(JWKS), fetches, "{seconds}");
    }
}

#[tokio::test]
async fn it_goes_on_with_the_keys_it_has_and_is_503_without_any() {
    let mut issuer = Issuer::start().await;
    let (ada, guard) = (issuer.ada().await, stateless(&issuer));
    ask_with(&guard, &ada.token).await.passed();
    issuer.clock.advance(Duration::from_secs(400));
    issuer.rotate().await;
    let unknown = issuer.sign_in().await;
    issuer.stop().await;
    ask_with(&guard, &ada.token).await.passed();
    ask_with(&guard, "garbage").await.refused(401, "access_token_invalid");
    // Whether there is such a key nobody knows now.
    ask_with(&guard, &unknown).await.refused(503, "storage_unavailable");
    let newcomer = stateless(&issuer);
    for token in [ada.token.as_str(), "garbage"] {
        ask_with(&newcomer, token).await.refused(503, "storage_unavailable");
    }
}

#[tokio::test]
async fn a_key_that_was_stolen_and_retired_is_not_good_for_as_long_as_nobody_can_say_so() {
    let mut issuer = Issuer::start().await;
    let (ada, guard) = (issuer.ada().await, stateless(&issuer));
    ask_with(&guard, &ada.token).await.passed();
    issuer.rotate_and_retire().await;
    issuer.stop().await;
    // A second has passed with the rotation.
    issuer.clock.advance(Duration::from_secs(598));
    ask_with(&guard, &ada.token).await.passed();
    issuer.clock.advance(Duration::from_secs(1));
    // Nor is it said that it is not good: nobody knows.
    for _ in 0..2 {
        ask_with(&guard, &ada.token).await.refused(503, "storage_unavailable");
    }
    issuer.start_again().await;
    issuer.clock.advance(Duration::from_secs(1));
    ask_with(&guard, &ada.token).await.refused(401, "access_token_invalid");
}

#[tokio::test]
async fn what_is_no_key_set_takes_the_place_of_none() {
    let issuer = Issuer::start().await;
    let (ada, guard) = (issuer.ada().await, stateless(&issuer));
    ask_with(&guard, &ada.token).await.passed();
    let answers = |status, body: &str| Trick::Answers(status, vec![], body.to_owned());
    for trick in [
        // While the keys that are there are not yet fetched again.
        Trick::Hangs,
        answers(200, "<h1>Welcome</h1>"),
        answers(200, r#"{"keys":[]}"#),
        answers(302, ""),
        answers(500, ""),
    ] {
        issuer.trick(trick);
        issuer.clock.advance(Duration::from_secs(60));
        ask_with(&impatient(&issuer), &ada.token).await.refused(503, "storage_unavailable");
        ask_with(&guard, &ada.token).await.passed();
    }
    issuer.clock.advance(Duration::from_secs(60));
    ask_with(&guard, &ada.token).await.passed();
}
