//! `/api/v1/admin`: what it changes, what it leaves alone, and how it is recorded. Who may call it is in
//! `authz_matrix`.

mod accounts;
mod console;
mod events;
mod plans;
mod users;

use serde_json::{Value, json};
use tenure_domain::user::Role;
use tenure_store::UserChange;

use crate::world::{Answer, Browser, Call, Setup, TestApp, User, decree};

/// Somebody with this role in an account of their own, signed in.
async fn somebody(app: &TestApp, name: &str, role: Role) -> (User, Browser) {
    let user = app.user(name).await;
    let change = UserChange { role: Some(role), account: None };
    app.store().user_change(user.id, change, decree(), app.clock.get()).await.unwrap();
    let browser = app.signed_in(&user).await;
    (user, browser)
}

/// A server with a superuser.
async fn ruled() -> (TestApp, User, Browser) {
    let app = Setup::default().start().await;
    let (user, root) = somebody(&app, "root", Role::Superuser).await;
    (app, user, root)
}

fn call(by: &Browser, method: &str, path: &str) -> Call {
    by.call(method, &format!("/api/v1/admin{path}")).bearer(&by.access)
}

async fn send(by: &Browser, method: &str, path: &str, body: &Value) -> Answer {
    call(by, method, path).json(body).send().await
}

async fn get(by: &Browser, path: &str) -> Value {
    call(by, "GET", path).send().await.expect(200).json()
}

/// What `auth/check` answers somebody.
pub async fn check(app: &TestApp, by: &Browser, require: &str) -> Answer {
    app.client.get(&format!("/api/v1/auth/check?require={require}")).bearer(&by.access).send().await
}

/// What was done to a thing, newest first, as `(actor, reason, what, became)`.
async fn acts(by: &Browser, subject: &str) -> Vec<[String; 4]> {
    let acts = get(by, &format!("/acts?subject={subject}")).await;
    let text = |act: &Value, name: &str| act[name].as_str().unwrap_or("-").to_owned();
    let acts = acts["acts"].as_array().unwrap().iter();
    acts.map(|act| ["actor", "reason", "what", "became"].map(|name| text(act, name))).collect()
}

/// Sends each body, which all have one thing wrong, and checks the field and the code that it is told by.
async fn refuses(by: &Browser, method: &str, path: &str, wrong: &[(Value, &str, &str)]) {
    for (body, field, code) in wrong {
        let problem = send(by, method, path, body).await.expect(422).problem("validation_failed");
        let told = json!({ "field": problem["errors"][0]["field"], "code": problem["errors"][0]["code"] });
        assert_eq!(told, json!({ "field": field, "code": code }), "{body}");
        assert_eq!(problem["errors"].as_array().unwrap().len(), 1, "{body}");
    }
}
