//! One examination, from what anybody can see to what takes an account, and what explains before what is explained.

use std::collections::BTreeSet;

use futures_util::future::LocalBoxFuture;
use tokio::time::{Instant, timeout_at};

use super::super::outside::browser::Visitor;
use super::super::outside::hook;
use super::super::outside::profile::Place;
use super::super::outside::target::Target;
use super::super::outside::token;
use super::super::outside::wire::NoAnswer;
use super::super::outside::world::World;
use super::super::ticker::Ticker;
use super::finding::{Chart, Judgement, Verdict};
use super::site::{self, Relation};
use super::{answers, check, front_end, outages, refreshes};
use crate::http::client::Names;

pub struct Patient {
    pub world: World,
    /// Where the pages are; the API is the world's target.
    pub app: Target,
    pub names: Names,
    /// Whether there are commands and pages of ours behind it.
    pub is_tenure: bool,
    pub has_account: bool,
    /// The checks that will be told. What harms more than a session is done for these alone.
    pub wanted: BTreeSet<&'static str>,
    pub chromium: Option<front_end::Wanted>,
    /// By when it has to be over.
    pub until: Instant,
}

/// A part of the examination that takes its time.
type Stage<'p> = LocalBoxFuture<'p, Result<Vec<(&'static str, Judgement)>, NoAnswer>>;

const TIME_IS_OVER: &str = "the time of --time-max was over";

/// It could not be examined, which says nothing about it.
pub struct NotRun(pub String);

const EPISODES: [&str; 4] =
    ["refresh-concurrent", "refresh-lost-answer", "refresh-late-duplicate", "refresh-reload-burst"];
const REFRESHES: [&str; 6] = [
    "refresh-limit",
    "refresh-concurrent",
    "refresh-lost-answer",
    "refresh-late-duplicate",
    "refresh-reload-burst",
    "refresh-refused-status",
];
pub const COOKIES: [&str; 9] = [
    "cookie-http-only",
    "cookie-secure",
    "cookie-same-site",
    "cookie-path",
    "cookie-domain",
    "cookie-lifetime",
    "cookie-prefix",
    "cookie-duplicate",
    "cookie-size",
];
pub const CORS: [&str; 5] =
    ["cors-origin", "cors-credentials", "cors-preflight", "cors-headers", "cors-vary"];
const OUTAGES: [&str; 3] = ["keys-persist", "outage-status", "redis-independent"];

/// What takes an account and has not been told by then.
const SIGNED_IN: [&str; 10] = [
    "cookie-set",
    "proxy-set-cookie",
    "proxy-authorization",
    "refresh",
    "token-readable",
    "access-lifetime",
    "remember-lifetime",
    "safari-seven-days",
    "cache-control",
    "proxy-cache",
];

/// Why a refresh may fail, whatever else is right.
pub const OF_A_REFRESH: [&str; 9] = [
    "redirect",
    "proxy-set-cookie",
    "cookie-set",
    "cookie-path",
    "cookie-duplicate",
    "cookie-size",
    "cors-origin",
    "clock-offset",
    "proxy-cache",
];

impl Patient {
    /// Looks at everything. Whoever asks takes back what a hook has stopped, and signs out.
    pub async fn examine(&self, ticker: &mut Ticker) -> Result<Chart, NotRun> {
        let mut chart = Chart::default();
        self.look(&mut chart, ticker).await?;
        Ok(chart)
    }

    async fn look(&self, chart: &mut Chart, ticker: &mut Ticker) -> Result<(), NotRun> {
        ticker.tell(|| "looking at the pages".into());
        let Some(page) = self.arrive(chart).await? else { return Ok(()) };
        let strangers = self.strangers().await?;
        self.before_sign_in(chart, &page, &strangers).await?;
        if !self.has_account {
            let why = "there is no account to sign in with (DOCTOR_EMAIL and DOCTOR_PASSWORD)";
            self.judge_strangers(chart, &strangers);
            self.skip_signed_in(chart, why);
            return Ok(());
        }
        ticker.tell(|| "signing in".into());
        let Some((visitor, login)) = self.sign_in(chart).await? else { return Ok(()) };
        ticker.tell(|| "looking at what the sign-in has brought".into());
        match self.signed_in(chart, &visitor, &login, &strangers).await {
            Ok(answers) => self.judge(chart, &visitor, &answers).await,
            // What was seen before is worth telling.
            Err(none) => {
                let unseen = Judgement::unseen(format!("there is no answer: {}", none.why()));
                self.tell_signed_in(chart, &unseen);
            }
        }
        if chart.of("refresh").is_some_and(|refresh| refresh.verdict == Verdict::Ok) {
            self.harm(chart, &visitor, ticker).await;
        }
        chart.skip(&REFRESHES, "a plain refresh is not served");
        chart.skip(&OUTAGES, "a plain refresh is not served");
        if let Some(wanted) = self.chromium.as_ref().filter(|_| self.wants_browser()) {
            ticker.tell(|| "looking with a browser".into());
            self.browse(chart, wanted).await;
        }
        Ok(())
    }

    /// A browser is not let loose on what a hook has stopped and nobody has started again.
    async fn browse(&self, chart: &mut Chart, wanted: &front_end::Wanted) {
        if hook::mend(&self.world).await.is_err() {
            chart.tell_all(&front_end::IDS, &Judgement::unseen("what a hook has stopped is down"));
        } else if Instant::now() >= self.until
            || timeout_at(self.until, front_end::look(self, wanted, chart)).await.is_err()
        {
            chart.tell_all(&front_end::IDS, &Judgement::unseen(TIME_IS_OVER));
        }
    }

    pub fn wants(&self, ids: &[&str]) -> bool {
        ids.iter().any(|id| self.wanted.contains(id))
    }

    fn wants_browser(&self) -> bool {
        check::ALL.iter().any(|check| check.in_browser && self.wanted.contains(check.id))
    }

    pub fn skip_signed_in(&self, chart: &mut Chart, why: &str) {
        self.tell_signed_in(chart, &Judgement::skipped(why));
    }

    fn tell_signed_in(&self, chart: &mut Chart, judgement: &Judgement) {
        for ids in [&SIGNED_IN[..], &["sign-in"], &COOKIES, &REFRESHES, &OUTAGES] {
            chart.tell_all(ids, judgement);
        }
    }

    /// Whether the session is in a cookie.
    pub fn uses_cookies(&self) -> bool {
        let profile = &self.world.profile;
        [profile.access_place(), profile.refresh_place()]
            .iter()
            .any(|place| matches!(place, Place::Cookie(_)))
    }

    pub fn relation(&self) -> Relation {
        site::relation(&self.app, &self.world.target)
    }

    // === What is done to the session, and around it ===

    async fn harm(&self, chart: &mut Chart, visitor: &Visitor<'_>, ticker: &mut Ticker) {
        if chart.fails("proxy-authorization") {
            // A call that is served is what shows that a session has outlived something.
            chart.skip(&EPISODES, "calls are refused anyhow; see proxy-authorization");
        }
        let stages: [(&str, &[&str], Stage<'_>); 3] = [
            (
                "refreshing in a row, at once and in vain",
                &REFRESHES,
                Box::pin(refreshes::look(self, visitor)),
            ),
            ("showing a made-up token", &["refresh-refused-status"], Box::pin(self.made_up(visitor))),
            ("asking the hooks", &OUTAGES, Box::pin(outages::look(self))),
        ];
        for (name, ids, stage) in stages.into_iter().filter(|(_, ids, _)| self.wants(ids)) {
            ticker.tell(|| name.into());
            // A cache, a twin or a limit answers in place of whoever knows the token.
            if let Some(cause) = chart.cause(&["proxy-cache", "cookie-duplicate", "refresh-limit"]) {
                let why = format!("something else answers for it; put {cause} right first");
                chart.skip(&["refresh-refused-status"], &why);
            }
            // What a hook has stopped is started again by whoever began this.
            let Ok(told) = timeout_at(self.until, stage).await else {
                for ids in [ids, &REFRESHES, &OUTAGES] {
                    chart.tell_all(ids, &Judgement::unseen(TIME_IS_OVER));
                }
                break;
            };
            match told {
                Ok(told) => told.into_iter().for_each(|(id, judgement)| chart.tell(id, judgement)),
                Err(none) => {
                    chart.tell_all(ids, &Judgement::unseen(format!("there is no answer: {}", none.why())));
                }
            }
        }
        let why = "nothing before it was left that it could be seen by";
        chart.skip(&REFRESHES, why);
        chart.skip(&OUTAGES, why);
    }

    /// A token that nobody has handed out. What is answered is not taken by the visitor.
    async fn made_up(&self, visitor: &Visitor<'_>) -> Result<Vec<(&'static str, Judgement)>, NoAnswer> {
        let state = visitor.with_refresh(&token::damaged(&visitor.refresh_token()));
        let refused = visitor.send_refresh(&state).await?;
        Ok(vec![("refresh-refused-status", answers::refresh_refused(&refused))])
    }
}

impl From<NoAnswer> for NotRun {
    fn from(none: NoAnswer) -> Self {
        Self(none.why())
    }
}
