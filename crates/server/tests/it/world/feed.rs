//! Who listens to a stream of events: a service to the revocation feed, or a tab to its own.

use serde_json::{Value, json};

use super::SECOND;

pub const PATH: &str = "/api/v1/auth/revocations";
pub const EVENTS: &str = "/api/v1/auth/events";

pub struct Listener {
    response: reqwest::Response,
    text: String,
}

impl Listener {
    /// At the server with this base address.
    pub async fn on(base: &str, key: &str) -> Self {
        Self::at(format!("{base}{PATH}"), "x-api-key", key).await
    }

    /// As the tab of a session, with its access token.
    pub async fn with_token(base: &str, token: &str) -> Self {
        Self::at(format!("{base}{EVENTS}"), "authorization", &format!("Bearer {token}")).await
    }

    async fn at(url: String, header: &str, credential: &str) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let response = client.get(url).header(header, credential).send().await.unwrap();
        assert_eq!(response.status(), 200);
        Self { response, text: String::new() }
    }

    pub fn header(&self, name: &str) -> &str {
        self.response.headers()[name].to_str().unwrap()
    }

    /// The next event, as its name and data; none if the stream has ended. A comment has no data.
    pub async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                if event == ":" {
                    self.text = rest.to_owned();
                    return Some((String::new(), Value::Null));
                }
                let (name, data) = event.split_once('\n').unwrap();
                let name = name.strip_prefix("event: ").unwrap().to_owned();
                let data = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
                self.text = rest.to_owned();
                return Some((name, data));
            }
            let piece = self.response.chunk().await.ok()??;
            self.text += std::str::from_utf8(&piece).unwrap();
        }
    }

    pub async fn until_ended(&mut self) {
        in_time(async { while self.next().await.is_some() {} }).await;
    }

    /// The next of this name.
    pub async fn until(&mut self, name: &str) -> Value {
        in_time(async {
            loop {
                let (found, data) = self.next().await.expect("goes on");
                if found == name {
                    return data;
                }
            }
        })
        .await
    }

    /// What is told up to the next beat, all of it together.
    pub async fn facts(&mut self) -> Value {
        let mut facts = json!({ "ended": [], "changed": [], "users": [] });
        loop {
            match self.next().await.expect("goes on") {
                (name, _) if name == "beat" => return facts,
                (name, data) if name == "facts" => {
                    for (kind, told) in facts.as_object_mut().unwrap() {
                        told.as_array_mut().unwrap().extend(data[kind].as_array().unwrap().clone());
                    }
                }
                (name, _) => assert_eq!(name, "begin"),
            }
        }
    }

    /// Listens until something is told.
    pub async fn news(&mut self) -> Value {
        in_time(async {
            loop {
                let facts = self.facts().await;
                if facts != json!({ "ended": [], "changed": [], "users": [] }) {
                    return facts;
                }
            }
        })
        .await
    }
}

/// Nothing is decided by how long it takes, but what never comes must not be waited for.
pub async fn in_time<T>(waiting: impl Future<Output = T>) -> T {
    tokio::time::timeout(20 * SECOND, waiting).await.expect("in time")
}
