//! A program that speaks HTTP and is no browser: no cookies, no Origin, nothing said that a test does not say.

use serde_json::Value;

use super::Answer;

#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    https: bool,
}

impl Client {
    pub fn new(base: String, https: bool) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(std::time::Duration::from_secs(60))
            .build()
            .unwrap();
        Self { http, base, https }
    }

    pub fn call(&self, method: &str, path: &str) -> Call {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.http.request(method, format!("{}{path}", self.base));
        Call { request, path: path.to_owned(), https: self.https }
    }

    pub fn get(&self, path: &str) -> Call {
        self.call("GET", path)
    }

    pub fn post(&self, path: &str, body: &Value) -> Call {
        self.call("POST", path).json(body)
    }

    pub async fn login(&self, email: &str, password: &str) -> Answer {
        let body = serde_json::json!({ "email": email, "password": password, "remember_me": true });
        self.post("/api/v1/auth/login", &body).send().await
    }

    /// Refreshes with the cookies given, as a program that keeps its own.
    pub async fn refresh_with(&self, cookie: &str) -> Answer {
        self.call("POST", "/api/v1/auth/refresh").header("cookie", cookie).send().await
    }

    pub async fn profile(&self, access_token: &str) -> Answer {
        self.get("/api/v1/auth/profile").bearer(access_token).send().await
    }
}

/// A request being put together.
pub struct Call {
    request: reqwest::RequestBuilder,
    path: String,
    https: bool,
}

impl Call {
    pub fn header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        Self { request: self.request.header(name, value.as_ref()), ..self }
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    pub fn body(self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let request = self.request.header("content-type", content_type).body(body.into());
        Self { request, ..self }
    }

    pub async fn send(self) -> Answer {
        let path = self.path.clone();
        self.try_send().await.unwrap_or_else(|error| panic!("{path}: {error:?}"))
    }

    /// For tests in which the connection may break.
    pub async fn try_send(self) -> Result<Answer, reqwest::Error> {
        let response = self.request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        // A stream of events has no end, and its beginning is the answer.
        let is_endless = headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
        let body = if is_endless { vec![] } else { response.bytes().await?.to_vec() };
        let answer = Answer { status, headers, body };
        answer.check_envelope(&self.path, self.https);
        Ok(answer)
    }
}

/// Sends requests so that all are under way at once; the answers come in the order of the requests.
pub async fn at_once(calls: impl IntoIterator<Item = Call>) -> Vec<Answer> {
    let sent: Vec<_> = calls.into_iter().map(|call| tokio::spawn(call.send())).collect();
    let mut answers = vec![];
    for answer in sent {
        answers.push(answer.await.unwrap());
    }
    answers
}
