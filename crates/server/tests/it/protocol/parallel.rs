//! Many refreshes of one jar at once (groups A and B of the field reports).

use std::sync::Arc;

use crate::world::{Answer, Browser, Fault, MINUTE, QUIET, TestApp, User, at_once};

/// The generations of a user's only session: (base, head).
async fn generations(app: &TestApp, user: &User) -> (u32, u32) {
    let mut records = app.store().session_list(user.id, true, 9, app.clock.get()).await.unwrap();
    assert_eq!(records.len(), 1, "one row for one session");
    let rotation = records.remove(0).session.rotation;
    (rotation.base.0, rotation.head.0)
}

/// `n` refreshes with the jar as it is now, all under way at once.
async fn refresh_at_once(browser: &Browser, n: usize) -> Vec<Answer> {
    at_once((0..n).map(|_| browser.refresh_call())).await
}

/// `n` tabs refresh at once, their answers arrive in some order, and all of it again for some cycles.
async fn tabs_refresh_at_once(n: usize, cycles: usize) {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut browser = app.signed_in(&user).await;
    for cycle in 0..cycles {
        app.clock.advance(QUIET);
        let (_, head) = generations(&app, &user).await;
        let mut answers = refresh_at_once(&browser, n).await;
        // Whichever lands last is what the jar keeps.
        if cycle % 2 == 1 {
            answers.reverse();
        }
        for answer in answers {
            browser.receive(&answer.expect(200));
            browser.profile().await.expect(200);
        }
        assert_eq!(generations(&app, &user).await, (head, head + 1), "exactly one logical successor");
        assert_eq!(browser.cookies().cookies().len(), 1);
    }
    assert_eq!(app.metric("tenure_dead_token_total"), 0.0);
}

#[tokio::test]
async fn a01_two_tabs_that_focus_together_get_one_successor() {
    tabs_refresh_at_once(2, 2).await;
}

#[tokio::test]
async fn a02_five_tabs_whose_timers_fire_together_make_one_change() {
    tabs_refresh_at_once(5, 2).await;
}

#[tokio::test]
async fn a07_two_tabs_without_locks_both_get_the_successor() {
    tabs_refresh_at_once(2, 4).await;
}

#[tokio::test]
async fn a10_sixty_four_callers_at_once_are_all_served() {
    tabs_refresh_at_once(64, 2).await;
}

#[tokio::test]
async fn a11_a_page_of_twelve_parallel_calls_rotates_once_and_stays_signed_in() {
    tabs_refresh_at_once(12, 3).await;
}

#[tokio::test]
async fn a12_five_server_side_callers_of_one_token_are_all_served() {
    tabs_refresh_at_once(5, 3).await;
}

#[tokio::test]
async fn a15_two_tabs_in_the_same_20_ms_both_stay_signed_in() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    for _ in 0..3 {
        let mut one = app.signed_in(&user).await;
        let mut two = one.tab();
        app.clock.advance(QUIET);
        let (first, second) = tokio::join!(one.send_refresh(), two.send_refresh());
        one.receive(&first.expect(200));
        two.receive(&second.expect(200));
        assert_eq!(one.cookies().cookies().len(), 1, "all cookies present afterwards");
        for tab in [&mut one, &mut two] {
            tab.profile().await.expect(200);
            tab.refresh().await.expect(200);
        }
    }
}

#[tokio::test]
async fn a04_a_token_lives_in_the_jar_alone_so_a_new_tab_breaks_no_old_one() {
    let app = TestApp::new().await;
    let mut old = app.signed_in(&app.user("ada").await).await;
    for _ in 0..3 {
        app.clock.advance(QUIET);
        old.tab().refresh().await.expect(200);
        old.refresh().await.expect(200);
    }
}

#[tokio::test]
async fn a08_two_clients_on_one_page_refresh_one_after_the_other() {
    let app = TestApp::new().await;
    let mut one = app.signed_in(&app.user("ada").await).await;
    let mut two = one.tab();
    for _ in 0..5 {
        app.clock.advance(14 * MINUTE);
        one.refresh().await.expect(200);
        two.refresh().await.expect(200);
    }
    assert_eq!(app.metric("tenure_dead_token_total"), 0.0);
}

#[tokio::test]
async fn a14_an_idle_tab_refreshes_from_the_shared_jar_after_another_rotated() {
    let app = TestApp::new().await;
    let mut idle = app.signed_in(&app.user("ada").await).await;
    let mut busy = idle.tab();
    for _ in 0..20 {
        app.clock.advance(15 * MINUTE);
        busy.refresh().await.expect(200);
    }
    idle.profile().await.expect(401).problem("access_token_expired");
    idle.refresh().await.expect(200);
    idle.profile().await.expect(200);
}

