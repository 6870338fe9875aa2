//! Accounts and plans: every verb, every refusal, what is written down of it, and that callers tell of it at once.

use std::sync::Arc;

use tenure_domain::account::{AccountStatus, PlanFeatures, PlanLimits, Slug};
use tenure_domain::ends::Actor;
use tenure_domain::event::Whence;
use tenure_domain::id::{AccountId, UserId};
use tenure_domain::session::Session;
use tenure_domain::user::Role;
use tenure_store::{
    Account, AccountChange, AccountChanged, Act, Decree, Membership, NewAccount, Plan, PlanSaved, Subject,
    User, UserChange, UserChanged,
};

use crate::world::{QUIET, SECOND, T0, World};

const NO_ACCOUNT: AccountId = AccountId::from_bytes([7; 16]);
const NOBODY: UserId = UserId::from_bytes([7; 16]);

fn slug(text: &str) -> Slug {
    Slug::parse(text).unwrap()
}

fn decree(reason: &str) -> Decree {
    Decree { actor: Actor::Admin("root".into()), reason: Some(reason.into()) }
}

pub fn plan(name: &str) -> Plan {
    Plan {
        slug: slug(name),
        name: name.to_uppercase(),
        is_active: true,
        limits: PlanLimits::parse(r#"{"seats": 5, "exports": null}"#).unwrap(),
        features: PlanFeatures::parse(r#"["sso"]"#).unwrap(),
        stripe_price: Some(format!("price_{name}")),
        created_at: T0,
    }
}

fn status(status: AccountStatus) -> AccountChange {
    AccountChange { status: Some(status), ..AccountChange::default() }
}

fn on_plan(name: Option<&str>) -> AccountChange {
    AccountChange { plan: Some(name.map(slug)), ..AccountChange::default() }
}

impl World {
    async fn save(&self, plan: Plan) -> PlanSaved {
        self.store.plan_save(plan, decree("sold"), T0).await.unwrap()
    }

    async fn change(&self, id: AccountId, change: AccountChange) -> AccountChanged {
        self.store.account_change(id, change, decree("so it is"), T0 + SECOND).await.unwrap()
    }

    async fn account(&self, id: AccountId) -> Account {
        self.store.account_find(id).await.unwrap().unwrap()
    }

    async fn acts(&self, subject: Subject) -> Vec<Act> {
        self.store.act_list(Some(subject), 100).await.unwrap()
    }

    /// The account that a caller acts in, after everything that was written has been heard.
    async fn membership(&self, session: &Session) -> Membership {
        self.caller(session).await.unwrap().membership
    }
}

/// A user's account with a plan and a key, and the acts that say so.
pub async fn equip_account(world: &World, user: &User) {
    world.save(plan("pro")).await;
    world.change(user.account_id.unwrap(), on_plan(Some("pro"))).await;
    crate::api_keys::make_one(world, user.account_id.unwrap()).await;
}

/// What an act says, without when and by whom.
fn said(acts: &[Act]) -> Vec<(&str, Option<&str>, Option<&str>)> {
    let mut said: Vec<_> =
        acts.iter().map(|act| (act.what.as_str(), act.was.as_deref(), act.became.as_deref())).collect();
    said.sort();
    said
}

#[tokio::test]
async fn an_account_is_created_changed_and_found_and_each_change_is_an_act() {
    for world in World::each() {
        assert_eq!(world.save(plan("pro")).await, PlanSaved::Saved);
        let new = NewAccount { name: "Acme".into(), status: AccountStatus::Trial, plan: Some(slug("pro")) };
        let account = world.store.account_create(new, decree("won"), T0).await.unwrap();
        assert_eq!(
            (account.status, account.is_system, account.created_at),
            (AccountStatus::Trial, false, T0)
        );
        assert_eq!(account.plan, Some(plan("pro")));
        assert_eq!(world.account(account.id).await, account);
        let everything = AccountChange {
            name: Some("Acme & Co".into()),
            status: Some(AccountStatus::Suspended),
            is_system: Some(true),
            plan: Some(None),
            stripe_customer: Some(Some("cus_1".into())),
        };
        let AccountChanged::Changed(changed) = world.change(account.id, everything).await else { panic!() };
        assert_eq!(world.account(account.id).await, changed);
        assert_eq!((changed.name.as_str(), changed.plan), ("Acme & Co", None));
        let acts = world.acts(Subject::Account(account.id)).await;
        let expected = [
            ("created", None, Some("Acme")),
            ("is_system", Some("false"), Some("true")),
            ("name", Some("Acme"), Some("Acme & Co")),
            ("plan", Some("pro"), None),
            ("status", Some("trial"), Some("suspended")),
            ("stripe_customer", None, Some("cus_1")),
        ];
        assert_eq!(said(&acts), expected);
        // Newest first, and signed.
        assert_eq!((acts[0].at, acts[5].at), (T0 + SECOND, T0));
        assert_eq!((&acts[0].decree, &acts[5].decree), (&decree("so it is"), &decree("won")));
    }
}

#[tokio::test]
async fn what_is_so_already_is_no_act_and_what_is_missing_changes_nothing() {
    for world in World::each() {
        let account = world.store.account_create(NewAccount::named("a"), decree("x"), T0).await.unwrap();
        let same = status(AccountStatus::Active);
        assert_eq!(world.change(account.id, same).await, AccountChanged::Changed(account.clone()));
        assert_eq!(
            world.change(account.id, AccountChange::default()).await,
            AccountChanged::Changed(account.clone())
        );
        let both = AccountChange { name: Some("b".into()), ..on_plan(Some("nosuch")) };
        assert_eq!(world.change(account.id, both).await, AccountChanged::PlanGone);
        assert_eq!(world.change(NO_ACCOUNT, on_plan(None)).await, AccountChanged::AccountGone);
        assert_eq!(world.account(account.id).await, account);
        assert_eq!(said(&world.acts(Subject::Account(account.id)).await).len(), 1);
        let new = NewAccount { plan: Some(slug("nosuch")), ..NewAccount::named("c") };
        assert_eq!(world.store.account_create(new, decree("x"), T0).await.unwrap().plan, None);
    }
}

#[tokio::test]
async fn plans_are_saved_whole_listed_and_have_a_price_of_their_own() {
    for world in World::each() {
        for name in ["pro", "basic"] {
            assert_eq!(world.save(plan(name)).await, PlanSaved::Saved);
        }
        assert_eq!(world.store.plan_list().await.unwrap(), [plan("basic"), plan("pro")]);
        let theft = Plan { stripe_price: Some("price_basic".into()), ..plan("pro") };
        assert_eq!(world.save(theft).await, PlanSaved::PriceTaken);
        let free = Plan { stripe_price: None, is_active: false, created_at: T0 + QUIET, ..plan("pro") };
        assert_eq!(world.save(free.clone()).await, PlanSaved::Saved);
        // Two without a price do not get into each other's way.
        assert_eq!(world.save(Plan { stripe_price: None, ..plan("trial") }).await, PlanSaved::Saved);
        let kept = Plan { created_at: T0, ..free };
        assert_eq!(world.store.plan_list().await.unwrap()[1], kept);
        world.save(kept).await;
        let acts = world.acts(Subject::Plan(slug("pro"))).await;
        assert_eq!(acts.len(), 5 + 2, "each thing that was new, and the two that changed");
        assert!(said(&acts).contains(&("stripe_price", Some("price_pro"), None)));
        assert_eq!(world.store.act_list(None, 3).await.unwrap().len(), 3);
    }
}

#[tokio::test]
async fn a_user_is_given_another_role_and_account_and_stays_signed_in() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let session = world.sign_in(&ada).await;
        let other = world.store.account_create(NewAccount::named("b"), decree("x"), T0).await.unwrap();
        let change =
            async |id, change| world.store.user_change(id, change, decree("moved"), T0).await.unwrap();
        let moved = UserChange { role: Some(Role::Admin), account: Some(Some(other.id)) };
        let UserChanged::Changed(person) = change(ada.id, moved.clone()).await else { panic!() };
        assert_eq!((person.role, person.account_id), (Role::Admin, Some(other.id)));
        world.hear().await;
        let caller = world.caller(&session).await.unwrap();
        assert_eq!(
            (&*caller.person, caller.membership),
            (&person, Membership::Member(Arc::new(other.clone())))
        );
        assert!(world.stands(&session, &ada).await);
        assert_eq!(change(ada.id, moved).await, UserChanged::Changed(person));
        let nowhere = UserChange { account: Some(Some(NO_ACCOUNT)), ..UserChange::default() };
        assert_eq!(change(ada.id, nowhere.clone()).await, UserChanged::AccountGone);
        assert_eq!(change(NOBODY, UserChange::default()).await, UserChanged::UserGone);
        let out = UserChange { account: Some(None), ..UserChange::default() };
        assert!(
            matches!(change(ada.id, out).await, UserChanged::Changed(person) if person.account_id.is_none())
        );
        world.hear().await;
        assert_eq!(world.membership(&session).await, Membership::None);
        assert!(world.stands(&session, &ada).await);
        assert_eq!(world.acts(Subject::User(ada.id)).await.len(), 3);
    }
}

