//! The address that browsers use.

use std::net::IpAddr;

/// The address that browsers use, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    pub https: bool,
    /// Host and port, as an `Origin` header would have them.
    pub authority: String,
    /// Without a trailing slash; empty for the root.
    pub path: String,
}

impl PublicUrl {
    pub fn parse(text: &str) -> Option<Self> {
        let (https, rest) = match text.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("http://")?),
        };
        let uri: http::Uri = text.parse().ok()?;
        let authority = uri.authority()?.as_str().to_ascii_lowercase();
        let plain = !rest.contains(['?', '#', '@', ' ', '\\']) && !authority.is_empty();
        plain.then(|| Self { https, authority, path: uri.path().trim_end_matches('/').to_owned() })
    }

    pub fn origin(&self) -> String {
        format!("{}://{}", if self.https { "https" } else { "http" }, self.authority)
    }

    pub fn is_loopback(&self) -> bool {
        is_loopback_authority(&self.authority)
    }
}

impl std::fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.origin(), self.path)
    }
}

/// Whether a host, with or without a port, is this machine's loopback.
pub fn is_loopback_authority(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    host == "localhost"
        || host.ends_with(".localhost")
        || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
