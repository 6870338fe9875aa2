//! One set-up, what is planted in it, and what has to be said of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;

use crate::back_end::Ways;
use crate::front::{Layout, Lines};
use crate::laboratory::Trouble;
use crate::pages::Pages;

pub const BINARY: &str = env!("CARGO_BIN_EXE_tenure");
pub const EMAIL: &str = "ada@example.com";
pub const PASSWORD: &str = "correct horse";

pub struct Case {
    pub name: &'static str,
    pub layout: Layout,
    pub back: Back,
    pub lines: Lines,
    pub pages: Pages,
    pub in_browser: bool,
    hooks: &'static [&'static str],
    pub trouble: Trouble,
    /// What its profile says besides.
    profile: String,
    /// The path that the pages are below.
    pub below: &'static str,
    /// It could not be seen to the end, and the command says so.
    pub is_cut_short: bool,
    /// Each check that finds something, and part of what it has to advise.
    pub told: BTreeMap<&'static str, &'static str>,
    /// Checks that find something or do not, as the machine has it.
    pub perhaps: BTreeSet<&'static str>,
}

#[derive(Clone)]
pub enum Back {
    Foreign(Ways),
    Tenure {
        nodes: usize,
        settings: Vec<(&'static str, &'static str)>,
    },
    /// A flavour of `tests/foreign/site_settings.py`, and the preset for it.
    Django(&'static str, &'static str),
}

/// What stands behind nginx.
pub trait Running: Send + Sync {
    fn addresses(&self) -> &[SocketAddr];

    /// Brings about what a hook of the profile asks for.
    fn hook(&self, name: &str);

    /// How many sessions nobody has ended, where that is known.
    fn open_sessions(&self) -> usize {
        0
    }
}

/// What one check says.
pub struct Said {
    pub verdict: String,
    pub found: String,
    pub fix: String,
}

/// A back end that is not ours, and nothing wrong.
pub fn foreign(name: &'static str) -> Case {
    Case::of(name, Back::Foreign(Ways::default()))
}

/// Tenure, and nothing wrong.
pub fn tenure(name: &'static str) -> Case {
    Case::of(name, Back::Tenure { nodes: 1, settings: vec![] })
}

/// Django of a flavour, as its preset looks at it.
pub fn django(name: &'static str, flavour: &'static str, preset: &'static str) -> Case {
    let case = Case::of(name, Back::Django(flavour, preset));
    case.without("proxy_set_header Host $host;").location("proxy_set_header Host 127.0.0.1;")
}

// === impl Case ===

impl Case {
    fn of(name: &'static str, back: Back) -> Self {
        let (layout, lines, pages) = (Layout::OneOrigin, Lines::default(), Pages::default());
        Self {
            name,
            layout,
            back,
            lines,
            pages,
            in_browser: false,
            hooks: &[],
            trouble: Trouble::default(),
            profile: String::new(),
            below: "",
            is_cut_short: false,
            told: BTreeMap::new(),
            perhaps: BTreeSet::new(),
        }
    }

    pub fn layout(self, layout: Layout) -> Self {
        Self { layout, ..self }
    }

    /// What the back end does otherwise than it should.
    pub fn way(mut self, change: impl FnOnce(&mut Ways)) -> Self {
        let Back::Foreign(ways) = &mut self.back else { panic!("{}: Tenure has no such switch", self.name) };
        change(ways);
        self
    }

    /// A real browser looks too.
    pub fn in_browser(self) -> Self {
        Self { in_browser: true, ..self }
    }

    /// What the pages do otherwise than they should, for a real browser to see.
    pub fn pages(mut self, change: impl FnOnce(&mut Pages)) -> Self {
        change(&mut self.pages);
        self.in_browser()
    }

    pub fn setting(mut self, name: &'static str, value: &'static str) -> Self {
        let Back::Tenure { settings, .. } = &mut self.back else { panic!("{}: not Tenure", self.name) };
        settings.push((name, value));
        self
    }

    /// Nodes of Tenure on one PostgreSQL.
    pub fn nodes(mut self, count: usize) -> Self {
        let Back::Tenure { nodes, .. } = &mut self.back else { panic!("{}: not Tenure", self.name) };
        *nodes = count;
        self
    }

    /// Lines of nginx in the location of the API.
    pub fn location(mut self, lines: &str) -> Self {
        self.lines.location += lines;
        self
    }

    /// And in its server.
    pub fn server(mut self, lines: &str) -> Self {
        self.lines.server += lines;
        self
    }

    /// And outside of all servers.
    pub fn http(mut self, lines: &str) -> Self {
        self.lines.http += lines;
        self
    }

