//! Refreshes as browsers really send them: by several tabs, twice, late, and with answers that never arrive.

use std::time::Duration;

use tokio::time::sleep;

use super::super::episode;
use super::super::verdict::{Told, Verdict};
use super::super::world::World;
use super::{Need, Scenario};

const GRACE: &str = "accept the replaced token for a while and hand out the same successor; or exchange none, \
     as far as your policy lets you (simplejwt: ROTATE_REFRESH_TOKENS or BLACKLIST_AFTER_ROTATION off)";

pub const ROWS: &[Scenario] = &[
    Scenario {
        id: "C20.1",
        title: "Two tabs that refresh at the same moment both stay signed in",
        why: "tabs wake up together, and each has the token that is in the jar",
        fix: GRACE,
        needs: &[],
        requests: 12,
        run: |world| Box::pin(at_once(world, 2)),
    },
    Scenario {
        id: "C20.2",
        title: "Eight refreshes at the same moment are all served",
        why: "a page that asks for eight things at once, with a token that has just expired",
        fix: GRACE,
        needs: &[],
        requests: 36,
        run: |world| Box::pin(at_once(world, 8)),
    },
    Scenario {
        id: "C20.3",
        title: "A tab that refreshes a moment after another one stays signed in",
        why: "it has read the token just before the other one exchanged it",
        fix: GRACE,
        needs: &[],
        requests: 6,
        run: |world| Box::pin(a_moment_later(world)),
    },
    Scenario {
        id: "C20.4",
        title: "A refresh whose answer is lost can be repeated",
        why: "the network goes while the answer is under way: in lifts, tunnels and at every wake-up",
        fix: GRACE,
        needs: &[],
        requests: 6,
        run: |world| Box::pin(lost(world, 1)),
    },
    Scenario {
        id: "C20.5",
        title: "Three lost answers in a row do no harm",
        why: "a bad network loses more than one",
        fix: GRACE,
        needs: &[],
        requests: 8,
        run: |world| Box::pin(lost(world, 3)),
    },
    Scenario {
        id: "C20.6",
        title: "A burst of reloads, of which only the last is waited for, ends signed in",
        why: "each reload cancels the refresh of the one before it, after the server has seen it",
        fix: GRACE,
        needs: &[],
        requests: 10,
        run: |world| Box::pin(reload_burst(world)),
    },
    Scenario {
        id: "C20.7",
        title: "A late copy of a refresh does not end the session",
        why: "proxies and browsers send a request again when a connection breaks",
        fix: "take no replaced token for theft at its first sight; refuse it, and end nothing",
        needs: &[],
        requests: 7,
        run: |world| Box::pin(late_copy(world)),
    },
    Scenario {
        id: "C20.8",
        title: "A tab that is two refreshes behind does no harm to the others",
        why: "a laptop wakes up with a page of yesterday in it",
        fix: "end the sessions of nobody for a token of before, or at least not at once",
        needs: &[],
        requests: 8,
        run: |world| Box::pin(two_behind(world)),
    },
    Scenario {
        id: "C20.9",
        title: "A replayed token in one browser leaves the other browser signed in",
        why: "a lost answer on the phone signs the desktop out",
        fix: "let a family of tokens be one session, and end no others with it",
        needs: &[],
        requests: 9,
        run: |world| Box::pin(other_browser(world)),
    },
    Scenario {
        id: "C20.10",
        title: "Whichever answer of two tabs is kept, it goes on working",
        why: "both are served, one token is stored last, and that one turns out to be dead a lifetime later",
        fix: "let both answers hand out the same successor, in one atomic step",
        needs: &[],
        requests: 13,
        run: |world| Box::pin(either_answer(world)),
    },
    Scenario {
        id: "C20.11",
        title: "Ten refreshes in a row are served",
        why: "a session of weeks is nothing else",
        fix: "look into why a refresh that follows a good one is refused",
        needs: &[],
        requests: 13,
        run: |world| Box::pin(ten(world)),
    },
    Scenario {
        id: "C20.12",
        title: "A call under way is served while its token is exchanged",
        why: "requests that began with the token of before fail for no reason that people could see",
        fix: "let access tokens live until they expire, whatever a refresh does",
        needs: &[Need::Bearer],
        requests: 5,
        run: |world| Box::pin(under_way(world)),
    },
];

async fn at_once(world: &World, tabs: u32) -> Told {
    episode::at_once(&world.sign_in().await?, tabs).await
}

async fn a_moment_later(world: &World) -> Told {
    let visitor = world.sign_in().await?;
    let read_before = visitor.state();
    visitor.must_refresh("at first").await?;
    sleep(Duration::from_millis(200)).await;
    let answer = visitor.send_refresh(&read_before).await?;
    visitor.receive(&answer);
    visitor.settle(&answer, "a moment after another tab").await?;
    visitor.must_be_signed_in("after two tabs had refreshed").await
}

async fn lost(world: &World, losses: usize) -> Told {
    episode::lost(&world.sign_in().await?, losses).await
}

async fn reload_burst(world: &World) -> Told {
    episode::reload_burst(&world.sign_in().await?).await
}

async fn late_copy(world: &World) -> Told {
    episode::late_copy(&world.sign_in().await?).await
}

async fn two_behind(world: &World) -> Told {
    let visitor = world.sign_in().await?;
    let asleep = visitor.state();
    visitor.must_refresh("at first").await?;
    visitor.must_refresh("a second time").await?;
    drop(visitor.send_refresh(&asleep).await?);
    visitor.must_be_signed_in("after a tab of long ago had refreshed").await
}

async fn other_browser(world: &World) -> Told {
    let (phone, desktop) = (world.sign_in().await?, world.sign_in().await?);
    let lost = phone.state();
    drop(phone.send_refresh(&lost).await?);
    for _ in 0..2 {
        drop(phone.send_refresh(&lost).await?);
    }
    desktop.must_be_signed_in("after a token was replayed in another browser").await
}

async fn either_answer(world: &World) -> Told {
    for kept in [0, 1] {
        let visitor = world.sign_in().await?;
        let answers = visitor.several(2, Duration::ZERO).await?;
        let Some(answer) = answers.get(kept) else { continue };
        if !answer.is_fine() {
            return Err(Verdict::NotTested("one of two refreshes at once is refused, as C20.1 says".into()));
        }
        visitor.receive(answer);
        for _ in 0..3 {
            visitor.must_refresh("with the token of one of two tabs").await?;
        }
    }
    Ok(())
}

async fn ten(world: &World) -> Told {
    let visitor = world.sign_in().await?;
    for _ in 0..10 {
        visitor.must_refresh("in a row of ten").await?;
    }
    visitor.must_be_served("after ten refreshes").await
}

async fn under_way(world: &World) -> Told {
    let visitor = world.sign_in().await?;
    let before = visitor.state();
    visitor.must_refresh("at first").await?;
    let answer = visitor.api_with(&before).await?;
    match answer.is_fine() {
        true => Ok(()),
        false => {
            let what = format!("a call with the token of before the refresh was answered {}", answer.told());
            Err(Verdict::Wrong(what))
        }
    }
}
