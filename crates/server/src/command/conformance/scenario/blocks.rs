//! What an operator does, and what breaks: only what is meant to end a session may.

use super::super::hook;
use super::super::verdict::{Told, Verdict, right};
use super::super::world::World;
use super::{Need, Scenario};

/// How often a blocked page asks again.
const STORM: usize = 20;

const BLOCK: &str = "answer what may not be done with 402 or 403 where it is asked for, and let the session and its \
     refresh know nothing of accounts and plans";
const OUTAGE: &str = "answer 503 while nobody knows; 401 is for when it is known";

const fn block(id: &'static str, title: &'static str, needs: &'static [Need], run: super::Run) -> Scenario {
    Scenario {
        id,
        title,
        why: "the page shows a sign-in form where it should say what is the matter, and signing in does not help",
        fix: BLOCK,
        needs,
        requests: 30,
        run,
    }
}

const fn outage(id: &'static str, title: &'static str, needs: &'static [Need], run: super::Run) -> Scenario {
    Scenario {
        id,
        title,
        why: "a minute of trouble signs out whoever was there, and they all sign in at once",
        fix: OUTAGE,
        needs,
        requests: 70,
        run,
    }
}

pub const ROWS: &[Scenario] = &[
    block(
        "C03.1",
        "Taking the account of somebody away does not sign them out",
        &[Need::Hook("account_remove")],
        |world| Box::pin(blocked(world, "account_remove", "account_restore")),
    ),
    block("C04.1", "Suspending an account blocks, and signs nobody out", &[Need::Hook("suspend")], |world| {
        Box::pin(blocked(world, "suspend", "activate"))
    }),
    block("C05.1", "Cancelling an account blocks, and signs nobody out", &[Need::Hook("cancel")], |world| {
        Box::pin(blocked(world, "cancel", "reopen"))
    }),
    block(
        "C06.1",
        "Taking the plan away blocks, and signs nobody out",
        &[Need::Hook("plan_remove")],
        |world| Box::pin(blocked(world, "plan_remove", "plan_give")),
    ),
    block("C07.1", "Switching a plan off blocks, and signs nobody out", &[Need::Hook("plan_off")], |world| {
        Box::pin(blocked(world, "plan_off", "plan_on"))
    }),
    Scenario {
        id: "C17.1",
        title: "Somebody who was disabled is signed out, and told so",
        why: "who left the company goes on; or the page sees a fault of the server and waits",
        fix: "end the sessions of whoever is disabled, and answer their refresh 401",
        needs: &[Need::Hook("disable")],
        requests: 4,
        run: |world| Box::pin(disabled(world)),
    },
    outage(
        "C38.1",
        "While the database is down nobody is signed out",
        &[Need::Hook("store_down")],
        |world| Box::pin(down(world, "store_down", "store_up")),
    ),
    outage("C39.1", "While the cache is down nobody is signed out", &[Need::Hook("cache_down")], |world| {
        Box::pin(down(world, "cache_down", "cache_up"))
    }),
    outage("C42.1", "Sessions outlive a restart of the server", &[Need::Hook("stop")], |world| {
        Box::pin(restarted(world))
    }),
];

async fn blocked(world: &World, down: &str, up: &'static str) -> Told {
    let visitor = world.sign_in().await?;
    hook::between(world, down, up, async {
        for _ in 0..STORM {
            let answer = visitor.api().await?;
            let told = || format!("after {down}, the API answered {}", answer.told());
            match answer.status {
                401 => return Err(Verdict::SignsOut(told())),
                200..=299 | 402 | 403 => {}
                _ => return Err(Verdict::Wrong(told())),
            }
        }
        visitor.must_refresh(&format!("after {down}")).await
    })
    .await?;
    visitor.must_be_signed_in(&format!("after {up}")).await
}

async fn disabled(world: &World) -> Told {
    let visitor = world.sign_in().await?;
    hook::between(world, "disable", "enable", visitor.must_be_signed_out("after disable")).await
}

async fn down(world: &World, down: &str, up: &'static str) -> Told {
    let visitor = world.sign_in().await?;
    hook::between(world, down, up, async {
        for (what, answer) in [("the API", visitor.api().await), ("a refresh", visitor.refresh().await)] {
            // No answer at all is what a page takes for a bad network.
            let Ok(answer) = answer else { continue };
            let told = || format!("after {down}, {what} was answered {}", answer.told());
            if world.profile.signs_out.contains(&answer.status) || answer.status == 401 {
                return Err(Verdict::SignsOut(told()));
            }
            right(answer.is_fine() || answer.is_passing(), told)?;
        }
        Ok(())
    })
    .await?;
    visitor.is_back(up).await
}

async fn restarted(world: &World) -> Told {
    let visitor = world.sign_in().await?;
    hook::between(world, "stop", "start", async { Ok(()) }).await?;
    visitor.is_back("start").await
}
