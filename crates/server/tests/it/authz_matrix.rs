//! Every route as everybody: what each is answered is a page that is reviewed, `authz_matrix.txt`, and what must hold
//! whatever that page says is asserted beside it.
//!
//! The thing that a path names belongs to a victim: their session, their account and its key. Whoever is not told to
//! be their administrator must neither see nor change it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tenure_domain::ends::EndReason;
use tenure_domain::id::AccountId;
use tenure_domain::user::Role;
use tenure_store::{EndOrder, UserChange};

use crate::authz_table::{DEVELOPMENT, Needs, Row, TABLE, open};
use crate::world::{Answer, Browser, Call, Client, DAY, PASSWORD, TestApp, User, decree};

/// Who calls. Those that follow "superuser" and are no key show what a superuser would show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Nobody,
    /// In an account of their own.
    Stranger,
    /// The administrator of another account.
    StrangersAdmin,
    /// In the victim's account.
    Member,
    /// The administrator of the victim's account.
    Admin,
    /// In an account of their own, with every right.
    Superuser,
    /// A key of another account that may do what its administrator may.
    StrangersKey,
    /// A key of the victim's account that may do what its administrator may.
    Key,
    /// A key with the rights of the administration.
    AdministrationKey,
    /// A superuser who shows the console's cookie and nothing else.
    Console,
    CrossSite,
    Expired,
    Revoked,
    RevokedKey,
}

impl Who {
    const ALL: [Who; 14] = [
        Who::Nobody,
        Who::Stranger,
        Who::StrangersAdmin,
        Who::Member,
        Who::Admin,
        Who::Superuser,
        Who::StrangersKey,
        Who::Key,
        Who::AdministrationKey,
        Who::Console,
        Who::CrossSite,
        Who::Expired,
        Who::Revoked,
        Who::RevokedKey,
    ];

    const fn role(self) -> Role {
        match self {
            Who::Nobody | Who::Stranger | Who::Member => Role::User,
            Who::StrangersAdmin | Who::Admin => Role::Admin,
            _ => Role::Superuser,
        }
    }

    fn is_in_the_victims_account(self) -> bool {
        matches!(self, Who::Member | Who::Admin | Who::Key)
    }

    fn has_every_right(self) -> bool {
        matches!(self, Who::Superuser | Who::AdministrationKey | Who::Console)
    }

    /// What the key may do, of those who show one.
    fn scopes(self) -> Option<Value> {
        match self {
            Who::StrangersKey | Who::Key => Some(json!(["api_keys.manage"])),
            Who::AdministrationKey | Who::RevokedKey => Some(json!([
                "admin.read",
                "admin.accounts",
                "admin.plans",
                "admin.users",
                "admin.keys",
                "api_keys.manage",
                "revocations.read",
                "sessions.exchange"
            ])),
            _ => None,
        }
    }
}

/// What everybody is after.
struct Victim {
    user: User,
    browser: Browser,
    account: AccountId,
    key: String,
}

struct Scene {
    app: TestApp,
    people: usize,
}

impl Scene {
    async fn person(&mut self, role: Role, account: Option<AccountId>) -> (User, Browser) {
        self.people += 1;
        let user = self.app.user(&format!("person{}", self.people)).await;
        let change = UserChange { role: Some(role), account: account.map(Some) };
        self.app.store().user_change(user.id, change, decree(), self.app.clock.get()).await.unwrap();
        let browser = self.app.signed_in(&user).await;
        (user, browser)
    }

    async fn victim(&mut self) -> Victim {
        let (user, browser) = self.person(Role::User, None).await;
        let account = self.app.store().user_find(user.id).await.unwrap().unwrap().account_id.unwrap();
        let (_, admin) = self.person(Role::Admin, Some(account)).await;
        let (key, _) = make_key(&self.app, &admin, &json!([])).await;
        Victim { user, browser, account, key }
    }

