//! A server whose clock is wrong when it starts: nobody is signed out by it and nothing is deleted, and on a machine that was
//! truly off it goes on in the end.

use tenure::jobs;
use tenure_domain::time::Timestamp;

use crate::world::{Answer, DAY, HOUR, MINUTE, PASSWORD, Setup, TestApp, User};

const REFRESH: &str = "/api/v1/auth/refresh";

/// Does what a server does when it starts, with a clock that the database's own agrees with, if it has one.
async fn begin(app: &TestApp) {
    app.clock.pass_for_this_machines();
    app.faults.set_clock(app.clock.get());
    jobs::look_at_clock(&app.app).await;
}

/// Starts again at another time.
async fn begun_again(app: TestApp, setup: Setup, now: Timestamp) -> TestApp {
    app.clock.set(now);
    let app = app.restart(setup).await;
    begin(&app).await;
    app
}

async fn chores(app: &TestApp) {
    jobs::write_events(&app.app).await;
    jobs::chores(&app.app).await.unwrap();
}

/// Signs in, and gives what a browser with a right clock sends from then on.
async fn cookie(app: &TestApp, user: &User, remembered: bool) -> String {
    let mut browser = app.browser();
    browser.login(&user.email, PASSWORD, remembered).await.expect(200);
    browser.cookie_header(REFRESH)
}

async fn refreshed(app: &TestApp, cookies: &str) -> Answer {
    app.browser().call("POST", REFRESH).header("cookie", cookies).send().await
}

/// How many sessions there are that have not been ended, expired or not.
async fn not_ended(app: &TestApp, user: &User) -> usize {
    let records = app.store().session_list(user.id, true, 100, app.clock.get()).await.unwrap();
    records.iter().filter(|record| record.session.ended.is_none()).count()
}

/// The numbers of the record's first and last sealed event.
async fn record(app: &TestApp) -> (u64, u64) {
    let chain = app.store().event_chain(1, 10_000).await.unwrap();
    let number = |event: &tenure_domain::event::Event| event.seal.unwrap().link.number;
    (number(chain.first().unwrap()), number(chain.last().unwrap()))
}

fn is_doubted(app: &TestApp) -> bool {
    app.metric("tenure_clock_doubted") == 1.0
}

#[tokio::test]
async fn a_clock_that_is_far_ahead_at_the_start_ends_and_deletes_nothing() {
    let setup = || Setup::default().production();
    let mut app = setup().start().await;
    begin(&app).await;
    let (ada, right) = (app.user("ada").await, app.clock.get());
    let people = [cookie(&app, &ada, true).await, cookie(&app, &ada, true).await];
    chores(&app).await;
    let (first, recorded) = record(&app).await;
    // Sessions are swept after 20 and 90 days, events after 400.
    for ahead in [120 * DAY, 500 * DAY, 30_000 * DAY] {
        app = begun_again(app, setup(), right + ahead).await;
        app.expect_failure("session_unverifiable");
        for cookies in &people {
            let answer = refreshed(&app, cookies).await.expect(503);
            answer.problem("session_unverifiable");
            assert!(answer.set_cookies().is_empty());
        }
        for _ in 0..24 {
            chores(&app).await;
            assert!(is_doubted(&app));
            app.clock.advance(HOUR - MINUTE);
        }
        let told = tenure::readiness::Readiness::of(&app.app).await.to_string();
        assert!(told.contains("clock: it says another time than the database remembers"), "{told}");
        assert_eq!(not_ended(&app, &ada).await, people.len());
        app = begun_again(app, setup(), right + HOUR).await;
        chores(&app).await;
        assert!(!is_doubted(&app));
        for cookies in &people {
            refreshed(&app, cookies).await.expect(200);
        }
        let (still_first, last) = record(&app).await;
        assert!(still_first == first && last >= recorded);
    }
}

