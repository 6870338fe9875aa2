//! What somebody did to a user, an account or a plan.

use tenure_store::Act;

use super::text::shown;

/// The act without its time, on one line whatever was written into it.
pub fn text(act: &Act) -> String {
    let reason = act.decree.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let change = change(act).map(|change| format!(": {change}")).unwrap_or_default();
    shown(&format!("{}  {}{change}  by {}{reason}", act.subject, act.what, act.decree.actor))
}

fn change(act: &Act) -> Option<String> {
    let or_nothing = |text: &Option<String>| text.clone().unwrap_or_else(|| "nothing".into());
    match act.what.as_str() {
        // What becomes of somebody as a whole has no before, and of a password none is told.
        "state" | "password" => act.became.clone(),
        _ if act.was.is_none() && act.became.is_none() => None,
        _ => Some(format!("{} -> {}", or_nothing(&act.was), or_nothing(&act.became))),
    }
}
