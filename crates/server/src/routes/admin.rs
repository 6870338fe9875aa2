//! `/api/v1/admin`: accounts, plans and users, for whoever runs the product.
//!
//! Every route takes an [`Administrator`] of the one right it needs, and every change is signed with who makes it and why.
//! Nobody signs anybody out by changing what they may do; ending sessions is asked for by name.

pub mod accounts;
pub mod acts;
pub mod api_keys;
pub mod client_reports;
pub mod events;
pub mod overview;
mod people;
pub mod plans;
pub mod session;
pub mod sessions;
pub mod settings;
pub mod signing_keys;
pub mod timeline;
pub mod users;

use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;
use serde::{Deserialize, Deserializer};
pub use tenure_domain::console::Right;
use tenure_domain::ends::Actor;
use tenure_domain::entitlement::Authority;
use tenure_domain::id::AccountId;
use tenure_domain::problem::Code;
use tenure_domain::user::Role;
use tenure_store::{Decree, KeyHolder, Subject, User};

use crate::App;
use crate::http::actor::{Admin, Caller, Identified};
use crate::http::admission::demand_permission;
use crate::http::arrival::{Arrival, At};
use crate::http::problem::{FieldError, Problem};

/// Things listed at once, and what a page has if nothing else is asked for.
const LISTED_MAX: usize = 200;
const LISTED: usize = 100;

/// Characters of a reason.
const REASON_MAX: usize = 500;

/// Somebody who has a right, as a handler's parameter: a route that forgets to ask for one does not compile.
pub struct Administrator<R> {
    caller: Caller,
    right: PhantomData<R>,
}

/// Somebody who has a right and, if they are at the console, typed their password a little while ago: for what harms if
/// it is done at a screen that was left alone. Keys and access tokens are in no screen.
pub struct Confirmed<R>(pub Administrator<R>);

/// A right as a type.
pub trait Needed: Send {
    const RIGHT: Right;
}

/// The rights that a handler may name.
pub mod right {
    use super::{Needed, Right};

    macro_rules! right {
        ($name:ident) => {
            pub struct $name;

            impl Needed for $name {
                const RIGHT: Right = Right::$name;
            }
        };
    }

    right!(Read);
    right!(Accounts);
    right!(Plans);
    right!(Users);
    right!(Keys);
}

impl<R: Needed> FromRequestParts<Arc<App>> for Administrator<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Admin(caller) = Admin::from_request_parts(parts, app).await?;
        let At(arrival) = At::from_request_parts(parts, app).await?;
        Self::admitted(app, &arrival, caller)
    }
}

impl<R: Needed> FromRequestParts<Arc<App>> for Confirmed<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let administrator = Administrator::<R>::from_request_parts(parts, app).await?;
        let At(arrival) = At::from_request_parts(parts, app).await?;
        let rules = app.settled.config.console.rules();
        let is_fresh = |at| arrival.now < rules.fresh_until(at);
        match administrator.caller.confirmed_at().is_none_or(is_fresh) {
            true => Ok(Self(administrator)),
            false => Err(Problem::new(
                Code::FreshPasswordRequired,
                "You typed your password too long ago for this; confirm it and try again.",
            )),
        }
    }
}

impl<R: Needed> Administrator<R> {
    fn admitted(app: &App, arrival: &Arrival, caller: Caller) -> Result<Self, Problem> {
        demand_permission(app, arrival, &caller, R::RIGHT.as_str())?;
        Ok(Self { caller, right: PhantomData })
    }

    /// Whether whoever showed these headers still has the right: sessions end, keys are revoked, roles change.
    async fn look_again(app: &Arc<App>, shown: &HeaderMap) -> Result<(), Problem> {
        let arrival = Arrival::new(app, shown, None);
        let (mut parts, ()) = http::Request::new(()).into_parts();
        parts.headers = shown.clone();
        let caller = Admin::again(&parts, app, &arrival).await?;
        Self::admitted(app, &arrival, caller).map(drop)
    }
}

