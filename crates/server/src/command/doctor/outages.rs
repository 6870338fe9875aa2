//! What becomes of sessions while something is down and after a restart, by the hooks that the profile gives.

use super::super::outside::browser::Visitor;
use super::super::outside::hook::{between, mend};
use super::super::outside::verdict::{Told, Verdict};
use super::super::outside::wire::NoAnswer;
use super::super::outside::world::World;
use super::examine::Patient;
use super::finding::Judgement;
use super::refreshes::judged;

const KEYS: &str = "keep the signing key outside of what is started anew (Django: SECRET_KEY from the \
                    environment, and SECRET_KEY_FALLBACKS when it changes; simplejwt: a SIGNING_KEY of its \
                    own, since those fallbacks are not for its tokens; Tenure: the database and \
                    keys.master_secret), the same for all nodes";
const OUTAGE: &str = "answer 503 while nobody knows; 401 is for when it is known (nginx: no error_page \
                      401 for 502, 503 or 504, and auth_request that is down is no refusal; Django: catch \
                      OperationalError where people are authenticated)";
const REDIS: &str = "keep sessions in the database and only copies in Redis (Django: SESSION_ENGINE = \
                     \"django.contrib.sessions.backends.cached_db\"), and answer 503 where it is needed \
                     and gone; redis with appendonly yes and maxmemory-policy noeviction";

pub async fn look(patient: &Patient) -> Result<Vec<(&'static str, Judgement)>, NoAnswer> {
    let world = &patient.world;
    let has = |name: &str, ids: &[&str]| patient.wants(ids) && world.profile.hooks.contains_key(name);
    let by_hand = |hooks: &str, how: &str| {
        Judgement::skipped(format!("the profile has no hooks {hooks}; by hand: {how}"))
    };
    let mut told = vec![];
    let restart = match has("stop", &["keys-persist", "outage-status"]) {
        true => Some(restarted(world).await),
        false => None,
    };
    told.push((
        "keys-persist",
        match &restart {
            Some((persists, _)) => persists.clone(),
            None => by_hand("stop/start", "sign in, restart the API, reload: nobody may be asked to sign in"),
        },
    ));
    told.push((
        "redis-independent",
        match has("cache_down", &["redis-independent"]) {
            true => judged(
                down(world, "cache_down", "cache_up").await,
                "while Redis is down nobody is signed out",
                REDIS,
            ),
            false => by_hand(
                "cache_down/cache_up",
                "sign in, stop Redis for a minute and empty it (FLUSHALL), reload: the page may be slow, \
                 and stays signed in",
            ),
        },
    ));
    let outage = match has("store_down", &["outage-status"]) {
        true => Some(judged(
            down(world, "store_down", "store_up").await,
            "while the database is down nobody is told 401",
            OUTAGE,
        )),
        false => None,
    };
    let seen = [outage, restart.map(|(_, outage)| outage)].into_iter().flatten();
    let nothing = || {
        by_hand(
            "store_down/store_up or stop/start",
            "stop the database for a minute and look at the status of a refresh: it has to be 503",
        )
    };
    told.push(("outage-status", Judgement::worst(seen).unwrap_or_else(nothing)));
    Ok(told)
}

/// The tokens of before, after it; and what was said meanwhile.
async fn restarted(world: &World) -> (Judgement, Judgement) {
    let meanwhile = "while the API is down nobody is told 401";
    let visitor = match world.sign_in().await {
        Ok(visitor) => visitor,
        Err(verdict) => return (judged(Err(verdict), "", ""), Judgement::skipped("nobody could sign in")),
    };
    let mut said = Ok(());
    let back = between(world, "stop", "start", async {
        said = told_nobody(world, &visitor, "while the API is stopped").await;
        Ok(())
    })
    .await;
    let persists = match back {
        Ok(()) => persist(&visitor).await,
        Err(verdict) => Err(verdict),
    };
    (judged(persists, "tokens of before a restart are good after it", KEYS), judged(said, meanwhile, OUTAGE))
}

async fn persist(visitor: &Visitor<'_>) -> Told {
    there_again(visitor, "the restart").await?;
    visitor.must_be_served("after the restart, with an access token of before it").await?;
    visitor.must_be_signed_in("after the restart").await
}

/// What has not come back says nothing about sessions.
async fn there_again(visitor: &Visitor<'_>, what: &str) -> Told {
    match visitor.is_there_again().await {
        true => Ok(()),
        false => Err(Verdict::Unreachable(format!("after {what}, the API does not come back"))),
    }
}

async fn down(world: &World, down: &str, up: &'static str) -> Told {
    // What is down from before would be taken for what is taken down now.
    mend(world).await?;
    let visitor = world.sign_in().await?;
    between(world, down, up, told_nobody(world, &visitor, &format!("after {down}"))).await?;
    there_again(&visitor, up).await?;
    visitor.must_be_signed_in(&format!("after {up}")).await
}

/// That something is down may be said, and not that nobody is signed in.
async fn told_nobody(world: &World, visitor: &Visitor<'_>, when: &str) -> Told {
    for (what, answer) in [("a call", visitor.api().await), ("a refresh", visitor.refresh().await)] {
        // No answer at all is what a page takes for a bad network.
        let Ok(answer) = answer else { continue };
        let signs_out = world.profile.signs_out.contains(&answer.status) || answer.status == 401;
        if signs_out || (300..400).contains(&answer.status) {
            return Err(Verdict::SignsOut(format!("{when}, {what} is answered {}", answer.told())));
        }
    }
    Ok(())
}
