//! What is put in where a profile says `{...}`.

use serde_json::{Map, Value};

use super::browser::State;
use super::profile::Call;

/// What may stand between braces, besides `cookie:NAME` and `env:NAME`.
const NAMES: [&str; 6] = ["email", "password", "remember", "access", "refresh", "now_ms"];

/// What there is to put in.
pub struct Fill<'a> {
    pub email: &'a str,
    pub password: &'a str,
    pub remember: bool,
    pub state: &'a State,
    /// The access and the refresh token of this request, which may be others than the browser's.
    pub access: Option<String>,
    pub refresh: Option<String>,
    /// By the system's clock, in Unix milliseconds.
    pub now_ms: i64,
}

impl Fill<'_> {
    /// None where there is nothing to put in: then the header or member is left out.
    pub fn text(&self, template: &str) -> Option<String> {
        let mut filled = String::new();
        for part in parts(template) {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Name(name) => filled.push_str(&self.value(name)?),
            }
        }
        Some(filled)
    }

    /// An address: what is put in stays within its part of the path or the query, and what is missing is left out.
    pub fn url(&self, template: &str) -> String {
        let filled = parts(template).into_iter().map(|part| match part {
            Part::Text(text) => text.to_owned(),
            Part::Name(name) => escaped(&self.value(name).unwrap_or_default()),
        });
        filled.collect()
    }

    pub fn json(&self, template: &Value) -> Option<Value> {
        Some(match template {
            Value::String(text) if text == "{remember}" => self.remember.into(),
            Value::String(text) => self.text(text)?.into(),
            Value::Array(items) => items.iter().filter_map(|item| self.json(item)).collect(),
            Value::Object(members) => {
                let filled =
                    members.iter().filter_map(|(name, value)| Some((name.clone(), self.json(value)?)));
                Value::Object(filled.collect::<Map<_, _>>())
            }
            other => other.clone(),
        })
    }

    fn value(&self, name: &str) -> Option<String> {
        match name {
            "email" => Some(self.email.to_owned()),
            "password" => Some(self.password.to_owned()),
            "remember" => Some(self.remember.to_string()),
            "access" => self.access.clone(),
            "refresh" => self.refresh.clone(),
            "now_ms" => Some(self.now_ms.to_string()),
            other => match other.split_once(':')? {
                ("cookie", name) => self.state.jar.value(name).map(str::to_owned),
                ("env", name) => std::env::var(name).ok(),
                _ => None,
            },
        }
    }
}

/// For a form or an address (percent-encoding, with every odd byte encoded).
pub fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// With a letter for each placeholder, to see where an address leads whatever is put in.
pub fn with_letters(template: &str) -> String {
    let letters = parts(template).into_iter().map(|part| match part {
        Part::Text(text) => text,
        Part::Name(_) => "x",
    });
    letters.collect()
}

/// The first name for which nothing could ever be put in.
pub fn unknown(template: &str) -> Option<&str> {
    parts(template).into_iter().find_map(|part| match part {
        Part::Name(name) if !NAMES.contains(&name) => match name.split_once(':') {
            Some(("cookie" | "env", of)) if !of.is_empty() => None,
            _ => Some(name),
        },
        _ => None,
    })
}

/// Whether something is put into the body of a request.
pub fn mentions(call: &Call, placeholder: &str) -> bool {
    let json = call.json.as_ref().map(strings).unwrap_or_default();
    let form = call.form.iter().flat_map(|form| form.values()).map(String::as_str);
    json.into_iter().chain(form).any(|text| text.contains(placeholder))
}

/// Every string in a value.
pub fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(members) => members.values().flat_map(strings).collect(),
        _ => vec![],
    }
}

enum Part<'a> {
    Text(&'a str),
    Name(&'a str),
}

/// A brace that is never closed is text.
fn parts(mut template: &str) -> Vec<Part<'_>> {
    let mut parts = vec![];
    while let Some((before, (name, after))) =
        template.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    {
        parts.extend([Part::Text(before), Part::Name(name)]);
        template = after;
    }
    parts.push(Part::Text(template));
    parts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_there_is_is_put_in_and_the_rest_left_out() {
        let state = State::default();
        let fill = Fill {
            email: "ada@example.com",
            password: "p{x}",
            remember: true,
            state: &state,
            access: Some("at".into()),
            refresh: None,
            now_ms: 5,
        };
        assert_eq!(fill.text("Bearer {access}").as_deref(), Some("Bearer at"));
        assert_eq!(
            fill.text("{password}{now_ms}").as_deref(),
            Some("p{x}5"),
            "what is put in is not read again"
        );
        assert_eq!((fill.text("x{refresh}"), fill.text("{cookie:csrf}")), (None, None));
        assert_eq!(fill.text("a{b").as_deref(), Some("a{b"));
        assert_eq!(fill.url("/of/{email}/{cookie:x}?p={password}"), "/of/ada%40example.com/?p=p%7Bx%7D");
        assert_eq!(with_letters("/of/{email}/{env:X}"), "/of/x/x");
        let body = json!({ "e": "{email}", "r": "{remember}", "t": "{refresh}", "n": [1, "{access}"] });
        assert_eq!(fill.json(&body).unwrap(), json!({ "e": "ada@example.com", "r": true, "n": [1, "at"] }));
        assert_eq!(unknown("{email} {passwort}"), Some("passwort"));
        assert_eq!((unknown("{cookie:}"), unknown("{env:X}{cookie:y}")), (Some("cookie:"), None));
    }
}