    /// Shows what somebody shows. A request without it is nobody's.
    async fn show(&mut self, who: Who, victim: &Victim, call: Call) -> Call {
        if who == Who::Nobody {
            return call;
        }
        let account = who.is_in_the_victims_account().then_some(victim.account);
        let Some(scopes) = who.scopes() else {
            let (user, mut browser) = self.person(who.role(), account).await;
            if who == Who::Console {
                return call.header("cookie", console_cookie(&self.app, &user).await);
            }
            let call = call.bearer(&browser.access);
            match who {
                Who::Revoked => drop(browser.sign_out().await.expect(204)),
                Who::CrossSite => return call.header("origin", "https://evil.example"),
                _ => {}
            }
            return call;
        };
        let (_, maker) = self.person(Role::Superuser, account).await;
        let (id, secret) = make_key(&self.app, &maker, &scopes).await;
        if who == Who::RevokedKey {
            let path = format!("/api/v1/auth/api-keys/{id}");
            maker.call("DELETE", &path).bearer(&maker.access).send().await.expect(204);
        }
        call.header("x-api-key", secret)
    }

    /// So that the next one is as new.
    async fn forget_the_new_one(&self) {
        let store = self.app.store();
        if let Some(new) = store.user_find_by_email("new@example.com").await.unwrap() {
            let order = EndOrder {
                reason: EndReason::UserDeleted,
                actor: decree().actor,
                note: None,
                whence: Default::default(),
            };
            store.user_delete(new.id, order, self.app.clock.get()).await.unwrap();
        }
    }

    /// All that there is of the victim, as it would be seen by somebody with every right.
    async fn state(&self, victim: &Victim) -> String {
        let store = self.app.store();
        let user = store.user_find(victim.user.id).await.unwrap().map(|user| {
            (user.email, user.name, user.role, user.account_id, user.token_version, user.disabled_at)
        });
        let account = store.account_find(victim.account).await.unwrap();
        let keys = store.api_key_list(victim.account, 9, self.app.clock.get()).await.unwrap();
        let key = keys.iter().find(|key| key.id.to_string() == victim.key);
        let session = store.session_find(victim.browser.session.parse().unwrap()).await.unwrap();
        let session = session.map(|record| record.session.ended.map(|end| end.reason));
        format!("{user:?} {account:?} {key:?} {session:?}")
    }
}

async fn console_cookie(app: &TestApp, user: &User) -> String {
    let typed = json!({ "email": user.email, "password": PASSWORD });
    let answer = app.client.post("/api/v1/admin/session", &typed).send().await.expect(200);
    answer.set_cookies()[0].split(';').next().unwrap().to_owned()
}

/// A key, as `(id, secret)`.
async fn make_key(app: &TestApp, maker: &Browser, scopes: &Value) -> (String, String) {
    let wish = json!({ "name": "key", "scopes": scopes });
    let made = app.client.call("POST", "/api/v1/auth/api-keys").bearer(&maker.access).json(&wish);
    let made = made.send().await.expect(201).json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["api_key"]["id"]), text(&made["secret"]))
}

impl Row {
    fn aims_at(&self, client: &Client, victim: &Victim) -> Call {
        let of = |part: &str| self.path.contains(part);
        let id = match () {
            () if of("/sessions/") => victim.browser.session.clone(),
            () if of("/api-keys/") => victim.key.clone(),
            () if of("/accounts/") => victim.account.to_string(),
            () if of("/users/") => victim.user.id.to_string(),
            () => String::new(),
        };
        self.call(client, &id)
    }

    /// Signing in to the console is not: whoever has no cookie of its signs nobody out.
    fn is_administration(&self) -> bool {
        self.path.starts_with("/api/v1/admin/") && self.path != "/api/v1/admin/session"
    }

    /// What it tells of others, administrators may know.
    fn is_read_by_administrators(&self) -> bool {
        self.is_administration()
            || self.path.starts_with("/api/v1/admin/")
            || self.path.ends_with("/timeline")
    }

