//! One tab of a real browser: opened, filled in, and served faults in place of its API.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::outside::world::Credentials;
use super::chromium::{Browsed, Chromium, Event};

/// What a page is asked by. Its functions return names and states, and never a value of storage or cookies.
const SCRIPT: &str = include_str!("page.js");

/// How long a page may take to load and to make up its mind.
const SETTLE_MAX: Duration = Duration::from_secs(10);

/// It has, once it has answered so many times in a row that nothing happened on the network since it was asked before:
/// about a second. A page that stands still does not answer, so that its own time counts and not ours.
const CALM_MIN: u32 = 7;
const POLL: Duration = Duration::from_millis(150);

/// What the API is made to answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Status(u16),
    /// No connection at all.
    Network,
}

/// Where faults are put.
#[derive(Clone)]
pub struct Faults {
    pub fault: Fault,
    /// Every address that begins with it, but for the spared ones.
    pub api: String,
    pub spared: Vec<String>,
    pub origin: String,
}

pub struct Page {
    session: String,
    faults: Option<Faults>,
    /// How many calls were answered with a fault since they were begun.
    pub harmed: u32,
    /// What browsers say about cookies that they refused: the name and why.
    pub refused: Vec<(String, String)>,
    /// Requests and answers so far.
    heard: u64,
    /// Requests whose answer has not begun. A stream that has begun may go on for ever.
    under_way: BTreeSet<String>,
}

pub struct State {
    pub has_form: bool,
    pub href: String,
    /// As the browser says it, whatever its page says.
    pub origin: String,
}

impl Page {
    pub async fn open(browser: &mut Chromium) -> Browsed<Self> {
        let nothing = |_: &mut Chromium, _: Event| Ok(());
        let target =
            browser.call("", "Target.createTarget", json!({ "url": "about:blank" }), nothing).await?;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("", "Target.attachToTarget", attach, nothing).await?;
        let session = attached["sessionId"].as_str().unwrap_or_default().to_owned();
        let mut page =
            Self { session, faults: None, harmed: 0, refused: vec![], heard: 0, under_way: BTreeSet::new() };
        page.call(browser, "Page.enable", json!({})).await?;
        page.call(browser, "Network.enable", json!({})).await?;
        Ok(page)
    }

    pub async fn call(&mut self, browser: &mut Chromium, method: &str, params: Value) -> Browsed<Value> {
        let session = self.session.clone();
        browser.call(&session, method, params, |browser, event| self.hear(browser, event)).await
    }

    /// Opens an address and waits until the page has made up its mind.
    pub async fn go(&mut self, browser: &mut Chromium, url: &str) -> Browsed<State> {
        self.under_way.clear();
        self.call(browser, "Page.navigate", json!({ "url": url })).await?;
        self.settle(browser).await
    }

    /// Until it is loaded and nothing has happened on the network for a while.
    pub async fn settle(&mut self, browser: &mut Chromium) -> Browsed<State> {
        let until = Instant::now() + SETTLE_MAX;
        let mut calm = 0;
        loop {
            let (heard, pause) = (self.heard, (Instant::now() + POLL).min(until));
            while let Some(event) = browser.event(pause).await? {
                self.hear(browser, event)?;
            }
            let state = self.ask(browser, "state()").await?;
            let is_calm = state["ready"] == true && self.under_way.is_empty() && self.heard == heard;
            calm = if is_calm { calm + 1 } else { 0 };
            if calm >= CALM_MIN || Instant::now() >= until {
                let [href, origin] =
                    ["href", "origin"].map(|key| state[key].as_str().unwrap_or_default().to_owned());
                return Ok(State { has_form: state["form"] == true, href, origin });
            }
        }
    }

    /// Fills in the form that is there, as somebody who types, and waits for what becomes of it. Nothing is typed into the
    /// page of another origin, and that is an error.
    pub async fn sign_in(
        &mut self,
        browser: &mut Chromium,
        origin: &str,
        who: &Credentials,
    ) -> Browsed<State> {
        // JSON is JavaScript.
        let [at, email, password] =
            [origin, &who.email, &who.password].map(|text| Value::from(text).to_string());
        if self.ask(browser, &format!("fill({at}, {email}, {password})")).await? != true {
            return Err(format!("the form is no longer at {origin}"));
        }
        self.ask(browser, "remember()").await?;
        self.ask(browser, "password()").await?;
        for kind in ["keyDown", "keyUp"] {
            let key = json!({ "type": kind, "key": "Enter", "code": "Enter", "text": "\r", "windowsVirtualKeyCode": 13 });
            self.call(browser, "Input.dispatchKeyEvent", key).await?;
        }
        self.settle(browser).await
    }

