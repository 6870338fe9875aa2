//! What real life does to refreshes, on the session that is there; where one is harmed, the next look signs in anew.

use super::super::outside::browser::Visitor;
use super::super::outside::episode;
use super::super::outside::verdict::{Told, Verdict};
use super::super::outside::wire::{Answer, NoAnswer};
use super::examine::Patient;
use super::finding::Judgement;

/// As a page with many tabs may send them within a minute.
const IN_A_ROW: usize = 15;

const TABS: u32 = 8;

/// Each with what is said where it is well.
const EPISODES: [(&str, &str); 4] = [
    ("refresh-late-duplicate", "a late copy of a refresh ends nothing"),
    ("refresh-lost-answer", "a refresh whose answer is lost can be repeated"),
    ("refresh-concurrent", "eight at once are all served, in four rounds"),
    ("refresh-reload-burst", "a burst of reloads ends signed in"),
];

const LET_PASS: &str = "count refreshes by session and not by address, and let at least 60 a minute pass \
                        (nginx: limit_req with burst=60 nodelay, and limit_req_status 429; DRF: \
                        throttle_scope of the view that refreshes; Tenure: \
                        limits.refresh_per_session_per_minute)";

const GRACE: &str = "accept the replaced token for a while and hand out the same successor, as Tenure \
                     does; or exchange none (simplejwt: ROTATE_REFRESH_TOKENS or BLACKLIST_AFTER_ROTATION \
                     = False)";
const COPY: &str = "refuse a replaced token and end nothing for its first sight (simplejwt: \
                    BLACKLIST_AFTER_ROTATION ends no session by itself; look for what revokes the family)";

pub async fn look(
    patient: &Patient,
    visitor: &Visitor<'_>,
) -> Result<Vec<(&'static str, Judgement)>, NoAnswer> {
    let mut told = vec![];
    let mut limit = match in_a_row(visitor).await {
        Ok(()) => Judgement::ok(format!("{IN_A_ROW} refreshes in a row are served")),
        Err(judgement) if judgement.is_finding() => {
            told.push(("refresh-limit", judgement));
            let why = "refreshes in a row are not served; see refresh-limit";
            told.extend(EPISODES.map(|(id, _)| (id, Judgement::skipped(why))));
            return Ok(told);
        }
        Err(unseen) => unseen,
    };
    let mut visitor = visitor.clone();
    for (id, good) in EPISODES {
        let seen = match id {
            "refresh-late-duplicate" => episode::late_copy(&visitor).await,
            "refresh-lost-answer" => episode::lost(&visitor, 1).await,
            "refresh-concurrent" => episode::at_once(&visitor, TABS).await,
            _ => episode::reload_burst(&visitor).await,
        };
        if let Err(Verdict::InItsPlace { status: status @ (429 | 503), told: what }) = seen {
            let what = format!("after {IN_A_ROW} refreshes in a row, {what}");
            limit = Judgement::warn(what, LET_PASS).by("status", status);
            let why = "a limit answers in its place; see refresh-limit";
            let rest = EPISODES.iter().skip_while(|(one, _)| *one != id);
            told.extend(rest.map(|(id, _)| (*id, Judgement::skipped(why))));
            break;
        }
        let is_harmed = seen.is_err();
        told.push((id, judged(seen, good, if id == "refresh-late-duplicate" { COPY } else { GRACE })));
        if is_harmed {
            // The same account in a fresh browser. Where that is refused, nothing more is known.
            match patient.world.sign_in().await {
                Ok(fresh) => visitor = fresh,
                Err(_) => break,
            }
        }
    }
    told.push(("refresh-limit", limit));
    Ok(told)
}

/// What is said where something does not hold.
pub fn judged(told: Told, good: &str, fix: &str) -> Judgement {
    match told {
        Ok(()) => Judgement::ok(good),
        Err(Verdict::NotTested(why)) => Judgement::skipped(why),
        // Nobody has said no to anything.
        Err(Verdict::Unreachable(why) | Verdict::InItsPlace { told: why, .. }) => Judgement::unseen(why),
        Err(verdict) => Judgement::fail(verdict.detail(), fix),
    }
}

pub fn limited(nth: usize, answer: &Answer) -> Judgement {
    let told = Judgement::fail(
        format!("refresh number {nth} within some seconds is answered {}", answer.told()),
        LET_PASS,
    );
    match answer.retry_after() {
        Some(after) => told.by("retry_after_seconds", after.as_secs()),
        None => told,
    }
    .by("status", answer.status)
}

/// What is to be said where not all are served.
async fn in_a_row(visitor: &Visitor<'_>) -> Result<(), Judgement> {
    for nth in 1..=IN_A_ROW {
        let nth_of_all = nth + 2;
        let answer = visitor.refresh().await.map_err(|none| {
            Judgement::unseen(format!("refresh number {nth_of_all} in a row has no answer: {}", none.why()))
        })?;
        match answer.status {
            200..300 => {}
            429 | 503 => return Err(limited(nth_of_all, &answer)),
            _ => {
                let found = format!("refresh number {nth_of_all} in a row is answered {}", answer.told());
                let fix = "look into the log of the API for why a refresh that follows a good one is refused";
                return Err(Judgement::fail(found, fix));
            }
        }
    }
    Ok(())
}
