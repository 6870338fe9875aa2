//! Who is calling.

use std::collections::BTreeSet;
use std::str::FromStr;

use http::HeaderMap;
use tenure_domain::access_token::AccessClaims;
use tenure_domain::account::Slug;
use tenure_domain::api_key;
use tenure_domain::id::{AccountId, ApiKeyId, SessionId, UserId};
use tenure_domain::user::Role;

/// Whoever sends the request: a person with `user`, `session` and `role`, or a program with `key` and `scopes`.
///
/// Of a token alone (`Freshness::Stateless`, and `Push` while it need not ask) nothing is known of account, plan and e-mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    pub user: Option<UserId>,
    pub session: Option<SessionId>,
    pub role: Option<Role>,
    pub account: Option<AccountId>,
    pub plan: Option<Slug>,
    /// Left out by the issuer if it has letters that no header can hold.
    pub email: Option<String>,
    pub key: Option<ApiKeyId>,
    /// What the API key may do; nothing of a person's.
    pub scopes: BTreeSet<Slug>,
}

/// What is told in headers begins with this.
pub const PREFIX: &str = "tenure-";

/// A header that is there and cannot be read.
struct Unreadable;

impl Identity {
    pub(crate) fn of_claims(claims: &AccessClaims) -> Self {
        Self { user: Some(claims.sub), session: Some(claims.sid), role: Some(claims.role), ..Self::default() }
    }

    /// As the issuer's check tells it; none if it does not say who it is.
    pub(crate) fn of_headers(headers: &HeaderMap) -> Option<Self> {
        let identity = Self::read(headers).ok()?;
        let is_person = identity.user.is_some() && identity.session.is_some() && identity.role.is_some();
        let is_program = identity.key.is_some();
        // Both at once is nobody that we know of.
        (is_person != is_program && (is_person || identity.user.is_none())).then_some(identity)
    }

    fn read(headers: &HeaderMap) -> Result<Self, Unreadable> {
        let scopes = one::<String>(headers, "tenure-scopes")?.unwrap_or_default();
        Ok(Self {
            user: one(headers, "tenure-user")?,
            session: one(headers, "tenure-session")?,
            role: one(headers, "tenure-role")?,
            account: one(headers, "tenure-account")?,
            plan: one(headers, "tenure-plan")?,
            email: one(headers, "tenure-email")?,
            key: one(headers, "tenure-key")?,
            scopes: api_key::scopes(&scopes).map_err(|_| Unreadable)?,
        })
    }
}

fn one<T: FromStr>(headers: &HeaderMap, name: &str) -> Result<Option<T>, Unreadable> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let text = value.to_str().map_err(|_| Unreadable)?;
            text.parse().map(Some).map_err(|_| Unreadable)
        }
        (Some(_), Some(_)) => Err(Unreadable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(told: &[(&'static str, &str)]) -> Option<Identity> {
        let mut headers = HeaderMap::new();
        for (name, value) in told {
            headers.append(*name, value.parse().unwrap());
        }
        Identity::of_headers(&headers)
    }

    #[test]
    fn half_an_identity_is_none() {
        let (user, session) =
            (UserId::from_bytes([1; 16]).to_string(), SessionId::from_bytes([2; 16]).to_string());
        let key = ApiKeyId::from_bytes([3; 16]).to_string();
        let person = [("tenure-user", &*user), ("tenure-session", &*session), ("tenure-role", "user")];
        assert!(read(&person).is_some_and(|one| one.role == Some(Role::User)));
        let program = read(&[("tenure-key", &key), ("tenure-scopes", "a b")]).unwrap();
        assert_eq!((program.user, program.scopes.len()), (None, 2));
        for at in 0..3 {
            let mut less = person.to_vec();
            less.remove(at);
            assert_eq!(read(&less), None);
            let mut twice = person.to_vec();
            twice.push(person[at]);
            assert_eq!(read(&twice), None);
        }
        assert_eq!(read(&[person.as_slice(), &[("tenure-key", &key)]].concat()), None);
        assert_eq!(read(&[("tenure-key", &*key), ("tenure-user", &*user)]), None);
        assert_eq!(read(&[person.as_slice(), &[("tenure-account", "acc_1")]].concat()), None);
        let (pro, team) = (("tenure-plan", "pro"), ("tenure-plan", "team"));
        assert!(read(&[person.as_slice(), &[pro]].concat()).is_some());
        assert_eq!(read(&[person.as_slice(), &[pro, team]].concat()), None);
        assert_eq!(read(&[]), None);
    }
}
