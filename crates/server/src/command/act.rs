//! `tenure acts`

use clap::Args;
use serde_json::{Value, json};
use tenure_store::{Act, Subject};

use super::{Failure, Global, Outcome, print};
use crate::wording::act::text;

/// Acts printed at once.
pub const PAGE: usize = 100;

#[derive(Args)]
pub struct ActsArgs {
    /// Only what concerns this account, user or plan: an id, or `plan:NAME`.
    subject: Option<String>,
}

pub async fn run(global: &Global, args: ActsArgs) -> Outcome {
    let read = |text: &str| {
        text.parse::<Subject>().map_err(|error| Failure::Usage(format!("`{text}` is no subject: {error}")))
    };
    let subject = args.subject.as_deref().map(read).transpose()?;
    let acts = global.open_store().await?.act_list(subject, PAGE).await?;
    print(global, &acts.iter().map(row).collect(), || {
        acts.iter().for_each(|act| println!("{}", line(act)));
    });
    Ok(())
}

pub fn row(act: &Act) -> Value {
    json!({
        "id": act.id, "at": act.at, "actor": act.decree.actor.to_string(), "reason": act.decree.reason,
        "subject": act.subject, "what": act.what, "was": act.was, "became": act.became,
    })
}

pub fn line(act: &Act) -> String {
    format!("{}  {}", act.at, text(act))
}
