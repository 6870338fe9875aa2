//! Signing in to the console, and in which order credentials are looked for.

mod fresh;
mod order;
mod session;

use serde_json::json;
use tenure_domain::user::Role;
use tenure_store::UserChange;

use crate::world::{Answer, PASSWORD, TestApp, User, decree};

/// Where somebody signs in to the console.
const SESSION: &str = "/api/v1/admin/session";

async fn set_role(app: &TestApp, user: &User, role: Role) {
    let change = UserChange { role: Some(role), ..UserChange::default() };
    app.store().user_change(user.id, change, decree(), app.clock.get()).await.unwrap();
}

async fn somebody(app: &TestApp, name: &str, role: Role) -> User {
    let user = app.user(name).await;
    set_role(app, &user, role).await;
    user
}

async fn sign_in(app: &TestApp, user: &User) -> Answer {
    app.client.post(SESSION, &json!({ "email": user.email, "password": PASSWORD })).send().await
}

/// The cookie that a sign-in to the console set, as a browser sends it.
async fn cookie(app: &TestApp, user: &User) -> String {
    let answer = sign_in(app, user).await.expect(200);
    let [line] = answer.set_cookies()[..] else { panic!("one cookie: {answer:?}") };
    line.split(';').next().unwrap().to_owned()
}

async fn look(app: &TestApp, cookie: &str) -> Answer {
    app.client.get(SESSION).header("cookie", cookie).send().await
}
