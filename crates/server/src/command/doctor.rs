//! `tenure doctor`: what about this site signs people out, and where to put it right.
//!
//! It looks as a browser does, with a test account, and changes nothing but that account's sessions. What looks is in
//! [`examine`]; what is to be said of it are plain functions over answers, a file for each kind.

mod answers;
mod check;
mod checklist;
mod chromium;
mod cookies;
mod examine;
mod finding;
mod front_end;
mod insider;
mod lives;
mod origins;
mod outages;
mod page;
mod refreshes;
mod report;
mod sign_in;
mod site;
mod stranger;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use http::{HeaderMap, Method};
use tokio::time::Instant;

use self::checklist::Checklist;
use self::examine::{NotRun, Patient};
use self::finding::Chart;
use self::report::Report;
use super::outside::hook;
use super::outside::interrupts::Interrupts;
use super::outside::profile::Profile;
use super::outside::target::Target;
use super::outside::wire::{Asked, Wire};
use super::outside::world::{Credentials, World};
use super::ticker::Ticker;
use super::{Failure, Global, Outcome, print};
use crate::http::client::Names;

#[derive(Args)]
pub struct DoctorArgs {
    /// Where people open the pages, as in https://app.example.com.
    #[arg(long, value_name = "URL", required_unless_present = "list")]
    url: Option<String>,
    /// Where the API is, if not there. Nothing is sent anywhere else; a browser loads what the pages lead to.
    #[arg(long, value_name = "URL")]
    api: Option<String>,
    /// What it looks like: a file, or preset:tenure, preset:django-simplejwt, preset:dj-rest-auth-cookies. Tenure itself is
    /// recognised. `tenure conformance --example-profile` prints one to begin with.
    #[arg(long, value_name = "FILE")]
    profile: Option<String>,
    /// A test account, which is signed in and out some times. Without one, only what anybody can see is looked at.
    #[arg(long, env = "DOCTOR_EMAIL", value_name = "EMAIL")]
    email: Option<String>,
    /// Its password; better from the environment than from where everybody can read it.
    #[arg(long, env = "DOCTOR_PASSWORD", hide_env_values = true, value_name = "PASSWORD")]
    password: Option<String>,
    /// Look with a real Chromium as well: what it keeps, and what the pages do when the API fails.
    #[arg(long)]
    browser: bool,
    /// Which one, if not the first one on the PATH.
    #[arg(long, env = "CHROMIUM", value_name = "FILE")]
    browser_path: Option<PathBuf>,
    /// What it is started with besides, as in --browser-arg=--proxy-server=127.0.0.1:3128.
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    browser_arg: Vec<String>,
    /// The path of the page with the form; / if not said, and /sign-in of Tenure. Email and password are typed into a form
    /// of --url's origin only, wherever its pages lead.
    #[arg(long, value_name = "PATH")]
    sign_in_page: Option<String>,
    /// Print the table of checks, and do nothing else.
    #[arg(long)]
    list: bool,
    /// Tick off the checklists of deployment, verification and production as well.
    #[arg(long)]
    checklist: bool,
    /// Tell only these checks.
    #[arg(long, value_name = "CHECK", conflicts_with = "skip")]
    only: Vec<String>,
    /// Do not tell these checks.
    #[arg(long, value_name = "CHECK")]
    skip: Vec<String>,
    /// Where a name leads, whatever the DNS says: HOST=ADDRESS, or HOST=ADDRESS:PORT for addresses without a port.
    #[arg(long, value_name = "HOST=ADDRESS", value_parser = resolve)]
    resolve: Vec<(String, SocketAddr)>,
    /// Write the findings to a file as well, as tables in Markdown.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// How long an answer may take.
    #[arg(long, default_value = "10s", value_name = "SPAN", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// After how long nothing new is begun.
    #[arg(long, default_value = "3m", value_name = "SPAN", value_parser = humantime::parse_duration)]
    time_max: Duration,
    /// Requests at most, all together.
    #[arg(long, default_value_t = 400, value_name = "N")]
    requests_max: u32,
    /// Send the password to another machine without encryption.
    #[arg(long)]
    allow_http: bool,
}

