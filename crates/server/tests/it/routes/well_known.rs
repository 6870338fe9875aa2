//! `/.well-known`

use tenure_store::StoreError;

use crate::world::{Fault, TestApp};

const JWKS: &str = "/.well-known/jwks.json";

#[tokio::test]
async fn the_public_keys_are_published_and_may_be_cached() {
    let app = TestApp::new().await;
    let answer = app.client.get(JWKS).send().await.expect(200);
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
    let keys = answer.json()["keys"].as_array().unwrap().clone();
    assert_eq!(keys.len(), 1);
    let members: Vec<_> = keys[0].as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x"], "and never the private `d`");
    assert_eq!((&keys[0]["alg"], &keys[0]["kty"]), (&"EdDSA".into(), &"OKP".into()));
}

#[tokio::test]
async fn the_key_that_signs_is_among_the_published_ones() {
    let app = TestApp::new().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    let header = crate::hostile::token::part(&browser.access, 0);
    let keys = app.client.get(JWKS).send().await.json();
    assert_eq!(keys["keys"][0]["kid"], header["kid"]);
    assert_eq!(header["typ"], "at+jwt");
}

#[tokio::test]
async fn without_the_store_the_keys_are_not_known() {
    let app = TestApp::new().await;
    app.faults.set("key_epoch", Fault::Fails(StoreError::Unavailable("gone".into())));
    app.expect_failure("storage_unavailable");
    let answer = app.client.get(JWKS).send().await;
    answer.problem("storage_unavailable");
}
