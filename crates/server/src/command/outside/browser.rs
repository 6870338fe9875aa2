//! Visitors: each is one browser with its jar and what its pages keep, signed in once.

mod must;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE, COOKIE, ORIGIN, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::jar::Jar;
use super::profile::{Call, Place};
use super::template::{Fill, escaped};
use super::verdict::Verdict;
use super::wire::{Answer, Asked, NoAnswer};
use super::world::{Credentials, World};

/// What a browser says of itself, unless a scenario says otherwise.
pub const AGENT: &str = "Mozilla/5.0 (compatible; tenure)";

/// Tries of what is answered with something passing, and the pause where none is asked for.
const TRIES: usize = 3;
const PAUSE: Duration = Duration::from_millis(500);

/// The longest pause that is made because a system asks for it.
const PAUSE_MAX: Duration = Duration::from_secs(65);

/// What a browser keeps: cookies, and the tokens that its pages were handed.
#[derive(Clone, Default)]
pub struct State {
    pub jar: Jar,
    access: Option<String>,
    refresh: Option<String>,
}

/// What a request has that others have not.
#[derive(Clone, Default)]
pub struct Extra {
    pub headers: Vec<(HeaderName, String)>,
    /// Instead of the body that the profile says.
    pub body: Option<(&'static str, Vec<u8>)>,
    pub remember: bool,
}

/// What is known of a browser that is no visitor's.
pub type Adopted = Rc<RefCell<State>>;

#[derive(Clone)]
pub struct Visitor<'w> {
    world: &'w World,
    state: Rc<RefCell<State>>,
    who: &'w Credentials,
}

impl World {
    /// A fresh browser, signed in and remembered.
    pub async fn sign_in(&self) -> Result<Visitor<'_>, Verdict> {
        self.sign_in_as(&self.who, State::default(), true).await
    }

    pub async fn sign_in_as<'w>(
        &'w self,
        who: &'w Credentials,
        state: State,
        remember: bool,
    ) -> Result<Visitor<'w>, Verdict> {
        let (visitor, answer) = self.ask_to_sign_in(who, state, remember).await?;
        if !answer.is_fine() {
            let what = format!("signing in was answered {}", answer.told());
            return Err(Verdict::NotTested(what));
        }
        visitor.complete(&answer).map_err(Verdict::NotTested)?;
        Ok(visitor)
    }

    /// Signs in, and says how that was answered. Whoever asks looks whether the visitor has what it should.
    pub async fn ask_to_sign_in<'w>(
        &'w self,
        who: &'w Credentials,
        state: State,
        remember: bool,
    ) -> Result<(Visitor<'w>, Answer), NoAnswer> {
        let visitor = Visitor { world: self, state: Rc::new(RefCell::new(state)), who };
        let extra = Extra { remember, ..Extra::default() };
        let mut answer = visitor.send(&self.profile.login, &visitor.state(), &extra).await?;
        // Signing in is limited in good systems, and a measurement can wait.
        for _ in 0..self.patience {
            if answer.status != 429 {
                break;
            }
            pause(&answer).await;
            answer = visitor.send(&self.profile.login, &visitor.state(), &extra).await?;
        }
        visitor.take(&self.profile.login, &answer);
        if answer.is_fine() {
            self.opened.borrow_mut().push(visitor.state.clone());
        }
        Ok((visitor, answer))
    }

    /// A browser that has been nowhere.
    pub fn nobody(&self) -> Visitor<'_> {
        Visitor { world: self, state: Rc::default(), who: &self.who }
    }

    /// A browser that many look at and nobody harms; signed in again if somebody did. That its call is served proves
    /// nothing where access tokens are not looked up, so that a refresh has to be served as well.
    pub async fn onlooker(&self) -> Result<Visitor<'_>, Verdict> {
        let kept = self.onlooker.borrow().clone();
        if let Some(state) = kept {
            let visitor = Visitor { world: self, state, who: &self.who };
            let refreshed = visitor.settled(async || visitor.refresh().await).await?;
            if refreshed.is_fine() && visitor.settled(async || visitor.api().await).await?.is_fine() {
                return Ok(visitor);
            }
        }
        let visitor = self.sign_in().await?;
        *self.onlooker.borrow_mut() = Some(visitor.state.clone());
        Ok(visitor)
    }

    /// A session that was begun by something else than a visitor, and is signed out of with the others.
    pub fn adopt(&self) -> Adopted {
        let state = Adopted::default();
        self.opened.borrow_mut().push(state.clone());
        state
    }

    /// Signs out of what scenarios have left open, as far as the profile says how.
    pub async fn clean_up(&self) {
        let looks_on = self.onlooker.borrow().clone();
        let is_kept = |state: &Rc<_>| looks_on.as_ref().is_some_and(|kept| Rc::ptr_eq(kept, state));
        let (kept, left): (Vec<_>, Vec<_>) = self.opened.take().into_iter().partition(is_kept);
        *self.opened.borrow_mut() = kept;
        for state in left {
            let visitor = Visitor { world: self, state, who: &self.who };
            if visitor.access().is_empty() && visitor.refresh_token().is_empty() {
                continue;
            }
            // A session that is over already is what this is for; nobody is told of a failure.
            if self.profile.logout.is_some() && visitor.access().is_empty() {
                drop(visitor.refresh().await);
            }
            drop(visitor.logout().await);
        }
    }
}

