//! The command line: one file per noun.

pub mod account;
pub mod act;
pub mod admin;
pub mod api_key;
pub mod audit;
pub mod config;
pub mod conformance;
pub mod doctor;
pub mod exchange;
pub mod explain;
pub mod import;
pub mod keys;
pub mod logouts;
pub mod migrate;
pub mod openapi;
mod outside;
mod patience;
mod place;
pub mod plan;
pub mod serve;
pub mod session;
mod ticker;
pub mod user;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::wording::text::shown;

/// Sign-in and sessions whose users are never logged out at random.
#[derive(Parser)]
#[command(name = "tenure", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

/// What every command takes.
#[derive(Args, Clone)]
pub struct Global {
    /// The data folder: database and, in development, the master secret.
    #[arg(long, global = true, env = "TENURE_DATA", default_value = "tenure-data", value_name = "DIR")]
    pub data: std::path::PathBuf,
    /// A configuration file.
    #[arg(long, global = true, env = "TENURE_CONFIG", value_name = "FILE")]
    pub config: Option<std::path::PathBuf>,
    /// Development: loopback http, a master secret made on the spot.
    #[arg(long, global = true)]
    pub dev: bool,
    /// Machine-readable output.
    #[arg(long, global = true)]
    pub json: bool,
    /// Who you are, for receipts; your login name by default.
    #[arg(long, global = true, env = "TENURE_ACTOR", value_name = "NAME")]
    pub actor: Option<String>,
}

#[derive(Subcommand)]
enum Verb {
    /// Serve the API.
    Serve(serve::ServeArgs),
    /// Look at or apply database migrations.
    #[command(subcommand)]
    Migrate(migrate::MigrateVerb),
    /// Create the first administrator.
    #[command(subcommand)]
    Admin(admin::AdminVerb),
    /// Take over users from another system.
    #[command(subcommand)]
    Import(import::ImportVerb),
    /// Look at sign-ins of another system that are to be traded.
    #[command(subcommand)]
    Exchange(exchange::ExchangeVerb),
    /// Create, show and change users.
    #[command(subcommand)]
    User(user::UserVerb),
    /// Create, show and change accounts.
    #[command(subcommand)]
    Account(account::AccountVerb),
    /// Show and change plans.
    #[command(subcommand)]
    Plan(plan::PlanVerb),
    /// Make, show, rotate and revoke the API keys of accounts.
    #[command(subcommand)]
    ApiKey(api_key::ApiKeyVerb),
    /// Show who changed what about accounts, plans and users, newest first.
    Acts(act::ActsArgs),
    /// Show and end sessions.
    #[command(subcommand)]
    Session(session::SessionVerb),
    /// Explain why somebody was signed out: by their receipt, the session, or the user.
    Explain(explain::ExplainArgs),
    /// Show the sign-outs that browsers reported.
    #[command(subcommand)]
    Logouts(logouts::LogoutsVerb),
    /// Verify and export the record of what happened.
    #[command(subcommand)]
    Audit(audit::AuditVerb),
    /// Show and rotate signing keys.
    #[command(subcommand)]
    Keys(keys::KeysVerb),
    /// Check, print or begin a configuration.
    #[command(subcommand)]
    Config(config::ConfigVerb),
    /// Measure whether another system signs people out for no reason.
    Conformance(conformance::ConformanceArgs),
    /// Look at a site, Tenure's or another, for what signs people out, and say what to put right.
    Doctor(doctor::DoctorArgs),
    /// Print the API's contract.
    Openapi(openapi::OpenapiArgs),
    /// Print the version.
    Version,
}

/// How a command failed, as its exit code says it.
#[derive(Debug)]
pub enum Failure {
    /// 1: it ran, and there is something you should know.
    Finding(String),
    /// 2: it was asked for wrongly.
    Usage(String),
    /// 3: something it needs cannot be reached.
    Unreachable(String),
    /// 2 of `tenure doctor`: it ran, and what it found harms people.
    Broken(String),
    /// 3 of `tenure doctor`: it was asked for wrongly.
    NotRun(String),
}

