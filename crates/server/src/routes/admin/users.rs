//! `/api/v1/admin/users`
//!
//! Nobody handles, or makes, a user who may do more than they: see `Policy::governs`.

pub mod endings;
pub mod reset;

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use tenure_domain::email::Email;
use tenure_domain::exchange::read_imported_key;
use tenure_domain::id::{AccountId, UserId};
use tenure_domain::password::{Password, PasswordHash};
use tenure_domain::problem::Code;
use tenure_domain::secret::SecretText;
use tenure_domain::time::Timestamp;
use tenure_domain::user::{DisplayName, Role};
use tenure_store::{Home, NewUser, User, UserChange, UserChanged, UserCreated, UserFilter};
use utoipa::{IntoParams, ToSchema};

use super::{Administrator, Confirmed, Faults, after, fault, named, nullable, page, right};
use crate::App;
use crate::http::arrival::At;
use crate::http::body::Json;
use crate::http::openapi::user_role;
use crate::http::problem::Problem;

/// Characters of what is looked for.
const Q_MAX: usize = 200;

#[derive(Serialize, ToSchema)]
pub struct UserRecord {
    #[schema(value_type = String, example = "usr_0199c0a41c3b7d0ea1f0b2c3d4e5f607")]
    id: UserId,
    email: String,
    name: String,
    #[schema(schema_with = user_role)]
    role: Role,
    #[schema(value_type = Option<String>)]
    account_id: Option<AccountId>,
    /// Since when they are kept from signing in.
    #[schema(value_type = Option<i64>)]
    disabled_at: Option<Timestamp>,
    #[schema(value_type = i64)]
    created_at: Timestamp,
    /// Whether they can sign in with a password.
    has_password: bool,
}

#[derive(Serialize, ToSchema)]
pub struct UserRecords {
    /// Oldest first.
    users: Vec<UserRecord>,
    /// What `after` is for the next page; null where nothing was left.
    #[schema(value_type = Option<String>)]
    next: Option<UserId>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Listed {
    /// Only whoever has this address; nothing else is looked at then.
    email: Option<String>,
    /// A part of the address or the name, at most 200 characters.
    q: Option<String>,
    /// user, admin, developer, superuser or system.
    role: Option<String>,
    /// active or disabled.
    state: Option<String>,
    /// Only the members of this account.
    account: Option<String>,
    /// Continue after this id.
    after: Option<String>,
    /// At most 200; 100 if left out.
    limit: Option<usize>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserWish {
    email: String,
    /// 1 to 200 characters.
    name: String,
    /// user (if left out), admin, developer, superuser or system.
    role: Option<String>,
    /// The account they belong to; left out, they get one of their own.
    account_id: Option<String>,
    /// 8 to 256 characters. Left out, they cannot sign in until they have one.
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<SecretText>,
    /// What they are in another system, such as `django:17`: an import takes them for that person, and what they have there
    /// can be traded.
    imported_as: Option<String>,
    /// Why, for whoever asks later: 1 to 500 characters.
    reason: String,
}

/// What is to be different. What is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserPatch {
    role: Option<String>,
    /// Null takes them out of their account.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    account_id: Option<Option<String>>,
    /// Why, for whoever asks later: 1 to 500 characters.
    reason: String,
}

/// Why something is done: 1 to 500 characters, for whoever asks later.
#[derive(Deserialize, ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    pub(super) reason: String,
}

/// Users, page by page, or the one of an address.
#[utoipa::path(get, path = "/api/v1/admin/users", tag = "admin", params(Listed),
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "Oldest first", body = UserRecords)))]
pub async fn list(
    State(app): State<Arc<App>>,
    _: Administrator<right::Read>,
    Query(listed): Query<Listed>,
) -> Result<Response, Problem> {
    let (users, next) = match &listed.email {
        Some(text) => {
            let email =
                Email::parse(text).map_err(|error| fault("email", "not_an_address", error.to_string()))?;
            (app.store.user_find_by_email(email.key()).await?.into_iter().collect(), None)
        }
        None => {
            let after = after(listed.after.as_deref())?;
            let users = app.store.user_list(listed.filter()?, after, page(listed.limit)).await?;
            let next = users.last().map(|user| user.id);
            (users, next)
        }
    };
    let users: Vec<User> = users;
    Ok(Json(UserRecords { users: users.into_iter().map(UserRecord::from).collect(), next }).into_response())
}