/// Somebody changes the plan at the same moment and commits first: neither change undoes the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_one_account_at_the_same_time_keep_each_other() {
    for world in World::each() {
        for name in ["pro", "basic"] {
            world.save(plan(name)).await;
        }
        let account = world.store.account_create(NewAccount::named("a"), decree("x"), T0).await.unwrap();
        for (was, becomes) in [(None, Some("pro")), (Some("pro"), Some("basic")), (Some("basic"), None)] {
            world
                .change(account.id, AccountChange { status: Some(AccountStatus::Active), ..on_plan(was) })
                .await;
            let shell = world.backend.shell();
            let plan = becomes.map_or("NULL".to_owned(), |name| format!("'{name}'"));
            shell(&format!("BEGIN; UPDATE account SET plan = {plan}"));
            let change = world.change(account.id, status(AccountStatus::Suspended));
            let commit = async {
                tokio::time::sleep(SECOND / 5).await;
                shell("COMMIT");
            };
            let (changed, ()) = tokio::join!(change, commit);
            let AccountChanged::Changed(changed) = changed else { panic!("{changed:?}") };
            let found = world.account(account.id).await;
            assert_eq!(found.plan.as_ref().map(|plan| plan.slug.as_str()), becomes);
            assert_eq!((found.status, &changed), (AccountStatus::Suspended, &found));
        }
    }
}