impl<R> Administrator<R> {
    /// Whom or what an act concerns that is about nobody else: the person, or the account that a key acts for.
    fn subject(&self) -> Subject {
        match &self.caller {
            Caller::Person(Identified { person, .. }) => Subject::User(person.id),
            Caller::Key(KeyHolder { key, .. }) => Subject::Account(key.account_id),
        }
    }

    fn actor(&self) -> Actor {
        Actor::Admin(self.caller.id().to_string())
    }

    fn decree(&self, reason: String) -> Decree {
        Decree { actor: self.actor(), reason: Some(reason) }
    }

    /// Whoever passes by account and plan is the superusers' affair: the operator's own accounts and their members as well.
    async fn govern_account(&self, app: &App, account: Option<AccountId>) -> Result<(), Problem> {
        let Some(id) = account else { return Ok(()) };
        let is_system = app.store.account_find(id).await?.is_some_and(|account| account.is_system);
        if is_system { self.be_superuser() } else { Ok(()) }
    }

    fn be_superuser(&self) -> Result<(), Problem> {
        match self.caller.authority() {
            Authority::Person(Role::Superuser) => Ok(()),
            _ => Err(Problem::new(
                Code::PermissionDenied,
                "The operator's own accounts are the superusers' affair.",
            )),
        }
    }

    /// Refuses to handle a user who may do more than this administrator, or is in an account of the operator's own.
    async fn govern_user(&self, app: &App, user: &User) -> Result<(), Problem> {
        self.govern(app, &[user.role])?;
        self.govern_account(app, user.account_id).await
    }

    /// Refuses to handle a user who may do more than this administrator, or to make one.
    fn govern(&self, app: &App, roles: &[Role]) -> Result<(), Problem> {
        if roles.iter().all(|role| app.settled.policy.governs(self.caller.authority(), *role)) {
            return Ok(());
        }
        let detail = "Only somebody who may do all that such a user may do can make or handle one.";
        Err(Problem::new(Code::PermissionDenied, detail))
    }
}

/// What is wrong with the fields of a request, all of it at once.
#[derive(Default)]
struct Faults(Vec<FieldError>);

impl Faults {
    /// Reads a field of text, and notes it if it is nothing of the kind.
    fn parse<T>(&mut self, field: &'static str, code: &'static str, text: &str) -> Option<T>
    where
        T: FromStr<Err: ToString>,
    {
        self.take(field, code, text.parse::<T>())
    }

    fn take<T>(
        &mut self,
        field: &'static str,
        code: &'static str,
        read: Result<T, impl ToString>,
    ) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(error) => {
                self.0.push(FieldError { field, code, message: error.to_string() });
                None
            }
        }
    }

    /// Why it is done: for whoever asks later.
    fn reason(&mut self, text: &str) -> Option<String> {
        let text = text.trim();
        let length = text.chars().count();
        let is_one = (1..=REASON_MAX).contains(&length) && !text.chars().any(char::is_control);
        let error = format!("a reason has 1 to {REASON_MAX} characters and no control characters");
        self.take("reason", "not_a_reason", is_one.then(|| text.to_owned()).ok_or(error))
    }

    /// What was read, if nothing was wrong with any of it.
    fn unless_any<T>(self, read: Option<T>) -> Result<T, Problem> {
        match read {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(Problem::invalid(self.0)),
        }
    }
}

/// One thing that is wrong with one field.
fn fault(field: &'static str, code: &'static str, message: impl Into<String>) -> Problem {
    Problem::invalid(vec![FieldError { field, code, message: message.into() }])
}

/// An id of a path. What cannot be one is not there.
fn named<T: FromStr>(id: &str) -> Result<T, Problem> {
    id.parse().map_err(|_| Problem::not_found())
}

/// Where a list goes on, if something else than its beginning is asked for.
fn after<T: FromStr<Err: ToString>>(text: Option<&str>) -> Result<Option<T>, Problem> {
    text.map(|text| text.parse().map_err(|error: T::Err| fault("after", "not_an_id", error.to_string())))
        .transpose()
}

fn page(limit: Option<usize>) -> usize {
    limit.unwrap_or(LISTED).clamp(1, LISTED_MAX)
}

/// A field that is there and null, told apart from one that is not there.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}
