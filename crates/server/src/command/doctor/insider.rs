//! What somebody sees who signs in, calls and refreshes, once each, and what is to be said of it.

use std::net::IpAddr;
use std::time::Duration;

use http::header::ORIGIN;

use super::super::outside::browser::{Extra, State, Visitor, found};
use super::super::outside::mentions;
use super::super::outside::profile::{Call, Place};
use super::super::outside::target::Target;
use super::super::outside::token;
use super::super::outside::wire::{Answer, NoAnswer};
use super::examine::{COOKIES, OF_A_REFRESH, Patient};
use super::finding::{Chart, Judgement};
use super::site::{self, Relation};
use super::stranger::Strangers;
use super::{answers, cookies, lives, origins, refreshes};

/// What somebody who has just signed in is answered.
pub struct Answers {
    pub login: Answer,
    pub api: Answer,
    pub refreshes: Vec<Answer>,
    /// The token of the sign-in.
    pub access: String,
}

impl Answers {
    pub fn named(&self) -> Vec<(&'static str, &Answer)> {
        let refreshes = self.refreshes.iter().map(|answer| ("a refresh", answer));
        [("the sign-in", &self.login), ("a call", &self.api)].into_iter().chain(refreshes).collect()
    }
}

/// As long as a token that counts in seconds may stay the same, and some more.
const A_SECOND: Duration = Duration::from_millis(1_200);

const REFUSED: &str = "look into the log of the API for why it refuses a token that it has just handed \
                       out (simplejwt: SIGNING_KEY, token_blacklist; two nodes with different keys; nginx: \
                       no proxy_set_header Cookie that takes the cookies away)";
const STRIPPED: &str = "pass the header on (nginx: no proxy_set_header Authorization and no auth_basic \
                        for the API; Apache with mod_wsgi: WSGIPassAuthorization On; uWSGI and FastCGI: \
                        pass HTTP_AUTHORIZATION)";

impl Patient {
    /// Calls and refreshes of somebody who has just signed in.
    pub async fn signed_in(
        &self,
        chart: &mut Chart,
        visitor: &Visitor<'_>,
        login: &Answer,
        strangers: &Strangers,
    ) -> Result<Answers, NoAnswer> {
        let origin = [(ORIGIN, self.world.page_origin())].to_vec();
        let extra = Extra { headers: origin, ..Extra::default() };
        let profile = &self.world.profile;
        let access = visitor.access();
        let api = visitor.send(&profile.api, &visitor.state(), &extra).await?;
        // The way by which a cache does not know it.
        let mut uncached = profile.api.clone();
        uncached.url.push_str(if uncached.url.contains('?') {
            "&uncached={now_ms}"
        } else {
            "?uncached={now_ms}"
        });
        let around = match api.is_fine() {
            true => None,
            false => Some(visitor.send(&uncached, &visitor.state(), &extra).await?),
        };
        let nobody = self.world.nobody();
        let after = nobody.send(&profile.api, &State::default(), &extra).await?;
        let mut refreshes = vec![];
        let mut handed = vec![];
        // Where two are the same, a third one is asked for: a token may say no more than the second in which it was made.
        while refreshes.len() < 2 || (refreshes.len() == 2 && is_same(&handed)) {
            if refreshes.len() == 2 {
                tokio::time::sleep(A_SECOND).await;
            }
            let answer = visitor.send_refresh(&visitor.state()).await?;
            visitor.receive(&answer);
            let place = profile.refresh.access.as_ref().filter(|place| !matches!(place, Place::Cookie(_)));
            handed.push(place.and_then(|place| found(place, &answer)));
            let is_fine = answer.is_fine();
            refreshes.push(answer);
            if !is_fine {
                break;
            }
        }
        let answers = Answers { login: login.clone(), api, refreshes, access };
        if let Some(hit) = answers::is_from_a_cache(&answers.named()) {
            chart.tell("proxy-cache", hit);
        }
        let cached = if !strangers.ours.is_fine() && after.is_fine() {
            Some("what somebody signed in was answered is answered to anybody after that")
        } else if around.as_ref().is_some_and(Answer::is_fine) {
            Some("a refusal of before the sign-in is answered to somebody who is signed in")
        } else if handed.len() == 3 && is_same(&handed) {
            self.replayed(visitor, &answers.refreshes, handed.last().and_then(Option::as_deref)).await?
        } else {
            None
        };
        match cached {
            Some(found) => chart.tell("proxy-cache", answers::cached(found.into())),
            None => chart.tell("proxy-cache", Judgement::ok("nothing is answered from a cache")),
        }
        Ok(answers)
    }

