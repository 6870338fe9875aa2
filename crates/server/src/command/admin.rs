//! `tenure admin`

use std::io::{BufRead as _, IsTerminal as _};

use clap::{Args, Subcommand};
use tenure_domain::user::Role;
use tenure_store::{Decree, NewUser, UserFilter};

use super::{Failure, Global, Outcome, user};

#[derive(Subcommand)]
pub enum AdminVerb {
    /// Create the first superuser, who may then sign in to the console at `/admin`; the password is read from standard
    /// input.
    Create(CreateArgs),
}

#[derive(Args)]
pub struct CreateArgs {
    /// Left out, it is asked for.
    #[arg(long)]
    email: Option<String>,
    #[arg(long, default_value = "Administrator")]
    name: String,
    /// Although there is a superuser already.
    #[arg(long)]
    another: bool,
    /// Why; it is kept with the act.
    #[arg(long)]
    reason: Option<String>,
}

pub async fn run(global: &Global, verb: AdminVerb) -> Outcome {
    let AdminVerb::Create(args) = verb;
    let store = global.open_or_make_store(&global.config()?).await?;
    let superusers = UserFilter { role: Some(Role::Superuser), ..UserFilter::default() };
    if let Some(superuser) = store.user_list(superusers, None, 1).await?.first()
        && !args.another
    {
        let email = &superuser.email;
        return Err(Failure::Finding(format!("{email} is a superuser already; --another makes one more")));
    }
    let email = match args.email {
        Some(email) => email,
        None => ask_for_email()?,
    };
    let decree = Some(Decree { actor: global.actor(), reason: args.reason });
    let newcomer = user::newcomer(global, &email, &args.name, false)?;
    user::create(global, &*store, NewUser { role: Role::Superuser, decree, ..newcomer }).await
}

fn ask_for_email() -> Result<String, Failure> {
    if std::io::stdin().is_terminal() {
        eprintln!("E-mail of the new superuser:");
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(line.trim().to_owned())
}
