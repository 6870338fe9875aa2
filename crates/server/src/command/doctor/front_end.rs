//! What the pages do by themselves, in a real browser: what is kept, what is stored, and what a fault makes of them.

use std::path::PathBuf;

use http::Uri;
use serde_json::{Value, json};

use super::super::outside::browser::{Adopted, State as BrowserState};
use super::super::outside::jar::matches;
use super::super::outside::profile::{Call, Place};
use super::chromium::{Browsed, Chromium};
use super::examine::Patient;
use super::finding::{Chart, Judgement};
use super::page::{Fault, Faults, Page, State};

/// Which browser, and where people sign in.
pub struct Wanted {
    pub program: PathBuf,
    pub more: Vec<String>,
    /// A path of the pages.
    pub sign_in_page: String,
}

pub const IDS: [&str; 7] = [
    "browser-cookies",
    "browser-tabs",
    "storage-tokens",
    "front-end-402",
    "front-end-403",
    "front-end-5xx",
    "front-end-network",
];

const CLASSIFY: &str = "sign out for a refresh that was refused with 401 and for nothing else: show 402 and 403 where they were met, and try again after faults \
                        of the server and the network (@tenure/client does; axios: look at error.response.status in the interceptor, and do not call \
                        logout() in its last branch)";

pub async fn look(patient: &Patient, wanted: &Wanted, chart: &mut Chart) {
    if let Err(why) = Visit::all(patient, wanted, chart).await {
        chart.tell_all(&IDS, &Judgement::unseen(format!("the browser could not be used: {why}")));
    }
}

/// One browser of the test account.
struct Visit<'p> {
    patient: &'p Patient,
    browser: Chromium,
    page: Page,
    sign_in_page: String,
    /// Where the pages have led after the sign-in.
    inside: String,
    /// What it keeps of the session of the last sign-in, which is signed out of when all is over.
    kept: Adopted,
}

impl<'p> Visit<'p> {
    async fn all(patient: &'p Patient, wanted: &Wanted, chart: &mut Chart) -> Browsed<()> {
        let mut more = wanted.more.clone();
        let rules: Vec<_> = patient
            .names
            .all()
            .map(|(host, at)| match at.port() {
                0 => format!("MAP {host} {}", at.ip()),
                _ => format!("MAP {host} {at}"),
            })
            .collect();
        if !rules.is_empty() {
            more.push(format!("--host-resolver-rules={}", rules.join(", ")));
        }
        let mut browser = Chromium::start(&wanted.program, &more)?;
        let page = Page::open(&mut browser).await?;
        let sign_in_page = patient.app.resolve(&wanted.sign_in_page)?.to_string();
        let inside = sign_in_page.clone();
        let mut visit = Self { patient, browser, page, sign_in_page, inside, kept: Adopted::default() };
        if let Err(why) = visit.sign_in().await? {
            chart.tell_all(&IDS, &Judgement::unseen(why));
            return Ok(());
        }
        chart.tell("browser-cookies", visit.cookies().await?);
        chart.tell("storage-tokens", visit.storage().await?);
        if chart.fails("browser-cookies") {
            // Every page that is loaded again shows the form, whatever it makes of faults.
            chart.skip(&IDS, "the browser keeps no cookie; see browser-cookies");
            return Ok(());
        }
        let tabs = visit.tabs().await?;
        visit.tell(chart, "browser-tabs", tabs).await?;
        let faults = [
            ("front-end-402", Fault::Status(402), "402"),
            ("front-end-403", Fault::Status(403), "403"),
            ("front-end-5xx", Fault::Status(500), "500"),
            ("front-end-network", Fault::Network, "nothing at all"),
        ];
        for (id, fault, told) in faults {
            let seen = visit.fault(fault, told).await?;
            visit.tell(chart, id, seen).await?;
        }
        Ok(())
    }

