//! The guard in a tower of services.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use tenure_guard::{Freshness, Identity};
use tower::ServiceExt as _;

use crate::world::{Issuer, ask};

#[tokio::test]
async fn who_somebody_says_they_are_is_not_believed() {
    let issuer = Issuer::start().await;
    let ada = issuer.ada().await;
    let bearer = format!("Bearer {}", ada.token);
    let forged = [
        ("tenure-user", "usr_0199c0a41c3b7d0ea1f0b2c3d4e5f607"),
        ("tenure-session", "ses_0199c0a41c3b7d0ea1f0b2c3d4e5f607"),
        ("tenure-role", "superuser"),
    ];
    for mode in [Freshness::Strict, Freshness::Stateless] {
        let guard = issuer.guard(mode).build().unwrap();
        ask(&guard, &forged).await.refused(401, "access_token_missing");
        let answer = ask(&guard, &[&forged[..], &[("authorization", &bearer)]].concat()).await;
        assert!(answer.body["told"].is_null(), "{mode:?}: {}", answer.body);
        assert_eq!(answer.passed().user, Some(ada.id));
    }
}

#[tokio::test]
async fn a_route_without_the_layer_is_a_bug_and_lets_nobody_in() {
    let service = Router::new().route("/", get(async |_: Identity| "in"));
    let request = Request::get("/").header("tenure-user", "usr_0199c0a41c3b7d0ea1f0b2c3d4e5f607");
    let answer = service.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 500);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
}
