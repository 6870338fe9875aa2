//! What anybody can see, without an account: pages, certificates, and what browsers are told about other origins.

use http::header::{ACCEPT, HeaderName, ORIGIN, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method};

use super::super::outside::browser::{AGENT, Extra, State};
use super::super::outside::profile::Call;
use super::super::outside::target::Target;
use super::super::outside::wire::{Answer, Asked, NoAnswer};
use super::answers;
use super::examine::{CORS, NotRun, Patient};
use super::finding::{Chart, Judgement};
use super::origins::{self, FOREIGN, Preflight};
use super::site::{self, Relation};

/// What a call without a token is answered, by the page that it comes from.
pub struct Strangers {
    pub ours: Answer,
    pub plain: Answer,
    pub foreign: Answer,
}

impl Patient {
    /// The page that people open. None: the certificate is not trusted, and nothing can be said of what is behind it.
    pub async fn arrive(&self, chart: &mut Chart) -> Result<Option<Answer>, NotRun> {
        let pages = self.get(&self.app, "/").await;
        let api = self.world.nobody().api().await;
        let failed =
            [(self.app.origin(), pages.as_ref().err()), (self.world.target.origin(), api.as_ref().err())];
        for (origin, none) in failed {
            let Some(none) = none else { continue };
            let why = none.why();
            if !why.to_ascii_lowercase().contains("certificate") {
                return Err(NotRun(format!("{origin}: {why}")));
            }
            chart.tell(
                "tls",
                Judgement::fail(
                    format!("the certificate of {origin} is not trusted: {why}"),
                    "serve the whole chain of a certificate for this name that has not expired (nginx: \
                     ssl_certificate with fullchain.pem; certbot renew; openssl s_client -connect HOST:443 \
                     shows what is served)",
                ),
            );
            for check in super::check::ALL {
                chart.skip(&[check.id], "nothing was reached; see tls");
            }
            return Ok(None);
        }
        let broken = [("the page", pages.as_ref().ok()), ("a call", api.as_ref().ok())].into_iter().find_map(
            |(what, answer)| {
                answer
                    .filter(|answer| answer.status >= 500)
                    .map(|answer| format!("{what} is answered {}", answer.told()))
            },
        );
        chart.tell(
            "reachable",
            match broken {
                Some(found) => Judgement::fail(
                    found,
                    "look into the error log of the proxy and of what is behind it (nginx: error.log, \
                     proxy_pass and its port)",
                ),
                None => Judgement::ok("they answer"),
            },
        );
        Ok(pages.ok())
    }

    /// A page, as a browser that opens it: with nothing of the test account.
    async fn get(&self, at: &Target, path: &str) -> Result<Answer, NoAnswer> {
        let uri = at.resolve(path).map_err(NoAnswer::Failed)?;
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert(ACCEPT, HeaderValue::from_static("text/html"));
        self.world.wire.ask(Asked { method: Method::GET, uri, headers, body: vec![] }).await
    }

    /// A call without a token: from the pages, from nowhere, and from a page that nobody knows.
    pub async fn strangers(&self) -> Result<Strangers, NotRun> {
        let nobody = self.world.nobody();
        let from = async |origin: Option<&str>| {
            let headers = origin.map(|origin| (ORIGIN, origin.to_owned())).into_iter().collect();
            let extra = Extra { headers, ..Extra::default() };
            nobody.send(&self.world.profile.api, &State::default(), &extra).await.map_err(NotRun::from)
        };
        let origin = self.world.page_origin();
        Ok(Strangers {
            ours: from(Some(&origin)).await?,
            plain: from(None).await?,
            foreign: from(Some(FOREIGN)).await?,
        })
    }

    pub async fn before_sign_in(
        &self,
        chart: &mut Chart,
        page: &Answer,
        strangers: &Strangers,
    ) -> Result<(), NotRun> {
        let (app, api) = (&self.app, &self.world.target);
        chart.tell("same-site", site::judge(app, api, self.uses_cookies()));
        chart.tell("tls", self.tls().await);
        let encrypted = [("the page", page, app), ("the API", &strangers.ours, api)];
        let hsts: Vec<_> = encrypted
            .into_iter()
            .filter(|(_, _, at)| at.is_encrypted())
            .map(|(what, answer, at)| (what, at.host(), answer))
            .collect();
        chart.tell("hsts", answers::hsts(&hsts));
        if (300..400).contains(&strangers.ours.status) {
            chart.tell("redirect", answers::redirect(&[("a call without a token", &strangers.ours)]));
        }
        chart.tell("api-refused-status", answers::api_refused(&strangers.ours));
        self.cors(chart, strangers).await
    }

