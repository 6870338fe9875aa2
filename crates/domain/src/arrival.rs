//! Who comes from another system, once more or for the first time, and what is to be done about them: they follow that
//! system until somebody decides about them here.

use std::collections::{HashMap, HashSet};

use crate::id::UserId;

/// Somebody as the other system has them now.
#[derive(Clone, Copy, Debug)]
pub struct Newcomer<'a> {
    /// The other system and what it calls them by, such as `django:17`.
    pub key: &'a str,
    /// Their address as it is compared.
    pub email_key: &'a str,
    /// Whether they may not sign in there.
    pub is_disabled: bool,
}

/// What became of one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    Created,
    /// They came before, whatever has become of them here since.
    Known,
    /// They came before and may not sign in there any more. Nobody has decided about them here, so they are disabled, and
    /// their sessions end.
    Disabled,
    /// They came before, an import disabled them, and they may sign in there again. Nobody has decided about them here since,
    /// so they are enabled.
    Enabled,
    /// They came before and may not sign in there any more, but here it has been decided about them since.
    ActiveHere,
    /// They came before, may sign in there, and are disabled here, where it has been decided about them since.
    DisabledHere,
    /// Whoever came under this key had another address: another person, or the same one with a new address.
    OtherAddress,
    /// Somebody who did not come under this key has the address.
    EmailTaken,
}

/// What is known of keys and addresses before any of those who come is there.
#[derive(Debug, Default)]
pub struct Arrivals {
    /// None: they have been deleted here.
    pub keys: HashMap<String, Option<Here>>,
    pub emails: HashSet<String>,
}

/// What has become of somebody who came before.
#[derive(Clone, Debug)]
pub struct Here {
    pub user_id: UserId,
    pub email_key: String,
    pub is_disabled: bool,
    /// Of their access tokens: disabling, enabling nobody, and a new password move it.
    pub token_version: u32,
    /// As the import that created, disabled or enabled them last left them.
    pub left: Left,
    /// How often somebody had been enabled or disabled when it was last told of them.
    pub told: Option<u32>,
    /// Matters only where [`is_otherwise`](Here::is_otherwise).
    pub decided: Decided,
}

/// What has been decided about somebody, by an import or by somebody with rights.
#[derive(Clone, Copy, Debug, Default)]
pub struct Decided {
    /// Acts on their state, role, account or password.
    pub acts: u32,
    /// Acts among them that enabled or disabled them.
    pub stated: u32,
}

/// What an import leaves of somebody: who finds more acts, or another token version, knows that they have been somebody's
/// business here since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    pub acts: u32,
    pub token_version: u32,
}

/// What is to be done about somebody who comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Create,
    Disable(UserId, Left),
    Enable(UserId, Left),
    /// Nothing but to remember how often they had been enabled or disabled when this was told; none is that there is nothing
    /// to tell any more.
    Tell(Imported, Option<u32>),
    Leave(Imported),
}

impl Verdict {
    /// What becomes of them if it can be done.
    pub fn outcome(&self) -> Imported {
        match self {
            Verdict::Create => Imported::Created,
            Verdict::Disable(..) => Imported::Disabled,
            Verdict::Enable(..) => Imported::Enabled,
            Verdict::Tell(outcome, _) | Verdict::Leave(outcome) => *outcome,
        }
    }
}

impl Arrivals {
    /// Whoever is to be created is here from then on, and their key and address are taken.
    pub fn judge(&mut self, newcomer: &Newcomer<'_>) -> Verdict {
        let Newcomer { key, email_key, .. } = *newcomer;
        if let Some(here) = self.keys.get_mut(key) {
            return here.as_mut().map_or(Verdict::Leave(Imported::Known), |here| here.judge(newcomer));
        }
        if self.emails.contains(email_key) {
            return Verdict::Leave(Imported::EmailTaken);
        }
        self.keys.insert(key.to_owned(), None);
        self.emails.insert(email_key.to_owned());
        Verdict::Create
    }
}

impl Here {
    /// Whether it matters what has been decided about them, of which their row says nothing.
    pub fn is_otherwise(&self, newcomer: &Newcomer<'_>) -> bool {
        newcomer.is_disabled != self.is_disabled && self.email_key == newcomer.email_key
    }

    fn judge(&mut self, newcomer: &Newcomer<'_>) -> Verdict {
        if self.email_key != newcomer.email_key {
            return Verdict::Leave(Imported::OtherAddress);
        }
        if !self.is_otherwise(newcomer) {
            return match self.told.take() {
                Some(_) => Verdict::Tell(Imported::Known, None),
                None => Verdict::Leave(Imported::Known),
            };
        }
        if (Left { acts: self.decided.acts, token_version: self.token_version }) != self.left {
            return self.doubt(if self.is_disabled { Imported::DisabledHere } else { Imported::ActiveHere });
        }
        // Disabling kills their access tokens; enabling brings none back.
        self.token_version += u32::from(newcomer.is_disabled);
        self.decided = Decided { acts: self.decided.acts + 1, stated: self.decided.stated + 1 };
        self.left = Left { acts: self.decided.acts, token_version: self.token_version };
        self.is_disabled = newcomer.is_disabled;
        match self.is_disabled {
            true => Verdict::Disable(self.user_id, self.left),
            false => Verdict::Enable(self.user_id, self.left),
        }
    }

