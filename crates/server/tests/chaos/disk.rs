//! A disk that takes no more (F07, F08): what needs no write goes on, the rest says 503, and nothing ends.
//!
//! A limit on the size of files stands in for the full disk. It needs no rights and no mount: a write beyond
//! it fails with EFBIG.

use std::time::Duration;

use http::Method;
use serde_json::json;
use tokio::time::sleep;

use crate::audit::audit;
use crate::browser::{Answer, Ask, Browser, Cookies, LOGIN, REFRESH, SignedIn};
use crate::client::PASSWORD;
use crate::server::SETTLE;
use crate::world::World;

const CLIENTS: usize = 6;

/// 512 blocks of 512 bytes: eight times the index of the write-ahead log, and room for a few sign-ins in the log.
const BLOCKS: u32 = 512;

/// Sign-ins that the little room cannot hold.
const SIGN_INS_MAX: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_what_must_be_written_and_ends_nothing() {
    let mut world = World::start(CLIENTS).await;
    world.proxy.set_faulty(false);
    for client in &world.clients {
        client.sign_in().await;
    }
    // From now on a refresh of these moves a generation, which must be written.
    sleep(SETTLE + Duration::from_millis(500)).await;
    // The first one's answer is lost on purpose: each time its old cookie comes back, one row is written.
    let lost = world.clients[0].browser.cookies().concat();
    expect_done(&world.clients[0].browser, "a refresh", Ask::refresh).await;
    assert!(world.nodes[0].terminate().await.success());
    world.nodes[0].start_with_files_limited_to(BLOCKS).await;

    let (young, young_browser) = fill_the_disk(&world).await;
    fill_the_last_room(&young_browser, &lost).await;
    for client in &world.clients[1..] {
        let current = client.current().unwrap();
        let before = client.browser.cookies();
        expect_503(&client.browser, "a refresh that moves a generation", Ask::refresh).await;
        let sign_out = || Ask { cookies: Cookies::Jar, ..Ask::new(Method::DELETE, REFRESH) };
        expect_503(&client.browser, "a sign-out", sign_out).await;
        assert_eq!(before, client.browser.cookies(), "a failure touched the jar");
        expect_done(&client.browser, "the profile", || Ask::profile(&current.access_token)).await;
    }
    // What is not written needs no disk.
    let refreshed = expect_done(&young_browser, "a refresh that moves nothing", Ask::refresh).await;
    assert_eq!(refreshed.session, young.session);

    world.nodes[0].kill();
    world.nodes[0].start().await;
    let refreshed = expect_done(&young_browser, "a refresh after the trouble", Ask::refresh).await;
    assert_eq!((refreshed.session, refreshed.expires_at), (young.session, young.expires_at));
    let sums = audit(&world).await;
    assert_eq!((sums.alive, sums.ended), (CLIENTS, 0));
}

/// Signs in until there is no room for one more. Returns the last that had room.
async fn fill_the_disk(world: &World) -> (SignedIn, Browser) {
    let mut last = None;
    for _ in 0..SIGN_INS_MAX {
        let browser = Browser::new(world.proxy.url(), 0);
        let body = json!({ "email": "client-0-1@tenure.example", "password": PASSWORD, "remember_me": true });
        let ask = || Ask { body: Some(body.clone()), ..Ask::new(Method::POST, LOGIN) };
        match browser.answered(ask).await {
            Answer::Done(done) => last = Some((done.signed_in(), browser)),
            Answer::Refused(refusal) if refusal.code == "storage_unavailable" => {
                return last.expect("room for one sign-in at least");
            }
            other => panic!("a sign-in on a full disk was answered {other:?}"),
        }
    }
    panic!("{SIGN_INS_MAX} sign-ins fitted into {BLOCKS} blocks");
}

/// Writes one row at a time until not even that is possible.
async fn fill_the_last_room(browser: &Browser, old_cookie: &str) {
    for _ in 0..SIGN_INS_MAX {
        match browser.answered(|| Ask::refresh_with(old_cookie)).await {
            Answer::Done(_) => {}
            Answer::Refused(refusal) if refusal.code == "storage_unavailable" => return,
            other => panic!("a refresh on a full disk was answered {other:?}"),
        }
    }
    panic!("{SIGN_INS_MAX} rows fitted where no sign-in did");
}

async fn expect_503(browser: &Browser, what: &str, ask: impl Fn() -> Ask) {
    match browser.answered(ask).await {
        Answer::Refused(refusal) if refusal.code == "storage_unavailable" && refusal.status == 503 => {}
        other => panic!("{what} on a full disk was answered {other:?}"),
    }
}

async fn expect_done(browser: &Browser, what: &str, ask: impl Fn() -> Ask) -> SignedIn {
    match browser.answered(ask).await {
        Answer::Done(done) => done.signed_in(),
        other => panic!("{what} was answered {other:?}"),
    }
}