    /// By the form, as people do. The inner error says why nobody is signed in.
    async fn sign_in(&mut self) -> Browsed<Result<(), String>> {
        let (at, app) = (self.sign_in_page.clone(), self.patient.app.origin());
        let state = self.page.go(&mut self.browser, &at).await?;
        // Wherever pages lead, the password goes to nobody but who was named.
        if state.has_form && state.origin != app {
            let origin = state.origin;
            return Ok(Err(format!("the form is at {origin}, and not at {app}; name that as --url")));
        }
        if !state.has_form {
            return Ok(Err(format!(
                "{at} shows no form with a name and a password; --sign-in-page says where it is"
            )));
        }
        self.kept = self.patient.world.adopt();
        let state = self.page.sign_in(&mut self.browser, &app, &self.patient.world.who).await?;
        self.keep().await?;
        if state.has_form {
            return Ok(Err(format!("the form at {at} is still there after it was filled in and sent")));
        }
        self.inside = state.href;
        Ok(Ok(()))
    }

    /// Takes note of the session's cookies, which each refresh may replace. Those that the browser has let go of may still be
    /// good, and are kept.
    async fn keep(&mut self) -> Browsed<()> {
        let profile = &self.patient.world.profile;
        let Place::Cookie(name) = profile.refresh_place() else { return Ok(()) };
        let calls = [Some(&profile.login), Some(&profile.refresh), profile.logout.as_ref()];
        let urls: Vec<_> = calls.into_iter().flatten().map(|call| self.address(call)).collect();
        let told = self.page.call(&mut self.browser, "Network.getCookies", json!({ "urls": urls })).await?;
        let mut state = BrowserState::default();
        for cookie in told["cookies"].as_array().into_iter().flatten() {
            if let (Some(name), Some(value), Some(path)) =
                (cookie["name"].as_str(), cookie["value"].as_str(), cookie["path"].as_str())
            {
                state.jar.put(name, value, path);
            }
        }
        if state.jar.cookie(name).is_some() {
            *self.kept.borrow_mut() = state;
        }
        Ok(())
    }

    async fn cookies(&mut self) -> Browsed<Judgement> {
        let Place::Cookie(name) = self.patient.world.profile.refresh_place() else {
            return Ok(Judgement::not_applicable("the refresh token is not in a cookie"));
        };
        let refresh = self.address(&self.patient.world.profile.refresh);
        let sent =
            self.page.call(&mut self.browser, "Network.getCookies", json!({ "urls": [refresh] })).await?;
        let is_it = |cookie: &&Value| cookie["name"].as_str().is_some_and(|one| matches(name, one));
        let kept = sent["cookies"].as_array().into_iter().flatten().find(is_it);
        if let Some(cookie) = kept {
            let told = Judgement::ok("the browser keeps it, and sends it to the refresh");
            let told = ["name", "path", "httpOnly", "secure", "sameSite", "session"]
                .iter()
                .fold(told, |told, key| told.by(key, cookie[key].clone()));
            return Ok(told);
        }
        let refused = self.page.refused.iter().find(|(one, _)| matches(name, one));
        let fix = "see the checks of cookie-… and same-site; the browser's own words are in the evidence";
        Ok(match refused {
            Some((one, why)) => {
                Judgement::fail(format!("the browser refuses {one} ({why})"), fix).by("reason", why.clone())
            }
            None => Judgement::fail(
                "after a sign-in by the form, the browser has no cookie to send to the refresh",
                fix,
            ),
        })
    }

    async fn storage(&mut self) -> Browsed<Judgement> {
        let kept = self.page.kept(&mut self.browser).await?;
        if kept.is_empty() {
            return Ok(Judgement::ok(
                "no token is in localStorage, sessionStorage or a cookie that scripts can read",
            ));
        }
        let found = format!("what looks like a token is in {}", kept.join(", "));
        let fix = "keep access tokens in memory and the refresh token in an HttpOnly cookie, and remove the old keys once (@tenure/client: migrate)";
        Ok(Judgement::warn(found, fix).by("keys", kept))
    }

