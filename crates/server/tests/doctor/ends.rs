//! How an examination ends that cannot be held to its end: what it exits with, what it says, and what it leaves behind.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::response::Html;
use rustix::process::{Pid, Signal, kill_process};
use tenure_rig::wait_until;
use tokio::net::TcpListener;

use crate::address;
use crate::case::{PASSWORD, foreign};
use crate::front::Layout;
use crate::laboratory::{Laboratory, Site, Trouble};
use crate::{all_as_told, back_end};

/// What it has said, and that it ended so.
#[track_caller]
fn ended(command: &mut Command, code: i32) -> String {
    let output = command.output().unwrap();
    said(&output, code)
}

#[track_caller]
fn said(output: &Output, code: i32) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert_eq!(output.status.code(), Some(code), "{out}{err}");
    assert!(!out.contains(PASSWORD) && !err.contains(PASSWORD));
    err.into_owned()
}

fn asked(site: &Site) -> Vec<String> {
    site.asked.lock().unwrap().clone()
}

// === Passwords ===

/// Any page of it is a form, and whatever is sent to it is kept.
struct Stranger {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

const FORM: &str = "<form method=post action=/collect><input type=email name=email><input type=password \
                    name=password><button>Sign in</button></form>";

impl Stranger {
    fn start(laboratory: &Laboratory) -> Self {
        let heard = Arc::new(Mutex::new(vec![]));
        let keep = |State(heard): State<Arc<Mutex<Vec<String>>>>, request: Request| async move {
            let (head, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            let body = String::from_utf8_lossy(&body).into_owned();
            heard.lock().unwrap().push(format!("{} {} {body}", head.method, head.uri));
            Html(FORM)
        };
        let router = axum::Router::new().fallback(keep).with_state(Arc::clone(&heard));
        let listener = laboratory.runtime.block_on(TcpListener::bind((address::unused(), 8000))).unwrap();
        let address = listener.local_addr().unwrap();
        laboratory.runtime.spawn(async { axum::serve(listener, router).await });
        Self { address, heard }
    }
}

#[test]
fn a_password_is_typed_into_no_page_of_another_origin() {
    let laboratory = Laboratory::new();
    let stranger = Stranger::start(&laboratory);
    let lead = format!("location = /sign-in {{ return 302 http://{}/; }}", stranger.address);
    let site = laboratory.set_up(&foreign("a sign-in page elsewhere").server(&lead).in_browser());
    let mut command = site.doctor();
    let err = ended(command.args(["--sign-in-page", "/sign-in", "--only", "browser-tabs"]), 3);
    assert!(err.contains(&format!("the form is at http://{}", stranger.address)), "{err}");
    let heard = stranger.heard.lock().unwrap();
    assert!(heard.iter().any(|one| one.starts_with("GET / ")), "it was not led there: {heard:?}");
    let typed = heard.iter().find(|one| !one.starts_with("GET ") || one.contains("password="));
    assert_eq!(typed, None);
}

/// A program that writes what it is told by its environment, and ends.
fn program(folder: &Path) -> (String, String) {
    let (program, told) = (folder.join("program"), folder.join("told"));
    fs::write(&program, format!("#!/bin/sh\n/usr/bin/env > {}\n", told.display())).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    (program.display().to_string(), told.display().to_string())
}

#[test]
fn programs_that_are_started_do_not_inherit_the_password() {
    let laboratory = Laboratory::new();
    let folder = tempfile::tempdir().unwrap();
    let (program, told) = program(folder.path());
    let read = || {
        let told_text = fs::read_to_string(&told).unwrap();
        fs::remove_file(&told).unwrap();
        told_text
    };
    let hooks = ["store_down", "store_up"].map(|hook| format!("[hooks.{hook}]\nrun = [{program:?}]\n"));
    let case = foreign("hooks that are programs").profile_says(hooks.concat());
    let site = laboratory.set_up(&case);
    ended(site.doctor().args(["--only", "outage-status"]), 0);
    assert!(!read().contains("DOCTOR_PASSWORD"));
    // A browser that ends by itself has looked at nothing.
    let browser = ["--browser", "--browser-path", &program, "--only", "hsts", "--only", "browser-tabs"];
    let err = ended(site.doctor().args(browser), 3);
    assert!(err.contains("the browser could not be used"), "{err}");
    assert!(!read().contains("DOCTOR_PASSWORD"));
}

#[test]
fn no_browser_is_started_when_the_time_is_over() {
    let laboratory = Laboratory::new();
    let folder = tempfile::tempdir().unwrap();
    let (program, told) = program(folder.path());
    let site = laboratory.set_up(&foreign("no time"));
    let words = ["--browser", "--browser-path", &program, "--time-max", "0s", "--only", "browser-tabs"];
    let err = ended(site.doctor().args(words), 3);
    assert!(err.contains("the time of --time-max was over") && !Path::new(&told).exists(), "{err}");
}

// === Hooks ===

#[test]
fn what_a_hook_has_stopped_comes_first_until_it_is_back() {
    const HOOKS: &[&str] = &["cache_down", "cache_up", "store_down", "store_up"];
    const ONLY: [&str; 4] = ["--only", "outage-status", "--only", "redis-independent"];
    let laboratory = Laboratory::new();
    let failing = |times| Trouble { fails: Some(("cache_up", times)), ..Trouble::default() };
    let site = laboratory.set_up(&foreign("a hook that fails once").hooks(HOOKS).trouble(failing(1)));
    let output = site.doctor().args(ONLY).output().unwrap();
    assert!(said(&output, 3).contains("redis-independent"), "it was not seen");
    assert_eq!(asked(&site), ["cache_down", "cache_up", "cache_up", "store_down", "store_up"]);
    let site = laboratory.set_up(&foreign("a hook that fails").hooks(HOOKS).trouble(failing(usize::MAX)));
    let mut command = site.doctor();
    let err = ended(command.args(ONLY).args(["--markdown", "/no/such/folder/report.md"]), 3);
    for expected in
        ["put it right by hand with hooks.cache_up", "/no/such/folder/report.md cannot be written"]
    {
        assert!(err.contains(expected), "{expected}: {err}");
    }
    assert!(!asked(&site).contains(&"store_down".to_owned()), "{:?}", asked(&site));
}

/// While the hook is under way that takes the store away.
fn interrupted(site: &Site) -> Output {
    let mut command = site.doctor();
    command.args(["--only", "outage-status"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    wait_until("the hook to be asked for", || {
        assert_eq!(child.try_wait().unwrap(), None);
        asked(site) == ["store_down"]
    });
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn whoever_interrupts_it_is_told_what_is_left() {
    let laboratory = Laboratory::new();
    let hooks = |name| foreign(name).hooks(&["store_down", "store_up"]);
    let trouble = Trouble { hangs: Some("store_down"), ..Trouble::default() };
    let site = laboratory.set_up(&hooks("a hook that hangs").trouble(trouble.clone()));
    let err = said(&interrupted(&site), 3);
    assert!(err.contains("it was interrupted") && !err.contains("by hand"), "{err}");
    assert_eq!(asked(&site), ["store_down", "store_up"]);
    assert_eq!(site.open_sessions(), 0, "nobody is signed out while the store is away");
    let trouble = Trouble { fails: Some(("store_up", usize::MAX)), ..trouble };
    let site = laboratory.set_up(&hooks("and one that fails").trouble(trouble));
    let err = said(&interrupted(&site), 3);
    assert!(err.contains("it was interrupted") && err.contains("hooks.store_up"), "{err}");
}

#[test]
fn what_does_not_come_back_says_nothing_about_keys() {
    let laboratory = Laboratory::new();
    let trouble = Trouble { pretends: Some("start"), ..Trouble::default() };
    let case = foreign("a restart that only stops").hooks(&["stop", "start"]).trouble(trouble);
    let err = ended(laboratory.set_up(&case).doctor().args(["--only", "keys-persist"]), 3);
    assert!(err.contains("keys-persist, since after the restart, the API does not come back"), "{err}");
}

// === Nothing seen ===

#[test]
fn what_gets_no_answer_is_not_told_as_a_refusal() {
    let lost = |name, of| {
        let case = foreign(name).way(|it: &mut back_end::Ways| it.one_lost_of = Some(of)).cut_short();
        // nginx closes the connection without an answer.
        case.location("proxy_intercept_errors on; error_page 504 = @gone;")
            .server("location @gone { return 444; }")
    };
    all_as_told(&[lost("one refresh of eight gets no answer", 8), lost("no refresh gets an answer", 1)]);
}

#[test]
fn who_has_looked_at_nothing_says_so() {
    let laboratory = Laboratory::new();
    let site = laboratory.set_up(&foreign("no certificate").layout(Layout::Uncertified));
    let err = ended(site.doctor().args(["--skip", "tls"]), 3);
    assert!(err.contains("nothing was looked at; tls: the certificate"), "{err}");
    let no_cookies = foreign("no cookies are passed on").location("proxy_set_header Cookie \"\";");
    let err = ended(laboratory.set_up(&no_cookies).doctor().args(["--only", "refresh-concurrent"]), 3);
    assert!(err.contains("nothing was looked at; refresh: "), "{err}");
    let well = foreign("nothing is wrong");
    let nobody = laboratory.set_up(&well);
    // As a pipeline has it whose secrets are not set.
    ended(nobody.doctor().env("DOCTOR_EMAIL", "").env("DOCTOR_PASSWORD", ""), 0);
    let err = ended(nobody.doctor().env("DOCTOR_PASSWORD", ""), 3);
    assert!(err.contains("takes a password"), "{err}");
    let site = laboratory.set_up(&well.in_browser());
    let err = ended(site.doctor().args(["--sign-in-page", "/app.js", "--skip", "refresh-concurrent"]), 3);
    assert!(err.contains("shows no form"), "{err}");
}
