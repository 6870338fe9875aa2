//! `tenure keys`

use std::sync::Arc;

use clap::Subcommand;
use serde_json::json;
use tenure_domain::time::Timestamp;
use tenure_store::{Decree, KeyRetired, StoredKey};

use super::place::now;
use super::{Failure, Global, Outcome, print};
use crate::clock::SystemEntropy;
use crate::keys::Keys;
use crate::routes::admin::signing_keys::SigningKeyRecord;

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
    let decree = Decree { actor: global.actor(), reason: None };
    match verb {
        KeysVerb::List => {
            let keys = store.key_list().await?;
            let signer = StoredKey::signer(&keys, now());
            let rows: Vec<_> =
                keys.iter().map(|key| json!(SigningKeyRecord::of(key, &keys, now()))).collect();
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
            let key = keys.rotate(decree, now(), ahead, config.session.access_lifetime.0).await?;
            let listed = store.key_list().await?;
            let signer = StoredKey::signer(&listed, now());
            print(global, &json!(SigningKeyRecord::of(&key, &listed, now())), || {
                println!("{}", line(&key, signer, now()))
            });
        }
        KeysVerb::Retire { kid } => match store.key_retire(&kid, decree, now()).await? {
            KeyRetired::Retired | KeyRetired::Before => {
                print(global, &json!({ "retired": kid }), || println!("retired {kid}"));
            }
            KeyRetired::Gone => return Err(Failure::Finding(format!("there is no key {kid}"))),
            KeyRetired::LastSigner => {
                let hint = "`tenure keys rotate --now` first";
                return Err(Failure::Finding(format!("without {kid} no key would sign for long; {hint}")));
            }
        },
    }
    Ok(())
}

fn line(key: &StoredKey, signer: Option<&str>, now: Timestamp) -> String {
    let until = key.retires_at.map(|at| format!("  until {at}")).unwrap_or_default();
    format!("{}  {:<9}  from {}{until}", key.kid, key.state(signer, now).as_str(), key.activates_at)
}
