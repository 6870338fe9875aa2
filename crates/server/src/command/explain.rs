//! `tenure explain`: why somebody was signed out, from what the database holds. It writes nothing; a file of SQLite is
//! brought up to date when it is opened, as by every command.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tenure_domain::event::EventKind;
use tenure_domain::explain::Scenario;
use tenure_domain::id::{ProfileId, ReceiptId, SessionId};
use tenure_domain::limit::SESSIONS_LISTED_MAX;
use tenure_domain::time::Timestamp;
use tenure_store::{EventFilter, SessionRecord, Store};

use super::place::{now, user_id};
use super::{Failure, Global, Outcome, logouts, print, session, shown};
use crate::explain::case::{self, Case};
use crate::explain::observed::{SignedOut, Watched};
use crate::explain::rhythm;
use crate::explain::said::{Explained, For};
use crate::explain::sections::{explained, scenario};
use crate::wording::session::line;
use crate::wording::text::span_text;

/// How far back the sessions of a user are looked at: as long as one that is remembered lasts.
const OF_USER: Duration = Duration::from_secs(20 * 86_400);

/// Reports of something unknown that are counted.
const REPORTS_COUNTED_MAX: usize = 500;

#[derive(Args)]
#[command(after_help = "Examples:
  tenure explain R-7K3M-Q9TD        what somebody reads to you from the sign-in page
  tenure explain ses_...            a session of `session list` or of a log line
  tenure explain ada@example.com    the last 20 days of a user
  tenure explain obs_...            a browser that is observed (docs/guide/observe.md)

It prints WHAT happened, WHY, WHEN, WHERE and HOW, and everything in the order of time.
A report of a sign-out from a session that is alive is a mistake of the front end: \"unexplained\".
Exit code 1: nothing is known of what was asked for.")]
pub struct ExplainArgs {
    /// A receipt (R-...), a session (ses_...), a user (usr_... or e-mail), or an observed browser (obs_...).
    #[arg(value_name = "RECEIPT|SESSION|USER|BROWSER")]
    asked: String,
    /// Of a user: explain every session, not only the newest that ended or was reported. Of an observed browser: every
    /// sign-out, not only the newest.
    #[arg(long)]
    all: bool,
}

enum Asked {
    Receipt(ReceiptId),
    Session(SessionId),
    /// Id or e-mail.
    User(String),
}

impl Asked {
    fn read(text: &str) -> Result<Self, Failure> {
        if text.starts_with("ses_") {
            let id = text.parse().map_err(|error| Failure::Usage(format!("{text}: {error}")))?;
            return Ok(Asked::Session(id));
        }
        if text.starts_with("usr_") || text.contains('@') {
            return Ok(Asked::User(text.to_owned()));
        }
        ReceiptId::parse(text).map(Asked::Receipt).ok_or_else(|| {
            let forms = "a receipt (R-7K3M-Q9TD), a session (ses_...), a user (usr_...), an e-mail, an observed browser (obs_...)";
            Failure::Usage(format!("`{}` is none of: {forms}", shown(text)))
        })
    }
}

pub async fn run(global: &Global, args: ExplainArgs) -> Outcome {
    if args.asked.starts_with("obs_") {
        return observed(global, args).await;
    }
    let asked = Asked::read(&args.asked)?;
    let store = &*global.open_store().await?;
    let now = now();
    let records = match &asked {
        Asked::Receipt(receipt) => store.session_find_by_receipt(receipt).await?,
        Asked::Session(id) => store.session_find(*id).await?.into_iter().collect(),
        Asked::User(text) => of_user(store, text, now).await?,
    };
    if records.is_empty() {
        return Err(Failure::Finding(unknown(global, store, &asked).await?));
    }
    let access_lifetime = global.config()?.session.access_lifetime.0;
    let cases = Case::gather(store, records, access_lifetime, now).await?;
    let is_list = matches!(asked, Asked::User(_));
    let told: Vec<&Case> = match is_list && !args.all {
        true => cases
            .iter()
            .filter(|case| case.is_worth_telling())
            .max_by_key(|case| case.moment())
            .into_iter()
            .collect(),
        false => cases.iter().collect(),
    };
    print(global, &document(&args.asked, &cases, &told), || {
        if is_list {
            list(&cases, now);
        }
        told.iter().for_each(|case| print_explained(&explained(case, For::Support)));
    });
    Ok(())
}

/// The sign-outs of a browser in which an application is observed that keeps its sign-ins elsewhere.
async fn observed(global: &Global, args: ExplainArgs) -> Outcome {
    let profile: ProfileId =
        args.asked.parse().map_err(|error| Failure::Usage(format!("{}: {error}", shown(&args.asked))))?;
    let store = &*global.open_store().await?;
    let Some(watched) = Watched::gather(store, profile).await? else {
        let kept = span_text(global.config()?.store.client_report_retention.0);
        return Err(Failure::Finding(format!(
            "nothing was reported of {profile}\nReports are kept for {kept} (`store.client_report_retention`), and are \
             taken from the origins in `observe.origins`."
        )));
    };
    let all = watched.sign_outs();
    let told: Vec<&SignedOut<'_>> =
        if args.all { all.iter().collect() } else { all.last().into_iter().collect() };
    let document = json!({
        "asked": args.asked,
        "refreshes": watched.refreshes().document(),
        "sign_outs": all.iter().map(SignedOut::row).collect::<Vec<_>>(),
        "explained": told.iter().map(|out| out.document()).collect::<Vec<_>>(),
    });
    print(global, &document, || {
        println!("{profile}: {}", watched.summary());
        all.iter().for_each(|out| println!("{}", out.line()));
        println!();
        told.iter().for_each(|out| print_explained(&out.explained()));
    });
    Ok(())
}