    /// Until somebody has enabled or disabled them who may have been told.
    fn doubt(&mut self, outcome: Imported) -> Verdict {
        match self.told {
            Some(told) if self.decided.stated > told => Verdict::Leave(Imported::Known),
            Some(_) => Verdict::Leave(outcome),
            None => {
                self.told = Some(self.decided.stated);
                Verdict::Tell(outcome, self.told)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: UserId = UserId::from_bytes([7; 16]);

    /// Ada came once, as a user who may sign in, and nobody has touched her since.
    fn world() -> Arrivals {
        let here = Here {
            user_id: ADA,
            email_key: "ada@example.com".into(),
            is_disabled: false,
            token_version: 0,
            left: Left { acts: 1, token_version: 0 },
            told: None,
            decided: Decided { acts: 1, stated: 0 },
        };
        Arrivals {
            keys: [("django:1".into(), Some(here)), ("django:2".into(), None)].into(),
            emails: ["ada@example.com".into(), "eve@example.com".into()].into(),
        }
    }

    fn comes(key: &'static str, email_key: &'static str, is_disabled: bool) -> Newcomer<'static> {
        Newcomer { key, email_key, is_disabled }
    }

    fn ada(is_disabled: bool) -> Newcomer<'static> {
        comes("django:1", "ada@example.com", is_disabled)
    }

    fn here(world: &mut Arrivals) -> &mut Here {
        world.keys.get_mut("django:1").unwrap().as_mut().unwrap()
    }

    #[test]
    fn keys_and_addresses_are_taken_once() {
        let mut world = world();
        let outcome = |world: &mut Arrivals, key, email| world.judge(&comes(key, email, false)).outcome();
        assert_eq!(outcome(&mut world, "django:3", "bob@example.com"), Imported::Created);
        assert_eq!(outcome(&mut world, "django:3", "bob@example.com"), Imported::Known);
        assert_eq!(outcome(&mut world, "django:4", "bob@example.com"), Imported::EmailTaken);
        assert_eq!(outcome(&mut world, "django:5", "eve@example.com"), Imported::EmailTaken);
        assert_eq!(outcome(&mut world, "django:1", "eve@example.com"), Imported::OtherAddress);
        // Deleted here: gone for good.
        assert_eq!(outcome(&mut world, "django:2", "zoe@example.com"), Imported::Known);
    }

    #[test]
    fn whoever_nobody_has_decided_about_follows_the_other_system_to_and_fro() {
        let mut world = world();
        assert_eq!(world.judge(&ada(false)), Verdict::Leave(Imported::Known));
        let left = Left { acts: 2, token_version: 1 };
        assert_eq!(world.judge(&ada(true)), Verdict::Disable(ADA, left));
        assert_eq!(world.judge(&ada(true)), Verdict::Leave(Imported::Known));
        // Enabling brings no token back.
        assert_eq!(world.judge(&ada(false)), Verdict::Enable(ADA, Left { acts: 3, ..left }));
        assert_eq!(world.judge(&ada(true)), Verdict::Disable(ADA, Left { acts: 4, token_version: 2 }));
    }

    #[test]
    fn whoever_somebody_has_decided_about_is_told_of_until_they_are_enabled_or_disabled_again() {
        for touched in [
            |here: &mut Here| here.decided.acts += 1,
            // A new password of their own is no act.
            |here: &mut Here| here.token_version += 1,
        ] {
            let mut world = world();
            touched(here(&mut world));
            assert_eq!(world.judge(&ada(true)), Verdict::Tell(Imported::ActiveHere, Some(0)));
            assert_eq!(world.judge(&ada(true)), Verdict::Leave(Imported::ActiveHere));
            here(&mut world).decided.stated += 1;
            assert_eq!(world.judge(&ada(true)), Verdict::Leave(Imported::Known), "somebody meant it");
            // Both agree again, so that there is nothing more to tell of.
            assert_eq!(world.judge(&ada(false)), Verdict::Tell(Imported::Known, None));
            assert_eq!(world.judge(&ada(false)), Verdict::Leave(Imported::Known));
        }
        let mut world = world();
        *here(&mut world) = Here { is_disabled: true, token_version: 1, ..here(&mut world).clone() };
        assert_eq!(world.judge(&ada(false)).outcome(), Imported::DisabledHere);
    }
}
