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
    let cases: [Case; 13] = [
        (&[("TENURE_SERVER__PUBLIC_URL", "http://id.example.com")], false, "cookies need https"),
        (&[https], true, "--dev cannot be combined with the public address"),
        (&[https, ("TENURE_SESSION__SETTLE", "60s")], false, "settle is 60s but must be at least"),
        (&[https, ("TENURE_SESSION__ACCESS_LIFETIME", "2h")], false, "access_lifetime is"),
        (&[https, ("TENURE_ORIGINS__ALLOWED", "[\"http://app.example.com\"]")], false, "is not https"),
        (&[https, ("TENURE_ORIGINS__ALLOWED", "[\"https://a.example/app\"]")], false, "has a path"),
        (&[https, ("TENURE_ORIGINS__ALLOWED", "[\"*\"]")], false, "is no origin"),
        (&[https, ("TENURE_PASSWORD__MEMORY_KIB", "64")], false, "password:"),
        (&[https, ("TENURE_LIMITS__REFRESH_PER_SESSION_PER_MINUTE", "0")], false, "would refuse everybody"),
        (
            &[https, ("TENURE_LIMITS__ENABLED", "false")],
            false,
            "limits.enabled is false, with which anybody may",
        ),
        (
            &[https, ("TENURE_CONSOLE__LIFETIME", "25h")],
            false,
            "console.lifetime is 1day 1h, but must be at most 24h",
        ),
        (&[https, ("TENURE_CONSOLE__IDLE", "59s")], false, "console.idle is 59s, but must be at least 1m"),
        (
            &[https, ("TENURE_CONSOLE__IDLE", "13h")],
            false,
            "console.idle is 13h, but must be at least 1m and at most",
        ),
    ];
    for (environment, development, expected) in cases {
        let message = error(environment, development);
        assert!(message.contains(expected), "{environment:?}: {message}");
        assert_eq!(message.lines().count(), 1, "one line each: {message}");
    }
}

