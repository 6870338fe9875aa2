//! `tenure keys`

use std::sync::Arc;

use clap::Subcommand;
use serde_json::json;
use tenure_domain::time::Timestamp;
use tenure_store::StoredKey;

use super::place::now;
use super::{Failure, Global, Outcome, print};
use crate::clock::SystemEntropy;
use crate::keys::Keys;

#[derive(Subcommand)]
pub enum KeysVerb {
    /// All signing keys, newest first.
    List,
    /// Add a key. It is published at once and signs after `token.publish_ahead`; no session is touched.
    Rotate {
        /// Sign with it at once: verifiers that have not fetched it yet will refuse for a while.
        #[arg(long)]
        now: bool,
    },
    /// Stop accepting a key's tokens at once; clients refresh and get new ones.
    Retire {
        /// The key's id.
        kid: String,
    },
}

pub async fn run(global: &Global, verb: KeysVerb) -> Outcome {
    let store = global.open_store().await?;
    match verb {
        KeysVerb::List => {
            let keys = store.key_list().await?;
            let signer = signer(&keys, now());
            let rows: Vec<_> = keys.iter().map(|key| row(key, signer, now())).collect();
            print(global, &json!(rows), || {
                keys.iter().for_each(|key| println!("{}", line(key, signer, now())));
            });
        }
        KeysVerb::Rotate { now: at_once } => {
            let sources = global.sources();
            let config = crate::config::Config::load(&sources)?;
            let secret = global.master_secret(&sources)?;
            let previous = Global::previous_secrets(&sources)?;
            let keys = Keys::new(Arc::clone(&store), Arc::new(SystemEntropy), &secret, &previous);
            // Refuses a secret that does not open the keys there are, before it seals another with it.
            keys.current().await?;
            let ahead = if at_once { std::time::Duration::ZERO } else { config.token.publish_ahead.0 };
            let key = keys.rotate(now(), ahead, config.session.access_lifetime.0).await?;
            let listed = store.key_list().await?;
            let signer = signer(&listed, now());
            print(global, &row(&key, signer, now()), || println!("{}", line(&key, signer, now())));
        }
        KeysVerb::Retire { kid } => {
            let keys = store.key_list().await?;
            if !keys.iter().any(|key| key.kid == kid) {
                return Err(Failure::Finding(format!("there is no key {kid}")));
            }
            let rest: Vec<_> = keys.into_iter().filter(|key| key.kid != kid).collect();
            if signer(&rest, now()).is_none() {
                let hint = "`tenure keys rotate --now` first";
                return Err(Failure::Finding(format!("without {kid} no key would sign; {hint}")));
            }
            store.key_retire(&kid, now()).await?;
            print(global, &json!({ "retired": kid }), || println!("retired {kid}"));
        }
    }
    Ok(())
}

/// The key that signs now: of those active and not retired, the newest.
fn signer(keys: &[StoredKey], now: Timestamp) -> Option<&str> {
    let able = |key: &&StoredKey| key.activates_at <= now && key.retires_at.is_none_or(|at| now < at);
    keys.iter().filter(able).max_by_key(|key| (key.activates_at, &key.kid)).map(|key| key.kid.as_str())
}

fn state(key: &StoredKey, signer: Option<&str>, now: Timestamp) -> &'static str {
    match key.retires_at {
        Some(at) if at <= now => "retired",
        _ if signer == Some(&key.kid) => "signs",
        _ if key.activates_at > now => "published",
        _ => "verifies",
    }
}

fn row(key: &StoredKey, signer: Option<&str>, now: Timestamp) -> serde_json::Value {
    json!({
        "kid": key.kid, "state": state(key, signer, now), "created_at": key.created_at,
        "activates_at": key.activates_at, "retires_at": key.retires_at,
    })
}

fn line(key: &StoredKey, signer: Option<&str>, now: Timestamp) -> String {
    let until = key.retires_at.map(|at| format!("  until {at}")).unwrap_or_default();
    format!("{}  {:<9}  from {}{until}", key.kid, state(key, signer, now), key.activates_at)
}
