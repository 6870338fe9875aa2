//! `tenure conformance`: does another system sign people out for no reason?
//!
//! It looks from outside, as browsers do: a [`super::outside::browser::Visitor`] signs in at the addresses that a profile names, and
//! each row of [`scenario::all`] does with it what happens to people, and says what became of the session.

mod report;
mod scenario;

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use self::report::{Report, Row};
use self::scenario::Scenario;
use super::outside::interrupts::Interrupts;
use super::outside::profile::Profile;
use super::outside::target::Target;
use super::outside::verdict::{Kind, Told, Verdict};
use super::outside::wire::Wire;
use super::outside::world::{Credentials, World};
use super::outside::{browser, episode, hook, jar, profile, token, verdict, wire, world};
use super::{Failure, Global, Outcome, print};

#[derive(Args)]
pub struct ConformanceArgs {
    /// Where the system is, as in https://app.example.com. Nothing is sent anywhere else.
    #[arg(long, value_name = "URL", required_unless_present = "example_profile")]
    target: Option<String>,
    /// What it looks like: a file, or preset:tenure, preset:django-simplejwt, preset:dj-rest-auth-cookies.
    #[arg(long, value_name = "FILE", required_unless_present = "example_profile")]
    profile: Option<String>,
    /// Print a profile to begin with, and do nothing else.
    #[arg(long)]
    example_profile: bool,
    /// The account to sign in with. Take one that nobody uses: it is signed in and out many times.
    #[arg(long, env = "CONFORMANCE_EMAIL", value_name = "EMAIL")]
    email: Option<String>,
    /// Its password; better from the environment than from where everybody can read it.
    #[arg(long, env = "CONFORMANCE_PASSWORD", hide_env_values = true, value_name = "PASSWORD")]
    password: Option<String>,
    /// A second account, for what takes two.
    #[arg(long, env = "CONFORMANCE_OTHER_EMAIL", value_name = "EMAIL", requires = "other_password")]
    other_email: Option<String>,
    /// Its password.
    #[arg(long, env = "CONFORMANCE_OTHER_PASSWORD", hide_env_values = true, value_name = "PASSWORD")]
    other_password: Option<String>,
    /// Only these, by number or by cause, as in C20 or C20.3.
    #[arg(long, value_name = "ID")]
    only: Vec<String>,
    /// Say what would be done, and send nothing.
    #[arg(long)]
    dry_run: bool,
    /// Write the report to a file as well, in Markdown.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// How long an answer may take.
    #[arg(long, default_value = "10s", value_name = "SPAN", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// How long may be waited for an access token to expire.
    #[arg(long, default_value = "0s", value_name = "SPAN", value_parser = humantime::parse_duration)]
    wait: Duration,
    /// How often a sign-in is tried again that is answered 429, each time after as long as is asked for.
    #[arg(long, default_value_t = 5, value_name = "N")]
    patience: u32,
    /// Requests at most, all together.
    #[arg(long, default_value_t = 2000, value_name = "N")]
    requests_max: u32,
    /// Send passwords to another machine without encryption.
    #[arg(long)]
    allow_http: bool,
}

pub async fn run(global: &Global, args: ConformanceArgs) -> Outcome {
    if args.example_profile {
        print!("{}", profile::EXAMPLE);
        return Ok(());
    }
    let chosen = chosen(&args.only)?;
    let (target, named) = (args.target.clone().unwrap_or_default(), args.profile.clone().unwrap_or_default());
    let target = Target::parse(&target, args.allow_http)
        .map_err(|what| Failure::Usage(format!("--target: {what}")))?;
    let profile = Profile::load(&named, &target).map_err(|error| Failure::Usage(error.to_string()))?;
    if args.dry_run {
        dry_run(global, &profile, &chosen, args.other_email.is_some());
        return Ok(());
    }
    let markdown = args.markdown.clone();
    let world = world(args, target, profile)?;
    preflight(&world).await?;
    let (rows, mended) = measure(global, &world, &chosen, Interrupts::listen()?).await;
    let report = Report {
        name: &world.profile.name,
        target: world.target.origin(),
        requests: world.wire.sent(),
        rows,
    };
    print(global, &report.json(), || print!("{}", report.text()));
    let written = markdown.map_or(Ok(()), |path| {
        std::fs::write(&path, report.markdown())
            .map_err(|error| Failure::Unreachable(format!("{} cannot be written: {error}", path.display())))
    });
    // Somebody has to see to it now; what was found can be read afterwards.
    mended.map_err(|left| Failure::Unreachable(left.detail().to_owned()))?;
    written?;
    report.outcome()
}

