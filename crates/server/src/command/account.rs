//! `tenure account`

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tenure_domain::account::{AccountStatus, Slug};
use tenure_domain::id::AccountId;
use tenure_store::{Account, AccountChange, AccountChanged, NewAccount, Store, Subject};

use super::place::{now, user_id};
use super::{Failure, Global, Outcome, act, print};

/// Accounts printed by one `list`.
const PAGE: usize = 100;

#[derive(Subcommand)]
pub enum AccountVerb {
    /// Create an account without members.
    Create {
        name: String,
        #[arg(long, default_value = "active")]
        status: AccountStatus,
        #[arg(long)]
        plan: Option<Slug>,
        /// Why; it is kept with the act.
        #[arg(long)]
        reason: String,
    },
    /// One account, by id or by a member's e-mail, and what was changed about it.
    Show { account: String },
    /// Accounts by age, a hundred at a time.
    List {
        /// Continue after this account.
        #[arg(long, value_name = "ID")]
        after: Option<AccountId>,
    },
    /// Change an account. What it may no longer do is blocked; nobody is signed out.
    Set(SetArgs),
}

#[derive(Args)]
#[command(group(clap::ArgGroup::new("change").required(true).multiple(true)))]
pub struct SetArgs {
    /// Id, or a member's e-mail.
    account: String,
    #[arg(long, group = "change")]
    name: Option<String>,
    /// trial, active, pending_payment, suspended or cancelled.
    #[arg(long, group = "change")]
    status: Option<AccountStatus>,
    #[arg(long, group = "change", conflicts_with = "no_plan")]
    plan: Option<Slug>,
    /// Take the plan away.
    #[arg(long, group = "change")]
    no_plan: bool,
    /// Whether it belongs to whoever runs the product, and passes by account and plan.
    #[arg(long, group = "change", value_name = "true|false")]
    system: Option<bool>,
    /// Who pays for it at Stripe, cus_...; empty: nobody.
    #[arg(long, group = "change", value_name = "ID")]
    stripe_customer: Option<String>,
    /// Why; it is kept with the acts.
    #[arg(long)]
    reason: String,
}

pub async fn run(global: &Global, verb: AccountVerb) -> Outcome {
    let store = global.open_store().await?;
    let store = &*store;
    match verb {
        AccountVerb::Create { name, status, plan, reason } => {
            let new = NewAccount { name, status, plan: plan.clone() };
            if let Some(plan) = &plan {
                super::plan::find(store, plan).await?;
            }
            let account = store.account_create(new, global.decree(reason), now()).await?;
            print(global, &row(&account), || println!("created {}", line(&account)));
        }
        AccountVerb::Show { account } => {
            let account = find(store, &account).await?;
            let acts = store.act_list(Some(Subject::Account(account.id)), act::PAGE).await?;
            let mut shown = row(&account);
            shown["acts"] = acts.iter().map(act::row).collect();
            print(global, &shown, || {
                println!("{}", line(&account));
                acts.iter().for_each(|act| println!("  {}", act::line(act)));
            });
        }
        AccountVerb::List { after } => {
            let accounts = store.account_list(after, PAGE).await?;
            print(global, &accounts.iter().map(row).collect(), || {
                accounts.iter().for_each(|account| println!("{}", line(account)));
            });
        }
        AccountVerb::Set(args) => set(global, store, args).await?,
    }
    Ok(())
}

async fn set(global: &Global, store: &dyn Store, args: SetArgs) -> Outcome {
    let account = find(store, &args.account).await?;
    let plan = if args.no_plan { Some(None) } else { args.plan.clone().map(Some) };
    let stripe_customer = args.stripe_customer.map(|id| Some(id).filter(|id| !id.is_empty()));
    let change =
        AccountChange { name: args.name, status: args.status, is_system: args.system, plan, stripe_customer };
    match store.account_change(account.id, change, global.decree(args.reason), now()).await? {
        AccountChanged::Changed(account) => {
            print(global, &row(&account), || println!("now {}", line(&account)));
            Ok(())
        }
        AccountChanged::AccountGone => Err(Failure::Finding("the account has just been deleted".into())),
        AccountChanged::CustomerTaken => {
            Err(Failure::Finding("another account has that customer of Stripe's".into()))
        }
        AccountChanged::PlanGone => Err(super::plan::missing(args.plan.as_ref())),
    }
}

/// By its id, or by a member's e-mail or id.
pub async fn find(store: &dyn Store, text: &str) -> Result<Account, Failure> {
    let id = match text.parse() {
        Ok(id) => id,
        Err(_) => {
            let user = store.user_find(user_id(store, text).await?).await?;
            let account = user.and_then(|user| user.account_id);
            account.ok_or_else(|| Failure::Finding(format!("{text} belongs to no account")))?
        }
    };
    store.account_find(id).await?.ok_or_else(|| Failure::Finding(format!("there is no account {id}")))
}

fn row(account: &Account) -> Value {
    json!({
        "id": account.id, "name": account.name, "status": account.status, "is_system": account.is_system,
        "plan": account.plan.as_ref().map(|plan| &plan.slug), "stripe_customer": account.stripe_customer,
        "created_at": account.created_at,
    })
}

fn line(account: &Account) -> String {
    let plan = account.plan.as_ref().map_or("no plan".to_owned(), |plan| match plan.is_active {
        true => format!("plan {}", plan.slug),
        false => format!("plan {} (not active)", plan.slug),
    });
    let system = if account.is_system { "  system" } else { "" };
    let customer = account.stripe_customer.as_ref().map(|id| format!("  {id}")).unwrap_or_default();
    let Account { id, name, status, created_at, .. } = account;
    format!("{id}  {status}  {plan}  {name}  since {created_at}{customer}{system}")
}