    /// A line that should be there, and is not.
    pub fn without(mut self, line: &'static str) -> Self {
        self.lines.without.push(line);
        self
    }

    pub fn hooks(self, hooks: &'static [&'static str]) -> Self {
        Self { hooks, ..self }
    }

    pub fn trouble(self, trouble: Trouble) -> Self {
        Self { trouble, ..self }
    }

    pub fn profile_says(self, profile: String) -> Self {
        Self { profile, ..self }
    }

    pub fn below(self, below: &'static str) -> Self {
        Self { below, ..self }
    }

    pub fn cut_short(self) -> Self {
        Self { is_cut_short: true, ..self }
    }

    pub fn told(mut self, check: &'static str, advice: &'static str) -> Self {
        self.told.insert(check, advice);
        self
    }

    pub fn perhaps(mut self, check: &'static str) -> Self {
        self.perhaps.insert(check);
        self
    }

    /// The checks that have to be well, and not skipped, where nothing is wrong.
    pub fn looked_at(&self) -> Vec<&'static str> {
        if !self.told.is_empty() || self.is_cut_short {
            return vec![];
        }
        let by_hooks =
            [("stop", "keys-persist"), ("store_down", "outage-status"), ("cache_down", "redis-independent")];
        let by_hooks =
            by_hooks.into_iter().filter(|(hook, _)| self.hooks.contains(hook)).map(|(_, check)| check);
        let in_browser = if self.in_browser { &IN_BROWSER[..] } else { &[] };
        ALWAYS.into_iter().chain(by_hooks).chain(in_browser.iter().copied()).collect()
    }

    pub fn whole_profile(&self) -> String {
        let text = match &self.back {
            Back::Tenure { .. } => TENURE.to_owned(),
            Back::Django(_, preset) => (*preset).to_owned() + REMEMBERED,
            Back::Foreign(ways) => match ways.cookie {
                Some(_) => FOREIGN.replace("{login}", &format!("refresh = \"cookie:{}\"", ways.cookie_name)),
                None => FOREIGN.replace("{login}", "refresh = \"json:/refresh\""),
            }
            .replace("{refresh call}", if ways.cookie.is_some() { "" } else { IN_BODIES }),
        };
        let hooks = self.hooks.iter().map(|hook| format!("[hooks.{hook}.call]\nurl = \"/hooks/{hook}\"\n"));
        hooks.fold(text, |text, hook| text + &hook) + &self.profile
    }
}

const ALWAYS: [&str; 9] = [
    "sign-in",
    "cookie-http-only",
    "same-site",
    "remember-lifetime",
    "refresh-limit",
    "refresh-concurrent",
    "refresh-lost-answer",
    "refresh-late-duplicate",
    "refresh-reload-burst",
];
const IN_BROWSER: [&str; 7] = [
    "browser-cookies",
    "browser-tabs",
    "storage-tokens",
    "front-end-402",
    "front-end-403",
    "front-end-5xx",
    "front-end-network",
];

pub const SIMPLEJWT: &str = include_str!("../../src/command/outside/profiles/django-simplejwt.toml");
pub const DJ_REST_AUTH: &str = include_str!("../../src/command/outside/profiles/dj-rest-auth-cookies.toml");
const TENURE: &str = include_str!("../../src/command/outside/profiles/tenure.toml");

const FOREIGN: &str = r#"
name = "laboratory"
signs_out = [401]

[login]
url = "/api/auth/login"
json = { email = "{email}", password = "{password}", remember = "{remember}" }
access = "json:/access"
{login}

[refresh]
url = "/api/auth/refresh"
access = "json:/access"
{refresh call}

[api]
url = "/api/me"
headers = { Authorization = "Bearer {access}" }

[forbidden]
url = "/api/admin"
headers = { Authorization = "Bearer {access}" }

[logout]
url = "/api/auth/logout"

[promises]
access_lifetime = "15m"
remembered_lifetime = "20d"

"#;

const REMEMBERED: &str = "\n[promises]\nremembered_lifetime = \"20d\"\n";

const IN_BODIES: &str = "json = { refresh = \"{refresh}\" }\nrefresh = \"json:/refresh\"";

// === impl Said ===

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.verdict, self.found, self.fix)
    }
}

impl Said {
    pub fn is_finding(&self) -> bool {
        matches!(self.verdict.as_str(), "warn" | "fail")
    }

    pub fn is_ok(&self) -> bool {
        self.verdict == "ok"
    }

    pub fn advises(&self, words: &str) -> bool {
        self.is_finding() && self.fix.contains(words)
    }
}