impl<'w> Visitor<'w> {
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    pub fn restore(&self, state: State) {
        *self.state.borrow_mut() = state;
    }

    pub fn access(&self) -> String {
        self.state.borrow().token(self.world.profile.access_place(), false).unwrap_or_default()
    }

    pub fn refresh_token(&self) -> String {
        self.state.borrow().token(self.world.profile.refresh_place(), true).unwrap_or_default()
    }

    /// What this browser keeps, with another access token.
    pub fn with_access(&self, token: &str) -> State {
        self.state().with(self.world.profile.access_place(), token, false)
    }

    pub fn with_refresh(&self, token: &str) -> State {
        self.state().with(self.world.profile.refresh_place(), token, true)
    }

    // === Requests ===

    pub async fn api(&self) -> Result<Answer, NoAnswer> {
        self.api_with(&self.state()).await
    }

    pub async fn api_with(&self, state: &State) -> Result<Answer, NoAnswer> {
        self.send(&self.world.profile.api, state, &Extra::default()).await
    }

    /// A refresh whose answer the browser has not received yet, and perhaps never will.
    pub async fn send_refresh(&self, state: &State) -> Result<Answer, NoAnswer> {
        self.send(&self.world.profile.refresh, state, &Extra::default()).await
    }

    /// The answer of a refresh arrives.
    pub fn receive(&self, answer: &Answer) {
        self.take(&self.world.profile.refresh, answer);
    }

    pub async fn refresh(&self) -> Result<Answer, NoAnswer> {
        let answer = self.send_refresh(&self.state()).await?;
        self.receive(&answer);
        Ok(answer)
    }

    pub async fn logout(&self) -> Result<Option<Answer>, NoAnswer> {
        let Some(call) = &self.world.profile.logout else { return Ok(None) };
        let answer = self.send(call, &self.state(), &Extra::default()).await?;
        self.take(call, &answer);
        Ok(Some(answer))
    }

