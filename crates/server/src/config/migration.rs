//! Sign-ins of another system that are taken over.

use serde::{Deserialize, Deserializer};
use tenure_domain::exchange::REMEMBERED_FOR;
use tenure_domain::simplejwt::{self, Algorithm, Expectations};
use tenure_domain::time::Timestamp;

use super::SecretWords;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MigrationSection {
    /// None: nothing is taken over.
    #[serde(deserialize_with = "moment")]
    pub exchange_until: Option<Timestamp>,
    pub simplejwt_algorithm: Algorithm,
    /// Empty: no tokens of simplejwt are.
    pub simplejwt_key: SecretWords,
    pub simplejwt_user_id_claim: String,
    pub simplejwt_issuer: String,
    pub simplejwt_audience: String,
    pub simplejwt_weak_key_allowed: bool,
}

impl MigrationSection {
    /// What keeps it from being used, a line for each thing to mend.
    pub fn faults(&self, development: bool) -> Vec<String> {
        let mut faults = vec![];
        if let Some(Err(error)) = self.key() {
            faults.push(format!("migration.simplejwt_key cannot be used: {error}"));
        }
        let is_weak = simplejwt::is_weak(self.simplejwt_algorithm, self.simplejwt_key.expose());
        let is_set = !self.simplejwt_key.expose().is_empty();
        if is_set && is_weak && !self.simplejwt_weak_key_allowed && !development {
            faults.push(
                "migration.simplejwt_key is shorter than 32 characters or the placeholder of a new Django project: \
                 whoever guesses it can sign in as anybody until migration.exchange_until. Change it there first; or, \
                 if that would sign people out and you take the risk, set migration.simplejwt_weak_key_allowed"
                    .into(),
            );
        }
        if self.simplejwt_user_id_claim.is_empty() {
            faults.push(
                "migration.simplejwt_user_id_claim is empty; leave it out for the default, user_id".into(),
            );
        }
        faults
    }

    /// What may be meant as it is, and is worth a second look.
    pub fn warnings(&self, now: Timestamp) -> Vec<String> {
        let Some(until) = self.exchange_until else { return vec![] };
        if until <= now {
            return vec![format!(
                "migration.exchange_until was {until}: nothing is traded any more, and the section can go"
            )];
        }
        let mut warnings = vec![];
        if self.simplejwt_key.expose().is_empty() {
            warnings.push(
                "migration.simplejwt_key is not set: nothing is traded but what a back end vouches for, with an API key \
                 of the scope sessions.exchange"
                    .into(),
            );
        }
        if until > now + REMEMBERED_FOR {
            let days = REMEMBERED_FOR.as_secs() / 86_400;
            warnings.push(format!(
                "migration.exchange_until is more than {days} days away: until then whoever has the other system's key \
                 can sign in as anybody"
            ));
        }
        warnings
    }

    /// What tokens are checked with, if any are taken.
    pub fn key(&self) -> Option<Result<simplejwt::Key, simplejwt::KeyError>> {
        let text = self.simplejwt_key.expose();
        (!text.is_empty()).then(|| simplejwt::Key::new(self.simplejwt_algorithm, text))
    }

    pub fn expectations(&self) -> Expectations {
        let if_set = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Expectations {
            user_id_claim: self.simplejwt_user_id_claim.clone(),
            issuer: if_set(&self.simplejwt_issuer),
            audience: if_set(&self.simplejwt_audience),
        }
    }
}

fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(serde::de::Error::custom),
    }
}