fn resolve(text: &str) -> Result<(String, SocketAddr), String> {
    let (host, address) = text.split_once('=').ok_or("is no HOST=ADDRESS")?;
    let address = match address.parse::<IpAddr>() {
        Ok(address) => SocketAddr::new(address, 0),
        Err(_) => address.parse().map_err(|_| format!("`{address}` is no address"))?,
    };
    Ok((host.to_ascii_lowercase(), address))
}

pub async fn run(global: &Global, args: DoctorArgs) -> Outcome {
    if args.list {
        print!("{}", check::table());
        return Ok(());
    }
    for id in args.only.iter().chain(&args.skip) {
        if check::named(id).is_none() {
            let known: Vec<_> = check::ALL.iter().map(|check| check.id).collect();
            return Err(Failure::NotRun(format!("there is no check {id}; there are {}", known.join(", "))));
        }
    }
    let patient = admit(&args).await?;
    let mut ticker = Ticker::new(global);
    let mut interrupts = Interrupts::listen()?;
    let examined = tokio::select! {
        examined = patient.examine(&mut ticker) => examined,
        () = interrupts.next() => Err(NotRun("it was interrupted".into())),
    };
    // Whatever a hook has stopped runs again, however this has ended, and before anybody is signed out there.
    let mended = hook::mend(&patient.world).await;
    ticker.tell(|| "signing out".into());
    tokio::select! {
        () = patient.world.clean_up() => {}
        () = interrupts.next() => {}
    }
    ticker.clear();
    let told = match examined {
        Ok(chart) => tell(global, &args, &patient, chart),
        Err(NotRun(why)) => Err(Failure::Unreachable(why)),
    };
    match (mended, told) {
        (Ok(()), told) => told,
        // Somebody has to see to it now, whatever else is to be said.
        (Err(left), Err(Failure::Unreachable(why))) => {
            Err(Failure::Unreachable(format!("{}\n{why}", left.detail())))
        }
        (Err(left), _) => Err(Failure::Unreachable(left.detail().to_owned())),
    }
}

/// The report, in all the ways that were asked for.
fn tell(global: &Global, args: &DoctorArgs, patient: &Patient, chart: Chart) -> Outcome {
    let (findings, others) = chart.into_findings(|check| patient.wanted.contains(check.id));
    let report = Report {
        name: &patient.world.profile.name,
        app: patient.app.origin(),
        api: patient.world.target.origin(),
        requests: patient.world.wire.sent(),
        findings,
        others,
    };
    let checklist = Checklist { findings: &report.findings, is_tenure: patient.is_tenure };
    let mut json = report.json();
    if args.checklist {
        json["checklist"] = checklist.json();
    }
    print(global, &json, || {
        print!("{}", report.text());
        if args.checklist {
            print!("{}", checklist.text());
        }
    });
    if let Some(path) = &args.markdown {
        std::fs::write(path, report.markdown()).map_err(|error| {
            Failure::Unreachable(format!("{} cannot be written: {error}", path.display()))
        })?;
    }
    report.outcome()
}

/// The test account, if there is one. Variables that are set to nothing are what pipelines make of secrets that are not.
fn account(args: &DoctorArgs) -> Result<Option<Credentials>, Failure> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    match (given(&args.email), given(&args.password)) {
        (Some(email), Some(password)) => Ok(Some(Credentials { email, password })),
        (Some(_), None) => Err(Failure::NotRun("--email takes a password (DOCTOR_PASSWORD)".into())),
        (None, _) if args.browser => {
            Err(Failure::NotRun("--browser takes an account (DOCTOR_EMAIL and DOCTOR_PASSWORD)".into()))
        }
        (None, _) => Ok(None),
    }
}

