//! The reckoning: every fact of the ledger against what the server says once the trouble is over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::browser::{Answer, Ask, Browser};
use crate::client::assert_refused;
use crate::ledger::{ADMIN_REVOKED, Fact, Ledger, REPLACED, SIGNED_OUT};
use crate::world::World;

/// What there was to reckon with.
#[derive(Debug, Default)]
pub struct Sums {
    pub alive: usize,
    pub ended: usize,
    /// Sign-ins whose answer was lost: sessions that nobody has.
    pub orphans: usize,
    /// Steps of all generations together.
    pub generations: i64,
    /// Steps of the session among those meant to live throughout that took the fewest.
    pub fewest_generations: i64,
}

/// Every session that was ever acknowledged is what its ledger says, and every end in the server's own list
/// has a cause that somebody remembers.
pub async fn audit(world: &World) -> Sums {
    let ledger = &world.ledger;
    let facts = ledger.facts();
    let rows = rows(world, &facts).await;
    let mut sums = Sums { fewest_generations: i64::MAX, ..Sums::default() };
    for (id, row) in &rows {
        sums.generations += row["generation"].as_i64().unwrap_or_default() - 1;
        let fact = facts.iter().find(|(session, _)| session == id).map(|(_, fact)| fact);
        check_cause(ledger, id, row, fact);
        sums.orphans += usize::from(fact.is_none());
    }
    for (id, fact) in &facts {
        let Some(row) = rows.get(id) else {
            ledger.violation(id, "an acknowledged sign-in is not in the server's list");
            continue;
        };
        if row["expires_at"] != fact.expires_at {
            ledger.violation(id, &format!("expires_at was {} and is {}", fact.expires_at, row["expires_at"]));
        }
        if row["end"].is_null() {
            sums.alive += 1;
            check_alive(world, id, fact).await;
            if world.clients[fact.client].habits.keeps {
                let steps = row["generation"].as_i64().unwrap_or_default() - 1;
                sums.fewest_generations = sums.fewest_generations.min(steps);
            }
        } else {
            sums.ended += 1;
            check_ended(world, id, fact, row).await;
        }
    }
    check_keepers(world).await;
    for node in &world.nodes {
        let dead = node.metric("tenure_dead_token_total").await;
        assert!(dead == 0.0, "seed {}: {dead} dead tokens were presented", world.seed);
    }
    ledger.assert_kept(world.seed);
    sums
}

/// All sessions of all users, by the server's own command line.
async fn rows(world: &World, facts: &[(String, Fact)]) -> BTreeMap<String, Value> {
    let users: BTreeSet<_> = facts.iter().map(|(_, fact)| fact.user.as_str()).collect();
    let mut rows = BTreeMap::new();
    for user in users {
        let list = world.nodes[0].installation.ask(&["session", "list", user, "--all"]).await;
        for row in list.as_array().unwrap() {
            rows.insert(row["id"].as_str().unwrap().to_owned(), row.clone());
        }
    }
    rows
}

fn check_cause(ledger: &Ledger, id: &str, row: &Value, fact: Option<&Fact>) {
    let Some(reason) = row["end"]["reason"].as_str() else { return };
    let actor = row["end"]["actor"].as_str().unwrap_or_default();
    let caused = match fact {
        Some(fact) => fact.causes.contains(reason),
        // Nobody has it, so only the next sign-in on the same device can have ended it.
        None => reason == REPLACED && row["device_id"].is_string(),
    };
    let by_the_right_one = match reason {
        SIGNED_OUT | REPLACED => actor == "user",
        ADMIN_REVOKED => actor.contains("chaos"),
        _ => false,
    };
    if !caused || !by_the_right_one || !row["contested_at"].is_null() {
        ledger.violation(id, &format!("ended without a cause: {row}"));
    }
}

/// An honest jar refreshes with 200, and nothing about its session has moved.
async fn check_alive(world: &World, id: &str, fact: &Fact) {
    let client = &world.clients[fact.client];
    if fact.ended.is_some() {
        return world.ledger.violation(id, "its end was acknowledged, and the server's list has it alive");
    }
    let name = fact.cookie.split('=').next().unwrap_or_default();
    let in_jar = client.browser.cookies().into_iter().find(|cookie| cookie.starts_with(&format!("{name}=")));
    let Some(cookie) = in_jar else {
        return world.ledger.violation(id, "it is alive, and its cookie is gone from the jar");
    };
    let (sent, answer) = patiently(&client.browser, || Ask::refresh_with(&cookie)).await;
    match answer {
        Answer::Done(done) => {
            let answer = done.signed_in();
            world.ledger.refreshed(fact.client, sent, &answer);
            if answer.session != id {
                world.ledger.violation(id, &format!("its cookie was answered for {}", answer.session));
            }
            let (_, profile) = patiently(&client.browser, || Ask::profile(&answer.access_token)).await;
            if !matches!(profile, Answer::Done(_)) {
                world.ledger.violation(id, &format!("its access token does not let it in: {profile:?}"));
            }
        }
        other => world.ledger.violation(id, &format!("an honest jar does not refresh: {other:?}")),
    }
}

/// The network is well now, but the machine may be slow: a stale or lost request is sent again.
pub async fn patiently(browser: &Browser, ask: impl Fn() -> Ask) -> (std::time::Instant, Answer) {
    for _ in 0..20 {
        match browser.send(ask()).await {
            (_, Answer::Lost) => {}
            (_, Answer::Refused(refusal)) if refusal.status == 503 || refusal.code == "request_stale" => {}
            answered => return answered,
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    browser.send(ask()).await
}

/// Refused, for the reason that the server's list gives.
async fn check_ended(world: &World, id: &str, fact: &Fact, row: &Value) {
    let browser = &world.clients[fact.client].browser;
    let (_, answer) = patiently(browser, || Ask::refresh_with(&fact.cookie)).await;
    let as_it_ended = matches!(&answer, Answer::Refused(refusal) if refusal.code == "session_revoked"
        && refusal.session == id && row["end"]["reason"] == refusal.reason.as_str());
    if !as_it_ended {
        world.ledger.violation(id, &format!("ended as {}, but answered {answer:?}", row["end"]));
    }
    assert_refused(fact.client, browser, &world.ledger, id).await;
}

/// Those who never signed out are still who they were, in their own jar and by their own refresh.
async fn check_keepers(world: &World) {
    for client in world.clients.iter().filter(|client| client.habits.keeps) {
        let before = client.current();
        Arc::clone(client).refresh().await;
        let after = client.current();
        let same = before.as_ref().map(|it| &it.session) == after.as_ref().map(|it| &it.session);
        if before.is_none() || !same {
            let session = before.map(|it| it.session).unwrap_or_default();
            world.ledger.violation(&session, "a client that never signed out is not signed in any more");
        }
    }
}