#[tokio::test]
async fn a_clock_that_is_behind_at_the_start_deletes_nothing() {
    let setup = || Setup::default().production();
    let mut app = setup().start().await;
    begin(&app).await;
    let (ada, right) = (app.user("ada").await, app.clock.get());
    let cookies = cookie(&app, &ada, true).await;
    chores(&app).await;
    let (first, recorded) = record(&app).await;
    for (behind, doubted) in [(DAY, false), (30 * DAY, true), (20_000 * DAY, true)] {
        app = begun_again(app, setup(), right - behind).await;
        chores(&app).await;
        assert_eq!(is_doubted(&app), doubted);
        app = begun_again(app, setup(), right + HOUR).await;
        chores(&app).await;
        let (still_first, last) = record(&app).await;
        assert!(still_first == first && last >= recorded);
        refreshed(&app, &cookies).await.expect(200);
    }
}

#[tokio::test]
async fn after_thirty_days_off_ends_go_on_within_an_hour_and_cleaning_within_a_day() {
    let setup = || {
        let setup = Setup::default().production().set("STORE__RETENTION", "1d");
        setup.set("STORE__EVENT_RETENTION", "2d")
    };
    let app = setup().start().await;
    begin(&app).await;
    let (ada, begun) = (app.user("ada").await, app.clock.get());
    let cookies = cookie(&app, &ada, true).await;
    cookie(&app, &ada, true).await;
    chores(&app).await;
    let app = begun_again(app, setup(), begun + 30 * DAY).await;
    app.expect_failure("session_unverifiable");
    chores(&app).await;
    assert_eq!((not_ended(&app, &ada).await, record(&app).await.0), (2, 1));
    refreshed(&app, &cookies).await.expect(503).problem("session_unverifiable");
    app.client.login(&ada.email, PASSWORD).await.expect(200);
    app.clock.advance(HOUR);
    chores(&app).await;
    refreshed(&app, &cookies).await.expect(401).problem("session_expired");
    assert_eq!(not_ended(&app, &ada).await, 2, "the other one, and the new one");
    // How long it has stood outlives the server.
    let later = app.clock.get() + 22 * HOUR;
    let app = begun_again(app, setup(), later).await;
    chores(&app).await;
    assert!(is_doubted(&app) && not_ended(&app, &ada).await == 2);
    app.clock.advance(HOUR);
    chores(&app).await;
    assert!(!is_doubted(&app));
    assert_eq!(not_ended(&app, &ada).await, 1);
    assert!(record(&app).await.0 > 1, "the old part of the record is gone");
}

#[tokio::test]
async fn a_doubted_clock_keeps_nobody_from_being_served_whom_it_calls_alive() {
    let setup = || Setup::default().production();
    let app = setup().start().await;
    begin(&app).await;
    let ada = app.user("ada").await;
    let (short, remembered) = (cookie(&app, &ada, false).await, cookie(&app, &ada, true).await);
    let begun = app.clock.get();
    let app = begun_again(app, setup(), begun + 5 * DAY).await;
    app.expect_failure("session_unverifiable");
    let both = format!("{short}; {remembered}");
    refreshed(&app, &both).await.expect(200);
    assert_eq!(not_ended(&app, &ada).await, 2);
    // Of one that was ended and one that may not have, the one counts that may be alive.
    app.sql("UPDATE session SET ended_at = created_at, end_reason = 'signed_out', end_actor = 'user', receipt = 'R-0000-0000' WHERE expires_at - created_at > 100000000");
    refreshed(&app, &both).await.expect(503).problem("session_unverifiable");
    refreshed(&app, &remembered).await.expect(401).problem("session_revoked");
}

#[tokio::test]
async fn nothing_is_deleted_before_the_clock_was_looked_at_nor_while_another_clock_contradicts_it() {
    let app = Setup::default().set("STORE__RETENTION", "1s").start().await;
    app.clock.pass_for_this_machines();
    let mut browser = app.signed_in(&app.user("ada").await).await;
    browser.sign_out().await.expect(204);
    app.clock.advance(HOUR);
    let rows = async || {
        chores(&app).await;
        app.store().session_find(browser.session.parse().unwrap()).await.unwrap().is_some()
    };
    assert!(rows().await, "nobody has looked");
    app.faults.set_clock(app.clock.get() - HOUR);
    jobs::look_at_clock(&app.app).await;
    assert!(rows().await, "the database contradicts");
    begin(&app).await;
    app.clock.set_leapt(true);
    assert!(rows().await, "it has leapt");
    app.clock.set_leapt(false);
    assert!(!rows().await);
}
