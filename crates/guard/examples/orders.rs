//! A service of orders: one route for everybody, and two for whoever is signed in at Tenure.
//!
//! `TENURE_URL=http://127.0.0.1:8080 cargo run --package tenure-guard --example orders`, and then
//! `curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:3000/orders`.
//!
//! With `TENURE_API_KEY`, a key with the scope `revocations.read`, it is told of sessions that end.

use std::error::Error;

use axum::Router;
use axum::routing::{get, post};
use tenure_guard::{Freshness, Guard, Identity};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let issuer = std::env::var("TENURE_URL").unwrap_or_else(|_| "http://127.0.0.1:8080".into());
    // Reading may be minutes behind a revocation, unless there is a key to be told of it with; ordering may not, and needs an
    // account in good standing.
    let reading = Guard::builder(&issuer);
    let reading = match std::env::var("TENURE_API_KEY") {
        Ok(key) => reading.mode(Freshness::Push).api_key(&key),
        Err(_) => reading.mode(Freshness::Stateless),
    };
    let reading = reading.build()?;
    let ordering = Guard::builder(&issuer).require("active_account".parse()?).build()?;
    let app = Router::new()
        .merge(Router::new().route("/orders", get(list)).layer(reading.layer()))
        .merge(Router::new().route("/orders/new", post(order)).layer(ordering.layer()))
        .route("/", get(async || "Everybody may read this.\n"));
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app).await?;
    Ok(())
}

async fn list(caller: Identity) -> String {
    match caller.user {
        Some(user) => format!("No orders of {user} yet.\n"),
        None => "Programs have no orders.\n".into(),
    }
}

async fn order(caller: Identity) -> String {
    match caller.account {
        Some(account) => format!("Ordered for {account}.\n"),
        None => "Ordered.\n".into(),
    }
}