    /// Where tokens are kept that scripts can read, by name.
    pub async fn kept(&mut self, browser: &mut Chromium) -> Browsed<Vec<String>> {
        let kept = self.ask(browser, "kept()").await?;
        Ok(kept
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect())
    }

    pub async fn set_faults(&mut self, browser: &mut Chromium, faults: Option<Faults>) -> Browsed<()> {
        self.harmed = 0;
        let (method, params) = match &faults {
            Some(faults) => {
                let pattern = json!({ "urlPattern": format!("{}*", faults.api) });
                ("Fetch.enable", json!({ "patterns": [pattern] }))
            }
            None => ("Fetch.disable", json!({})),
        };
        self.faults = faults;
        self.call(browser, method, params).await.map(drop)
    }

    async fn ask(&mut self, browser: &mut Chromium, what: &str) -> Browsed<Value> {
        let expression = format!("{SCRIPT}.{what}");
        let params = json!({ "expression": expression, "returnByValue": true });
        let mut answer = self.call(browser, "Runtime.evaluate", params).await?;
        match answer.get("exceptionDetails") {
            // Without what was handed over.
            Some(_) => Err(format!("the page has no {}", what.split('(').next().unwrap_or_default())),
            None => Ok(answer["result"]["value"].take()),
        }
    }

    fn hear(&mut self, browser: &mut Chromium, event: Event) -> Browsed<()> {
        if event.session != self.session {
            return Ok(());
        }
        match event.method.as_str() {
            "Fetch.requestPaused" => {
                self.heard += 1;
                self.pause(browser, &event.params)
            }
            "Network.responseReceivedExtraInfo" => {
                for blocked in event.params["blockedCookies"].as_array().into_iter().flatten() {
                    let line = blocked["cookieLine"].as_str().unwrap_or_default();
                    let name = line.split('=').next().unwrap_or_default().trim().to_owned();
                    let why = blocked["blockedReasons"][0].as_str().unwrap_or("unknown").to_owned();
                    self.refused.push((name, why));
                }
                Ok(())
            }
            "Network.requestWillBeSent" | "Network.responseReceived" | "Network.loadingFailed" => {
                self.heard += 1;
                let id = event.params["requestId"].as_str().unwrap_or_default().to_owned();
                match event.method.as_str() {
                    "Network.requestWillBeSent" => drop(self.under_way.insert(id)),
                    _ => drop(self.under_way.remove(&id)),
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A request to the API waits for what it is to be told.
    fn pause(&mut self, browser: &mut Chromium, params: &Value) -> Browsed<()> {
        let id = &params["requestId"];
        let url = params["request"]["url"].as_str().unwrap_or_default();
        let is_call =
            matches!(params["resourceType"].as_str(), Some("XHR" | "Fetch" | "Preflight" | "EventSource"));
        let path = url.split(['?', '#']).next().unwrap_or_default();
        let faults = self
            .faults
            .as_ref()
            .filter(|faults| is_call && !faults.spared.iter().any(|spared| spared == path));
        let is_preflight = params["request"]["method"] == "OPTIONS";
        let (method, params) = match faults.map(|faults| (faults.fault, faults)) {
            None => ("Fetch.continueRequest", json!({ "requestId": id })),
            // What is asked beforehand is answered as always, unless nothing is answered.
            Some((Fault::Status(_), _)) if is_preflight => {
                ("Fetch.continueRequest", json!({ "requestId": id }))
            }
            Some((Fault::Network, _)) => {
                self.harmed += 1;
                ("Fetch.failRequest", json!({ "requestId": id, "errorReason": "InternetDisconnected" }))
            }
            Some((Fault::Status(status), faults)) => {
                self.harmed += 1;
                let headers = json!([
                    { "name": "Content-Type", "value": "application/json" },
                    { "name": "Access-Control-Allow-Origin", "value": faults.origin },
                    { "name": "Access-Control-Allow-Credentials", "value": "true" },
                ]);
                let body = "eyJkZXRhaWwiOiJ0ZW51cmUgZG9jdG9yIn0=";
                let answer = json!({ "requestId": id, "responseCode": status, "responseHeaders": headers, "body": body });
                ("Fetch.fulfillRequest", answer)
            }
        };
        let session = self.session.clone();
        browser.send(&session, method, params).map(drop)
    }
}