    /// Any request, as a page's script would send it from this browser.
    pub async fn send(&self, call: &Call, state: &State, extra: &Extra) -> Result<Answer, NoAnswer> {
        let profile = &self.world.profile;
        let method = call.method.as_deref().unwrap_or("POST").parse::<Method>();
        let method = method.map_err(|error| NoAnswer::Failed(error.to_string()))?;
        let fill = Fill {
            email: &self.who.email,
            password: &self.who.password,
            remember: extra.remember,
            state,
            access: state.token(profile.access_place(), false),
            refresh: state.token(profile.refresh_place(), true),
            now_ms: self.world.now_ms(),
        };
        // The address is not said once it is filled in: there may be a token in it.
        let uri = self.world.target.resolve(&fill.url(&call.url)).map_err(|_| {
            NoAnswer::Failed(format!("`{}` is no address of the target with what is put in", call.url))
        })?;
        let mut headers = HeaderMap::new();
        let mut put = |name: HeaderName, value: &str| {
            // What no header can carry, such as a newline in a token, is not sent.
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                headers.insert(name, value);
            }
        };
        put(USER_AGENT, AGENT);
        put(ACCEPT, "application/json");
        if method != Method::GET {
            put(ORIGIN, &self.world.page_origin());
        }
        if let Some(cookies) = state.jar.header(uri.path()) {
            put(COOKIE, &cookies);
        }
        let body = match (&extra.body, &call.json, &call.form) {
            (Some((kind, body)), _, _) => {
                put(CONTENT_TYPE, kind);
                body.clone()
            }
            (None, Some(json), _) => {
                put(CONTENT_TYPE, "application/json");
                fill.json(json).map(|json| json.to_string().into_bytes()).unwrap_or_default()
            }
            (None, None, Some(form)) => {
                put(CONTENT_TYPE, "application/x-www-form-urlencoded");
                let filled = form.iter().filter_map(|(name, value)| Some((name, fill.text(value)?)));
                let pairs = filled.map(|(name, value)| format!("{}={}", escaped(name), escaped(&value)));
                pairs.collect::<Vec<_>>().join("&").into_bytes()
            }
            (None, None, None) => vec![],
        };
        for (name, value) in profile.headers.iter().chain(&call.headers) {
            if let (Ok(name), Some(value)) = (name.parse(), fill.text(value)) {
                put(name, &value);
            }
        }
        for (name, value) in &extra.headers {
            put(name.clone(), value);
        }
        let answer = self.world.wire.ask(Asked { method, uri, headers, body }).await?;
        self.world.learn(&answer);
        Ok(answer)
    }

    fn take(&self, call: &Call, answer: &Answer) {
        let mut state = self.state.borrow_mut();
        state.jar.apply(&answer.headers, answer.at);
        if answer.is_fine() {
            for (place, is_refresh) in [(&call.access, false), (&call.refresh, true)] {
                let Some(token) = place.as_ref().and_then(|place| found(place, answer)) else { continue };
                *(if is_refresh { &mut state.refresh } else { &mut state.access }) = Some(token);
            }
        }
    }

    /// Whether a sign-in has brought the tokens that the profile says it does; otherwise where they are missing.
    pub fn complete(&self, answer: &Answer) -> Result<(), String> {
        let profile = &self.world.profile;
        let state = self.state.borrow();
        for (what, place, is_refresh) in
            [("access", profile.access_place(), false), ("refresh", profile.refresh_place(), true)]
        {
            if state.token(place, is_refresh).is_none_or(|token| token.is_empty()) {
                let members = answer.json().and_then(|json| {
                    Some(json.as_object()?.keys().take(8).cloned().collect::<Vec<_>>().join(", "))
                });
                let members = members.map(|names| format!("; its body has {names}")).unwrap_or_default();
                let told = answer.told();
                return Err(format!(
                    "login.{what}: there is no token at {place} in the answer ({told}){members}"
                ));
            }
        }
        Ok(())
    }
}

impl State {
    fn token(&self, place: &Place, is_refresh: bool) -> Option<String> {
        match place {
            Place::Cookie(name) => self.jar.value(name).map(str::to_owned),
            _ if is_refresh => self.refresh.clone(),
            _ => self.access.clone(),
        }
    }

    fn with(mut self, place: &Place, token: &str, is_refresh: bool) -> Self {
        match place {
            Place::Cookie(name) => self.jar.overwrite(name, token),
            _ if is_refresh => self.refresh = Some(token.to_owned()),
            _ => self.access = Some(token.to_owned()),
        }
        self
    }
}

/// The token in an answer. One in a cookie is the jar's.
pub fn found(place: &Place, answer: &Answer) -> Option<String> {
    match place {
        Place::Json(pointer) => Some(answer.json()?.pointer(pointer)?.as_str()?.to_owned()),
        Place::Header(name) => answer.header(name).map(str::to_owned),
        Place::Cookie(name) => {
            let mut jar = Jar::default();
            jar.apply(&answer.headers, answer.at);
            jar.value(name).map(str::to_owned)
        }
    }
    .filter(|token| !token.is_empty())
}

/// As long as it is asked for, within reason.
pub async fn pause(answer: &Answer) {
    tokio::time::sleep(answer.retry_after().unwrap_or(PAUSE).min(PAUSE_MAX)).await;
}