    fn names_something(&self) -> bool {
        self.path.contains("{id}") || self.path.contains("{kid}")
    }
}

/// What holds whatever the page says.
fn check(row: &Row, who: Who, victim: &Victim, answer: &Answer, changed: bool) {
    let cell = format!("{} {} as {who:?}", row.method, row.path);
    let is_let_in = (200..300).contains(&answer.status);
    let is_open = row.needs == Needs::Nothing;
    let in_vain = match who {
        Who::Nobody | Who::RevokedKey => !is_open,
        Who::Expired | Who::Revoked => !is_open && row.needs != Needs::AuthenticToken,
        Who::CrossSite => row.changes_something(),
        Who::Stranger | Who::StrangersAdmin | Who::StrangersKey => {
            row.names_something() || row.is_administration()
        }
        Who::Member | Who::Admin | Who::Key => row.is_administration(),
        Who::Console => !is_open && !row.is_read_by_administrators(),
        Who::Superuser | Who::AdministrationKey => false,
    };
    assert!(!(in_vain && is_let_in), "{cell}: let in with {}", answer.status);
    let is_key = who.scopes().is_some();
    assert!(!(is_key && is_let_in && row.needs == Needs::Token), "{cell}: a key is no person");
    let is_administrator = who.has_every_right() && row.is_administration();
    let is_their_admin = who == Who::Admin && row.path.starts_with("/api/v1/auth/api-keys/");
    // In development everybody may play with their own account, which members share.
    let plays = row.path.starts_with("/api/v1/dev/") && who.is_in_the_victims_account();
    let may_change = is_administrator || is_their_admin || plays;
    assert!(!changed || is_let_in && may_change, "{cell}: the victim is not as before");
    let reads = (who.has_every_right() || who == Who::CrossSite) && row.is_read_by_administrators();
    assert!(reads || !answer.text().contains(&victim.user.email), "{cell}: tells of the victim");
    assert!(answer.status < 500 || answer.status == 503, "{cell}: {}", answer.status);
}

#[tokio::test]
async fn everybody_is_answered_what_the_reviewed_page_says_and_nobody_reaches_what_is_not_theirs() {
    let mut scene = Scene { app: open().await, people: 0 };
    let mut page =
        String::from("What each route answers to whom; the thing that a path names is a victim's.\n");
    let mut rows: Vec<_> = TABLE.iter().chain(&DEVELOPMENT).collect();
    // Last, because it ages the key that has signed whatever is expired here.
    rows.sort_by_key(|row| row.path.ends_with("/signing-keys/rotate"));
    for row in rows {
        let mut answers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for who in Who::ALL {
            let victim = scene.victim().await;
            let call = row.aims_at(&scene.app.client, &victim);
            let call = scene.show(who, &victim, call).await;
            let before = scene.state(&victim).await;
            let (answer, after) = if who == Who::Expired {
                let now = scene.app.clock.get();
                scene.app.clock.advance(DAY);
                let answer = call.send().await;
                scene.app.clock.set(now);
                (answer, scene.state(&victim).await)
            } else {
                (call.send().await, scene.state(&victim).await)
            };
            check(row, who, &victim, &answer, before != after);
            scene.forget_the_new_one().await;
            let code = if answer.status < 400 { String::new() } else { format!(" {}", answer.code()) };
            answers.entry(format!("{}{code}", answer.status)).or_default().push(format!("{who:?}"));
        }
        page += &format!("\n{} {}\n", row.method, row.path);
        for (answer, who) in answers {
            let who = if who.len() == Who::ALL.len() { "everybody".to_owned() } else { who.join(", ") };
            page += &format!("    {answer}: {who}\n");
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/authz_matrix.txt");
    if std::env::var_os("UPDATE_TABLES").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), page, "UPDATE_TABLES=1 writes it");
}
