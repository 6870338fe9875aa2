//! Where cases are set up and examined.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use axum::extract::Path;
use http::StatusCode;
use serde_json::Value;
use tempfile::TempDir;
use tenure::clock::SystemClock;
use tenure_rig::find;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::back_end::BackEnd;
use crate::case::{BINARY, Back, Case, EMAIL, PASSWORD, Running, Said};
use crate::django::Django;
use crate::front::{Behind, Certificate, Front};
use crate::tenure::Tenure;

/// What goes wrong with hooks, by their names.
#[derive(Clone, Default)]
pub struct Trouble {
    /// The first so many times it is answered 500, and nothing happens.
    pub fails: Option<(&'static str, usize)>,
    /// It is never answered.
    pub hangs: Option<&'static str>,
    /// It is answered 200, and nothing happens.
    pub pretends: Option<&'static str>,
}

/// A case that is set up.
pub struct Site {
    back: Arc<dyn Running>,
    /// The hooks that were asked for.
    pub asked: Arc<Mutex<Vec<String>>>,
    arguments: Vec<OsString>,
    certificate: PathBuf,
    _front: Front,
    _folder: TempDir,
}

/// What all cases share.
pub struct Laboratory {
    pub runtime: Runtime,
    certificate: Certificate,
}

// === impl Site ===

impl Site {
    /// The command as somebody gives it who has the test account.
    pub fn doctor(&self) -> Command {
        let mut command = Command::new(BINARY);
        command.env_clear().env("SSL_CERT_FILE", &self.certificate);
        command.env("DOCTOR_EMAIL", EMAIL).env("DOCTOR_PASSWORD", PASSWORD);
        command.arg("doctor").args(&self.arguments).arg("--json");
        command
    }

    pub fn open_sessions(&self) -> usize {
        self.back.open_sessions()
    }
}

// === impl Laboratory ===

impl Laboratory {
    pub fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        Self { runtime, certificate: Certificate::make() }
    }

    /// What is said of a case, by the check that says it; or why nothing is.
    pub fn examine(&self, case: &Case) -> Result<BTreeMap<String, Said>, String> {
        let site = self.set_up(case);
        let output = site.doctor().output().unwrap();
        let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
        if let Some(secret) = [PASSWORD, "eyJ", "tnr1_"].into_iter().find(|secret| out.contains(secret)) {
            return Err(format!("{secret} is told: {out}"));
        }
        let report: Value =
            serde_json::from_str(&out).map_err(|_| format!("{} and no report: {err}", output.status))?;
        let checks = report["checks"].as_array().ok_or_else(|| format!("no checks: {report}"))?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let said: BTreeMap<_, _> = checks
            .iter()
            .map(|check| {
                let [verdict, found, fix] = ["verdict", "found", "fix"].map(|key| text(&check[key]));
                (text(&check["check"]), Said { verdict, found, fix })
            })
            .collect();
        // What the browser did not keep, nobody can sign out of.
        if case.in_browser && !case.told.contains_key("browser-cookies") && site.open_sessions() > 0 {
            return Err(format!("{} sessions are left", site.open_sessions()));
        }
        let worst = ["fail", "warn"].map(|worst| said.values().any(|said| said.verdict == worst));
        let expected = match (worst, case.is_cut_short) {
            ([true, _], _) => 2,
            (_, true) => 3,
            ([_, is_warned], _) => i32::from(is_warned),
        };
        match output.status.code() == Some(expected) {
            true => Ok(said),
            false => Err(format!("{} and not {expected}: {out}", output.status)),
        }
    }

    pub fn set_up(&self, case: &Case) -> Site {
        let back = self.start(case);
        let asked = Arc::default();
        let control = self.control(Arc::clone(&back), Arc::clone(&asked), case.trouble.clone());
        let behind = Behind {
            back_ends: back.addresses(),
            control,
            certificate: &self.certificate,
            pages: &case.pages,
        };
        let front = Front::start(case.layout, &case.lines, &behind);
        let folder = tempfile::tempdir().unwrap();
        let profile = folder.path().join("profile.toml");
        std::fs::write(&profile, case.whole_profile()).unwrap();
        let mut arguments: Vec<OsString> =
            front.arguments(case.below).into_iter().map(OsString::from).collect();
        arguments.extend(["--profile".into(), profile.into()]);
        if case.in_browser {
            // It has trusted authorities of its own.
            arguments.extend(["--browser", "--browser-arg=--ignore-certificate-errors"].map(OsString::from));
            arguments.extend(["--browser-path".into(), find("chromium", "chromium").into()]);
        }
        let certificate = self.certificate.file();
        Site { back, asked, arguments, certificate, _front: front, _folder: folder }
    }

    fn start(&self, case: &Case) -> Arc<dyn Running> {
        match &case.back {
            Back::Foreign(ways) => Arc::new(BackEnd::start(ways.clone(), self.runtime.handle())),
            Back::Tenure { nodes, settings } => Arc::new(Tenure::start(case.layout.api(), *nodes, settings)),
            Back::Django(flavour, _) => Arc::new(Django::start(flavour)),
        }
    }

    /// Where nginx sends the hooks; and a page that has been kept for a day.
    fn control(
        &self,
        back: Arc<dyn Running>,
        asked: Arc<Mutex<Vec<String>>>,
        trouble: Trouble,
    ) -> SocketAddr {
        let hook = move |Path(name): Path<String>| {
            let back = Arc::clone(&back);
            let times = {
                let mut asked = asked.lock().unwrap();
                asked.push(name.clone());
                asked.iter().filter(|one| **one == name).count()
            };
            let fails = trouble.fails.is_some_and(|(one, first)| one == name && times <= first);
            let (hangs, pretends) = (trouble.hangs == Some(&name), trouble.pretends == Some(&name));
            async move {
                if fails {
                    return StatusCode::INTERNAL_SERVER_ERROR;
                }
                if !pretends {
                    tokio::task::spawn_blocking(move || back.hook(&name)).await.unwrap();
                }
                if hangs {
                    std::future::pending::<()>().await;
                }
                StatusCode::OK
            }
        };
        let kept = async || {
            let yesterday_ms = SystemClock.now().as_ms().unsigned_abs() - 86_400_000;
            let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(yesterday_ms));
            ([("date", date), ("age", "86400".into()), ("content-type", "text/html".into())], "<p>Welcome")
        };
        let router = axum::Router::new()
            .route("/hooks/{name}", axum::routing::post(hook))
            .route("/kept", axum::routing::get(kept));
        let listener = self.runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        self.runtime.spawn(async { axum::serve(listener, router).await });
        address
    }
}