impl Listed {
    fn filter(&self) -> Result<UserFilter, Problem> {
        let mut faults = Faults::default();
        let text = self.q.as_ref().map(|text| {
            let is_short = text.chars().count() <= Q_MAX;
            let error = format!("at most {Q_MAX} characters can be looked for");
            faults.take("q", "too_long", is_short.then(|| text.clone()).ok_or(error))
        });
        let role = self.role.as_deref().map(|text| faults.parse::<Role>("role", "not_a_role", text));
        let is_disabled = self.state.as_deref().map(|text| {
            let read = match text {
                "active" => Ok(false),
                "disabled" => Ok(true),
                _ => Err("expected active or disabled"),
            };
            faults.take("state", "not_a_state", read)
        });
        let account = self.account.as_deref();
        let account = account.map(|text| faults.parse::<AccountId>("account", "not_an_id", text));
        // What could not be read is a fault by now.
        faults.unless_any(Some(UserFilter {
            text: text.flatten().filter(|text| !text.is_empty()),
            role: role.flatten(),
            is_disabled: is_disabled.flatten(),
            account: account.flatten(),
        }))
    }
}

/// Create a user.
#[utoipa::path(post, path = "/api/v1/admin/users", tag = "admin", request_body = UserWish,
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 201, description = "Created", body = UserRecord)))]
pub async fn create(
    State(app): State<Arc<App>>,
    Confirmed(administrator): Confirmed<right::Users>,
    At(arrival): At,
    Json(wish): Json<UserWish>,
) -> Result<Response, Problem> {
    let (mut new, password, reason) = read_wish(wish)?;
    administrator.govern(&app, &[new.role])?;
    if let Home::In(account) = new.home {
        administrator.govern_account(&app, Some(account)).await?;
    }
    if let Some(password) = password {
        new.password_hash = Some(hash(&app, password).await?);
    }
    new.decree = Some(administrator.decree(reason));
    match app.store.user_create(new, None, arrival.now).await? {
        UserCreated::Created { user, .. } => {
            Ok((StatusCode::CREATED, Json(UserRecord::from(user))).into_response())
        }
        UserCreated::EmailTaken => {
            Err(Problem::new(Code::EmailTaken, "Somebody is registered under that address."))
        }
        UserCreated::AccountGone => Err(no_such_account()),
        UserCreated::KeyTaken => Err(fault("imported_as", "taken", "somebody came from there as that")),
    }
}

fn read_wish(wish: UserWish) -> Result<(NewUser, Option<Password>, String), Problem> {
    let mut faults = Faults::default();
    let email = faults.take("email", "not_an_address", Email::parse(&wish.email));
    let name = faults.take("name", "not_a_name", DisplayName::parse(&wish.name));
    let role = match &wish.role {
        Some(text) => faults.parse::<Role>("role", "not_a_role", text),
        None => Some(Role::User),
    };
    let home = wish.account_id.map(|text| faults.parse::<AccountId>("account_id", "not_an_id", &text));
    let key = email.as_ref().map(Email::key).unwrap_or_default();
    let password = wish.password.map(|chosen| read_password(&mut faults, &chosen, key));
    let imported_as =
        wish.imported_as.map(|text| faults.take("imported_as", "not_a_key", read_imported_key(&text)));
    let reason = faults.reason(&wish.reason);
    let read = email.zip(name).zip(role).zip(reason).map(|(((email, name), role), reason)| {
        let mut new =
            NewUser { role, imported_as: imported_as.flatten(), ..NewUser::named(&email, name.as_str()) };
        if let Some(id) = home.flatten() {
            new.home = Home::In(id);
        }
        (new, password.flatten(), reason)
    });
    faults.unless_any(read)
}

fn read_password(faults: &mut Faults, chosen: &SecretText, email_key: &str) -> Option<Password> {
    let read = Password::chosen(chosen, email_key);
    let code = read.as_ref().err().map_or("", |error| error.as_str());
    faults.take("password", code, read)
}

