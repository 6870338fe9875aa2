//! Asking the issuer for each request.

use std::time::Duration;

use tenure_domain::user::Role;
use tenure_guard::{Freshness, Guard};

use crate::world::{CHECK, Issuer, Trick, ask, ask_with};

fn strict(issuer: &Issuer) -> Guard {
    issuer.guard(Freshness::Strict).build().unwrap()
}

#[tokio::test]
async fn the_issuer_says_who_it_is_and_who_may_not() {
    let issuer = Issuer::start().await;
    let (ada, guard) = (issuer.ada().await, strict(&issuer));
    let caller = ask_with(&guard, &ada.token).await.passed();
    assert_eq!((caller.user, caller.account), (Some(ada.id), Some(ada.account)));
    assert_eq!((caller.role, caller.email.as_deref()), (Some(Role::User), Some("ada@example.com")));
    assert!(caller.session.is_some() && caller.key.is_none() && caller.scopes.is_empty());
    ask(&guard, &[]).await.refused(401, "access_token_missing");
    ask_with(&guard, "garbage").await.refused(401, "access_token_invalid");
    ask_with(&guard, "tnr1_AAAA").await.refused(401, "wrong_token_type");
    issuer.clock.advance(Duration::from_secs(901));
    ask_with(&guard, &ada.token).await.refused(401, "access_token_expired");
    assert_eq!(issuer.asked(CHECK), 5);
}

#[tokio::test]
async fn a_session_that_was_ended_is_refused_by_the_next_request() {
    let issuer = Issuer::start().await;
    let (ada, guard) = (issuer.ada().await, strict(&issuer));
    ask_with(&guard, &ada.token).await.passed();
    issuer.end_sessions(&ada).await;
    ask_with(&guard, &ada.token).await.refused(401, "access_token_revoked");
}

#[tokio::test]
async fn what_is_required_is_refused_in_the_issuers_words() {
    let issuer = Issuer::start().await;
    let ada = issuer.ada().await;
    let requiring =
        |what: &str| issuer.guard(Freshness::Strict).require(what.parse().unwrap()).build().unwrap();
    let active = requiring("active_account");
    ask_with(&active, &ada.token).await.passed();
    ask_with(&requiring("plan:pro|team"), &ada.token).await.refused(402, "plan_missing");
    ask_with(&requiring("permission:reports.read"), &ada.token).await.refused(403, "permission_denied");
    issuer.suspend(&ada).await;
    let problem = ask_with(&active, &ada.token).await.refused(403, "account_suspended");
    assert_eq!(problem["detail"], "Your account is suspended.");
    // Of the request, and not of anything the guard could have made up.
    assert!(problem["request_id"].is_string());
    ask_with(&strict(&issuer), &ada.token).await.passed();
}

#[tokio::test]
async fn a_program_shows_an_api_key() {
    let issuer = Issuer::start().await;
    let (ada, guard) = (issuer.ada().await, strict(&issuer));
    let key = issuer.api_key(&ada, "orders.read").await;
    for headers in [("x-api-key", key.clone()), ("authorization", format!("Bearer {key}"))] {
        let caller = ask(&guard, &[(headers.0, &headers.1)]).await.passed();
        assert_eq!((caller.user, caller.role, caller.account), (None, None, Some(ada.account)));
        assert!(caller.key.is_some());
        assert_eq!(caller.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>(), ["orders.read"]);
    }
    ask(&guard, &[("x-api-key", "tnk1_no")]).await.refused(401, "access_token_invalid");
}

#[tokio::test]
async fn whoever_asks_too_often_is_told_so_and_when_to_come_back() {
    let issuer = Issuer::start_with(&[("TENURE_LIMITS__API_PER_CALLER_PER_MINUTE", "2")]).await;
    let (ada, guard) = (issuer.ada().await, strict(&issuer));
    let mut answer = ask_with(&guard, &ada.token).await;
    while answer.status == 200 {
        answer = ask_with(&guard, &ada.token).await;
    }
    let wait = answer.headers["retry-after"].to_str().unwrap().to_owned();
    assert_eq!(answer.refused(429, "rate_limited")["retry_after"].to_string(), wait);
}

#[tokio::test]
async fn an_issuer_that_is_away_is_503_and_never_401() {
    let mut issuer = Issuer::start().await;
    let (ada, guard) = (issuer.ada().await, strict(&issuer));
    ask_with(&guard, &ada.token).await.passed();
    issuer.stop().await;
    for token in [ada.token.as_str(), "garbage"] {
        ask_with(&guard, token).await.refused(503, "storage_unavailable");
    }
    ask(&guard, &[]).await.refused(503, "storage_unavailable");
}

#[tokio::test]
async fn whoever_answers_in_the_issuers_place_signs_nobody_out_and_lets_nobody_in() {
    let issuer = Issuer::start().await;
    let ada = issuer.ada().await;
    let guard = issuer.guard(Freshness::Strict).timeout(Duration::from_millis(300)).build().unwrap();
    let answers = |status, kind: &str, body: &str| {
        Trick::Answers(status, vec![("content-type", kind.to_owned())], body.to_owned())
    };
    let problem = |status, code: &str| {
        answers(status, "application/problem+json", &format!(r#"{{"code":"{code}","status":{status}}}"#))
    };
    let to = vec![("location", format!("{}{CHECK}", issuer.url))];
    let tricks = [
        ("a portal's 401", answers(401, "text/html", "<h1>Pay for the network</h1>")),
        ("a portal's 200", answers(200, "text/html", "<h1>Welcome</h1>")),
        ("our code as another type", answers(401, "application/json", r#"{"code":"access_token_invalid"}"#)),
        ("an unknown code", problem(401, "token_melted")),
        ("no code", answers(403, "application/problem+json", "{}")),
        ("no JSON", answers(403, "application/problem+json", "<html>")),
        ("a code with another's status", problem(403, "access_token_invalid")),
        ("an end of the session", problem(401, "session_revoked")),
        ("a redirect", Trick::Answers(302, to, String::new())),
        ("its own 503", problem(503, "overloaded")),
        ("a bug", problem(500, "internal_error")),
        ("a proxy's limit", answers(429, "text/html", "<h1>Slow down</h1>")),
        ("a requirement it does not know", problem(422, "validation_failed")),
        ("half an identity", Trick::Answers(200, vec![("tenure-user", ada.id.to_string())], String::new())),
        ("too much", {
            let padded = format!(r#"{{"code":"access_token_invalid"}}{}"#, " ".repeat(1 << 20));
            answers(401, "application/problem+json", &padded)
        }),
        ("nothing", Trick::Hangs),
    ];
    for (what, trick) in tricks {
        issuer.trick(trick);
        let answer = ask_with(&guard, &ada.token).await;
        assert_eq!((what, answer.status), (what, 503));
        answer.refused(503, "storage_unavailable");
    }
    issuer.trick(None);
    ask_with(&guard, &ada.token).await.passed();
}
