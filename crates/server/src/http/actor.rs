//! Who is calling, as a handler's parameter: forgetting to ask is impossible, and a public route says so.
//!
//! Credentials are looked for in this order, and the first kind that is shown decides: an API key, an access token,
//! the console's cookie ([`Admin`] alone), HTTP Basic (in development alone). One that does not stand is refused,
//! whatever else the request carries.

mod access_token;
mod api_key;
mod authorization;
mod basic;

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use tenure_domain::access_token::{AccessClaims, AccessTokenError};
use tenure_domain::entitlement::Authority;
use tenure_domain::id::SessionId;
use tenure_domain::time::Timestamp;
use tenure_store::{KeyHolder, Membership, Person, StoreError, User};

use crate::App;
use crate::http::admission::throttle;
use crate::http::arrival::{Arrival, At};
use crate::http::console::{self, AtConsole};
use crate::http::problem::Problem;
use crate::limits::CallerId;

pub use access_token::bearer_claims;
use authorization::{Authorization, authorization};

/// Anybody, signed in or not.
pub struct Anyone;

/// The bearer of an access token that stands: signature, type, time, `token_version` and session were checked
/// against the store's present state, for this request.
pub struct SignedIn {
    pub claims: Arc<AccessClaims>,
    pub person: Arc<Person>,
    pub membership: Membership,
}

/// Whoever shows an API key, an access token or, in development, e-mail and password. The console's cookie is
/// nothing here.
pub enum Caller {
    Person(Identified),
    Key(KeyHolder),
}

/// A person whose credential stands.
pub struct Identified {
    pub person: Arc<Person>,
    pub membership: Membership,
    /// The session that the credential belongs to, if it belongs to one.
    pub session: Option<SessionId>,
    /// When they typed their password, of somebody at the console.
    pub confirmed_at: Option<Timestamp>,
}

/// Whoever may call the admin API as far as credentials go: a [`Caller`], or somebody at the console. What they may
/// do there is for [`demand`](crate::http::admission::demand) to say.
pub struct Admin(pub Caller);

impl Caller {
    pub fn membership(&self) -> &Membership {
        match self {
            Caller::Person(Identified { membership, .. }) | Caller::Key(KeyHolder { membership, .. }) => {
                membership
            }
        }
    }

    pub fn authority(&self) -> Authority<'_> {
        match self {
            Caller::Person(Identified { person, .. }) => Authority::Person(person.role),
            Caller::Key(KeyHolder { key, .. }) => Authority::Key(&key.scopes),
        }
    }

    /// When they typed their password, of somebody at the console. Nobody else has to have done so lately.
    pub fn confirmed_at(&self) -> Option<Timestamp> {
        match self {
            Caller::Person(identified) => identified.confirmed_at,
            Caller::Key(_) => None,
        }
    }

    /// For the log.
    pub fn id(&self) -> &dyn std::fmt::Display {
        match self {
            Caller::Person(Identified { person, .. }) => &person.id,
            Caller::Key(KeyHolder { key, .. }) => &key.id,
        }
    }

    /// For what is counted.
    pub fn id_bytes(&self) -> CallerId {
        match self {
            Caller::Person(Identified { person, .. }) => *person.id.as_bytes(),
            Caller::Key(KeyHolder { key, .. }) => *key.id.as_bytes(),
        }
    }
}

impl From<&SignedIn> for Caller {
    fn from(signed_in: &SignedIn) -> Self {
        let SignedIn { claims, person, membership } = signed_in;
        Caller::Person(Identified {
            person: Arc::clone(person),
            membership: membership.clone(),
            session: Some(claims.sid),
            confirmed_at: None,
        })
    }
}

/// The bearer of an access token that is authentic, whether or not it has expired or been revoked. Good for
/// signing out and for nothing else (protocol.md section 7).
pub struct Departing {
    pub claims: Arc<AccessClaims>,
    expired: bool,
}

