//! The scenarios: one table, in a file for each kind.
//!
//! Their numbers begin with the cause of a sign-out they belong to, C01 to C43. What no visitor can bring about has no
//! row (a missing library, a broken row of the database), and what needs the operator's hand takes a hook.

mod access;
mod blocks;
mod cookies;
mod ends;
mod refusals;
mod rotation;
mod wire;

use futures_util::future::LocalBoxFuture;

use super::super::outside::mentions;
use super::super::outside::profile::{Place, Profile};
use super::verdict::{Told, Verdict};
use super::world::World;

pub struct Scenario {
    pub id: &'static str,
    /// What has to be so.
    pub title: &'static str,
    /// What people see where it is not.
    pub why: &'static str,
    /// What to do about it.
    pub fix: &'static str,
    pub needs: &'static [Need],
    /// About so many requests, besides a sign-in that has to wait.
    pub requests: u32,
    pub run: Run,
}

pub type Run = for<'w> fn(&'w World) -> LocalBoxFuture<'w, Told>;

/// What a scenario cannot do without.
#[derive(Clone, Copy)]
pub enum Need {
    /// Access tokens that scripts hold.
    Bearer,
    RefreshInCookie,
    RefreshInBody,
    Logout,
    Forbidden,
    /// This hook, and the one that takes it back.
    Hook(&'static str),
    OtherAccount,
    AccessLifetime,
    RememberedLifetime,
    ShortLifetime,
    /// A sign-in that outlives the browser's window, by what was promised or by what is asked for.
    Remembered,
    /// A sign-in with `{remember}` in it.
    Remember,
    /// Pages at another origin than the API.
    Origin,
}

impl Scenario {
    /// C01 to C43.
    pub fn cause(&self) -> &'static str {
        self.id.split('.').next().unwrap_or(self.id)
    }

    /// By its number, or by its cause.
    pub fn is_named(&self, text: &str) -> bool {
        self.id.eq_ignore_ascii_case(text) || self.cause().eq_ignore_ascii_case(text)
    }

    /// What it needs and is not there.
    pub fn lacks(&self, profile: &Profile, has_other: bool) -> Option<String> {
        self.needs.iter().find_map(|need| need.lacks(profile, has_other))
    }

    pub async fn told(&self, world: &World) -> Told {
        if let Some(lacks) = self.lacks(&world.profile, world.other.is_some()) {
            return Err(Verdict::NotTested(lacks));
        }
        (self.run)(world).await
    }
}

impl Need {
    fn lacks(self, profile: &Profile, has_other: bool) -> Option<String> {
        let in_cookie = matches!(profile.refresh_place(), Place::Cookie(_));
        let missing =
            |field: &str, is_there: bool| (!is_there).then(|| format!("the profile has no {field}"));
        match self {
            Need::Bearer => {
                let is_cookie = matches!(profile.access_place(), Place::Cookie(_));
                is_cookie.then(|| "the access token is in a cookie, and sent by the browser itself".into())
            }
            Need::RefreshInCookie => (!in_cookie).then(|| "the refresh token is not in a cookie".into()),
            Need::RefreshInBody => in_cookie.then(|| "the refresh token is in a cookie".into()),
            Need::Logout => missing("logout", profile.logout.is_some()),
            Need::Forbidden => missing("forbidden", profile.forbidden.is_some()),
            Need::Hook(name) => missing(&format!("hooks.{name}"), profile.hooks.contains_key(name)),
            Need::OtherAccount => (!has_other).then(|| "there is no second account (--other-email)".into()),
            Need::AccessLifetime => {
                missing("promises.access_lifetime", profile.promises.access_lifetime().is_some())
            }
            Need::RememberedLifetime => {
                missing("promises.remembered_lifetime", profile.promises.remembered_lifetime().is_some())
            }
            Need::ShortLifetime => {
                missing("promises.short_lifetime", profile.promises.short_lifetime().is_some())
            }
            Need::Remembered => missing(
                "promises.remembered_lifetime, and no {remember} in login",
                profile.promises.remembered_lifetime().is_some() || mentions(&profile.login, "{remember}"),
            ),
            Need::Remember => missing("{remember} in login", mentions(&profile.login, "{remember}")),
            Need::Origin => missing("origin", profile.origin.is_some()),
        }
    }
}

/// All of them, in the order in which they run: what looks comes before what harms, and floods come last, after which
/// limits answer for a while.
pub fn all() -> impl Iterator<Item = &'static Scenario> {
    let looks = [access::ROWS, cookies::ROWS, wire::ROWS, refusals::ROWS];
    let harms = [rotation::ROWS, ends::ROWS, blocks::ROWS, wire::FLOODS];
    let tables = looks.into_iter().chain(harms);
    tables.flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn floods_come_last() {
        let causes: Vec<_> = all().map(Scenario::cause).collect();
        let first = causes.iter().position(|cause| *cause == "C43").unwrap();
        assert!(causes[first..].iter().all(|cause| *cause == "C43"), "{causes:?}");
    }

    #[test]
    fn every_scenario_has_a_number_of_its_own_and_says_what_to_do() {
        let ids: Vec<_> = all().map(|scenario| scenario.id).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
        for scenario in all() {
            let number: u32 = scenario.cause().strip_prefix('C').unwrap().parse().unwrap();
            let (_, nth) = scenario.id.split_once('.').unwrap();
            assert!((1..=43).contains(&number) && nth.parse::<u32>().is_ok(), "{}", scenario.id);
            for text in [scenario.title, scenario.why, scenario.fix] {
                assert!(
                    text.len() > 10 && !text.contains('|') && !text.ends_with('.'),
                    "{}: {text}",
                    scenario.id
                );
            }
            assert!(scenario.requests > 0 && scenario.requests <= 120, "{}", scenario.id);
        }
    }
}
