//! What another system looks like from outside: where one signs in, where tokens are, what is promised.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::time::Duration;

use figment::Figment;
use figment::providers::{Format as _, Toml};
use http::HeaderName;
use serde::Deserialize;
use serde_json::Value;

use super::faults::{self, ProfileError};
use super::target::Target;

/// The profile that `--example-profile` prints; a test reads it.
pub const EXAMPLE: &str = include_str!("profiles/example.toml");

/// Profiles that come along, as `preset:NAME`.
pub const PRESETS: [(&str, &str); 3] = [
    ("tenure", include_str!("profiles/tenure.toml")),
    ("django-simplejwt", include_str!("profiles/django-simplejwt.toml")),
    ("dj-rest-auth-cookies", include_str!("profiles/dj-rest-auth-cookies.toml")),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// What the report calls the system.
    pub name: String,
    /// The origin of the pages, if it is not the target's own.
    pub origin: Option<String>,
    /// The answers of a refresh, by status, after which the pages show the sign-in form.
    #[serde(default = "usual_ends")]
    pub signs_out: BTreeSet<u16>,
    /// Sent along with every request.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    pub login: Call,
    pub refresh: Call,
    /// Any address that serves this account, and nobody who is not signed in.
    pub api: Call,
    pub logout: Option<Call>,
    /// An address that answers 403 to this account, signed in as it is.
    pub forbidden: Option<Call>,
    #[serde(default)]
    pub promises: Promises,
    #[serde(default)]
    pub hooks: BTreeMap<String, Hook>,
}

/// One request, with `{...}` where something is put in.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    pub url: String,
    pub method: Option<String>,
    pub json: Option<Value>,
    pub form: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Where the tokens are in its answer. Of a refresh, none means that it is not exchanged.
    pub access: Option<Place>,
    pub refresh: Option<Place>,
}

/// What people were told. Nothing is expected of what was not promised.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promises {
    access_lifetime: Option<Span>,
    remembered_lifetime: Option<Span>,
    short_lifetime: Option<Span>,
}

/// How to bring about from outside what visitors cannot: a command, or a request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// A program and its arguments, without a shell.
    pub run: Option<Vec<String>>,
    pub call: Option<Call>,
}

/// Where a token is in an answer, and where the browser keeps it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub enum Place {
    /// A JSON pointer (RFC 6901) into the body.
    Json(String),
    /// A cookie by its name, in which `*` stands for anything.
    Cookie(String),
    Header(HeaderName),
}

#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Span(Duration);

/// The hooks there are, each with the one that takes it back.
pub const HOOKS: [(&str, &str); 9] = [
    ("suspend", "activate"),
    ("cancel", "reopen"),
    ("account_remove", "account_restore"),
    ("plan_remove", "plan_give"),
    ("plan_off", "plan_on"),
    ("disable", "enable"),
    ("store_down", "store_up"),
    ("cache_down", "cache_up"),
    ("stop", "start"),
];

// === impl Profile ===

impl Profile {
    /// `preset:NAME`, or a file.
    pub fn load(named: &str, target: &Target) -> Result<Self, ProfileError> {
        let text = match named.strip_prefix("preset:") {
            Some(preset) => match PRESETS.iter().find(|(name, _)| *name == preset) {
                Some((_, text)) => (*text).to_owned(),
                None => {
                    let known: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
                    let what = format!("there is no preset `{preset}`, but {}", known.join(", "));
                    return Err(ProfileError::one("profile_unknown", "--profile", what));
                }
            },
            None => std::fs::read_to_string(Path::new(named)).map_err(|error| {
                ProfileError::one("profile_unreadable", "--profile", format!("{named}: {error}"))
            })?,
        };
        Self::parse(&text, target)
    }

    pub fn parse(text: &str, target: &Target) -> Result<Self, ProfileError> {
        let mut profile: Self = Figment::from(Toml::string(text)).extract()?;
        // What is looked at is read, and everything else changes something.
        for call in [Some(&mut profile.api), profile.forbidden.as_mut()].into_iter().flatten() {
            call.method.get_or_insert_with(|| "GET".to_owned());
        }
        faults::check(&profile, target)?;
        Ok(profile)
    }

    /// Every request that it describes, with its field.
    pub fn calls(&self) -> Vec<(String, &Call)> {
        let fixed = [("login", &self.login), ("refresh", &self.refresh), ("api", &self.api)];
        let optional = [("logout", &self.logout), ("forbidden", &self.forbidden)];
        let optional = optional.into_iter().filter_map(|(name, call)| Some((name, call.as_ref()?)));
        let hooks = self.hooks.iter().filter_map(|(name, hook)| {
            let call = hook.call.as_ref()?;
            Some((format!("hooks.{name}.call"), call))
        });
        fixed.into_iter().chain(optional).map(|(name, call)| (name.to_owned(), call)).chain(hooks).collect()
    }

