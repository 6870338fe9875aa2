//! The one place that requests go to.

use http::Uri;

/// Scheme, host and port. Nothing is ever sent elsewhere.
pub struct Target {
    scheme: String,
    authority: String,
    /// A path in front of what the profile says, without a slash at its end.
    base: String,
    /// On this machine, which browsers trust without encryption.
    is_here: bool,
}

impl Target {
    /// In the clear only on this machine, unless `may_be_clear`: a password is sent.
    pub fn parse(text: &str, may_be_clear: bool) -> Result<Self, String> {
        let odd = || format!("`{text}` is no address of a system, as in https://app.example.com");
        if !text.is_ascii() {
            return Err(format!(
                "`{text}`: a host has to be named in Punycode, as in https://xn--bcher-kva.example"
            ));
        }
        let uri: Uri = text.parse().map_err(|_| odd())?;
        let (Some(scheme @ ("http" | "https")), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(odd());
        };
        if authority.as_str().contains('@') || uri.query().is_some() || text.contains('#') {
            return Err(odd());
        }
        let is_here = matches!(authority.host(), "localhost" | "127.0.0.1" | "[::1]");
        if scheme == "http" && !is_here && !may_be_clear {
            return Err(format!(
                "{text} is not encrypted, and a password would be sent; --allow-http permits it"
            ));
        }
        Ok(Self {
            scheme: scheme.to_owned(),
            authority: authority.as_str().to_ascii_lowercase(),
            base: uri.path().trim_end_matches('/').to_owned(),
            is_here,
        })
    }

    pub fn is_encrypted(&self) -> bool {
        self.scheme == "https"
    }

    pub fn is_here(&self) -> bool {
        self.is_here
    }

    /// Without a port, and an address of version 6 without its brackets.
    pub fn host(&self) -> &str {
        let host = match self.authority.rsplit_once(':') {
            Some((host, port)) if port.chars().all(|c| c.is_ascii_digit()) => host,
            _ => &self.authority,
        };
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Whether its addresses name a port that does not go without saying.
    pub fn has_port(&self) -> bool {
        self.origin().rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok())
    }

    /// As browsers say it: without a port that goes without saying.
    pub fn origin(&self) -> String {
        let usual = if self.is_encrypted() { ":443" } else { ":80" };
        format!("{}://{}", self.scheme, self.authority.strip_suffix(usual).unwrap_or(&self.authority))
    }

    /// The address of what a profile names: a path, or a whole address of the same origin.
    pub fn resolve(&self, url: &str) -> Result<Uri, String> {
        let whole = match url.starts_with('/') && !url.starts_with("//") {
            true => format!("{}://{}{}{url}", self.scheme, self.authority, self.base),
            false => url.to_owned(),
        };
        let uri: Uri = whole.parse().map_err(|_| format!("`{url}` is neither a path nor an address"))?;
        let origin = match (uri.scheme_str(), uri.authority()) {
            (Some(scheme), Some(authority)) => {
                format!("{scheme}://{}", authority.as_str().to_ascii_lowercase())
            }
            _ => return Err(format!("`{url}` is neither a path nor an address")),
        };
        match origin == format!("{}://{}", self.scheme, self.authority) {
            true => Ok(uri),
            false => {
                Err(format!("`{url}` is at another origin than {}; nothing is sent there", self.origin()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_the_target() {
        let target = Target::parse("https://App.example.com:443/base/", false).unwrap();
        assert_eq!(target.origin(), "https://app.example.com");
        assert_eq!(target.resolve("/in?x=1").unwrap(), "https://app.example.com:443/base/in?x=1");
        assert_eq!((target.host(), target.has_port()), ("app.example.com", false));
        let here = Target::parse("http://[::1]:8000", false).unwrap();
        assert_eq!((here.host(), here.has_port()), ("::1", true));
        for odd in [
            "https://app.example.org/in",
            "//evil.example/in",
            "http://app.example.com/in",
            "in",
            "",
            "https://app.example.com@evil.example/",
        ] {
            assert!(target.resolve(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_password_is_not_sent_in_the_clear_by_accident() {
        assert!(Target::parse("http://app.example.com", false).is_err());
        assert!(Target::parse("http://app.example.com", true).is_ok());
        assert!(Target::parse("http://localhost:8000", false).is_ok());
        for odd in ["", "app.example.com", "ftp://a", "https://u:p@a", "https://a?b", "https://a#b"] {
            assert!(Target::parse(odd, true).is_err(), "{odd}");
        }
        let foreign = Target::parse("https://b\u{fc}cher.example", false).err();
        assert!(foreign.is_some_and(|what| what.contains("Punycode")));
    }
}
