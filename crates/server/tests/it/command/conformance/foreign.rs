//! Django 5.2 with simplejwt and with dj-rest-auth, as their documentation sets them up: what is known to go wrong there
//! is found, and what is known to be right is not complained about.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{Measurement, nothing_but, said};

pub struct Django {
    child: Child,
    pub url: String,
    data: tempfile::TempDir,
}

/// Installed by `cargo xtask test`, below the target folder.
fn python() -> PathBuf {
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../foreign/bin/python");
    assert!(
        python.is_file(),
        "Django is not installed at {}: `cargo xtask test` does that",
        python.display()
    );
    python
}

fn site() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign")
}

impl Django {
    pub fn start(flavour: &str) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut command = Command::new(python());
        command.arg(site().join("serve.py")).env("FLAVOUR", flavour).env("DATA", data.path());
        command.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { child, url: format!("http://127.0.0.1:{}", port.trim()), data }
    }

    /// The preset with what people of this site were told, and with its operator's hand.
    pub fn profile(&self, flavour: &str, preset: &str) -> String {
        let hook = |name: &str| {
            let words = [
                "env".to_owned(),
                "PYTHONDONTWRITEBYTECODE=1".into(),
                format!("FLAVOUR={flavour}"),
                format!("DATA={}", self.data.path().display()),
                python().display().to_string(),
                site().join("serve.py").display().to_string(),
                name.into(),
                "{email}".into(),
            ];
            format!("[hooks.{name}]\nrun = {words:?}\n")
        };
        let promises = "[promises]\naccess_lifetime = \"5m\"\nremembered_lifetime = \"30d\"\n";
        let forbidden =
            "[forbidden]\nurl = \"/api/users/\"\nheaders = { Authorization = \"Bearer {access}\" }\n";
        [preset, promises, forbidden, &hook("disable"), &hook("enable")].concat()
    }
}

impl Drop for Django {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub const SIMPLEJWT: &str = include_str!("../../../../src/command/outside/profiles/django-simplejwt.toml");
const COOKIES: &str = include_str!("../../../../src/command/outside/profiles/dj-rest-auth-cookies.toml");

/// Tokens in the body cannot be kept from scripts, and are a promise of seven days.
const OF_SIMPLEJWT: [&str; 4] = ["C09.1", "C18.2", "C23.3", "C27.1"];

#[test]
fn with_rotation_and_a_blacklist_django_signs_people_out() {
    let django = Django::start("rotation");
    let measurement = Measurement::by_profile(&django.url, &django.profile("rotation", SIMPLEJWT));
    let report = measurement.path("report.md");
    let measurement = measurement.with(&["--markdown", report.to_str().unwrap()]);
    let verdicts = measurement.verdicts(1);
    // The replaced token is refused from the first moment on: tabs, lost answers and reloads end the session. Who wins
    // where requests are under way at once (C20.1, C20.2, C20.6) is another matter on every machine.
    said(&verdicts, "signs_out", &["C09.1", "C20.3", "C20.4", "C20.5"]);
    said(&verdicts, "wrong", &["C18.2", "C23.3", "C27.1"]);
    // A late copy ends nothing here, and neither do limits, nonsense and other people.
    said(&verdicts, "holds", &["C20.7", "C20.8", "C20.9", "C20.11", "C18.1", "C18.3", "C36.1", "C43.1"]);
    said(
        &verdicts,
        "holds",
        &["C02.1", "C08.1", "C10.1", "C10.2", "C11.1", "C17.1", "C19.1", "C21.1", "C23.1"],
    );
    let report = std::fs::read_to_string(report).unwrap();
    assert!(report.contains("| signs out | C20.3 |") && report.contains("ROTATE_REFRESH_TOKENS"), "{report}");
}

#[test]
fn without_rotation_django_keeps_people_signed_in() {
    let django = Django::start("defaults");
    let profile = django.profile("defaults", SIMPLEJWT);
    let verdicts = Measurement::by_profile(&django.url, &profile).verdicts(1);
    nothing_but(&verdicts, &OF_SIMPLEJWT);
    said(&verdicts, "holds", &["C20.1", "C20.2", "C20.3", "C20.4", "C20.5", "C20.6", "C20.10", "C18.1"]);
}

#[test]
fn tokens_in_cookies_do_not_help_where_they_are_exchanged() {
    let django = Django::start("cookies");
    let profile =
        django.profile("cookies", COOKIES).replace("headers = { Authorization = \"Bearer {access}\" }\n", "");
    let verdicts = Measurement::by_profile(&django.url, &profile).verdicts(1);
    said(&verdicts, "signs_out", &["C09.1", "C20.3", "C20.4"]);
    said(&verdicts, "holds", &["C27.1", "C35.1", "C15.1", "C19.4", "C33.1", "C20.7", "C20.11", "C18.1"]);
}