/// Whoever is to be examined, as the arguments say. The first request is sent where they leave open what it is.
async fn admit(args: &DoctorArgs) -> Result<Patient, Failure> {
    let parse = |name: &str, url: &str| {
        Target::parse(url, args.allow_http).map_err(|what| Failure::NotRun(format!("--{name}: {what}")))
    };
    let account = account(args)?;
    let url = args.url.as_deref().unwrap_or_default();
    let app = parse("url", url)?;
    let target = match &args.api {
        Some(api) => parse("api", api)?,
        None => parse("url", url)?,
    };
    let names = Names::new(args.resolve.iter().cloned());
    let is_encrypted = app.is_encrypted() || target.is_encrypted();
    let wire = Wire::to(names.clone(), args.timeout, args.requests_max, is_encrypted)
        .map_err(Failure::Unreachable)?;
    let named = match &args.profile {
        Some(named) => named.clone(),
        None => recognised(&wire, &target).await?.to_owned(),
    };
    let mut profile = Profile::load(&named, &target).map_err(|error| Failure::NotRun(error.to_string()))?;
    profile.origin = Some(app.origin());
    let is_tenure = named == "preset:tenure" || profile.name == "Tenure";
    let chromium = args.browser.then(|| wanted(args, is_tenure)).transpose()?;
    let has_account = account.is_some();
    let is_wanted = |id: &&str| match args.only.is_empty() {
        true => !args.skip.iter().any(|one| one == id),
        false => args.only.iter().any(|one| one == id),
    };
    let wanted = check::ALL.iter().map(|check| check.id).filter(is_wanted).collect();
    let nobody = Credentials { email: String::new(), password: String::new() };
    let who = account.unwrap_or(nobody);
    let world = World { patience: PATIENCE, ..World::new(profile, target, wire, who) };
    Ok(Patient {
        world,
        app,
        names,
        is_tenure,
        has_account,
        wanted,
        chromium,
        until: Instant::now() + args.time_max,
    })
}

fn wanted(args: &DoctorArgs, is_tenure: bool) -> Result<front_end::Wanted, Failure> {
    let not_run = |what: &str| Failure::NotRun(what.to_owned());
    let program = chromium::found(args.browser_path.as_deref());
    let program =
        program.ok_or_else(|| not_run("--browser: there is no Chromium; --browser-path says where it is"))?;
    let sign_in_page = args.sign_in_page.as_deref().unwrap_or(if is_tenure { "/sign-in" } else { "/" });
    if !sign_in_page.starts_with('/') {
        return Err(not_run("--sign-in-page: is no path, as in /sign-in"));
    }
    Ok(front_end::Wanted { program, more: args.browser_arg.clone(), sign_in_page: sign_in_page.to_owned() })
}

/// How often a sign-in that is limited is tried again, each time after as long as is asked for.
const PATIENCE: u32 = 2;

/// Tenure says what it is. Of anything else, a profile has to.
async fn recognised(wire: &Wire, target: &Target) -> Result<&'static str, Failure> {
    let uri = target.resolve("/api/v1/system/ping").map_err(Failure::NotRun)?;
    let asked = Asked { method: Method::GET, uri, headers: HeaderMap::new(), body: vec![] };
    let answer = wire.ask(asked).await;
    let answer =
        answer.map_err(|none| Failure::Unreachable(format!("{}: {}", target.origin(), none.why())))?;
    match answer.json().is_some_and(|json| json["pong"] == true && json["server_time"].is_i64()) {
        true => Ok("preset:tenure"),
        false => Err(Failure::NotRun(format!(
            "{} is no Tenure, so that --profile has to say what it looks like",
            target.origin()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_be_said_to_lead_somewhere() {
        assert_eq!(
            resolve("App.Example.com=127.0.0.1:8443").unwrap(),
            ("app.example.com".into(), "127.0.0.1:8443".parse().unwrap())
        );
        assert_eq!(resolve("a=::1").unwrap().1.port(), 0);
        assert!(resolve("a").is_err() && resolve("a=b").is_err());
    }
}
