//! People who come from another system.

use async_trait::async_trait;
use tenure_domain::arrival::{Decided, Here, Imported, Left, Newcomer};
use tenure_domain::ends::{Actor, EndReason};
use tenure_domain::event::Whence;
use tenure_domain::id::UserId;
use tenure_domain::time::Timestamp;

use crate::row::Columns;
use crate::{Decree, EndOrder, NewUser, Result, User};

/// Most people who are taken over in one step: it holds the database's one lock for writing meanwhile.
pub const IMPORTED_AT_ONCE_MAX: usize = 500;

/// Somebody to take over.
pub struct Import {
    /// The other system and what it calls them by, such as `django:17`. Nobody is taken over twice under one.
    pub key: String,
    pub new: NewUser,
}

/// Somebody who came, and may sign in here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrived {
    pub key: String,
    pub user_id: UserId,
    pub email: String,
}

#[async_trait]
pub trait Imports: Send + Sync {
    /// Takes people over as [`user_create`](crate::Users::user_create) would, and disables or enables those that
    /// [`Disabled`](Imported::Disabled) and [`Enabled`](Imported::Enabled) tell of as
    /// [`user_disable`](crate::Users::user_disable) and [`user_enable`](crate::Users::user_enable) would; all of them or, if
    /// the machine fails, none. [`ActiveHere`](Imported::ActiveHere) and [`DisabledHere`](Imported::DisabledHere) are told of
    /// somebody until they are enabled or disabled after that. Answers what became of each. With `dry_run` it answers the same and changes nothing.
    async fn user_import(&self, people: Vec<Import>, dry_run: bool, now: Timestamp) -> Result<Vec<Imported>>;

    /// Whom somebody has become, by the key that they came under; deleted since or not.
    async fn import_find(&self, key: String) -> Result<Option<UserId>>;

    /// The keys that those of these users came under who came from elsewhere.
    async fn import_keys(&self, users: Vec<UserId>) -> Result<Vec<(UserId, String)>>;

    /// Those who came and may sign in here, by their keys, after one of them.
    async fn import_list(&self, after: Option<String>, limit: usize) -> Result<Vec<Arrived>>;
}

impl Import {
    pub(crate) fn newcomer(&self) -> Newcomer<'_> {
        let Self { key, new } = self;
        Newcomer { key, email_key: &new.email_key, is_disabled: new.is_disabled }
    }
}

/// Of somebody who has just been created.
pub(crate) fn left_by(new: &NewUser, user: &User) -> Left {
    let acts = new.decree.as_ref().map_or(0, |_| user.created().len());
    Left { acts: acts.try_into().unwrap_or(u32::MAX), token_version: user.token_version }
}

/// From the columns [`HERE`]; none of somebody who has been deleted.
pub(crate) fn here(columns: &mut impl Columns) -> Result<Option<Here>> {
    const WHAT: &str = "import";
    let user_id = UserId::from_bytes(columns.id(WHAT)?);
    let Some(email_key) = columns.text_or_null(WHAT)? else { return Ok(None) };
    let is_disabled = columns.time_or_null(WHAT)?.is_some();
    let token_version = columns.number(WHAT)?;
    let left = Left { acts: columns.number(WHAT)?, token_version: columns.number(WHAT)? };
    let told = columns.number_or_null(WHAT)?;
    let decided = Decided::default();
    Ok(Some(Here { user_id, email_key, is_disabled, token_version, left, told, decided }))
}

/// From the columns of [`DECIDED`].
pub(crate) fn decided(columns: &mut impl Columns) -> Result<Decided> {
    const WHAT: &str = "act";
    Ok(Decided { acts: columns.number(WHAT)?, stated: columns.number(WHAT)? })
}

/// The columns that [`here`] reads.
pub(crate) const HERE: &str =
    "i.user_id, u.email_key, u.disabled_at, u.token_version, i.acts, i.version, i.told";

pub(crate) const HERE_COLUMNS: usize = 7;

/// That somebody asked for a link to a new password, or signed in or out, decides nothing.
pub(crate) const DECIDED: &str = "SELECT count(*), \
     coalesce(sum(CASE WHEN became IN ('enabled', 'disabled') THEN 1 ELSE 0 END), 0) \
     FROM act WHERE subject = $1 AND what IN ('state', 'role', 'account', 'password')";

/// By whose word somebody is enabled who may sign in there again.
pub(crate) fn enabling(new: &NewUser) -> Decree {
    new.decree.clone().unwrap_or(Decree { actor: Actor::Policy, reason: None })
}

/// By whose word somebody is disabled who may not sign in there any more.
pub(crate) fn disabling(new: &NewUser) -> EndOrder {
    let Decree { actor, reason } = enabling(new);
    EndOrder { reason: EndReason::UserDisabled, actor, note: reason, whence: Whence::default() }
}

pub(crate) fn arrived(columns: &mut impl Columns) -> Result<Arrived> {
    const WHAT: &str = "import";
    Ok(Arrived {
        key: columns.text(WHAT)?,
        user_id: UserId::from_bytes(columns.id(WHAT)?),
        email: columns.text(WHAT)?,
    })
}