pub type Outcome = Result<(), Failure>;

impl From<tenure_store::StoreError> for Failure {
    fn from(error: tenure_store::StoreError) -> Self {
        Failure::Unreachable(error.to_string())
    }
}

impl From<crate::config::ConfigError> for Failure {
    fn from(error: crate::config::ConfigError) -> Self {
        Failure::Usage(error.to_string())
    }
}

impl From<crate::keys::KeyError> for Failure {
    fn from(error: crate::keys::KeyError) -> Self {
        Failure::Unreachable(error.to_string())
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    stop_when_nobody_reads();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Of the doctor 2 says that something harms people, and a typing error does not.
        Err(error) if error.use_stderr() && std::env::args().any(|word| word == "doctor") => {
            let _ = error.print();
            return ExitCode::from(3);
        }
        Err(error) => error.exit(),
    };
    let json = cli.global.json;
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let (code, kind, message) = match failure {
                Failure::Finding(message) => (1, "finding", message),
                Failure::Usage(message) => (2, "usage", message),
                Failure::Unreachable(message) => (3, "unreachable", message),
                Failure::Broken(message) => (2, "finding", message),
                Failure::NotRun(message) => (3, "usage", message),
            };
            if json {
                eprintln!("{}", serde_json::json!({ "error": kind, "message": message }));
            } else {
                for line in message.lines() {
                    eprintln!("tenure: {line}");
                }
            }
            ExitCode::from(code)
        }
    }
}

/// After `| head` there is nobody to print to, which `println!` takes for a panic. It is a good end.
fn stop_when_nobody_reads() {
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload().downcast_ref::<String>();
        let is_unread =
            |text: &String| text.starts_with("failed printing to stdout") && text.contains("Broken pipe");
        if said.is_some_and(is_unread) {
            std::process::exit(0);
        }
        others(panic);
    }));
}

fn run(cli: Cli) -> Outcome {
    let Cli { global, verb } = cli;
    match verb {
        Verb::Config(verb) => return config::run(&global, verb),
        Verb::Openapi(args) => {
            openapi::run(&args);
            return Ok(());
        }
        Verb::Version => {
            println!("tenure {}", env!("CARGO_PKG_VERSION"));
            return Ok(());
        }
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Unreachable(format!("no threads to run on: {error}")))?;
    runtime.block_on(async {
        match verb {
            Verb::Serve(args) => serve::run(&global, args).await,
            Verb::Admin(verb) => admin::run(&global, verb).await,
            Verb::Import(verb) => import::run(&global, verb).await,
            Verb::Exchange(verb) => exchange::run(&global, verb).await,
            Verb::User(verb) => user::run(&global, verb).await,
            Verb::Account(verb) => account::run(&global, verb).await,
            Verb::Plan(verb) => plan::run(&global, verb).await,
            Verb::ApiKey(verb) => api_key::run(&global, verb).await,
            Verb::Acts(args) => act::run(&global, args).await,
            Verb::Session(verb) => session::run(&global, verb).await,
            Verb::Explain(args) => explain::run(&global, args).await,
            Verb::Logouts(verb) => logouts::run(&global, verb).await,
            Verb::Audit(verb) => audit::run(&global, verb).await,
            Verb::Keys(verb) => keys::run(&global, verb).await,
            Verb::Migrate(verb) => migrate::run(&global, verb).await,
            Verb::Conformance(args) => conformance::run(&global, args).await,
            Verb::Doctor(args) => doctor::run(&global, args).await,
            Verb::Config(_) | Verb::Openapi(_) | Verb::Version => Ok(()),
        }
    })
}

/// Prints what a command found: as JSON where asked for, else as `human` says.
fn print(global: &Global, value: &serde_json::Value, human: impl FnOnce()) {
    if global.json {
        println!("{value}");
    } else {
        human();
    }
}