#[test]
fn limits_are_switched_off_in_development_alone() {
    assert!(!settle(&[("TENURE_LIMITS__ENABLED", "false")], true).unwrap().config.limits.enabled);
    assert!(settle(&[URL], false).unwrap().config.limits.enabled);
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
        let settings = Config::load(&sources).unwrap().settings;
        settings.into_iter().find(|setting| setting.key == key).unwrap().origin.to_string()
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

#[test]
fn a_proxy_is_an_address_or_a_network_and_never_everybody() {
    let error = |proxy: &str, development| {
        let list = format!("[\"{proxy}\"]");
        let environment = [("TENURE_SERVER__TRUSTED_PROXIES", list.as_str()), URL];
        let message = error(&environment[..if development { 1 } else { 2 }], development);
        assert_eq!(message.lines().count(), 1, "one line each: {message}");
        message
    };
    for (beyond, network, alone) in [
        ("10.1.2.3/8", "10.0.0.0/8", "10.1.2.3"),
        ("fd00::1/8", "fd00::/8", "fd00::1"),
        ("::ffff:10.1.2.3/104", "10.0.0.0/8", "10.1.2.3"),
    ] {
        for development in [true, false] {
            let message = error(beyond, development);
            let expected = format!("write {network} for the network, or {alone} for the address");
            assert!(message.ends_with(&expected), "{message}");
        }
    }
    for everybody in ["0.0.0.0/0", "::/0", "10.1.2.3/0", "::ffff:0:0/96"] {
        assert!(error(everybody, false).contains("is everybody, who could then write any address"));
    }
    for nonsense in [
        "",
        "proxy",
        "10.0.0.0/33",
        "fd00::/129",
        "10.0.0.0/",
        "10.0.0/8",
        "010.0.0.0/8",
        "10.0.0.0/8/8",
        "127.0.0.1:80",
    ] {
        let expected = format!("`{nonsense}` is no address or network such as 10.0.0.0/8");
        assert!(error(nonsense, true).contains(&expected), "{nonsense}");
    }
    let list = r#"["10.0.0.0/8", "fd00::/8", "127.0.0.1", "::1", "10.1.2.3/32"]"#;
    assert!(settle(&[URL, ("TENURE_SERVER__TRUSTED_PROXIES", list)], false).is_ok());
    assert!(
        settle(&[("TENURE_SERVER__TRUSTED_PROXIES", r#"["0.0.0.0/0", "::/0"]"#)], true).is_ok(),
        "in development"
    );
}

const URL: (&str, &str) = ("TENURE_SERVER__PUBLIC_URL", "https://id.example.com");

#[test]
fn a_store_that_is_unsafe_or_nonsense_is_one_clear_line() {
    let cases = [
        ("POSTGRES__URL", "mysql://u:hunter2@db/tenure", "is no address such as postgres://"),
        ("POSTGRES__URL", "hunter2", "is no address such as postgres://"),
        ("POSTGRES__URL", "postgres://u:hunter2@/tenure", "names no host"),
        ("POSTGRES__URL", "postgres://u:hunter2@db.example.com?sslmode=require", "names no database"),
        ("POSTGRES__URL", "postgres://u:hun@ter2@db/tenure?sslmode=require", "written as %40"),
        ("POSTGRES__URL", "postgres://u:hun/ter2@db/tenure?sslmode=require", "written as %40"),
        ("POSTGRES__URL", "postgres://u:hunter2@db.example.com/tenure", "without saying sslmode=require"),
        ("POSTGRES__URL", "postgres://u:hunter2@db/tenure?sslmode=prefer", "without saying sslmode=require"),
        ("POSTGRES__URL", "postgres://u:hunter2@localhost,db/tenure", "without saying sslmode=require"),
        ("POSTGRES__URL", "postgres:///tenure?host=db&password=hunter2", "without saying sslmode=require"),
        ("POSTGRES__URL", "postgres://u:hunter2@db/tenure?sslmode=verify-full", "is not known here"),
        (
            "POSTGRES__URL",
            "postgres://u:hunter2@db/tenure?sslmode=require&ssl=on",
            "a parameter is not known",
        ),
        ("POSTGRES__URL", "postgres://u:hunter2@db:x/tenure?sslmode=require", "cannot be read"),
        ("POSTGRES__CONNECTIONS", "0", "postgres.connections is 0"),
        ("POSTGRES__STATEMENT_TIMEOUT", "0s", "postgres.statement_timeout is 0"),
        ("POSTGRES__CA_FILE", "no-such-file.pem", "there is no file no-such-file.pem"),
        ("STORE__SQLITE", "other.db", "store.sqlite and postgres.url are both set"),
        ("REDIS__URL", "http://:hunter2@cache", "is no address such as rediss://"),
        ("REDIS__TIMEOUT", "5s", "at most 1s"),
        ("REDIS__CA_FILE", "no-such-file.pem", "redis.ca_file: there is no file no-such-file.pem"),
    ];
    for (name, value, expected) in cases {
        let name = format!("TENURE_{name}");
        let sound = [
            ("TENURE_POSTGRES__URL", "postgres://u:hunter2@db/tenure?sslmode=require"),
            ("TENURE_REDIS__URL", "rediss://:hunter2@cache:6379"),
        ];
        let mut environment = vec![URL, (name.as_str(), value)];
        environment.extend(sound.iter().filter(|(known, _)| *known != name));
        let message = error(&environment, false);
        assert!(message.contains(expected), "{environment:?}: {message}");
        assert_eq!(message.lines().count(), 1, "one line each: {message}");
        assert!(!message.contains("hunter2") && !message.contains("ter2"), "{message}");
    }
}

#[test]
fn authorities_are_read_at_the_start_and_not_at_the_first_connection() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authority.pem");
    std::fs::write(&file, "no certificate").unwrap();
    let postgres = ("TENURE_POSTGRES__URL", "postgres://u:hunter2@db/tenure?sslmode=require");
    let redis = ("TENURE_REDIS__URL", "rediss://:hunter2@cache:6379");
    for (url, name) in [(postgres, "postgres.ca_file"), (redis, "redis.ca_file")] {
        let variable = format!("TENURE_{}", name.to_ascii_uppercase().replace('.', "__"));
        let message = error(&[URL, url, (&variable, file.to_str().unwrap())], false);
        assert_eq!(message, format!("{name}: {}: there is no certificate in it", file.display()));
    }
    // They mean nothing where nothing is encrypted.
    for url in ["redis://:hunter2@cache:6379", "redis+unix:///run/redis.sock"] {
        let environment = [URL, ("TENURE_REDIS__URL", url), ("TENURE_REDIS__CA_FILE", "authority.pem")];
        let message = error(&environment, false);
        assert!(message.contains("redis.url does not say rediss://"), "{message}");
        assert!(message.lines().count() == 1 && !message.contains("hunter2"), "{message}");
    }
}

#[test]
fn a_store_on_this_machine_or_said_to_be_on_a_private_network_is_taken() {
    for url in [
        "postgres://u:p@127.0.0.1:5432/tenure",
        "postgresql://u@localhost/tenure",
        "postgres://u@[::1]:5432/tenure",
        "postgres:///tenure?host=/run/postgresql&user=tenure",
        "postgres://u@%2Frun%2Fpostgresql/tenure",
        "postgres://u:p@db/tenure?sslmode=disable",
        "postgres://u:p@one:5432,two:5433/tenure?sslmode=require&target_session_attrs=read-write",
    ] {
        assert_eq!(settle(&[URL, ("TENURE_POSTGRES__URL", url)], false).map(drop), Ok(()), "{url}");
    }
    assert!(settle(&[("TENURE_POSTGRES__URL", "postgres://u:p@db/tenure")], true).is_ok(), "in development");
}

#[test]
fn no_way_of_writing_a_password_is_shown() {
    for (url, expected) in [
        ("", ""),
        ("hunter2", "***"),
        (
            "postgres://u:hunter2@db:5432/tenure?sslmode=require",
            "postgres://u:***@db:5432/tenure?sslmode=require",
        ),
        ("postgres://u:hunter2@x/y?z@db/tenure", "postgres://u:***@db/tenure"),
        ("postgres://db/tenure?password=hunter2&user=u", "postgres://db/tenure?password=***&user=u"),
        ("redis://:hunter2@cache/0", "redis://:***@cache/0"),
        ("redis+unix:///run/redis.sock?pass=hunter2", "redis+unix:///run/redis.sock?pass=***"),
        ("postgres://u@db/tenure", "postgres://u@db/tenure"),
    ] {
        let secret = SecretUrl::from(url);
        assert_eq!(secret.to_string(), expected);
        assert_eq!(format!("{secret:?}"), format!("\"{expected}\""));
        assert_eq!(secret.expose(), url);
        for key in ["POSTGRES__URL", "REDIS__URL"] {
            let sources = sources(&[(&format!("TENURE_{key}"), url)]);
            assert!(!format!("{:?}", Config::load(&sources).unwrap()).contains("hunter2"));
        }
    }
}

#[test]
fn an_address_is_read_from_a_file_like_any_other_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("url");
    std::fs::write(&file, "postgres://u:hunter2@localhost/tenure\n").unwrap();
    let sources = sources(&[("TENURE_POSTGRES__URL_FILE", file.to_str().unwrap())]);
    let config = Config::load(&sources).unwrap();
    assert_eq!(config.postgres.url.expose(), "postgres://u:hunter2@localhost/tenure");
    let setting = config.settings.iter().find(|setting| setting.key == "postgres.url").unwrap();
    assert_eq!((&setting.value, setting.is_set), (&"postgres://u:***@localhost/tenure".into(), true));
    assert!(setting.is_secret && setting.origin == Origin::Environment);
}

#[test]
fn a_secret_of_stripes_is_told_by_its_beginning_comes_from_a_file_and_is_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stripe");
    std::fs::write(&file, "whsec_planted0123456789\nwhsec_planted9876543210\n").unwrap();
    let settled = settle(&[("TENURE_STRIPE__WEBHOOK_SECRET_FILE", file.to_str().unwrap())], true).unwrap();
    assert_eq!(settled.config.stripe.webhook_secret.expose().split_whitespace().count(), 2);
    assert!(!format!("{settled:?}").contains("planted"));
    for odd in ["planted-key", "whsec_short", "whsec_planted0123456789 planted", "sk_live_planted0123456789"]
    {
        let message = error(&[("TENURE_STRIPE__WEBHOOK_SECRET", odd)], true);
        assert!(message.starts_with("stripe.webhook_secret holds something") && !message.contains("planted"));
        assert_eq!(message.lines().count(), 1, "{message}");
    }
    for odd in ["0s", "61m"] {
        assert!(
            error(&[("TENURE_STRIPE__TOLERANCE", odd)], true).starts_with("stripe.tolerance is"),
            "{odd}"
        );
    }
    for odd in [r#"{past_due = "golden"}"#, r#"{golden = "active"}"#] {
        assert!(error(&[("TENURE_STRIPE__STATUSES", odd)], true).starts_with("stripe.statuses"), "{odd}");
    }
}

#[test]
fn a_collector_is_named_by_our_settings_or_by_opentelemetrys_own_and_its_headers_are_never_shown() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318/");
    let headers = ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer hunter2, x-tenant=1");
    let environment = [endpoint, headers, ("OTEL_SERVICE_NAME", "id"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "")];
    let config = Config::load(&sources(&environment)).unwrap();
    let telemetry = &config.telemetry;
    assert_eq!(telemetry.uri("traces").unwrap(), "http://127.0.0.1:4318/v1/traces");
    assert_eq!(telemetry.headers().unwrap()["authorization"], "Bearer hunter2");
    assert_eq!(telemetry.service_name, "id");
    assert!(!format!("{:?}", config.settings).contains("hunter2"));
    assert!(!format!("{config:?} {:?}", telemetry.headers()).contains("hunter2"));
    // Ours win.
    let ours = [endpoint, ("TENURE_TELEMETRY__ENDPOINT", "https://collector.example.com")];
    let uri = Config::load(&sources(&ours)).unwrap().telemetry.uri("metrics").unwrap();
    assert_eq!(uri, "https://collector.example.com/v1/metrics");
    // What is asked for and not there is refused, and what nobody uses is not.
    let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    assert!(error(&[endpoint, grpc], true).contains("only http/protobuf is spoken here"));
    settle(&[grpc], true).unwrap();
    for (setting, value, told) in [
        ("ENDPOINT", "collector:4318", "telemetry.endpoint is no address"),
        ("ENDPOINT", "http://me:hunter2@collector", "telemetry.endpoint is no address"),
        ("HEADERS", "Bearer hunter2", "telemetry.headers is not written as"),
        ("SAMPLE_RATIO", "1.5", "telemetry.sample_ratio is 1.5"),
        ("INTERVAL", "10ms", "telemetry.interval is 10ms"),
    ] {
        let said = error(&[endpoint, (&format!("TENURE_TELEMETRY__{setting}"), value)], true);
        assert!(said.contains(told) && !said.contains("hunter2"), "{said}");
    }
    let away = [
        ("TENURE_SERVER__PUBLIC_URL", "https://id.example.com"),
        ("TENURE_TELEMETRY__ENDPOINT", "http://collector.example.com:4318"),
    ];
    settle(&away, false).unwrap();
    assert!(error(&[&away[..], &[headers]].concat(), false).contains("in the clear"));
}