/// One user.
#[utoipa::path(get, path = "/api/v1/admin/users/{id}", tag = "admin",
    params(("id" = String, Path, description = "The user, as in `usr_...`")),
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "As they are", body = UserRecord)))]
pub async fn show(
    State(app): State<Arc<App>>,
    _: Administrator<right::Read>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    Ok(Json(UserRecord::from(find(&app, &id).await?)).into_response())
}

/// Give a user another role, or move them to another account. They stay signed in.
#[utoipa::path(patch, path = "/api/v1/admin/users/{id}", tag = "admin", request_body = UserPatch,
    params(("id" = String, Path, description = "The user, as in `usr_...`")),
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "As they are now", body = UserRecord)))]
pub async fn change(
    State(app): State<Arc<App>>,
    target: Target,
    At(arrival): At,
    Path(id): Path<String>,
    Json(patch): Json<UserPatch>,
) -> Result<Response, Problem> {
    let mut faults = Faults::default();
    let role = patch.role.and_then(|text| faults.parse::<Role>("role", "not_a_role", &text));
    let account = patch
        .account_id
        .map(|id| id.and_then(|text| faults.parse::<AccountId>("account_id", "not_an_id", &text)));
    let reason = faults.reason(&patch.reason);
    let reason = faults.unless_any(reason)?;
    target.administrator.govern(&app, role.as_slice())?;
    target.administrator.govern_account(&app, account.flatten()).await?;
    let decree = target.administrator.decree(reason);
    let change = UserChange { role, account };
    match app.store.user_change(target.user.id, change, decree, arrival.now).await? {
        UserChanged::Changed(_) => Ok(Json(UserRecord::from(find(&app, &id).await?)).into_response()),
        UserChanged::UserGone => Err(Problem::not_found()),
        UserChanged::AccountGone => Err(no_such_account()),
    }
}

/// Let a disabled user sign in again. Sessions that ended stay ended.
#[utoipa::path(post, path = "/api/v1/admin/users/{id}/enable", tag = "admin", request_body = Reason,
    params(("id" = String, Path, description = "The user, as in `usr_...`")),
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "As they are now", body = UserRecord)))]
pub async fn enable(
    State(app): State<Arc<App>>,
    target: Target,
    At(arrival): At,
    Path(id): Path<String>,
    Json(wish): Json<Reason>,
) -> Result<Response, Problem> {
    let decree = target.administrator.decree(read_reason(&wish.reason)?);
    match app.store.user_enable(target.user.id, decree, arrival.now).await? {
        true => Ok(Json(UserRecord::from(find(&app, &id).await?)).into_response()),
        false => Err(Problem::not_found()),
    }
}

/// The user of a path, and an administrator who may handle them and has typed their password lately.
pub struct Target {
    administrator: Administrator<right::Users>,
    user: User,
}

impl FromRequestParts<Arc<App>> for Target {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Confirmed(administrator) = Confirmed::from_request_parts(parts, app).await?;
        let Ok(Path(id)) = Path::<String>::from_request_parts(parts, app).await else {
            return Err(Problem::not_found());
        };
        let user = find(app, &id).await?;
        administrator.govern_user(app, &user).await?;
        Ok(Self { administrator, user })
    }
}

async fn find(app: &App, id: &str) -> Result<User, Problem> {
    app.store.user_find(named(id)?).await?.ok_or_else(Problem::not_found)
}

pub(super) fn read_reason(text: &str) -> Result<String, Problem> {
    let mut faults = Faults::default();
    let reason = faults.reason(text);
    faults.unless_any(reason)
}

async fn hash(app: &App, password: Password) -> Result<PasswordHash, Problem> {
    app.hasher.hash(password).await?.map_err(|error| {
        Problem::new(Code::InternalError, "The password could not be hashed.").with_cause(error)
    })
}

fn no_such_account() -> Problem {
    fault("account_id", "no_such_account", "there is no account of that id")
}

impl From<User> for UserRecord {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            email: user.email,
            name: user.name,
            role: user.role,
            account_id: user.account_id,
            disabled_at: user.disabled_at,
            created_at: user.created_at,
            has_password: user.password_hash.is_some(),
        }
    }
}
