//! `tenure session`

use clap::Subcommand;
use serde_json::{Value, json};
use tenure_domain::ends::EndReason;
use tenure_domain::id::{SessionId, UserId};
use tenure_domain::limit::SESSIONS_LISTED_MAX;
use tenure_store::{EndOrder, Ended, Scope, SessionRecord, Store};

use super::place::{now, user_id};
use super::{Failure, Global, Outcome, print};
use crate::wording::session::line;

#[derive(Subcommand)]
pub enum SessionVerb {
    /// A user's sessions, newest first.
    List {
        /// Id or e-mail.
        user: String,
        /// Also those that have ended.
        #[arg(long)]
        all: bool,
    },
    /// One session, and how it ended if it did.
    Show { session: SessionId },
    /// End one session.
    End {
        session: SessionId,
        /// Why; it is kept in the receipt.
        #[arg(long)]
        reason: String,
        /// Only say what would happen.
        #[arg(long)]
        dry_run: bool,
    },
    /// End all sessions of a user, and kill every access token at once.
    EndAll {
        /// Id or e-mail.
        user: String,
        /// Why; it is kept in the receipts.
        #[arg(long)]
        reason: String,
        /// Only say what would happen.
        #[arg(long)]
        dry_run: bool,
    },
}

pub async fn run(global: &Global, verb: SessionVerb) -> Outcome {
    let store = global.open_store().await?;
    match verb {
        SessionVerb::List { user, all } => {
            let user = user_id(&*store, &user).await?;
            let records = store.session_list(user, all, SESSIONS_LISTED_MAX, now()).await?;
            print(global, &json!(records.iter().map(row).collect::<Vec<_>>()), || {
                records.iter().for_each(|record| println!("{}", line(record, now())));
            });
            Ok(())
        }
        SessionVerb::Show { session } => {
            let record = find(&*store, session).await?;
            print(global, &row(&record), || println!("{}", line(&record, now())));
            Ok(())
        }
        SessionVerb::End { session, reason, dry_run } => {
            let user = find(&*store, session).await?.session.user_id;
            end(global, &*store, Target { user, scope: Scope::One(session) }, reason, dry_run).await
        }
        SessionVerb::EndAll { user, reason, dry_run } => {
            let user = user_id(&*store, &user).await?;
            end(global, &*store, Target { user, scope: Scope::All }, reason, dry_run).await
        }
    }
}

async fn find(store: &dyn Store, id: SessionId) -> Result<SessionRecord, Failure> {
    store.session_find(id).await?.ok_or_else(|| Failure::Finding(format!("there is no session {id}")))
}

struct Target {
    user: UserId,
    scope: Scope,
}

async fn end(global: &Global, store: &dyn Store, target: Target, note: String, dry_run: bool) -> Outcome {
    let Target { user, scope } = target;
    if dry_run {
        let live = store.session_list(user, false, SESSIONS_LISTED_MAX, now()).await?;
        let concerned = live.iter().map(|record| record.session.id);
        let ids: Vec<_> = concerned.filter(|id| scope == Scope::All || scope == Scope::One(*id)).collect();
        print(global, &json!({ "would_end": ids }), || {
            ids.iter().for_each(|id| println!("would end {id}"));
        });
        return Ok(());
    }
    let order = EndOrder {
        reason: EndReason::AdminRevoked,
        actor: global.actor(),
        note: Some(note),
        whence: Default::default(),
    };
    let ended = store.session_end(user, scope, scope == Scope::All, order, now()).await?;
    print_ended(global, &ended, "done");
    Ok(())
}

/// Says which sessions ended, each with the receipt that explains it.
pub fn print_ended(global: &Global, ended: &[Ended], done: &str) {
    print(global, &ended_rows(ended), || {
        println!("{done}; {} session(s) ended", ended.iter().filter(|ended| ended.newly).count());
        for ended in ended {
            let when = if ended.newly { "ended" } else { "had ended before" };
            println!("  {}  {when}  {}  receipt {}", ended.session_id, ended.end.reason, ended.end.receipt);
        }
    });
}

/// How a list of ends reads as JSON.
fn ended_rows(ended: &[Ended]) -> Value {
    let rows = ended.iter().map(|ended| {
        json!({
            "session": ended.session_id, "receipt": ended.end.receipt, "reason": ended.end.reason,
            "actor": ended.end.actor.to_string(), "at": ended.end.at, "newly": ended.newly, "note": ended.end.note,
        })
    });
    Value::Array(rows.collect())
}

pub(super) fn row(record: &SessionRecord) -> Value {
    let SessionRecord { session, device, last_used_at, refresh_count, .. } = record;
    let end = session.ended.as_ref().map(|end| {
        json!({
            "receipt": end.receipt, "reason": end.reason, "actor": end.actor.to_string(), "at": end.at,
            "note": end.note,
        })
    });
    json!({
        "id": session.id, "user": session.user_id, "remembered": session.remembered,
        "created_at": session.created_at, "expires_at": session.expires_at, "last_used_at": last_used_at,
        "refresh_count": refresh_count, "generation": session.rotation.head.0,
        "contested_at": session.rotation.contested_at, "device_id": device.id,
        "user_agent": device.user_agent, "address": device.address, "end": end,
    })
}
