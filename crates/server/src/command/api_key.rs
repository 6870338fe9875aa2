//! `tenure api-key`

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tenure_domain::api_key::{self, ApiKeySecret, scopes_to_text};
use tenure_domain::id::ApiKeyId;
use tenure_domain::user::DisplayName;
use tenure_store::{ApiKey, ApiKeyCreated, ApiKeyRotated, Entropy as _, NewApiKey, Store};

use super::place::now;
use super::{Failure, Global, Outcome, account, print};
use crate::clock::SystemEntropy;

/// Keys printed by one `list`.
const PAGE: usize = 200;

#[derive(Subcommand)]
pub enum ApiKeyVerb {
    /// Make a key for an account. It is printed this once.
    Create(CreateArgs),
    /// An account's keys, those that open something first.
    List {
        /// Id, or a member's e-mail.
        account: String,
    },
    /// Make a successor of a key, which is printed this once. The old one stands for a while longer.
    Rotate {
        key: ApiKeyId,
        /// For how long the old key still stands.
        #[arg(long, default_value = "1d", value_name = "SPAN", value_parser = humantime::parse_duration)]
        grace: Duration,
        /// Why; it is kept with the act.
        #[arg(long)]
        reason: String,
    },
    /// Revoke a key at once.
    Revoke {
        key: ApiKeyId,
        /// Why; it is kept with the act.
        #[arg(long)]
        reason: String,
    },
}

#[derive(Args)]
pub struct CreateArgs {
    /// Id of the account, or a member's e-mail.
    account: String,
    #[arg(long)]
    name: String,
    /// What it may do, as in "reports.read reports.write".
    #[arg(long, default_value = "")]
    scopes: String,
    /// How long it stands; for ever if left out.
    #[arg(long, value_name = "SPAN", value_parser = humantime::parse_duration)]
    expires_in: Option<Duration>,
    /// Why; it is kept with the act.
    #[arg(long)]
    reason: String,
}

pub async fn run(global: &Global, verb: ApiKeyVerb) -> Outcome {
    let store = global.open_store().await?;
    let store = &*store;
    let gone = |key| Failure::Finding(format!("there is no API key {key} that opens anything"));
    match verb {
        ApiKeyVerb::Create(args) => create(global, store, args).await?,
        ApiKeyVerb::List { account } => {
            let account = account::find(store, &account).await?;
            let keys = store.api_key_list(account.id, PAGE, now()).await?;
            print(global, &keys.iter().map(row).collect(), || {
                keys.iter().for_each(|key| println!("{}", line(key)));
            });
        }
        ApiKeyVerb::Rotate { key, grace, reason } => {
            let (secret, now) = (draw(), now());
            let decree = global.decree(reason);
            match store.api_key_rotate(key, secret.hash(), now + grace, decree, now).await? {
                ApiKeyRotated::Rotated(next) => print_made(global, &next, &secret),
                ApiKeyRotated::TooMany => return Err(too_many()),
                ApiKeyRotated::Gone => return Err(gone(key)),
            }
        }
        ApiKeyVerb::Revoke { key, reason } => {
            let revoked = store.api_key_revoke(key, global.decree(reason), now()).await?;
            let revoked = revoked.ok_or_else(|| gone(key))?;
            print(global, &row(&revoked), || println!("{}", line(&revoked)));
        }
    }
    Ok(())
}

async fn create(global: &Global, store: &dyn Store, args: CreateArgs) -> Outcome {
    let usage = |option: &str, why: &dyn std::fmt::Display| Failure::Usage(format!("--{option}: {why}"));
    let name = DisplayName::parse(&args.name).map_err(|why| usage("name", &why))?;
    let scopes = api_key::scopes(&args.scopes).map_err(|why| usage("scopes", &why))?;
    let account = account::find(store, &args.account).await?;
    let (secret, now) = (draw(), now());
    let expires_at = args.expires_in.map(|span| now + span);
    let new = NewApiKey { name: name.as_str().to_owned(), scopes, expires_at, hash: secret.hash() };
    match store.api_key_create(account.id, new, global.decree(args.reason), now).await? {
        ApiKeyCreated::Created(key) => {
            print_made(global, &key, &secret);
            Ok(())
        }
        ApiKeyCreated::AccountGone => Err(Failure::Finding("the account has just been deleted".into())),
        ApiKeyCreated::TooMany => Err(too_many()),
    }
}

fn too_many() -> Failure {
    Failure::Finding("the account has as many keys as it may have; revoke one first".into())
}

fn draw() -> ApiKeySecret {
    let mut bytes = [0; 32];
    SystemEntropy.fill(&mut bytes);
    ApiKeySecret::from_entropy(bytes)
}

/// The one time that a key is seen.
fn print_made(global: &Global, key: &ApiKey, secret: &ApiKeySecret) {
    let text = secret.to_text(key.id);
    let mut made = row(key);
    made["secret"] = text.expose().into();
    print(global, &made, || println!("{}\n{}", line(key), text.expose()));
}

fn row(key: &ApiKey) -> Value {
    json!({
        "id": key.id, "account_id": key.account_id, "name": key.name, "scopes": key.scopes,
        "created_at": key.created_at, "expires_at": key.state.ends_at(), "revoked_at": key.state.revoked_at,
        "last_used_at": key.last_used_at,
    })
}

fn line(key: &ApiKey) -> String {
    let at = |what: &str, at: Option<tenure_domain::time::Timestamp>| {
        at.map(|at| format!("  {what} {at}")).unwrap_or_default()
    };
    let state = at("expires", key.state.ends_at()) + &at("revoked", key.state.revoked_at);
    let used = at("last used", key.last_used_at);
    let scopes = scopes_to_text(&key.scopes);
    format!("{}  {}  [{scopes}]  since {}{used}{state}", key.id, key.name, key.created_at)
}
