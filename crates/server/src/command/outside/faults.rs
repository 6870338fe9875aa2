//! What can be wrong with a profile, told all at once.

use std::collections::BTreeMap;
use std::fmt;

use http::{HeaderName, Method};

use super::profile::{Call, HOOKS, Hook, Profile};
use super::target::Target;
use super::template;

/// What is wrong with a profile: one line for each fault, with a code and the field.
#[derive(Debug, PartialEq, Eq)]
pub struct ProfileError(Vec<Fault>);

#[derive(Debug, PartialEq, Eq)]
struct Fault {
    code: &'static str,
    field: String,
    what: String,
}

/// Found so far.
struct Faults(Vec<Fault>);

/// What a profile says that cannot be so, although it can be read.
pub fn check(profile: &Profile, target: &Target) -> Result<(), ProfileError> {
    let Faults(faults) = Faults::of(profile, target);
    if faults.is_empty() { Ok(()) } else { Err(ProfileError(faults)) }
}

// === impl Faults ===

impl Faults {
    fn of(profile: &Profile, target: &Target) -> Self {
        let mut faults = Faults(vec![]);
        for (field, call) in profile.calls() {
            faults.of_call(&field, call, target);
        }
        for (name, place) in [("access", &profile.login.access), ("refresh", &profile.login.refresh)] {
            if place.is_none() {
                faults
                    .add(&format!("login.{name}"), "says where that token is in the answer, and is missing");
            }
        }
        if profile.refresh.access.is_none() {
            faults.add("refresh.access", "says where the new token is in the answer, and is missing");
        }
        faults.of_templates("headers", profile.headers.values().map(String::as_str));
        faults.of_names("headers", profile.headers.keys());
        let is_origin =
            |text: &String| Target::parse(text, true).is_ok_and(|target| target.origin() == *text);
        if profile.origin.as_ref().is_some_and(|text| !is_origin(text)) {
            faults.add("origin", "is no origin, as in https://app.example.com");
        }
        for (name, hook) in &profile.hooks {
            faults.of_hook(name, hook, &profile.hooks);
        }
        faults
    }

    fn add(&mut self, field: &str, what: impl Into<String>) {
        self.0.push(Fault { code: "profile_field", field: field.to_owned(), what: what.into() });
    }

    fn of_call(&mut self, field: &str, call: &Call, target: &Target) {
        if let Err(what) = target.resolve(&template::with_letters(&call.url)) {
            self.add(&format!("{field}.url"), what);
        }
        self.of_templates(&format!("{field}.url"), [call.url.as_str()].into_iter());
        if call.method.as_ref().is_some_and(|method| method.parse::<Method>().is_err()) {
            self.add(&format!("{field}.method"), "is no method of HTTP");
        }
        if call.json.is_some() && call.form.is_some() {
            self.add(&format!("{field}.form"), "a request has one body, and `json` is there already");
        }
        self.of_names(&format!("{field}.headers"), call.headers.keys());
        self.of_templates(&format!("{field}.headers"), call.headers.values().map(String::as_str));
        let form = call.form.iter().flat_map(BTreeMap::values).map(String::as_str);
        self.of_templates(&format!("{field}.form"), form);
        let json = call.json.as_ref().map(template::strings).unwrap_or_default();
        self.of_templates(&format!("{field}.json"), json.into_iter());
    }

    fn of_names<'a>(&mut self, field: &str, names: impl Iterator<Item = &'a String>) {
        for name in names.filter(|name| name.parse::<HeaderName>().is_err()) {
            self.add(field, format!("`{name}` is no name of a header"));
        }
    }

    fn of_templates<'a>(&mut self, field: &str, texts: impl Iterator<Item = &'a str>) {
        for text in texts {
            if let Some(unknown) = template::unknown(text) {
                self.add(field, format!("nothing can be put in for `{{{unknown}}}`"));
            }
        }
    }

    fn of_hook(&mut self, name: &str, hook: &Hook, all: &BTreeMap<String, Hook>) {
        let field = format!("hooks.{name}");
        match HOOKS.iter().find(|(down, up)| name == *down || name == *up) {
            None => {
                let known: Vec<_> = HOOKS.iter().map(|(down, up)| format!("{down}/{up}")).collect();
                self.add(&field, format!("is no hook; there are {}", known.join(", ")));
            }
            Some((down, up)) if !all.contains_key(*down) || !all.contains_key(*up) => {
                self.add(&field, format!("{down} and {up} come together: what is broken is mended again"));
            }
            Some(_) => {}
        }
        let run = hook.run.as_ref();
        if run.is_some() == hook.call.is_some() || run.is_some_and(Vec::is_empty) {
            self.add(&field, "has either `run`, a program with its arguments, or `call`");
        }
        self.of_templates(&field, run.into_iter().flatten().map(String::as_str));
    }
}

// === impl ProfileError ===

impl ProfileError {
    pub fn one(code: &'static str, field: &str, what: String) -> Self {
        Self(vec![Fault { code, field: field.to_owned(), what }])
    }
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |Fault { code, field, what }: &Fault| match field.as_str() {
            "" => format!("{code}: {what}"),
            field => format!("{code}: {field}: {what}"),
        };
        f.write_str(&self.0.iter().map(line).collect::<Vec<_>>().join("\n"))
    }
}

impl From<figment::Error> for ProfileError {
    fn from(errors: figment::Error) -> Self {
        let faults = errors.into_iter().map(|error| Fault {
            code: "profile_field",
            field: error.path.join("."),
            what: error.kind.to_string(),
        });
        Self(faults.collect())
    }
}
