//! `POST /sign-in` and `POST /sign-up`: what the API does, for browsers without scripts. The answer is a
//! redirect, or the same page again with what was typed and why it was refused.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde::Deserialize;
use tenure_domain::problem::Code;
use tenure_domain::secret::SecretText;

use super::{address, dress, return_target};
use crate::App;
use crate::http::actor::Anyone;
use crate::http::arrival::At;
use crate::http::body::Form;
use crate::http::problem::{ForPeople, Problem};
use crate::pages::{Carried, in_query, in_words};
use crate::routes::auth::login::{self, LoginRequest};
use crate::routes::auth::register::{self, RegisterRequest};
use crate::routes::auth::{Reply, SignInOptions};

/// The fields of both forms. What is missing is as good as empty, and refused by the same words.
#[derive(Deserialize)]
#[serde(default)]
pub struct Typed {
    email: String,
    password: SecretText,
    name: String,
    /// There if it was ticked, as checkboxes are.
    remember_me: Option<String>,
    return_to: String,
}

impl Default for Typed {
    fn default() -> Self {
        let password = SecretText::from_plain(String::new());
        let [email, name, return_to] = [const { String::new() }; 3];
        Self { email, password, name, remember_me: None, return_to }
    }
}

impl Typed {
    /// A form knows no device: its sessions replace no other.
    fn options(&self) -> SignInOptions {
        SignInOptions { remember_me: self.remember_me.is_some(), device_id: None }
    }
}

/// Signs in as `POST /api/v1/auth/login` does.
pub async fn sign_in(
    State(app): State<Arc<App>>,
    _: Anyone,
    At(arrival): At,
    Form(typed): Form<Typed>,
) -> Response {
    let target = return_target(&app, &typed.return_to);
    let options = typed.options();
    let refill = Carried {
        email: &typed.email,
        remember_me: options.remember_me,
        return_to: &target,
        ..Carried::default()
    };
    let request = LoginRequest { email: typed.email.clone(), password: typed.password, options };
    match login::attempt(&app, &arrival, request, Reply::SeeOther(&target)).await {
        Ok(response) => response,
        Err(problem) => refuse(&app, "sign-in.html", problem, refill),
    }
}

/// Registers as `POST /api/v1/auth/register` does.
pub async fn sign_up(
    State(app): State<Arc<App>>,
    _: Anyone,
    At(arrival): At,
    Form(typed): Form<Typed>,
) -> Response {
    let target = return_target(&app, &typed.return_to);
    let options = typed.options();
    let refill = Carried {
        email: &typed.email,
        name: &typed.name,
        remember_me: options.remember_me,
        return_to: &target,
        ..Carried::default()
    };
    let (email, name) = (typed.email.clone(), typed.name.clone());
    let request = RegisterRequest { email, password: typed.password, name, options };
    // Whoever is registered without being signed in goes on to do that.
    let sign_in = format!("{}?return_to={}", address(&app, "/sign-in"), in_query(&target));
    let created = register::create(&app, &arrival, request).await;
    let answer = match created {
        Ok((person, Some(session))) => {
            Reply::SeeOther(&target).hand_out(&app, &arrival, &session, &person).await
        }
        Ok((_, None)) => Ok(axum::response::Redirect::to(&sign_in).into_response()),
        Err(problem) => Err(problem),
    };
    answer.unwrap_or_else(|problem| refuse(&app, "sign-up.html", problem, refill))
}

/// The page again, saying why. The password is not typed into it: it would lie in caches and on screens. Where
/// there is no page the problem answers for itself.
fn refuse(app: &App, page: &str, problem: Problem, refill: Carried<'_>) -> Response {
    let message = sentence(&problem);
    let html = app.pages.render(page, &Carried { message: &message, ..refill });
    let mut response = problem.into_response();
    let Some(html) = html else { return response };
    *response.body_mut() = Body::from(html);
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response.extensions_mut().insert(ForPeople);
    dress(app, &mut response);
    response
}

/// A problem in the words of a form.
fn sentence(problem: &Problem) -> String {
    if let (Code::RateLimited, Some(wait)) = (problem.code, problem.retry_after) {
        return format!("Too many attempts. Try again in {}.", rounded_up(wait));
    }
    if problem.fields.is_empty() {
        return problem.detail.clone().into_owned();
    }
    let label = |field: &str| match field {
        "email" => "E-mail",
        "name" => "Name",
        _ => "Password",
    };
    let faults = problem.fields.iter().map(|fault| format!("{}: {}.", label(fault.field), fault.message));
    faults.collect::<Vec<_>>().join(" ")
}

/// Never less than the wait: who comes too early is told to wait again.
fn rounded_up(wait: Duration) -> String {
    let seconds = wait.as_millis().div_ceil(1_000).max(1) as u64;
    let unit = if seconds > 120 { 60 } else { 1 };
    in_words(Duration::from_secs(seconds.div_ceil(unit) * unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_rounded_up_and_never_down() {
        let check = |ms: u64, words: &str| assert_eq!(rounded_up(Duration::from_millis(ms)), words);
        check(0, "1 second");
        check(1_001, "2 seconds");
        check(5_999, "6 seconds");
        check(61_000, "61 seconds");
        check(121_000, "3 minutes");
        check(3_599_000, "1 hour");
    }
}
