//! The pages: what the build of `web/app` leaves in `web/app/dist`. A release holds them; a debug build reads
//! them from that folder, so that a page can be worked on without compiling. Both work without them.
//!
//! # What the folder holds
//!
//! - `playground.html`, `sign-in.html`, `sign-up.html`, `account.html` and `reset-password.html`, served at `/` (in
//!   development), `/sign-in`, `/sign-up`, `/account` and `/reset-password`.
//! - `admin.html`, served at `/admin` and at every path below: its script knows which of its pages is meant. Its files
//!   are named from `{{base}}` on, where the other pages name theirs beside themselves.
//! - `assets/<name>-<hash>.<ext>`, served below `/assets/` and cached for ever: other content is another
//!   name. No folders below it. The extensions are those of [`content_type`].
//! - `favicon.svg` and `favicon.ico`, if there are any.
//! - Beside a file that compresses well, the same file as `.br` and `.gz`. Not needed for HTML.
//!
//! # What may stand in the HTML
//!
//! Placeholders, replaced once and escaped for text and quoted attributes:
//!
//! | placeholder | replaced by |
//! |---|---|
//! | `{{base}}` | the path below which everything is served, without a slash at its end |
//! | `{{config}}` | [`PageConfig`] as JSON, for `<meta name="tenure-config" content="{{config}}">` |
//! | `{{remembered}}` | how long a remembered sign-in lasts, in words: `20 days`, `36 hours` |
//! | `{{message}}` | why a posted form was refused; empty otherwise |
//! | `{{email}}`, `{{name}}` | what was typed into a form that was refused |
//! | `{{remember_me}}` | `checked` if it was ticked in a form that was refused, as in `<input type="checkbox" name="remember_me" {{remember_me}}>` |
//! | `{{return_to}}` | where to go after signing in: checked here, so a script may follow it as it is |
//! | `{{return_to_in_query}}` | the same as a value in the query of an address, for the way from one form to the other |
//!
//! The policy of the pages allows no inline script, no inline style and nothing from elsewhere. Forms post
//! `email`, `password`, `name` (sign-up), `remember_me` and `return_to` to `/sign-in` and `/sign-up`.

use std::borrow::Cow;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use http::HeaderValue;
use rust_embed::RustEmbed;
use serde::Serialize;

use crate::config::Settled;
use crate::http::origin::Origins;

/// One file, and the SHA-256 of its bytes.
pub struct File {
    pub bytes: Cow<'static, [u8]>,
    pub sha256: [u8; 32],
}

impl File {
    pub fn of(bytes: impl Into<Cow<'static, [u8]>>) -> Self {
        let bytes = bytes.into();
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest(&SHA256, &bytes).as_ref());
        Self { bytes, sha256 }
    }
}

/// Finds a file by its path below the folder.
pub type Find = fn(&str) -> Option<File>;

#[derive(RustEmbed)]
#[folder = "../../web/app/dist"]
#[allow_missing = true]
struct Built;

/// Finds what was built, if it was.
pub fn built(path: &str) -> Option<File> {
    Built::get(path).map(|file| File { sha256: file.metadata.sha256_hash(), bytes: file.data })
}

/// The user to try things with in development. It stands in every page, so the password is no secret.
#[derive(Clone, Serialize)]
pub struct DevUser {
    pub email: String,
    pub password: String,
}

/// What a page's script is told.
#[derive(Serialize)]
pub struct PageConfig<'a> {
    /// Seconds that a remembered sign-in lasts.
    pub remembered_lifetime: u64,
    /// Seconds that another sign-in lasts at most.
    pub short_lifetime: u64,
    /// Whether people may register themselves.
    pub registration_open: bool,
    /// Whether this server was started with `--dev`.
    pub development: bool,
    /// Whom to sign in as, if the server was started with `--dev-user`.
    pub dev_user: Option<&'a DevUser>,
}

/// What the next page is told about the form that was posted.
#[derive(Default)]
pub struct Carried<'a> {
    pub message: &'a str,
    pub email: &'a str,
    pub name: &'a str,
    pub remember_me: bool,
    pub return_to: &'a str,
}

/// The pages of this server.
pub struct Pages {
    find: Find,
    base: String,
    config: String,
    remembered: String,
    policy: HeaderValue,
}

