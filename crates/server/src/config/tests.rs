use super::*;

fn sources(environment: &[(&str, &str)]) -> Sources {
    Sources {
        environment: environment.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
        ..Sources::default()
    }
}

fn settle(environment: &[(&str, &str)], development: bool) -> Result<Settled, ConfigError> {
    Config::load(&sources(environment))?.settle(development)
}

fn error(environment: &[(&str, &str)], development: bool) -> String {
    settle(environment, development).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn the_defaults_serve_in_development_and_name_what_production_lacks() {
    let settled = settle(&[], true).unwrap();
    assert_eq!(settled.public_url.to_string(), "http://127.0.0.1:7700");
    assert!(settled.missing_is_ended);
    assert!(error(&[], false).starts_with("server.public_url is empty"));
    let production = settle(&[("TENURE_SERVER__PUBLIC_URL", "https://id.example.com")], false).unwrap();
    assert!(!production.missing_is_ended);
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_known_one() {
    assert_eq!(
        error(&[("TENURE_SERVER__LISTEM", "127.0.0.1:1")], true),
        "unknown key `listem` in [server] (did you mean `listen`?)"
    );
    assert!(error(&[("TENURE_SESION__SETTLE", "90s")], true).contains("did you mean `session`?"));
}

#[test]
fn unsafe_combinations_do_not_start() {
    let https = ("TENURE_SERVER__PUBLIC_URL", "https://id.example.com");
    type Case<'a> = (&'a [(&'a str, &'a str)], bool, &'a str);
    let cases: [Case; 9] = [
        (&[("TENURE_SERVER__PUBLIC_URL", "http://id.example.com")], false, "cookies need https"),
        (&[https], true, "--dev cannot be combined with the public address"),
        (&[https, ("TENURE_SESSION__SETTLE", "60s")], false, "settle is 60s but must be at least"),
        (&[https, ("TENURE_SESSION__ACCESS_LIFETIME", "2h")], false, "access_lifetime is"),
        (&[https, ("TENURE_ORIGINS__ALLOWED", "[\"http://app.example.com\"]")], false, "is not https"),
        (&[https, ("TENURE_ORIGINS__ALLOWED", "[\"https://a.example/app\"]")], false, "has a path"),
        (&[https, ("TENURE_ORIGINS__ALLOWED", "[\"*\"]")], false, "is no origin"),
        (&[https, ("TENURE_PASSWORD__MEMORY_KIB", "64")], false, "password:"),
        (&[https, ("TENURE_LIMITS__REFRESH_PER_SESSION_PER_MINUTE", "0")], false, "would refuse everybody"),
    ];
    for (environment, development, expected) in cases {
        let message = error(environment, development);
        assert!(message.contains(expected), "{environment:?}: {message}");
        assert_eq!(message.lines().count(), 1, "one line each: {message}");
    }
}

#[test]
fn durations_and_kinds_are_explained() {
    assert!(
        error(&[("TENURE_SESSION__SETTLE", "ninety")], true).contains("is no duration such as 15s or 20d")
    );
    assert!(error(&[("TENURE_SERVER__LISTEN", "everywhere")], true).contains("server.listen"));
}

#[test]
fn later_sources_win_and_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tenure.toml");
    std::fs::write(&file, "[session]\nsettle = \"100s\"\nfreshness = \"16s\"\n").unwrap();
    let secret = folder.path().join("listen");
    std::fs::write(&secret, "127.0.0.1:9\n").unwrap();
    let mut sources = sources(&[
        ("TENURE_SESSION__SETTLE", "110s"),
        ("TENURE_SERVER__LISTEN_FILE", secret.to_str().unwrap()),
        ("TENURE_SECRET", "not a setting"),
    ]);
    sources.file = Some(file.clone());
    sources.flags.push(("session.settle", "120s".into()));
    let config = Config::load(&sources).unwrap();
    assert_eq!(config.session.settle.0, Duration::from_secs(120));
    assert_eq!(config.session.freshness.0, Duration::from_secs(16));
    assert_eq!(config.server.listen.port(), 9);
    let origin = |key: &str| {
        let rows = Config::print(&sources).unwrap();
        rows.into_iter().find(|(name, _, _)| name == key).map(|(_, _, origin)| origin).unwrap()
    };
    assert_eq!(origin("session.settle"), "flag");
    assert_eq!(origin("session.freshness"), file.display().to_string());
    assert_eq!(origin("server.listen"), "environment");
    assert_eq!(origin("server.ops_listen"), "default");
    sources.file = Some(folder.path().join("missing.toml"));
    assert!(Config::load(&sources).unwrap_err().to_string().contains("does not exist"));
}

#[test]
fn loopback_is_told_by_the_whole_host() {
    for yes in ["localhost", "localhost:80", "127.0.0.1:7700", "[::1]:7700", "app.localhost:3000"] {
        assert!(is_loopback_authority(yes), "{yes}");
    }
    for no in ["localhost.example.com", "127.0.0.1.example.com", "example.com", "10.0.0.1:80", ""] {
        assert!(!is_loopback_authority(no), "{no}");
    }
}
