//! `tenure audit`: whether anybody has edited the record of what happened, and the record itself.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;
use tenure_domain::event::{Broken, Event, EventKind, Link, Verifier};
use tenure_domain::id::{SessionId, UserId};
use tenure_domain::secret::{AuditKey, MasterSecret};
use tenure_store::{EVENTS_LISTED_MAX, EventFilter, Store, StoreError};

use super::place::now;
use super::{Failure, Global, Outcome, print};
use crate::clock::SystemEntropy;
use crate::events::export::{Format, text_of};
use crate::jobs::UNSEALED_MAX;
use crate::keys::Keys;
use crate::routes::admin::events::EventRecord;

/// Events read at once.
const PAGE: usize = 1_000;

/// Faults that are printed one by one.
const FAULTS_SHOWN: usize = 20;

#[derive(Subcommand)]
pub enum AuditVerb {
    /// Follow the chain of events from the oldest to the newest, and tell whether anybody has edited it.
    Verify(VerifyArgs),
    /// Print events, newest first: one object a line, or a table.
    Export(ExportArgs),
}

#[derive(Args)]
#[command(
    after_help = "Exit code 0: it holds; 1: it was edited, or events have no seal though they are older than five minutes; \
3: nothing was looked at, because it cannot be read, or the master secret is not the one that this database is under.
Whoever cuts off the newest events leaves no trace in the database. The server logs where the chain ends (`noted`) every
minute that it grows: give such a line's NUMBER:TAG as --noted, and what is missing up to there is found."
)]
pub struct VerifyArgs {
    /// A place of the chain that was written down elsewhere.
    #[arg(long, value_name = "NUMBER:TAG")]
    noted: Option<Link>,
    /// A file with a master secret from before, if it was changed while these events were written.
    #[arg(long, value_name = "FILE")]
    earlier_secret_file: Vec<PathBuf>,
}

