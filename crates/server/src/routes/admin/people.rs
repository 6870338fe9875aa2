//! People as administrators know them: by their addresses, in what is asked for and in what is answered.

use std::collections::BTreeMap;
use std::str::FromStr;

use tenure_domain::email::Email;
use tenure_domain::ends::Actor;
use tenure_domain::id::UserId;
use tenure_store::EventFilter;

use super::fault;
use crate::App;
use crate::http::problem::Problem;

/// The addresses of the users that an answer names. Whoever is deleted is not among them.
pub type People = BTreeMap<UserId, String>;

/// The user that a filter means.
pub enum Whom {
    Id(UserId),
    Address(Email),
}

impl FromStr for Whom {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.contains('@') {
            true => Email::parse(text).map(Whom::Address).map_err(|error| error.to_string()),
            false => {
                text.parse().map(Whom::Id).map_err(|_| "not a user's id, and not an e-mail address".into())
            }
        }
    }
}

impl Whom {
    /// Whose id it is. That nobody has an address is told: an empty list would look like an answer.
    pub async fn id(self, app: &App) -> Result<UserId, Problem> {
        match self {
            Whom::Id(id) => Ok(id),
            Whom::Address(email) => {
                let user = app.store.user_find_by_email(email.key()).await?;
                let user = user.ok_or_else(|| fault("user", "not_a_user", "nobody has this address"))?;
                Ok(user.id)
            }
        }
    }
}

/// Who is on record by what somebody wrote: `admin:joe` or `joe`, or the address of an administrator, which is also how a name
/// of the command line's may look. That nobody is meant by an address is told: an empty list would look like an answer.
pub async fn actors(app: &App, text: &str) -> Result<Vec<String>, Problem> {
    let as_written = Actor::from(text).to_string();
    let name = text.strip_prefix("admin:").unwrap_or(text);
    let Some(Ok(email)) = name.contains('@').then(|| Email::parse(name)) else { return Ok(vec![as_written]) };
    if let Some(user) = app.store.user_find_by_email(email.key()).await? {
        return Ok(vec![Actor::Admin(user.id.to_string()).to_string(), as_written]);
    }
    let filter = EventFilter { actors: vec![as_written.clone()], ..EventFilter::default() };
    match app.store.event_list(filter, 1).await?.is_empty() {
        true => Err(fault(
            "actor",
            "not_a_user",
            "nobody has this address, and nothing is on record by such a name",
        )),
        false => Ok(vec![as_written]),
    }
}

/// The user whom an actor or a subject names.
pub fn in_text(text: &str) -> Option<UserId> {
    text.strip_prefix("admin:").unwrap_or(text).parse().ok()
}

/// Those that somebody may know by an address.
pub async fn people(app: &App, named: impl Iterator<Item = UserId>) -> Result<People, Problem> {
    let mut ids: Vec<_> = named.collect();
    ids.sort();
    ids.dedup();
    Ok(app.store.user_emails(ids).await?)
}
