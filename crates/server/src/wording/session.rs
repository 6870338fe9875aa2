//! A session and how it stands, on one line.

use tenure_domain::time::Timestamp;
use tenure_store::SessionRecord;

use super::text::shown;

pub fn line(record: &SessionRecord, now: Timestamp) -> String {
    let session = &record.session;
    let state = match &session.ended {
        Some(end) => {
            let note = end.note.as_deref().map(|note| format!(" ({note})")).unwrap_or_default();
            shown(&format!("ended {} {} by {}{note}, receipt {}", end.at, end.reason, end.actor, end.receipt))
        }
        None if session.is_expired(now) => format!("expired {}", session.expires_at),
        None => format!("alive until {}", session.expires_at),
    };
    let kind = if session.remembered { "remembered" } else { "short" };
    format!(
        "{}  {kind}  since {}  last used {}  {} refreshes  {state}",
        session.id, session.created_at, record.last_used_at, record.refresh_count
    )
}