#[tokio::test]
async fn what_was_done_without_a_change_is_an_act_too() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let subject = Subject::User(ada.id);
        for (seconds, what) in [(0, "console_signed_in"), (1, "console_signed_out")] {
            let at = T0 + SECOND * seconds;
            world
                .store
                .act_record(subject.clone(), what, decree("by hand"), Whence::default(), at)
                .await
                .unwrap();
        }
        let acts = world.store.act_list(Some(subject), 10).await.unwrap();
        assert_eq!(said(&acts), [("console_signed_in", None, None), ("console_signed_out", None, None)]);
        assert_eq!((acts[1].at, &acts[1].decree), (T0, &decree("by hand")));
    }
}

#[tokio::test]
async fn accounts_are_listed_oldest_first_page_by_page() {
    for world in World::each() {
        let mut ids = vec![];
        for (n, name) in ["a", "b", "c"].into_iter().enumerate() {
            let now = T0 + SECOND * n as u32;
            ids.push(world.store.account_create(NewAccount::named(name), decree("x"), now).await.unwrap().id);
        }
        let page = async |after, limit| {
            let page: Vec<Account> = world.store.account_list(after, limit).await.unwrap();
            page.into_iter().map(|account| account.id).collect::<Vec<_>>()
        };
        assert_eq!(page(None, 2).await, ids[..2]);
        assert_eq!(page(Some(ids[1]), 2).await, ids[2..]);
        assert_eq!(page(Some(ids[2]), 2).await, []);
    }
}

