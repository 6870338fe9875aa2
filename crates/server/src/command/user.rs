//! `tenure user`

use std::collections::HashMap;
use std::io::{BufRead as _, IsTerminal as _};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tenure_domain::email::Email;
use tenure_domain::ends::EndReason;
use tenure_domain::id::{AccountId, UserId};
use tenure_domain::password::{Password, PasswordHash, Scratch};
use tenure_domain::secret::SecretText;
use tenure_domain::user::{DisplayName, Role};
use tenure_store::{
    Decree, EndOrder, Entropy as _, Expected, Home, NewUser, PasswordChanged, Store, User, UserChange,
    UserChanged, UserCreated, UserFilter,
};

use super::place::{now, user_id};
use super::{Failure, Global, Outcome, print};
use crate::clock::SystemEntropy;
use crate::config::Config;

/// Users printed by one `list`.
const PAGE: usize = 100;

/// Keys that somebody is reminded of.
const KEYS_TOLD: usize = 200;

#[derive(Subcommand)]
pub enum UserVerb {
    /// Create a user; the password is read from standard input.
    Create {
        email: String,
        #[arg(long)]
        name: String,
        #[arg(long, default_value = "user")]
        role: Role,
        /// Id of the account they belong to, or the e-mail of one of its members; left out, they get one of their own.
        #[arg(long)]
        account: Option<String>,
        /// Without a password: cannot sign in until one is set.
        #[arg(long)]
        no_password: bool,
        /// Why; it is kept with the act.
        #[arg(long)]
        reason: Option<String>,
    },
    /// One user, by id or e-mail.
    Show { user: String },
    /// Users by age, a hundred at a time.
    List {
        /// Continue after this user.
        #[arg(long, value_name = "ID")]
        after: Option<UserId>,
        /// Everybody who follows, however many they are.
        #[arg(long)]
        all: bool,
    },
    /// Give a user another role, or move them to another account. They stay signed in.
    Set(SetArgs),
    /// Keep a user from signing in, and end all their sessions.
    Disable(EndingArgs),
    /// Let a disabled user sign in again.
    Enable {
        user: String,
        /// Why; it is kept with the act.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Delete a user, and end all their sessions.
    Delete(EndingArgs),
    /// Set a password, read from standard input, and end all the user's sessions.
    SetPassword(EndingArgs),
}

#[derive(Args)]
#[command(group(clap::ArgGroup::new("change").required(true).multiple(true)))]
pub struct SetArgs {
    /// Id or e-mail.
    user: String,
    /// user, admin, developer, superuser or system.
    #[arg(long, group = "change")]
    role: Option<Role>,
    /// Id of an account, or the e-mail of one of its members.
    #[arg(long, group = "change", conflicts_with = "no_account")]
    account: Option<String>,
    /// Take them out of their account.
    #[arg(long, group = "change")]
    no_account: bool,
    /// Why; it is kept with the acts.
    #[arg(long)]
    reason: String,
}

#[derive(Args)]
pub struct EndingArgs {
    /// Id or e-mail.
    user: String,
    /// Why; it is kept in the receipts of the sessions that end.
    #[arg(long)]
    reason: String,
    /// Only say what would happen.
    #[arg(long)]
    dry_run: bool,
}

pub async fn run(global: &Global, verb: UserVerb) -> Outcome {
    let store = match verb {
        UserVerb::Create { .. } => global.open_or_make_store(&global.config()?).await?,
        _ => global.open_store().await?,
    };
    let store = &*store;
    match verb {
        UserVerb::Create { email, name, role, account, no_password, reason } => {
            let mut new = NewUser { role, ..newcomer(global, &email, &name, no_password)? };
            if let Some(text) = account {
                new.home = Home::In(super::account::find(store, &text).await?.id);
            }
            new.decree = Some(Decree { actor: global.actor(), reason });
            create(global, store, new).await
        }
        UserVerb::Show { user } => {
            let user = find(store, &user).await?;
            print(global, &row(&user, &imported_as(store, &[&user]).await?), || println!("{}", line(&user)));
            Ok(())
        }
        UserVerb::List { after, all } => {
            let mut users = store.user_list(UserFilter::default(), after, PAGE).await?;
            let mut page = users.len();
            while all && page == PAGE {
                let more =
                    store.user_list(UserFilter::default(), users.last().map(|user| user.id), PAGE).await?;
                page = more.len();
                users.extend(more);
            }
            let keys = match global.json {
                true => imported_as(store, &users.iter().collect::<Vec<_>>()).await?,
                false => HashMap::new(),
            };
            print(global, &json!(users.iter().map(|user| row(user, &keys)).collect::<Vec<_>>()), || {
                users.iter().for_each(|user| println!("{}", line(user)));
            });
            Ok(())
        }
        UserVerb::Enable { user, reason } => {
            let user = find(store, &user).await?;
            let decree = Decree { actor: global.actor(), reason };
            store.user_enable(user.id, decree, now()).await?;
            print(global, &json!({ "enabled": user.id }), || println!("enabled {}", user.email));
            Ok(())
        }
        UserVerb::Set(args) => set(global, store, args).await,
        UserVerb::Disable(args) => end(global, store, args, Ending::Disable).await,
        UserVerb::Delete(args) => end(global, store, args, Ending::Delete).await,
        UserVerb::SetPassword(args) => end(global, store, args, Ending::SetPassword).await,
    }
}

pub fn newcomer(global: &Global, email: &str, name: &str, no_password: bool) -> Result<NewUser, Failure> {
    let usage = |error: &dyn std::fmt::Display| Failure::Usage(error.to_string());
    let email = Email::parse(email).map_err(|error| usage(&error))?;
    let name = DisplayName::parse(name).map_err(|error| usage(&error))?;
    let password_hash = if no_password { None } else { Some(read_password(global, &email)?) };
    Ok(NewUser { password_hash, ..NewUser::named(&email, name.as_str()) })
}

pub async fn create(global: &Global, store: &dyn Store, new: NewUser) -> Outcome {
    let email = new.email.clone();
    match store.user_create(new, None, now()).await? {
        UserCreated::Created { user, .. } => {
            print(global, &row(&user, &HashMap::new()), || println!("created {}", line(&user)));
            Ok(())
        }
        UserCreated::EmailTaken => Err(Failure::Finding(format!("{email} is taken"))),
        UserCreated::AccountGone => Err(Failure::Finding("the account has just been deleted".into())),
        UserCreated::KeyTaken => {
            Err(Failure::Finding("somebody came from elsewhere as what they are".into()))
        }
    }
}

async fn set(global: &Global, store: &dyn Store, args: SetArgs) -> Outcome {
    let user = find(store, &args.user).await?;
    let account = match (&args.account, args.no_account) {
        (Some(text), _) => Some(Some(super::account::find(store, text).await?.id)),
        (None, true) => Some(None),
        (None, false) => None,
    };
    let change = UserChange { role: args.role, account };
    match store.user_change(user.id, change, global.decree(args.reason), now()).await? {
        UserChanged::Changed(_) => {
            let user = find(store, &args.user).await?;
            print(global, &row(&user, &imported_as(store, &[&user]).await?), || {
                println!("now {}", line(&user))
            });
            Ok(())
        }
        UserChanged::UserGone => Err(Failure::Finding("the user has just been deleted".into())),
        UserChanged::AccountGone => Err(Failure::Finding("the account has just been deleted".into())),
    }
}

/// By id or by e-mail, whichever it looks like.
async fn find(store: &dyn Store, text: &str) -> Result<User, Failure> {
    let id = user_id(store, text).await?;
    store.user_find(id).await?.ok_or_else(|| Failure::Finding(format!("there is no user {text}")))
}

#[derive(Clone, Copy)]
enum Ending {
    Disable,
    Delete,
    SetPassword,
}

impl Ending {
    fn words(self) -> (&'static str, EndReason) {
        match self {
            Ending::Disable => ("disabled", EndReason::UserDisabled),
            Ending::Delete => ("deleted", EndReason::UserDeleted),
            Ending::SetPassword => ("password set for", EndReason::PasswordReset),
        }
    }
}

async fn end(global: &Global, store: &dyn Store, args: EndingArgs, ending: Ending) -> Outcome {
    let user = find(store, &args.user).await?;
    let (done, reason) = ending.words();
    if args.dry_run {
        let would = json!({ "would": done, "user": user.id, "reason": reason });
        print(global, &would, || {
            println!("would be {done} {}; all sessions would end with {reason}", user.email)
        });
        return Ok(());
    }
    let order =
        EndOrder { reason, actor: global.actor(), note: Some(args.reason), whence: Default::default() };
    let ended = match ending {
        Ending::Disable => store.user_disable(user.id, order, now()).await?,
        Ending::Delete => store.user_delete(user.id, order, now()).await?,
        Ending::SetPassword => {
            let email = Email::parse(&user.email).map_err(|error| Failure::Finding(error.to_string()))?;
            let hash = read_password(global, &email)?;
            match store.user_set_password(user.id, Expected::Anyhow, hash, None, order, now()).await? {
                PasswordChanged::Changed { ended, .. } => Some(ended),
                PasswordChanged::Conflict | PasswordChanged::UserGone => None,
            }
        }
    };
    let ended = ended.ok_or_else(|| Failure::Finding("the user has just been deleted".into()))?;
    super::session::print_ended(global, &ended, &format!("{done} {}", user.email));
    match user.account_id {
        Some(account) if matches!(ending, Ending::Disable) => remind_of_keys(store, account).await,
        _ => Ok(()),
    }
}

/// Keys belong to the account and not to whoever made them, which is easily forgotten when somebody goes.
async fn remind_of_keys(store: &dyn Store, account: AccountId) -> Outcome {
    let now = now();
    let keys = store.api_key_list(account, KEYS_TOLD, now).await?;
    let alive = keys.iter().filter(|key| key.state.is_live(now)).count();
    if alive > 0 {
        eprintln!(
            "{alive} API key(s) of the account still stand; `tenure api-key list {account}` shows them"
        );
    }
    Ok(())
}

/// Reads a password from standard input: one line, so that it is in no argument list and no history.
fn read_password(global: &Global, email: &Email) -> Result<PasswordHash, Failure> {
    if std::io::stdin().is_terminal() {
        eprintln!("Password for {} (it will be seen; better pipe it in):", email.as_str());
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|error| Failure::Usage(error.to_string()))?;
    let plain = SecretText::from_plain(line.trim_end_matches(['\r', '\n']).to_owned());
    let password =
        Password::chosen(&plain, email.key()).map_err(|error| Failure::Usage(error.to_string()))?;
    let section = Config::load(&global.sources())?.password;
    let mut salt = [0; 16];
    SystemEntropy.fill(&mut salt);
    PasswordHash::compute(&password, salt, section.cost(), &mut Scratch::default())
        .map_err(|error| Failure::Usage(error.to_string()))
}

/// What those of them are called where they came from who came from elsewhere.
async fn imported_as(store: &dyn Store, users: &[&User]) -> Result<HashMap<UserId, String>, Failure> {
    let mut keys = HashMap::new();
    for page in users.chunks(PAGE) {
        keys.extend(store.import_keys(page.iter().map(|user| user.id).collect()).await?);
    }
    Ok(keys)
}

fn row(user: &User, imported_as: &HashMap<UserId, String>) -> Value {
    json!({
        "id": user.id, "email": user.email, "name": user.name, "role": user.role, "account_id": user.account_id,
        "token_version": user.token_version, "disabled_at": user.disabled_at, "created_at": user.created_at,
        "has_password": user.password_hash.is_some(), "imported_as": imported_as.get(&user.id),
    })
}

fn line(user: &User) -> String {
    let disabled = user.disabled_at.map(|at| format!("  disabled {at}")).unwrap_or_default();
    format!("{}  {}  {}  {}  since {}{disabled}", user.id, user.email, user.role, user.name, user.created_at)
}