#[derive(Args)]
pub struct ExportArgs {
    /// How far back.
    #[arg(long, default_value = "24h", value_name = "SPAN", value_parser = humantime::parse_duration)]
    since: Duration,
    /// Only of this kind, such as session_ended.
    #[arg(long)]
    kind: Option<EventKind>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(global: &Global, verb: AuditVerb) -> Outcome {
    match verb {
        AuditVerb::Verify(args) => verify(global, args).await,
        AuditVerb::Export(args) => export(global, args).await,
    }
}

async fn verify(global: &Global, args: VerifyArgs) -> Outcome {
    let store = global.open_store().await?;
    let keys = keys(global, &args, &store).await?;
    let store = &*store;
    let mut verifier = Verifier::new(&keys, args.noted);
    let mut from = 0;
    loop {
        let page = store.event_chain(from, PAGE).await?;
        page.iter().for_each(|event| verifier.look_at(event));
        let Some(last) = page.last().and_then(|event| event.seal) else { break };
        from = last.link.number + 1;
        if std::io::stderr().is_terminal() && !global.json {
            eprint!("\r{} events looked at", verifier.looked_at);
        }
    }
    // Those that are not sealed yet, or not any more where we have looked, count as well: they have proofs of their own.
    let prunings = EventFilter { kind: Some(EventKind::EventsPruned), ..EventFilter::default() };
    store.event_list(prunings, PAGE).await?.iter().for_each(|event| verifier.hear_of_pruning(event));
    let end = verifier.finish();
    look_for_the_erased(store, &mut verifier).await?;
    let unsealed = store.event_count_unsealed(now()).await?;
    let unsealed_late = store.event_count_unsealed(now() - UNSEALED_MAX).await?;
    let document = json!({
        "holds": verifier.broken.is_empty() && unsealed_late == 0,
        "looked_at": verifier.looked_at,
        "end": end.map(|end| end.to_string()),
        "unsealed": unsealed,
        "unsealed_late": unsealed_late,
        "erased": verifier.erased,
        "noted_is_pruned": verifier.noted_is_pruned,
        "broken": verifier.broken.iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    print(global, &document, || {
        verifier.broken.iter().take(FAULTS_SHOWN).for_each(|broken| println!("{broken}"));
        let more = verifier.broken.len().saturating_sub(FAULTS_SHOWN);
        if more > 0 {
            println!("and {more} more");
        }
        println!("{} events looked at; {unsealed} not sealed yet", verifier.looked_at);
        if verifier.erased > 0 {
            println!(
                "of {} it was erased where they came from, as of people who were deleted",
                verifier.erased
            );
        }
        if verifier.noted_is_pruned {
            println!("the place that was noted has been pruned since, so nothing was held against it");
        }
        if let Some(end) = end {
            println!("the chain ends at {end}");
        }
    });
    if !verifier.broken.is_empty() {
        return Err(Failure::Finding("the record of what happened has been edited".into()));
    }
    if unsealed_late > 0 {
        let late = format!(
            "{unsealed_late} events of more than five minutes ago have no seal, so that nothing shows whether they were edited"
        );
        return Err(Failure::Finding(format!(
            "{late}; a server that runs seals within seconds what it can read"
        )));
    }
    Ok(())
}

/// Only with a person who is deleted is it erased where they were.
async fn look_for_the_erased(store: &dyn Store, verifier: &mut Verifier<'_>) -> Outcome {
    let mut broken = vec![];
    for ((user, session), (number, id)) in &verifier.erased_of {
        if !may_be_erased(store, *user, *session).await? {
            broken.push(Broken::Erased { number: *number, id: *id });
        }
    }
    broken.sort_by_key(|broken| match broken {
        Broken::Erased { number, .. } => *number,
        _ => 0,
    });
    verifier.broken.extend(broken);
    Ok(())
}

async fn may_be_erased(
    store: &dyn Store,
    user: Option<UserId>,
    session: Option<SessionId>,
) -> Result<bool, StoreError> {
    let user = match (user, session) {
        (Some(user), _) => user,
        (None, None) => return Ok(false),
        (None, Some(session)) => match user_of(store, session).await? {
            Some(user) => user,
            // Its row was swept, and the sign-in has been pruned.
            None => return Ok(true),
        },
    };
    Ok(store.user_find(user).await?.is_none())
}

/// Whose a session is or was.
async fn user_of(store: &dyn Store, session: SessionId) -> Result<Option<UserId>, StoreError> {
    if let Some(record) = store.session_find(session).await? {
        return Ok(Some(record.session.user_id));
    }
    let filter = EventFilter { session: Some(session), ..EventFilter::default() };
    let events = store.event_list(filter, EVENTS_LISTED_MAX).await?;
    Ok(events.into_iter().find_map(|event| event.what.user))
}

/// With the wrong secret every event would seem to have been edited, so it is tried on the signing keys first.
async fn keys(global: &Global, args: &VerifyArgs, store: &Arc<dyn Store>) -> Result<Vec<AuditKey>, Failure> {
    let sources = global.sources();
    let secret = global.master_secret_to_read(&sources)?;
    let mut earlier = Global::previous_secrets(&sources)?;
    for path in &args.earlier_secret_file {
        let wrong = |error: &dyn std::fmt::Display| Failure::Usage(format!("{}: {error}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
        earlier.push(MasterSecret::from_text(&text).map_err(|error| wrong(&error))?);
    }
    let signing = Keys::new(Arc::clone(store), Arc::new(SystemEntropy), &secret, &earlier);
    signing.current().await.map_err(|error| {
        let hint = "nothing was looked at: give the master secret that the server of this database runs with";
        Failure::Unreachable(format!("{error}\n{hint}"))
    })?;
    Ok(std::iter::once(&secret).chain(&earlier).map(MasterSecret::audit_key).collect())
}

async fn export(global: &Global, args: ExportArgs) -> Outcome {
    let store = &*global.open_store().await?;
    let since = Some(now() - args.since);
    let mut filter = EventFilter { kind: args.kind, since, ..EventFilter::default() };
    let mut is_first = true;
    loop {
        let events = store.event_list(filter.clone(), EVENTS_LISTED_MAX).await?;
        let last = events.last().map(|event| event.id);
        let records: Vec<EventRecord> = events.into_iter().map(Event::into).collect();
        let text = text_of(&records, args.format, is_first);
        // Nobody reads any more, as after `| head`.
        if std::io::stdout().lock().write_all(text.as_bytes()).is_err() {
            return Ok(());
        }
        is_first = false;
        match last {
            Some(last) => filter.before = Some(last),
            None => return Ok(()),
        }
    }
}