#[test]
fn a_key_of_the_other_system_is_taken_as_it_is_shown_to_nobody_and_refused_if_it_can_be_guessed() {
    let key = "MIGRATION__SIMPLEJWT_KEY";
    let key = &format!("TENURE_{key}")[..];
    // Each would be something else to whoever reads values as TOML.
    for text in [
        "12345678901234567890123456789012",
        "[planted-secret-of-the-old-back-end]",
        "\"planted-secret-of-the-old-back-end",
        "{planted-secret-of-the-old-back-end}",
    ] {
        let settled = settle(&[(key, text)], true).unwrap();
        assert_eq!(settled.config.migration.simplejwt_key.expose(), text);
        assert!(!format!("{settled:?}").contains(text), "{text}");
        let setting = settled.config.settings.iter().find(|it| it.key == "migration.simplejwt_key").unwrap();
        assert_eq!((&setting.value, setting.is_secret), (&"***".into(), true));
    }
    let production = ("TENURE_SERVER__PUBLIC_URL", "https://id.example.com");
    for weak in ["too short", "django-insecure-x1#0d(planted)planted-planted-planted-planted"] {
        let message = error(&[(key, weak), production], false);
        assert!(
            message.starts_with("migration.simplejwt_key is shorter") && !message.contains(weak),
            "{message}"
        );
        settle(&[(key, weak)], true).unwrap();
        settle(&[(key, weak), production, ("TENURE_MIGRATION__SIMPLEJWT_WEAK_KEY_ALLOWED", "true")], false)
            .unwrap();
    }
    let pem = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    assert!(error(&[(key, pem)], true).contains("for a key pair say RS256"));
    let rs256 = ("TENURE_MIGRATION__SIMPLEJWT_ALGORITHM", "RS256");
    assert!(error(&[(key, pem), rs256], true).contains("has 2048 to 8192 bits"));
    let private = "-----BEGIN PRIVATE KEY-----\nplanted\n-----END PRIVATE KEY-----\n";
    let message = error(&[(key, private), rs256], true);
    assert!(message.contains("give the public one") && !message.contains("planted"), "{message}");
    for odd in ["none", "hs256", "ES256", ""] {
        let message = error(&[("TENURE_MIGRATION__SIMPLEJWT_ALGORITHM", odd)], true);
        assert!(message.starts_with("migration.simplejwt_algorithm"), "{message}");
    }
}

#[test]
fn a_window_is_open_until_a_time_that_can_be_read() {
    let until = "TENURE_MIGRATION__EXCHANGE_UNTIL";
    assert_eq!(settle(&[], true).unwrap().config.migration.exchange_until, None);
    let settled = settle(&[(until, "2026-12-31T00:00:00Z")], true).unwrap();
    assert_eq!(settled.config.migration.exchange_until.map(|at| at.as_ms()), Some(1_798_675_200_000));
    for odd in ["tomorrow", "2026-12-31", "20d", "1798675200"] {
        assert!(error(&[(until, odd)], true).starts_with("migration.exchange_until"), "{odd}");
    }
}
