//! People who come from another system.

use std::collections::HashSet;

use async_trait::async_trait;
use tenure_domain::id::UserId;
use tenure_domain::time::Timestamp;

use crate::{NewUser, Result};

/// Most people who are taken over in one step: it holds the database's one lock for writing meanwhile.
pub const IMPORTED_AT_ONCE_MAX: usize = 500;

/// Somebody to take over.
pub struct Import {
    /// The other system and what it calls them by, such as `django:17`. Nobody is taken over twice under one.
    pub key: String,
    pub new: NewUser,
}

/// What became of one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    Created,
    /// They came before, whatever has become of them here since.
    Known,
    /// Somebody who did not come under this key has the address.
    EmailTaken,
}

#[async_trait]
pub trait Imports: Send + Sync {
    /// Takes people over as [`user_create`](crate::Users::user_create) would, all of them or, if the machine fails, none,
    /// and answers what became of each. With `dry_run` it answers the same and changes nothing.
    async fn user_import(&self, people: Vec<Import>, dry_run: bool, now: Timestamp) -> Result<Vec<Imported>>;

    /// Whom somebody has become, by the key that they came under; deleted since or not.
    async fn import_find(&self, key: String) -> Result<Option<UserId>>;
}

/// What is known of keys and addresses before any of those who come is there.
#[derive(Default)]
pub(crate) struct Arrivals {
    pub keys: HashSet<String>,
    pub emails: HashSet<String>,
}

impl Arrivals {
    /// None if they are to be created; from then on they are here, and their key and address are taken.
    pub fn judge(&mut self, import: &Import) -> Option<Imported> {
        if self.keys.contains(&import.key) {
            return Some(Imported::Known);
        }
        if self.emails.contains(&import.new.email_key) {
            return Some(Imported::EmailTaken);
        }
        self.keys.insert(import.key.clone());
        self.emails.insert(import.new.email_key.clone());
        None
    }
}