/// Whoever writes: this handle, another, or a person.
#[tokio::test]
async fn after_every_write_the_next_caller_is_of_the_account_as_it_is() {
    for world in World::each() {
        let other = world.second_handle();
        for writer in [&world, &other] {
            let name = format!("ada{}", std::ptr::eq(writer, &world));
            check_every_write(&world, writer, &name).await;
        }
    }
}

async fn check_every_write(reader: &World, writer: &World, name: &str) {
    let ada: User = writer.user(name).await;
    let id = ada.account_id.unwrap();
    let session = writer.sign_in(&ada).await;
    let now = async || {
        reader.hear_of(writer).await;
        match reader.membership(&session).await {
            Membership::Member(account) => (*account).clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(now().await.status, AccountStatus::Active);
    for next in AccountStatus::ALL {
        writer.change(id, status(next)).await;
        assert_eq!(now().await.status, next);
    }
    writer.save(plan(name)).await;
    writer.change(id, on_plan(Some(name))).await;
    assert_eq!(now().await.plan, Some(plan(name)));
    let inactive = Plan { is_active: false, ..plan(name) };
    writer.save(inactive.clone()).await;
    assert_eq!(now().await.plan, Some(inactive));
    writer.change(id, on_plan(None)).await;
    assert_eq!(now().await.plan, None);
    // By hand.
    writer.backend.sql("UPDATE account SET name = 'by hand'");
    reader.hear().await;
    assert_eq!(now().await.name, "by hand");
    writer.change(id, on_plan(Some(name))).await;
    assert!(now().await.plan.is_some());
    writer.backend.sql("UPDATE plan SET name = 'by hand'");
    reader.hear().await;
    assert_eq!(now().await.plan.unwrap().name, "by hand");
    assert!(reader.stands(&session, &ada).await);
}

#[tokio::test]
async fn an_account_that_is_gone_or_cannot_be_read_keeps_nobody_from_being_who_they_are() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let session = world.sign_in(&ada).await;
        let mut jar = world.jar(&session);
        world.save(plan("pro")).await;
        world.change(ada.account_id.unwrap(), on_plan(Some("pro"))).await;
        let whole = world.membership(&session).await;
        assert!(matches!(whole, Membership::Member(_)));
        for (step, (damage, repair)) in [
            ("UPDATE account SET status = 'golden'", "UPDATE account SET status = 'active'"),
            (
                "UPDATE plan SET limits = 'many'",
                "UPDATE plan SET limits = '{\"seats\": 5, \"exports\": null}'",
            ),
            ("UPDATE plan SET features = '{}'", "UPDATE plan SET features = '[\"sso\"]'"),
        ]
        .into_iter()
        .enumerate()
        {
            world.backend.sql(damage);
            world.hear().await;
            assert_eq!(world.membership(&session).await, Membership::Unreadable, "{damage}");
            assert!(world.stands(&session, &ada).await);
            world.served(&mut jar, T0 + QUIET * (step as u32 + 1)).await;
            world.backend.sql(repair);
            world.hear().await;
            assert_eq!(world.membership(&session).await, whole, "{repair}");
        }
        // A plan is mended by being saved again, too.
        world.backend.sql("UPDATE plan SET limits = 'many'");
        assert_eq!(world.save(plan("pro")).await, PlanSaved::Saved);
        world.hear().await;
        assert_eq!(world.membership(&session).await, whole);
        world.backend.sql("UPDATE \"user\" SET account_id = NULL; DELETE FROM account");
        world.hear().await;
        assert_eq!(world.membership(&session).await, Membership::None);
        assert!(world.stands(&session, &ada).await);
        world.served(&mut jar, T0 + QUIET * 9).await;
    }
}
