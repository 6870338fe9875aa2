//! Applications that keep their sign-ins elsewhere and report here what their pages see.

use serde::Deserialize;

use super::PublicUrl;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObserveSection {
    pub origins: Vec<String>,
}

impl ObserveSection {
    pub(super) fn faults(&self) -> impl Iterator<Item = String> {
        self.origins.iter().filter(|text| !is_origin(text)).map(|text| {
            format!("observe.origins: `{text}` is no origin such as https://app.example.com, without a path")
        })
    }
}

/// Written as browsers write it, because it is compared with what they say.
fn is_origin(text: &str) -> bool {
    PublicUrl::parse(text).is_some_and(|url| url.origin() == text)
}
