//! Asking the issuer for each request.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, StatusCode, Uri};

use crate::answer::Refusal;
use crate::http_client::Client;
use crate::identity::Identity;

pub const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

pub struct Strict {
    client: Client,
    check: Uri,
}

impl Strict {
    pub fn new(client: Client, check: Uri) -> Self {
        Self { client, check }
    }

    /// Also without a credential: it is for the issuer to say what is missing.
    pub async fn admit(&self, request: &HeaderMap) -> Result<Identity, Refusal> {
        let answer = self.client.get(&self.check, credentials(request)).await.map_err(Refusal::unknown)?;
        let status = answer.status();
        if status == StatusCode::OK {
            let nobody = || Refusal::unknown("200 that does not say who it is");
            return Identity::of_headers(answer.headers()).ok_or_else(nobody);
        }
        let refusal = Refusal::of_issuer(answer);
        Err(refusal.unwrap_or_else(|| Refusal::unknown(format!("{status} that is no answer of Tenure's"))))
    }
}

/// What the caller shows, and nothing else of the request: cookies are none of the issuer's business here.
fn credentials(request: &HeaderMap) -> HeaderMap {
    let mut shown = HeaderMap::new();
    for name in [AUTHORIZATION, API_KEY] {
        for value in request.get_all(&name) {
            shown.append(name.clone(), value.clone());
        }
    }
    shown
}