impl Pages {
    pub fn new(find: Find, dev_user: Option<&DevUser>, settled: &Settled, origins: &Origins) -> Self {
        let times = &settled.times;
        let config = PageConfig {
            remembered_lifetime: times.remembered_lifetime.as_secs(),
            short_lifetime: times.short_lifetime.as_secs(),
            registration_open: settled.config.registration.open,
            development: settled.development,
            dev_user: dev_user.filter(|_| settled.development),
        };
        Self {
            find,
            base: settled.public_url.path.clone(),
            config: serde_json::to_string(&config).unwrap_or_default(),
            remembered: in_words(times.remembered_lifetime),
            policy: policy(origins),
        }
    }

    /// Whether this build has pages.
    pub fn are_built(&self) -> bool {
        self.find("sign-in.html").is_some()
    }

    pub fn find(&self, path: &str) -> Option<File> {
        (self.find)(path)
    }

    /// The Content-Security-Policy of every page.
    pub fn policy(&self) -> HeaderValue {
        self.policy.clone()
    }

    /// A page with its placeholders replaced. None if it was not built.
    pub fn render(&self, page: &str, carried: &Carried<'_>) -> Option<String> {
        let file = self.find(page)?;
        let template = String::from_utf8_lossy(&file.bytes);
        let onward = in_query(carried.return_to);
        let filled = fill(&template, |name| {
            Some(match name {
                "base" => &self.base,
                "config" => &self.config,
                "remembered" => &self.remembered,
                "message" => carried.message,
                "email" => carried.email,
                "name" => carried.name,
                "remember_me" if carried.remember_me => "checked",
                "remember_me" => "",
                "return_to" => carried.return_to,
                "return_to_in_query" => &onward,
                _ => return None,
            })
        });
        Some(filled)
    }
}

/// Form targets include the allowed origins because browsers also hold the redirect after a form to them.
fn policy(origins: &Origins) -> HeaderValue {
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
         connect-src 'self'; form-action 'self'{}; base-uri 'none'; frame-ancestors 'none'",
        origins.sources().map(|source| format!(" {source}")).collect::<String>()
    );
    // Origins are ASCII, or they would not have been parsed.
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// Replaces each placeholder once: what is put in is never looked at again, so nobody's e-mail address can ask
/// for more. Unknown names stay as they are.
fn fill<'a>(template: &str, value: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut filled = String::with_capacity(template.len() + 512);
    let mut rest = template;
    while let Some(start) = rest.find("{{") {
        let (before, from) = rest.split_at(start);
        filled.push_str(before);
        let found = from[2..].split_once("}}").and_then(|(name, after)| Some((value(name.trim())?, after)));
        rest = match found {
            Some((value, after)) => {
                filled.push_str(&escape(value));
                after
            }
            None => {
                filled.push_str("{{");
                &from[2..]
            }
        };
    }
    filled + rest
}

/// For HTML text and quoted attributes.
pub fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

/// An address that somebody may be sent to, as a value in the query of another. It is plain ASCII; what is left
/// to write differently are the characters that would end or change the value.
pub fn in_query(target: &str) -> String {
    target.replace('%', "%25").replace('&', "%26").replace('#', "%23").replace('+', "%2B")
}

/// A span as people say it, in the largest unit that fits it exactly.
pub fn in_words(span: Duration) -> String {
    let seconds = span.as_secs();
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let exact = units.into_iter().find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit));
    let (unit, name) = exact.unwrap_or((1, "second"));
    let count = seconds / unit;
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

/// What a file is, by the extension of its name. None for what is not served, such as a `.br` by itself.
pub fn content_type(name: &str) -> Option<HeaderValue> {
    let (_, extension) = name.rsplit_once('.')?;
    Some(HeaderValue::from_static(match extension {
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "map" => "application/json",
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_is_escaped_and_never_filled_again() {
        let value = |name: &str| match name {
            "email" => Some("\"><script>{{config}}'&"),
            "config" => Some("secret"),
            _ => None,
        };
        let check = |template: &str, expected: &str| assert_eq!(fill(template, value), expected);
        check("<p>{{email}}</p>", "<p>&quot;&gt;&lt;script&gt;{{config}}&#39;&amp;</p>");
        check("{{config}}{{ config }}", "secretsecret");
        check("{{unknown}} {{config", "{{unknown}} {{config");
        check("{{unknown {{config}}", "{{unknown secret");
        check("ä{{config}}ö", "äsecretö");
        check("", "");
    }

    #[test]
    fn spans_are_said_in_the_largest_unit_that_fits() {
        let check = |seconds: u64, words: &str| assert_eq!(in_words(Duration::from_secs(seconds)), words);
        check(1_728_000, "20 days");
        check(86_400, "1 day");
        check(129_600, "36 hours");
        check(5_400, "90 minutes");
        check(61, "61 seconds");
        check(1, "1 second");
        check(0, "0 seconds");
    }
}