    /// Where the refresh token is kept, which the sign-in says.
    pub fn refresh_place(&self) -> &Place {
        self.login.refresh.as_ref().unwrap_or(&NOWHERE)
    }

    pub fn access_place(&self) -> &Place {
        self.login.access.as_ref().unwrap_or(&NOWHERE)
    }
}

static NOWHERE: Place = Place::Json(String::new());

fn usual_ends() -> BTreeSet<u16> {
    [400, 401, 403].into()
}

// === impl Promises ===

impl Promises {
    pub fn access_lifetime(&self) -> Option<Duration> {
        self.access_lifetime.map(|span| span.0)
    }

    pub fn remembered_lifetime(&self) -> Option<Duration> {
        self.remembered_lifetime.map(|span| span.0)
    }

    pub fn short_lifetime(&self) -> Option<Duration> {
        self.short_lifetime.map(|span| span.0)
    }
}

// === impl Place ===

impl TryFrom<String> for Place {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let error = || format!("`{text}` is no place of a token: json:/pointer, cookie:NAME or header:NAME");
        match text.split_once(':') {
            Some(("json", pointer)) if pointer.starts_with('/') => Ok(Place::Json(pointer.to_owned())),
            Some(("cookie", name)) if !name.is_empty() => Ok(Place::Cookie(name.to_owned())),
            Some(("header", name)) => name.parse().map(Place::Header).map_err(|_| error()),
            _ => Err(error()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Json(pointer) => write!(f, "json:{pointer}"),
            Place::Cookie(name) => write!(f, "cookie:{name}"),
            Place::Header(name) => write!(f, "header:{name}"),
        }
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let span = humantime::parse_duration(&text);
        span.map(Span).map_err(|_| format!("`{text}` is no span of time, as in 15m or 20d"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Profile, String> {
        let target = Target::parse("http://127.0.0.1:8000", false).unwrap();
        Profile::parse(text, &target).map_err(|error| error.to_string())
    }

    const SMALL: &str = r#"
        name = "small"
        login = { url = "/in", json = { user = "{email}" }, access = "json:/a", refresh = "cookie:r" }
        refresh = { url = "/re", access = "json:/a" }
        api = { url = "/me" }
    "#;

    #[track_caller]
    fn refused(more: &str, expected: &str) {
        let error = parse(&format!("{more}\n{SMALL}")).err().expect(more);
        assert!(error.contains(expected), "{more}: {error}");
    }

    #[test]
    fn what_comes_along_can_be_read() {
        parse(EXAMPLE).map_err(|error| panic!("example: {error}")).ok();
        for (name, text) in PRESETS {
            parse(text).map_err(|error| panic!("{name}: {error}")).ok();
        }
        let target = Target::parse("https://id.example.com", false).unwrap();
        let error = Profile::load("preset:rails", &target).err().unwrap().to_string();
        assert!(error.starts_with("profile_unknown: --profile: ") && error.contains("django-simplejwt"));
        let error = Profile::load("/no/such/file", &target).err().unwrap().to_string();
        assert!(error.starts_with("profile_unreadable: --profile: /no/such/file"), "{error}");
    }

    #[test]
    fn a_fault_is_told_with_its_code_and_its_field() {
        assert!(parse(SMALL).is_ok());
        refused("orgin = 'x'", "profile_field: orgin: unknown field");
        refused("origin = 'app'", "profile_field: origin: ");
        refused(
            "headers = { X = '{passwrd}' }",
            "profile_field: headers: nothing can be put in for `{passwrd}`",
        );
        refused("headers = { 'a b' = '' }", "`a b` is no name of a header");
        refused("logout = { url = 'https://elsewhere.example/out' }", "profile_field: logout.url: ");
        refused("logout = { url = '/out/{emial}' }", "logout.url: nothing can be put in for `{emial}`");
        for moved in ["https://{env:HOST}/out", "{env:BASE}/out", "http://127.0.0.1:8000{env:X}/out"] {
            refused(&format!("logout = {{ url = '{moved}' }}"), "profile_field: logout.url: ");
        }
        assert!(parse(&format!("logout = {{ url = '/of/{{email}}?at={{now_ms}}' }}\n{SMALL}")).is_ok());
        refused("logout = { url = '/out', method = 'G T' }", "profile_field: logout.method: ");
        refused("logout = { url = '/out', json = {}, form = {} }", "profile_field: logout.form: ");
        refused("logout = { url = '/out', access = 'body:x' }", "profile_field: logout.access: ");
        refused("promises = { access_lifetime = 'soon' }", "profile_field: promises.access_lifetime: ");
        refused("hooks = { explode = { run = ['x'] } }", "profile_field: hooks.explode: is no hook");
        refused("hooks = { suspend = { run = ['x'] } }", "suspend and activate come together");
        refused("hooks = { suspend = { run = [] }, activate = { run = ['x'] } }", "either `run`");
        assert!(parse("name = 'x'").err().unwrap().contains("missing field"));
        assert!(parse("name = ").is_err());
    }
}
