//! A browser: a jar shared by its tabs, and the headers that a page's script cannot leave out.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{Answer, Call, Client, Jar, ManualClock, PASSWORD, User};

const REFRESH: &str = "/api/v1/auth/refresh";

pub struct Browser {
    client: Client,
    clock: ManualClock,
    origin: String,
    pub jar: Arc<Mutex<Jar>>,
    /// In memory of this tab alone, as the SDK keeps it.
    pub access: String,
    /// The session that this tab last heard of.
    pub session: String,
    pub device_id: Option<String>,
}

impl Browser {
    pub fn new(client: Client, clock: ManualClock, origin: String) -> Self {
        let (access, session) = Default::default();
        Self { client, clock, origin, jar: Arc::default(), access, session, device_id: None }
    }

    /// Another tab: the same jar, a memory of its own.
    pub fn tab(&self) -> Self {
        let tab = Self::new(self.client.clone(), self.clock.clone(), self.origin.clone());
        Self { jar: Arc::clone(&self.jar), device_id: self.device_id.clone(), ..tab }
    }

    /// A request as the page's script would send it.
    pub fn call(&self, method: &str, path: &str) -> Call {
        let mut call = self.client.call(method, path);
        if method != "GET" {
            call = call.header("origin", &self.origin);
        }
        call = call.header("sec-fetch-site", "same-origin");
        let cookies = self.cookie_header(path);
        if !cookies.is_empty() {
            call = call.header("cookie", cookies);
        }
        call
    }

    pub fn cookie_header(&self, path: &str) -> String {
        self.jar.lock().unwrap().header(path, self.clock.get())
    }

    /// The answer arrives: the jar takes its cookies, the tab its token.
    pub fn receive(&mut self, answer: &Answer) {
        self.jar.lock().unwrap().apply(answer, self.clock.get());
        if answer.status < 300 && answer.text().contains("access_token") {
            self.access = answer.access_token();
            if !answer.json()["session"].is_null() {
                self.session = answer.session_id();
            }
        }
    }

    async fn sent(&mut self, call: Call) -> Answer {
        let answer = call.send().await;
        self.receive(&answer);
        answer
    }

    pub async fn login(&mut self, email: &str, password: &str, remember: bool) -> Answer {
        let mut body = json!({ "email": email, "password": password, "remember_me": remember });
        if let Some(device) = &self.device_id {
            body["device_id"] = device.as_str().into();
        }
        let call = self.call("POST", "/api/v1/auth/login").json(&body);
        self.sent(call).await
    }

    /// Signs in, remembered.
    pub async fn sign_in(&mut self, user: &User) -> Answer {
        self.login(&user.email, PASSWORD, true).await.expect(200)
    }

    /// A refresh whose answer the browser has not received yet, and perhaps never will.
    pub async fn send_refresh(&self) -> Answer {
        self.refresh_call().send().await
    }

    /// A refresh as the SDK sends it, for tests that add to it or let its connection break.
    pub fn refresh_call(&self) -> Call {
        self.call("POST", REFRESH).header("tenure-sent-at", self.clock.get().as_ms().to_string())
    }

    pub async fn refresh(&mut self) -> Answer {
        let call = self.refresh_call();
        self.sent(call).await
    }

    /// Signs out by jar.
    pub async fn sign_out(&mut self) -> Answer {
        let call = self.call("DELETE", REFRESH);
        self.sent(call).await
    }

    /// Signs out by jar, sparing sign-ins that came after this session.
    pub async fn sign_out_up_to(&mut self, session: &str) -> Answer {
        let call = self.call("DELETE", &format!("{REFRESH}?up_to={session}"));
        self.sent(call).await
    }

    /// Signs out by access token.
    pub async fn logout(&mut self, scope: &str) -> Answer {
        let call = self.call("POST", "/api/v1/auth/logout").bearer(&self.access);
        self.sent(call.json(&json!({ "scope": scope }))).await
    }

    pub async fn change_password(&mut self, current: &str, new: &str) -> Answer {
        let body = json!({ "current_password": current, "new_password": new });
        let call = self.call("POST", "/api/v1/auth/password/change").bearer(&self.access);
        self.sent(call.json(&body)).await
    }

    pub async fn profile(&self) -> Answer {
        self.call("GET", "/api/v1/auth/profile").bearer(&self.access).send().await
    }

    pub async fn sessions(&self) -> Vec<Value> {
        let answer = self.call("GET", "/api/v1/auth/sessions").bearer(&self.access).send().await;
        answer.expect(200).json()["sessions"].as_array().unwrap().clone()
    }

    pub fn cookies(&self) -> Jar {
        self.jar.lock().unwrap().clone()
    }

    /// Restores a jar, as a crash or a copied profile does.
    pub fn set_cookies(&self, jar: Jar) {
        *self.jar.lock().unwrap() = jar;
    }

    /// The refresh token of a jar with one session.
    #[track_caller]
    pub fn token(&self) -> String {
        self.cookies().only().value.clone()
    }
}