    /// Two tabs that are reloaded at the same moment.
    async fn tabs(&mut self) -> Browsed<Judgement> {
        let inside = self.inside.clone();
        let mut other = Page::open(&mut self.browser).await?;
        other.call(&mut self.browser, "Page.navigate", json!({ "url": inside })).await?;
        self.page.call(&mut self.browser, "Page.navigate", json!({ "url": inside })).await?;
        let states = [other.settle(&mut self.browser).await?, self.page.settle(&mut self.browser).await?];
        self.keep().await?;
        other.call(&mut self.browser, "Page.close", json!({})).await?;
        Ok(match states.iter().any(|state| state.has_form) {
            false => Judgement::ok("two tabs that are loaded at once both stay signed in"),
            true => {
                let fix = "let tabs take turns (@tenure/client does, by the Web Locks API), and have the API accept a token that was replaced just now; see refresh-concurrent";
                Judgement::fail("of two tabs that are loaded at once, one shows the sign-in form", fix)
            }
        })
    }

    /// Loads the page with the API failing, then without. Where calls alone fail, nobody may see the form; where
    /// refreshes fail too, nobody may see it once they work again.
    async fn fault(&mut self, fault: Fault, told: &str) -> Browsed<Judgement> {
        let profile = &self.patient.world.profile;
        let mut spared: Vec<_> = [Some(&profile.login), profile.logout.as_ref()]
            .into_iter()
            .flatten()
            .map(|call| self.address(call))
            .collect();
        let refresh = self.address(&profile.refresh);
        spared.retain(|address| *address != refresh);
        let with_refresh = matches!(fault, Fault::Status(500..) | Fault::Network);
        let mut harmed = 0;
        for spares_refresh in [true, false] {
            if !spares_refresh && !with_refresh {
                break;
            }
            let mut spared = spared.clone();
            spared.extend(spares_refresh.then(|| refresh.clone()));
            let faults = Faults {
                fault,
                api: self.patient.world.target.origin(),
                spared,
                origin: self.patient.app.origin(),
            };
            let during = self.load(Some(faults)).await?;
            harmed += self.page.harmed;
            if spares_refresh && with_refresh && !during.has_form {
                // Refreshes come next, and then all is well again.
                continue;
            }
            let after = self.load(None).await?;
            let what = if spares_refresh { "calls are" } else { "calls and refreshes are" };
            let signed_out = |when: &str| {
                Judgement::fail(
                    format!("{what} answered {told}, and the page shows the sign-in form{when}"),
                    CLASSIFY,
                )
            };
            if after.has_form {
                return Ok(signed_out(", also when all is well again"));
            }
            if during.has_form && spares_refresh {
                return Ok(signed_out(" until it is loaded again"));
            }
            if during.has_form {
                let found = format!(
                    "{what} answered {told}, and the page shows the sign-in form as long as that lasts"
                );
                return Ok(Judgement::warn(found, CLASSIFY));
            }
        }
        Ok(match harmed {
            0 => Judgement::skipped("a page that is loaded again calls nothing of the API"),
            _ => Judgement::ok(format!("calls are answered {told}, and the page stays signed in"))
                .by("calls", harmed),
        })
    }

    async fn load(&mut self, faults: Option<Faults>) -> Browsed<State> {
        self.page.set_faults(&mut self.browser, faults).await?;
        let inside = self.inside.clone();
        let state = self.page.go(&mut self.browser, &inside).await?;
        self.keep().await?;
        Ok(state)
    }

    /// Whoever was signed out by what was found is signed in anew for the next look.
    async fn tell(&mut self, chart: &mut Chart, id: &str, seen: Judgement) -> Browsed<()> {
        let may_be_out = seen.is_finding();
        chart.tell(id, seen);
        match may_be_out && self.load(None).await?.has_form {
            true => self.sign_in().await?,
            false => Ok(()),
        }
    }

    fn address(&self, call: &Call) -> String {
        let uri: Option<Uri> = self.patient.world.target.resolve(&call.url).ok();
        uri.map(|uri| format!("{}{}", self.patient.world.target.origin(), uri.path())).unwrap_or_default()
    }
}