fn chosen(only: &[String]) -> Result<Vec<&'static Scenario>, Failure> {
    let unknown = only.iter().find(|text| !scenario::all().any(|scenario| scenario.is_named(text)));
    if let Some(unknown) = unknown {
        return Err(Failure::Usage(format!("--only: there is no scenario {unknown}; --dry-run lists them")));
    }
    let is_chosen = |scenario: &&Scenario| only.is_empty() || only.iter().any(|text| scenario.is_named(text));
    Ok(scenario::all().filter(is_chosen).collect())
}

fn dry_run(global: &Global, profile: &Profile, chosen: &[&Scenario], has_other: bool) {
    let planned: Vec<_> =
        chosen.iter().map(|scenario| (scenario, scenario.lacks(profile, has_other))).collect();
    let requests: u32 =
        planned.iter().filter(|(_, lacks)| lacks.is_none()).map(|(scenario, _)| scenario.requests).sum();
    let rows = planned.iter().map(|(scenario, lacks)| {
        serde_json::json!({
            "id": scenario.id, "title": scenario.title, "requests": scenario.requests, "not_tested": lacks,
        })
    });
    let value = serde_json::json!({ "name": profile.name, "requests": requests, "scenarios": rows.collect::<Vec<_>>() });
    print(global, &value, || {
        for (scenario, lacks) in &planned {
            let note = lacks.as_ref().map(|lacks| format!("  (not tested: {lacks})")).unwrap_or_default();
            println!("{:<7} {}{note}", scenario.id, scenario.title);
        }
        println!("\nAbout {requests} requests. Nothing was sent.");
    });
}

fn world(args: ConformanceArgs, target: Target, profile: Profile) -> Result<World, Failure> {
    let missing = |name: &str| {
        let variable = name.replace('-', "_").to_uppercase();
        Failure::Usage(format!("--{name} (or CONFORMANCE_{variable}) is missing"))
    };
    let who = Credentials {
        email: args.email.ok_or_else(|| missing("email"))?,
        password: args.password.ok_or_else(|| missing("password"))?,
    };
    let other = args.other_email.zip(args.other_password);
    let wire =
        Wire::new(args.timeout, args.requests_max, target.is_encrypted()).map_err(Failure::Unreachable)?;
    Ok(World {
        other: other.map(|(email, password)| Credentials { email, password }),
        wait: args.wait,
        patience: args.patience,
        ..World::new(profile, target, wire, who)
    })
}

/// Somebody can sign in and is served. Where not, the profile is wrong, and nothing could be said of the system.
async fn preflight(world: &World) -> Outcome {
    let failure = |verdict: Verdict| match verdict {
        Verdict::Unreachable(why) => Failure::Unreachable(format!("{}: {why}", world.target.origin())),
        other => Failure::Usage(format!("{}; do address, credentials and profile fit?", other.detail())),
    };
    let visitor = world.onlooker().await.map_err(failure)?;
    let answer = visitor.settled(async || visitor.api().await).await;
    let answer = answer.map_err(|none| failure(none.into()))?;
    match answer.is_fine() {
        true => Ok(()),
        false => {
            let what = format!(
                "api.url: {} was answered {} to somebody signed in",
                world.profile.api.url,
                answer.told()
            );
            Err(failure(Verdict::NotTested(what)))
        }
    }
}

/// What was seen, and whether everything is as it was before.
async fn measure(
    global: &Global,
    world: &World,
    chosen: &[&'static Scenario],
    mut interrupts: Interrupts,
) -> (Vec<Row>, Told) {
    let shows = std::io::stderr().is_terminal() && !global.json;
    let mut rows = vec![];
    for (nth, scenario) in chosen.iter().enumerate() {
        if shows {
            eprint!("\r\x1b[K[{}/{}] {} {}", nth + 1, chosen.len(), scenario.id, scenario.title);
            let _ = std::io::stderr().flush();
        }
        let (told, is_interrupted) = tokio::select! {
            told = scenario.told(world) => (told, false),
            // Nobody's account stays suspended because somebody has changed their mind.
            () = interrupts.next() => (hook::mend(world).await.and(Err(interrupted())), true),
        };
        if Kind::of(&told) != Kind::Holds {
            // It may have been harmed. The next one looks through eyes of its own.
            world.onlooker.take();
        }
        world.clean_up().await;
        rows.push(Row { scenario, told });
        if is_interrupted || world.owed.get().is_some() {
            break;
        }
    }
    let is_owed = world.owed.get().is_some();
    let mended = hook::mend(world).await;
    if let (true, Ok(()), Some(last)) = (is_owed, &mended, rows.last_mut()) {
        last.told = Err(Verdict::Unreachable(MENDED_LATE.into()));
    }
    world.onlooker.take();
    world.clean_up().await;
    if shows {
        eprint!("\r\x1b[K");
    }
    (rows, mended)
}

const MENDED_LATE: &str =
    "what its hook had done was taken back at the second try only, and nothing after it was begun";

fn interrupted() -> Verdict {
    Verdict::Unreachable("it was interrupted, and nothing after it was begun".into())
}