    /// A server may well hand out a token again that is fresh still. A cache does not look at the clock, and not at who asks.
    async fn replayed(
        &self,
        visitor: &Visitor<'_>,
        refreshes: &[Answer],
        token: Option<&str>,
    ) -> Result<Option<&'static str>, NoAnswer> {
        let dates = refreshes.iter().map(|answer| answer.header("date"));
        if matches!(dates.rev().take(2).collect::<Vec<_>>()[..], [Some(one), Some(other)] if one == other) {
            return Ok(Some("two refreshes in a row are answered with one and the same token, and date"));
        }
        let state = visitor.with_refresh(&token::damaged(&visitor.refresh_token()));
        let answer = visitor.send_refresh(&state).await?;
        let place = self.world.profile.refresh.access.as_ref();
        let is_served =
            answer.is_fine() && place.is_some_and(|place| found(place, &answer).as_deref() == token);
        Ok(is_served.then_some("whoever asks for a refresh is answered with one and the same token"))
    }

    pub async fn judge(&self, chart: &mut Chart, visitor: &Visitor<'_>, seen: &Answers) {
        let profile = &self.world.profile;
        let named = seen.named();
        chart.tell("redirect", answers::redirect(&named));
        chart.tell("clock-offset", answers::clock(&named, Some((&seen.access, seen.login.at.as_ms()))));
        let handing: Vec<_> =
            named.iter().filter(|(what, answer)| *what != "a call" && answer.is_fine()).copied().collect();
        chart.tell("cache-control", answers::cache_control(&handing));
        if self.relation() == Relation::SameOrigin {
            chart.tell(
                "cors-origin",
                Judgement::ok("pages and API have one origin, and no other one is let in"),
            );
        } else {
            let read = origins::exposed(profile, &named);
            let origin = origins::origin(&self.world.page_origin(), self.uses_cookies(), &named);
            chart.tell("cors-origin", read.filter(|_| !origin.is_finding()).unwrap_or(origin));
            let credentials = match (self.uses_cookies(), chart.fails("cors-origin")) {
                (false, _) => Judgement::not_applicable("no cookie comes along"),
                (true, true) => Judgement::skipped("the pages' origin is not let in; see cors-origin"),
                (true, false) => origins::credentials(named.iter().copied()),
            };
            chart.tell("cors-credentials", credentials);
        }
        self.judge_cookies(chart, seen);
        self.judge_calls(chart, seen);
        self.judge_lives(chart, visitor, seen).await;
    }

    fn judge_cookies(&self, chart: &mut Chart, seen: &Answers) {
        let profile = &self.world.profile;
        let places = [profile.access_place(), profile.refresh_place()];
        let names: Vec<&str> = places
            .iter()
            .filter_map(|place| match place {
                Place::Cookie(name) => Some(name.as_str()),
                _ => None,
            })
            .collect();
        let Place::Cookie(of_refresh) = profile.refresh_place() else {
            let none = Judgement::not_applicable("the refresh token is not in a cookie");
            chart.tell_all(&["cookie-set", "proxy-set-cookie"], &none);
            chart.tell_all(&COOKIES, &none);
            return;
        };
        let path = |call: &Call| {
            let uri = self.world.target.resolve(&call.url);
            uri.map(|uri| uri.path().to_owned()).unwrap_or_default()
        };
        let (login, refresh) = (path(&profile.login), path(&profile.refresh));
        let mut sets = cookies::set_by(&seen.login, 0, "the sign-in", &login, &names);
        for (nth, answer) in seen.refreshes.iter().enumerate() {
            sets.extend(cookies::set_by(answer, nth + 1, "a refresh", &refresh, &names));
        }
        let target = &self.world.target;
        let way = cookies::Way {
            host: target.host(),
            is_encrypted: target.is_encrypted(),
            is_here: target.is_here(),
            is_cross_site: self.relation() == Relation::CrossSite,
            refresh_path: &refresh,
            access_in_cookie: matches!(profile.access_place(), Place::Cookie(_)),
            remembers: mentions(&profile.login, "{remember}")
                || profile.promises.remembered_lifetime().is_some(),
        };
        for (id, judgement) in cookies::judge(&sets, &way, of_refresh) {
            chart.tell(id, judgement);
        }
        chart.tell("cookie-set", Judgement::ok("the sign-in sets it"));
        // Exchanged at every refresh, and yet not handed out by one.
        let is_lost = seen.refreshes.len() == 2
            && seen.refreshes.iter().all(|answer| !answer.headers.contains_key("set-cookie"))
            && seen.refreshes[0].is_fine()
            && !seen.refreshes[1].is_fine();
        chart.tell(
            "proxy-set-cookie",
            match is_lost {
                true => Judgement::fail(
                    "a refresh is answered without a Set-Cookie, and the next one is refused: the new \
                     token has got lost on the way",
                    "let it pass (nginx: no proxy_hide_header Set-Cookie for the address that refreshes)",
                ),
                false => Judgement::ok("it arrives"),
            },
        );
    }

    fn judge_calls(&self, chart: &mut Chart, seen: &Answers) {
        let refused = seen.refreshes.last().filter(|answer| !answer.is_fine());
        match refused {
            None => chart.tell("refresh", Judgement::ok("it is served, twice in a row")),
            Some(answer) => self.judge_refused(chart, answer, seen.refreshes.len()),
        }
        let judgement = match self.world.profile.access_place() {
            Place::Cookie(_) => Judgement::not_applicable("the access token is in a cookie"),
            _ => authorization(chart, &seen.api),
        };
        chart.tell("proxy-authorization", judgement);
    }

    /// A plain refresh, the first or the second one after the sign-in, was not served.
    fn judge_refused(&self, chart: &mut Chart, answer: &Answer, nth: usize) {
        let told = answer.told();
        if matches!(answer.status, 429 | 503) {
            chart.tell("refresh-limit", refreshes::limited(nth, answer));
            return chart.tell("refresh", Judgement::skipped("it is limited; see refresh-limit"));
        }
        let is_too_large = matches!(answer.status, 400 | 413 | 431 | 494) && answer.is_html();
        if is_too_large && self.uses_cookies() {
            let found = format!("a refresh with the session's cookies is answered {told}");
            let fix = "keep a random name of the session in the cookie, and what belongs to it in a store \
                       (nginx: large_client_header_buffers, until then)";
            // It fits a browser, and not the proxy.
            chart.replace("cookie-size", Judgement::fail(found, fix));
        }
        let judgement = match chart.cause(&OF_A_REFRESH) {
            Some(cause) => {
                Judgement::skipped(format!("a refresh is answered {told}; put {cause} right first"))
            }
            None => {
                let nth = if nth == 1 { "first" } else { "second" };
                Judgement::fail(format!("the {nth} refresh after the sign-in is answered {told}"), REFUSED)
            }
        };
        chart.tell("refresh", judgement);
    }

    async fn judge_lives(&self, chart: &mut Chart, visitor: &Visitor<'_>, seen: &Answers) {
        let profile = &self.world.profile;
        let place = profile.refresh_place();
        let refresh = visitor.refresh_token();
        // Each with the token that came along with it, which the next one may have replaced.
        let in_body = seen.refreshes.iter().chain([&seen.login]).any(|answer| {
            let token = found(place, answer).unwrap_or_else(|| refresh.clone());
            token.len() > 8 && String::from_utf8_lossy(&answer.body).contains(&token)
        });
        chart.tell("token-readable", lives::token_readable(place, in_body));
        chart.tell(
            "access-lifetime",
            match profile.access_place() {
                Place::Cookie(_) if profile.access_place() == place => {
                    Judgement::not_applicable("there is one token, and no access token")
                }
                _ => lives::access(profile, &seen.access, &seen.login),
            },
        );
        let cookie = match place {
            Place::Cookie(name) => visitor.state().jar.cookie(name).and_then(|cookie| cookie.lives_secs),
            _ => None,
        };
        let cookie = cookie.map(|secs| Duration::from_secs(secs.max(0).unsigned_abs()));
        let token = token::expires_at(&refresh).map(|at| {
            Duration::from_millis(
                at.saturating_mul(1000).saturating_sub(self.world.now_ms()).max(0).unsigned_abs(),
            )
        });
        let life = [cookie, token].into_iter().flatten().min();
        chart.tell(
            "remember-lifetime",
            match chart.fails("cookie-lifetime") {
                true => Judgement::skipped("the cookie goes with the browser; see cookie-lifetime"),
                false => lives::remembered(profile, life),
            },
        );
        let is_one_server = match self.relation() {
            Relation::SameSite if self.app.host() != self.world.target.host() => {
                let (app, api) = (self.addresses(&self.app).await, self.addresses(&self.world.target).await);
                (!app.is_empty() && !api.is_empty()).then(|| site::is_one_server(&app, &api))
            }
            _ => None,
        };
        chart.tell("safari-seven-days", lives::safari(place, life, is_one_server));
    }

    async fn addresses(&self, at: &Target) -> Vec<IpAddr> {
        if let Some(told) = self.names.told(at.host()) {
            return vec![told.ip()];
        }
        let found = tokio::net::lookup_host((at.host(), 443)).await;
        found.map(|all| all.map(|one| one.ip()).collect()).unwrap_or_default()
    }
}

/// Whether the last two refreshes have handed out one and the same token. A cookie may well stay as it is.
fn is_same(handed: &[Option<String>]) -> bool {
    matches!(handed, [.., Some(one), Some(other)] if one == other)
}

/// A call with the token of the sign-in.
fn authorization(chart: &Chart, api: &Answer) -> Judgement {
    let found = format!("a call with the token of the sign-in is answered {}", api.told());
    let cause = chart.cause(&["proxy-cache", "clock-offset", "cors-origin", "cookie-size"]);
    match (api.status, cause) {
        (200..=299, _) => Judgement::ok("it arrives"),
        (300..=399, _) => Judgement::skipped("the call is redirected; see redirect"),
        (_, Some(cause)) => Judgement::skipped(format!("{found}; put {cause} right first")),
        (401 | 403, None) => Judgement::fail(found, STRIPPED),
        _ => Judgement::fail(found, "look into the log of the API, or name another address as api.url"),
    }
}