    async fn tls(&self) -> Judgement {
        let (app, api) = (&self.app, &self.world.target);
        let fix = "serve both over https (certbot; nginx: listen 443 ssl), and answer http with 301";
        match [app, api].into_iter().find(|at| !at.is_encrypted()) {
            Some(at) if at.is_here() => {
                Judgement::skipped("this machine is trusted without encryption; ask the real site")
            }
            Some(at) => Judgement::fail(format!("{} is not encrypted", at.origin()), fix),
            None if app.has_port() || self.names.told(app.host()).is_some() => {
                Judgement::ok("both are encrypted")
            }
            // Whoever types the name without a scheme arrives here first.
            None => match Target::parse(&format!("http://{}", app.host()), true) {
                Ok(clear) => match self.get(&clear, "/").await {
                    Ok(answer) if answer.is_fine() => {
                        Judgement::warn(format!("{} serves pages in the clear", clear.origin()), fix)
                    }
                    _ => Judgement::ok("both are encrypted, and pages are not served otherwise"),
                },
                Err(_) => Judgement::ok("both are encrypted"),
            },
        }
    }

    async fn cors(&self, chart: &mut Chart, strangers: &Strangers) -> Result<(), NotRun> {
        if let Some(foreign) = origins::lets_foreign_in(&strangers.foreign) {
            chart.tell("cors-origin", foreign);
        }
        if self.relation() == Relation::SameOrigin {
            let why = "pages and API have one origin";
            // What a sign-in is answered may still say that its own pages are foreign.
            chart.skip(&CORS[1..], why);
            return Ok(());
        }
        let preflights = self.preflights().await?;
        chart.tell("cors-preflight", origins::preflight(&preflights));
        let mut read: Vec<_> = vec![("a call without a token", &strangers.ours)];
        read.extend(preflights.iter().filter(|one| one.answer.is_fine()).map(|one| (one.what, &one.answer)));
        let judged = origins::origin(&self.world.page_origin(), self.uses_cookies(), &read);
        // Where all is well so far, what somebody signed in is answered is looked at as well.
        if judged.is_finding() {
            chart.tell("cors-origin", judged);
        }
        if chart.fails("cors-origin") {
            chart.skip(
                &["cors-headers", "cors-credentials"],
                "the pages' origin is not let in; see cors-origin",
            );
        }
        chart.tell("cors-headers", origins::headers(&preflights, self.uses_cookies()));
        if self.uses_cookies() {
            let allowed = preflights.iter().filter(|one| one.answer.is_fine());
            let judged = origins::credentials(allowed.map(|one| (one.name.as_str(), &one.answer)));
            if judged.is_finding() {
                chart.tell("cors-credentials", judged);
            }
        }
        let others = [&strangers.plain, &strangers.foreign];
        chart.tell("cors-vary", origins::vary(&strangers.ours, others));
        Ok(())
    }

    async fn preflights(&self) -> Result<Vec<Preflight>, NotRun> {
        let profile = &self.world.profile;
        let calls = [
            ("the sign-in", Some(&profile.login)),
            ("a refresh", Some(&profile.refresh)),
            ("a call", Some(&profile.api)),
            ("the sign-out", profile.logout.as_ref()),
        ];
        let mut preflights = vec![];
        for (what, call) in calls {
            let Some((call, asks)) = call.and_then(|call| Some((call, origins::asks(profile, call)?))) else {
                continue;
            };
            let options = Call { method: Some("OPTIONS".into()), url: call.url.clone(), ..Call::default() };
            let mut headers = vec![
                (ORIGIN, self.world.page_origin()),
                (HeaderName::from_static("access-control-request-method"), asks.method.clone()),
            ];
            if !asks.headers.is_empty() {
                headers.push((
                    HeaderName::from_static("access-control-request-headers"),
                    asks.headers.join(","),
                ));
            }
            let answer = self
                .world
                .nobody()
                .send(&options, &State::default(), &Extra { headers, ..Extra::default() })
                .await?;
            preflights.push(Preflight { what, name: format!("the preflight of {what}"), asks, answer });
        }
        Ok(preflights)
    }

    /// What can be said where nobody signs in.
    pub fn judge_strangers(&self, chart: &mut Chart, strangers: &Strangers) {
        // Pages come from where they are kept, and say when they were put there.
        chart.tell("clock-offset", answers::clock(&[("a call without a token", &strangers.ours)], None));
        chart.tell(
            "cors-origin",
            match self.relation() {
                Relation::SameOrigin => {
                    Judgement::ok("pages and API have one origin, and no other one is let in")
                }
                _ => Judgement::ok("the pages' origin is let in, and no other one"),
            },
        );
    }
}