/// A user's sessions that were not over before the last [`OF_USER`], newest first.
async fn of_user(store: &dyn Store, text: &str, now: Timestamp) -> Result<Vec<SessionRecord>, Failure> {
    let user = user_id(store, text).await.map_err(|failure| match failure {
        Failure::Finding(message) => {
            let hint = "Of a user who was deleted ask by id (usr_...), session or receipt.";
            Failure::Finding(format!("{message}\n{hint}"))
        }
        other => other,
    })?;
    let mut records = store.session_list(user, true, SESSIONS_LISTED_MAX, now).await?;
    records.retain(|record| case::until(record, now) + OF_USER >= now);
    Ok(records)
}

/// What to do where nothing is found.
async fn unknown(global: &Global, store: &dyn Store, asked: &Asked) -> Result<String, Failure> {
    let what = match asked {
        Asked::Receipt(receipt) => format!("no session ended with the receipt {receipt}"),
        Asked::Session(id) => format!("there is no session {id}; by its id it was begun at {}", id.made_at()),
        Asked::User(text) => {
            let days = OF_USER.as_secs() / 86_400;
            format!("{} has had no session in the last {days} days", shown(text))
        }
    };
    let recorded = match asked {
        Asked::Receipt(receipt) => recorded_end(store, receipt).await?,
        _ => None,
    };
    if let Some(recorded) = recorded {
        return Ok(recorded);
    }
    let retention = span_text(global.config()?.store.retention.0);
    let kept = format!("Sessions are kept for {retention} after their end (`store.retention`).");
    let named = reports_of(store, asked).await?.map(|named| format!("{named}\n")).unwrap_or_default();
    Ok(format!("{what}\n{kept}\n{named}Is this the right database? `--data` and `postgres.url` say which."))
}

/// An end whose session's row has been deleted since, as it is on record.
async fn recorded_end(store: &dyn Store, receipt: &ReceiptId) -> Result<Option<String>, Failure> {
    let filter = EventFilter { subject: Some(receipt.to_string()), ..EventFilter::default() };
    let mut found = store.event_list(filter, 10).await?.into_iter().map(|event| event.what);
    let Some(end) = found.find(|what| what.kind == EventKind::SessionEnded) else { return Ok(None) };
    let or_unknown = |text: Option<String>| shown(text.as_deref().unwrap_or("unknown"));
    let (session, user) = (end.session.map(|id| id.to_string()), end.user.map(|id| id.to_string()));
    Ok(Some(format!(
        "the session of this receipt is deleted; what is on record: {} ended {} by {}, of {}\n{}",
        or_unknown(session),
        or_unknown(end.cause),
        or_unknown(end.actor),
        or_unknown(user),
        end.at,
    )))
}

/// What browsers say of something that is not there.
async fn reports_of(store: &dyn Store, asked: &Asked) -> Result<Option<String>, Failure> {
    let (session, receipt) = match asked {
        Asked::Receipt(receipt) => (None, Some(receipt.clone())),
        Asked::Session(id) => (Some(*id), None),
        Asked::User(_) => return Ok(None),
    };
    let reports = store.client_report_list_of(session, receipt, REPORTS_COUNTED_MAX).await?;
    Ok(Some(match reports.iter().max_by_key(|(number, _)| *number) {
        None => "No browser's report names it either.".into(),
        Some((_, last)) => {
            let (count, at) = (reports.len(), last.received_at);
            format!("{count} report(s) of browsers name it, the last of {at}: `tenure logouts tail`.")
        }
    }))
}

fn list(cases: &[Case], now: Timestamp) {
    for case in cases {
        println!("{}  {}", line(&case.record, now), case.verdict.cause.as_str());
    }
    match cases.iter().any(Case::is_worth_telling) {
        true => println!(),
        false => println!("\nNone of these ended, and no browser reported a sign-out from one."),
    }
}

fn document(asked: &str, cases: &[Case], told: &[&Case]) -> Value {
    let listed = |case: &Case| {
        let mut row = session::row(&case.record);
        row["verdict"] = json!(case.verdict.cause.as_str());
        row
    };
    json!({
        "asked": asked,
        "sessions": cases.iter().map(listed).collect::<Vec<_>>(),
        "explained": told.iter().map(|case| whole(case)).collect::<Vec<_>>(),
    })
}

/// All that there is of a case, for programs.
fn whole(case: &Case) -> Value {
    let mut document = explained(case, For::Support).document();
    document["session"] = session::row(&case.record);
    document["verdict"] = json!(case.verdict.cause.as_str());
    document["scenario"] = json!(scenario(case).map(Scenario::letter));
    document["report"] = json!(case.report().map(|report| logouts::row(report.number, &report.report)));
    document["refreshes"] = rhythm::document(&case.record.refreshes, &case.rhythm);
    document
}

fn print_explained(explained: &Explained) {
    for (name, section) in &explained.sections {
        println!("{}", name.to_uppercase());
        section.texts().for_each(|(name, text)| println!("  {name:<18} {text}"));
    }
    println!("TIMELINE");
    for moment in &explained.moments {
        println!("  {}  {:<8} {}", moment.at, moment.what, moment.words);
    }
    println!();
}