#[tokio::test]
async fn a16_tabs_with_different_latencies_keep_every_cookie() {
    let app = TestApp::new().await;
    let mut one = app.signed_in(&app.user("ada").await).await;
    let mut two = one.tab();
    for lag_s in [1, 5, 14] {
        app.clock.advance(QUIET);
        let slow = one.send_refresh().await.expect(200);
        two.refresh().await.expect(200);
        app.clock.advance(std::time::Duration::from_secs(lag_s));
        one.receive(&slow);
        assert_eq!(one.cookies().cookies().len(), 1);
        two.refresh().await.expect(200);
        one.refresh().await.expect(200);
    }
}

#[tokio::test]
async fn b01_after_simultaneous_rotations_three_further_cycles_are_served() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    app.clock.advance(30 * MINUTE);
    for answer in refresh_at_once(&browser, 2).await {
        browser.receive(&answer.expect(200));
    }
    for _ in 0..3 {
        app.clock.advance(30 * MINUTE);
        browser.refresh().await.expect(200);
        browser.profile().await.expect(200);
    }
}

#[tokio::test]
async fn b02_a_hundred_pairs_leave_one_row_and_one_live_pair_of_generations() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut browser = app.signed_in(&user).await;
    for round in 1..=100 {
        app.clock.advance(QUIET);
        let (one, two) = tokio::join!(browser.send_refresh(), browser.send_refresh());
        browser.receive(&one.expect(200));
        browser.receive(&two.expect(200));
        assert_eq!(generations(&app, &user).await, (round, round + 1));
    }
}

#[tokio::test]
async fn b03_whichever_answer_lands_last_the_jar_is_good() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    for winner in 0..2 {
        let mut browser = app.signed_in(&user).await;
        app.clock.advance(QUIET);
        let mut answers = refresh_at_once(&browser, 2).await;
        answers.rotate_left(winner);
        for answer in &answers {
            browser.receive(answer);
        }
        for _ in 0..3 {
            app.clock.advance(QUIET);
            browser.refresh().await.expect(200);
        }
    }
}

#[tokio::test]
async fn b05_parallel_presentations_fork_nothing() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let browser = app.signed_in(&user).await;
    app.clock.advance(QUIET);
    let answers = refresh_at_once(&browser, 64).await;
    let mut tokens = std::collections::HashSet::new();
    for answer in &answers {
        let line = answer.clone().expect(200).set_cookies()[0].to_owned();
        tokens.insert(line.split(';').next().unwrap().to_owned());
    }
    assert_eq!(tokens.len(), 64, "each hand-out is a string of its own");
    assert_eq!(generations(&app, &user).await, (1, 2), "of one generation");
    // After a quiet time one of them becomes base; the rest are the same generation, not forks of it.
    app.clock.advance(QUIET);
    for cookie in &tokens {
        app.client.refresh_with(cookie).await.expect(200);
    }
    assert_eq!(generations(&app, &user).await, (2, 3));
}

#[tokio::test]
async fn d04_nobody_loses_a_race_between_two_refreshes() {
    tabs_refresh_at_once(2, 3).await;
}

#[tokio::test]
async fn d08_a_refresh_by_timer_and_one_by_401_overlap_and_the_next_cycles_are_served() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    app.clock.advance(15 * MINUTE);
    browser.profile().await.expect(401).problem("access_token_expired");
    let (by_401, by_timer) = tokio::join!(browser.send_refresh(), browser.send_refresh());
    browser.receive(&by_timer.expect(200));
    browser.receive(&by_401.expect(200));
    for _ in 0..2 {
        app.clock.advance(15 * MINUTE);
        browser.refresh().await.expect(200);
        browser.profile().await.expect(200);
    }
}

/// D11: an end that comes between a refresh's arrival and its write.
#[tokio::test]
async fn d11_an_end_that_races_refreshes_is_never_undone() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    for round in 0..10 {
        let browser = app.signed_in(&user).await;
        app.clock.advance(QUIET);
        let gate = Arc::new(tokio::sync::Semaphore::new(round % 3));
        app.faults.set("session_refresh", Fault::Waits(Arc::clone(&gate)));
        let refreshes = refresh_at_once(&browser, 8);
        let end = async {
            let call = app.client.call("POST", "/api/v1/auth/logout").bearer(&browser.access);
            let ended = call.send().await.expect(204);
            gate.add_permits(100);
            ended
        };
        let (answers, _) = tokio::join!(refreshes, end);
        app.faults.clear();
        for answer in answers {
            if answer.status == 200 {
                app.client.profile(&answer.access_token()).await.expect(401).problem("access_token_revoked");
            } else {
                answer.expect(401).problem("session_revoked");
            }
        }
        for _ in 0..3 {
            browser.send_refresh().await.expect(401).problem("session_revoked");
        }
    }
}
