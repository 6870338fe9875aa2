//! How pages and API stand to each other, as browsers see it (HTML Standard, "same site", which counts the scheme).

use std::net::IpAddr;

use super::super::outside::target::Target;
use super::finding::Judgement;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    SameOrigin,
    SameSite,
    CrossSite,
}

pub fn relation(app: &Target, api: &Target) -> Relation {
    if app.origin() == api.origin() {
        Relation::SameOrigin
    } else if app.is_encrypted() == api.is_encrypted() && site(app.host()) == site(api.host()) {
        Relation::SameSite
    } else {
        Relation::CrossSite
    }
}

/// What a host shares with others of its owner: the name below a public suffix, or else the host itself.
pub fn site(host: &str) -> &str {
    match host.parse::<IpAddr>() {
        Ok(_) => host,
        Err(_) => psl::domain_str(host).unwrap_or(host),
    }
}

pub fn is_public_suffix(domain: &str) -> bool {
    psl::suffix_str(domain) == Some(domain)
}

/// `cookies`: whether the session is in one.
pub fn judge(app: &Target, api: &Target, cookies: bool) -> Judgement {
    let (from, to) = (app.origin(), api.origin());
    let judgement = match relation(app, api) {
        Relation::SameOrigin => Judgement::ok("pages and API have one origin"),
        Relation::SameSite => Judgement::ok(format!("{from} and {to} are one site")),
        Relation::CrossSite if !cookies => {
            Judgement::ok(format!("{from} and {to} are two sites, and no cookie is needed between them"))
        }
        Relation::CrossSite if site(app.host()) == site(api.host()) => Judgement::fail(
            format!(
                "one of {from} and {to} is encrypted and the other is not: to a browser these are two sites"
            ),
            "serve both over https",
        ),
        Relation::CrossSite => Judgement::fail(
            format!("{from} and {to} are two sites, so that the session's cookie is a third party's"),
            format!(
                "give the API a name below {}, or let the pages' own server pass it on (nginx: location \
                 /api/ {{ proxy_pass {to};{} }}); SameSite=None helps in Chrome alone, and not for ever",
                site(app.host()),
                // Without it nginx asks for no name, and many hosts answer as somebody else.
                if api.is_encrypted() { " proxy_ssl_server_name on;" } else { "" }
            ),
        ),
    };
    judgement.by("app", site(app.host())).by("api", site(api.host()))
}

/// Whether Safari takes two hosts of one site for one server: the first half of their addresses has to be the same.
pub fn is_one_server(app: &[IpAddr], api: &[IpAddr]) -> bool {
    let half = |address: &IpAddr| match address.to_canonical() {
        IpAddr::V4(four) => four.octets()[..2].to_vec(),
        IpAddr::V6(six) => six.octets()[..8].to_vec(),
    };
    api.iter().all(|one| app.iter().any(|other| half(one) == half(other)))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn a_site_is_what_browsers_say_it_is() {
        let said = |app: &str, api: &str| {
            relation(&Target::parse(app, true).unwrap(), &Target::parse(api, true).unwrap())
        };
        assert_eq!(said("https://app.example.com", "https://app.example.com:443/api"), Relation::SameOrigin);
        assert_eq!(said("https://app.example.com", "https://api.example.com"), Relation::SameSite);
        assert_eq!(said("http://localhost:3000", "http://localhost:8000"), Relation::SameSite);
        for (app, api) in [
            ("https://app.example.com", "https://app.example.org"),
            ("http://app.example.com", "https://api.example.com"),
            // Two customers of one host: their common suffix is public.
            ("https://shop.github.io", "https://api.github.io"),
            ("https://a.co.uk", "https://b.co.uk"),
            ("http://127.0.0.1", "http://127.0.0.2"),
            ("http://localhost", "http://127.0.0.1"),
        ] {
            assert_eq!(said(app, api), Relation::CrossSite, "{app} {api}");
        }
        assert!(is_public_suffix("co.uk") && is_public_suffix("github.io") && !is_public_suffix("a.co.uk"));
    }

    #[test]
    fn two_sites_matter_where_the_session_is_in_a_cookie() {
        let (app, api) = ("https://app.example.com", "https://api.example.org");
        let [app, api] = [app, api].map(|url| Target::parse(url, false).unwrap());
        assert_eq!(judge(&app, &api, false).verdict, Verdict::Ok);
        let judged = judge(&app, &api, true);
        let fix = judged.fix.unwrap();
        assert!(judged.verdict == Verdict::Fail && fix.contains("below example.com"));
        assert!(fix.contains("proxy_ssl_server_name on"), "{fix}");
    }

    #[test]
    fn one_server_shares_half_of_its_address() {
        let said = |app: &str, api: &str| is_one_server(&[app.parse().unwrap()], &[api.parse().unwrap()]);
        assert!(said("192.0.2.1", "192.0.9.9") && said("2001:db8::1", "2001:db8::ffff:2"));
        assert!(
            !said("192.0.2.1", "192.1.2.1")
                && !said("2001:db8:1::1", "2001:db8:2::1")
                && !said("192.0.2.1", "2001:db8::1")
        );
    }
}