impl Departing {
    /// Demands after all that the token stands, for what concerns more than its own session.
    pub async fn stand(&self, app: &App, arrival: &Arrival) -> Result<(), Problem> {
        if self.expired {
            return Err(access_token::expired());
        }
        access_token::stand(&self.claims, app, arrival).await.map(|_| ())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Anyone {
    type Rejection = Problem;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self)
    }
}

impl FromRequestParts<Arc<App>> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let At(arrival) = At::from_request_parts(parts, app).await?;
        let signed_in = signed_in(parts, app, &arrival).await?;
        throttle(app, &arrival, &Caller::from(&signed_in))?;
        Ok(signed_in)
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let At(arrival) = At::from_request_parts(parts, app).await?;
        let caller = identify(parts, app, &arrival, Area::Api).await?;
        throttle(app, &arrival, &caller)?;
        Ok(caller)
    }
}

impl FromRequestParts<Arc<App>> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let At(arrival) = At::from_request_parts(parts, app).await?;
        let caller = Self::again(parts, app, &arrival).await?;
        // Nobody is let off: most who come here would be.
        app.limits.admin(caller.id_bytes(), &arrival.standings)?;
        Ok(Self(caller))
    }
}

impl Admin {
    /// Who shows this as of now. For a call that goes on it is asked again, and is no further call then.
    pub async fn again(parts: &Parts, app: &Arc<App>, arrival: &Arrival) -> Result<Caller, Problem> {
        identify(parts, app, arrival, Area::Admin).await
    }
}

impl FromRequestParts<Arc<App>> for Departing {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let At(arrival) = At::from_request_parts(parts, app).await?;
        match access_token::read(&parts.headers, app, &arrival).await? {
            Ok(claims) => Ok(Self { claims, expired: false }),
            Err(AccessTokenError::Expired(claims)) => Ok(Self { claims: Arc::new(claims), expired: true }),
            Err(error) => Err(access_token::refusal(&error)),
        }
    }
}

/// Where the console's cookie is something, and where it is nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Area {
    Api,
    Admin,
}

/// The order of authentication.
async fn identify(parts: &Parts, app: &Arc<App>, arrival: &Arrival, area: Area) -> Result<Caller, Problem> {
    let headers = &parts.headers;
    if let Some(key) = api_key::shown(headers)? {
        return api_key::stand(key, app, arrival).await.map(Caller::Key);
    }
    let shown = authorization(headers)?;
    if let Some(Authorization::Bearer(_)) = shown {
        return signed_in(parts, app, arrival).await.map(|signed_in| Caller::from(&signed_in));
    }
    if area == Area::Admin
        && let Some(at_console) = console::stand(app, arrival, headers).await?
    {
        let AtConsole { user, confirmed_at, .. } = at_console;
        return person(user, Some(confirmed_at), app).await;
    }
    match shown {
        Some(Authorization::Basic(encoded)) => {
            person(basic::stand(encoded, app, arrival).await?, None, app).await
        }
        _ => Err(access_token::missing()),
    }
}

async fn signed_in(parts: &Parts, app: &App, arrival: &Arrival) -> Result<SignedIn, Problem> {
    let claims = access_token::read(&parts.headers, app, arrival)
        .await?
        .map_err(|error| access_token::refusal(&error))?;
    let tenure_store::Caller { person, membership, .. } = access_token::stand(&claims, app, arrival).await?;
    Ok(SignedIn { claims, person, membership })
}

/// Somebody whose row was read just now, with the account that they act in.
async fn person(user: User, confirmed_at: Option<Timestamp>, app: &App) -> Result<Caller, Problem> {
    let membership = match user.account_id {
        None => Membership::None,
        Some(id) => match app.store.account_find(id).await {
            Ok(Some(account)) => Membership::Member(Arc::new(account)),
            Ok(None) => Membership::None,
            Err(StoreError::Corrupt { .. }) => Membership::Unreadable,
            Err(error) => return Err(error.into()),
        },
    };
    let person = Arc::new(Person::from(&user));
    Ok(Caller::Person(Identified { person, membership, session: None, confirmed_at }))
}
