//! Bringing about what visitors cannot, and taking it back.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::browser::Extra;
use super::profile::{HOOKS, Hook};
use super::template::Fill;
use super::verdict::{Told, Verdict};
use super::world::World;

/// How long a command may take.
const TIMEOUT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// What programs that are started here have no use for.
pub const PASSWORDS: [&str; 3] = ["DOCTOR_PASSWORD", "CONFORMANCE_PASSWORD", "CONFORMANCE_OTHER_PASSWORD"];

/// Runs a hook. That it fails says nothing about what it was meant to show.
pub async fn run(world: &World, name: &str) -> Result<(), Verdict> {
    let Some(Hook { run, call }) = world.profile.hooks.get(name) else {
        return Err(Verdict::NotTested(format!("the profile has no hooks.{name}")));
    };
    if let Some(call) = call {
        // Not as the visitor, who may be in no state to ask for anything.
        let nobody = world.nobody();
        let answer = nobody.send(call, &nobody.state(), &Extra::default()).await?;
        return match answer.is_fine() {
            true => Ok(()),
            false => Err(Verdict::NotTested(format!("hooks.{name} was answered {}", answer.told()))),
        };
    }
    let words = run.iter().flatten().map(|word| filled(world, word)).collect::<Vec<_>>();
    let outcome = match words.split_first() {
        Some((program, words)) => command(program, words).await,
        None => Ok(()),
    };
    outcome.map_err(|why| Verdict::NotTested(format!("hooks.{name}: {why}")))
}

/// Does something between a hook and the one that takes it back, which runs whatever happened.
pub async fn between(world: &World, down: &str, up: &'static str, then: impl Future<Output = Told>) -> Told {
    // One thing is owed at a time: what could not be taken back before comes first.
    mend(world).await?;
    world.owed.set(Some(up));
    let told = match run(world, down).await {
        Ok(()) => then.await,
        failed => failed,
    };
    // What stays broken outweighs whatever was found meanwhile.
    mend(world).await.and(told)
}

/// Takes back what is owed, if anything is: a hook that failed may have done half of its work. Where that fails, it stays
/// owed, and nothing that is measured afterwards can be believed.
pub async fn mend(world: &World) -> Result<(), Verdict> {
    let Some(up) = world.owed.get() else { return Ok(()) };
    world.wire.allow_one();
    run(world, up).await.map_err(|verdict| Verdict::Unreachable(left(world, up, verdict.detail())))?;
    world.owed.set(None);
    Ok(())
}

/// What is left to do by hand, as the profile says it: what would be put in may be a secret.
fn left(world: &World, up: &str, why: &str) -> String {
    let down = HOOKS.iter().find(|(_, back)| *back == up).map(|(down, _)| *down).unwrap_or_default();
    let by_hand = world.profile.hooks.get(up).map(|hook| match &hook.call {
        Some(call) => format!("{} {}", call.method.as_deref().unwrap_or("POST"), call.url),
        None => hook.run.iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" "),
    });
    format!(
        "{} is left after hooks.{down} and not taken back ({why}); put it right by hand with hooks.{up}: `{}`",
        world.who.email,
        by_hand.unwrap_or_default()
    )
}

fn filled(world: &World, word: &str) -> String {
    let state = Default::default();
    let fill = Fill {
        email: &world.who.email,
        // A list of arguments is for everybody to read.
        password: "",
        remember: false,
        state: &state,
        access: None,
        refresh: None,
        now_ms: world.now_ms(),
    };
    fill.text(word).unwrap_or_default()
}

async fn command(program: &str, words: &[String]) -> Result<(), String> {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    for name in PASSWORDS {
        command.env_remove(name);
    }
    let mut child = command.spawn().map_err(|error| format!("{program}: {error}"))?;
    let begun = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if begun.elapsed() < TIMEOUT => sleep(POLL).await,
            Ok(None) => {
                end(&mut child);
                return Err(format!("{program} took longer than {}", humantime::format_duration(TIMEOUT)));
            }
            Err(error) => return Err(format!("{program}: {error}")),
        }
    };
    if status.success() { Ok(()) } else { Err(format!("{program} ended with {status}")) }
}

fn end(child: &mut Child) {
    // It may have ended by itself just now.
    let _ = child.kill();
    let _ = child.wait();
}
