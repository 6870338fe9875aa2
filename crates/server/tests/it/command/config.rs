//! `tenure config`

use serde_json::Value;

use crate::world::Cli;

fn nowhere() -> (tempfile::TempDir, Cli) {
    let folder = tempfile::tempdir().unwrap();
    let cli = Cli::on(&folder.path().join("data"));
    (folder, cli)
}

#[test]
fn check_is_0_for_what_would_serve_and_1_for_each_thing_to_mend() {
    let (folder, cli) = nowhere();
    cli.run(&["config", "check", "--dev"]).expect(0);
    let printed = cli.run(&["config", "check"]).expect(1);
    assert!(printed.err.contains("server.public_url is empty"), "{printed:?}");
    let cli = cli.env("TENURE_SERVER__PUBLIC_URL", "https://id.example.com");
    let printed = cli.run(&["config", "check"]).expect(1);
    assert!(printed.err.contains("TENURE_SECRET"), "{printed:?}");
    let secret = cli.run(&["config", "secret"]).expect(0).out.trim().to_owned();
    let cli = cli.env("TENURE_SECRET", &secret);
    assert_eq!(cli.json(&["config", "check"])["public_url"], "https://id.example.com");
    let cli = cli.env("TENURE_SESSION__SETTLE", "20s");
    cli.run(&["config", "check"]).expect(1);
    assert!(!folder.path().join("data").exists(), "checking makes nothing");
}

#[test]
fn what_may_be_meant_of_a_move_is_told_and_refuses_nothing() {
    let (_folder, cli) = nowhere();
    let cli = cli.env("TENURE_MIGRATION__SIMPLEJWT_WEAK_KEY_ALLOWED", "true");
    assert_eq!(cli.json(&["config", "check", "--dev"])["warnings"], Value::Array(vec![]));
    let warned = |until: &str, key: &str| {
        let (_folder, cli) = nowhere();
        let cli =
            cli.env("TENURE_MIGRATION__EXCHANGE_UNTIL", until).env("TENURE_MIGRATION__SIMPLEJWT_KEY", key);
        cli.run(&["config", "check", "--dev"]).expect(0).out
    };
    let past = warned("2026-01-01T00:00:00Z", "a key");
    assert!(past.contains("warning: migration.exchange_until was 2026-01-01"), "{past}");
    let far = warned("2099-01-01T00:00:00Z", "");
    assert!(far.contains("warning: migration.simplejwt_key is not set"), "{far}");
    assert!(far.contains("warning: migration.exchange_until is more than 400 days away"), "{far}");
}

#[test]
fn an_unknown_key_is_refused_with_a_hint_by_every_command() {
    let (_folder, cli) = nowhere();
    let cli = cli.env("TENURE_SESSION__SETTEL", "90s");
    for verb in
        [vec!["config", "print"], vec!["serve", "--dev"], vec!["user", "list"], vec!["migrate", "status"]]
    {
        let printed = cli.run(&verb).expect(2);
        assert!(printed.err.contains("did you mean `settle`?"), "{printed:?}");
    }
    cli.run(&["config", "check", "--dev"]).expect(1);
}

#[test]
fn print_says_where_each_setting_comes_from_and_no_secret() {
    let (_folder, cli) = nowhere();
    let cli = cli.env("TENURE_SECRET", "planted-master-secret").env("TENURE_SESSION__SETTLE", "120s");
    let cli = cli.env("TENURE_STRIPE__WEBHOOK_SECRET", "whsec_planted0123456789 whsec_planted9876543210");
    let rows = cli.json(&["config", "print"]);
    let settle = rows.as_array().unwrap().iter().find(|row| row["key"] == "session.settle").unwrap();
    assert_eq!(
        (&settle["origin"], &settle["value"]),
        (&Value::from("environment"), &Value::from("\"120s\""))
    );
    let webhook = rows.as_array().unwrap().iter().find(|row| row["key"] == "stripe.webhook_secret").unwrap();
    assert_eq!(webhook["value"], "\"***\"");
    assert!(!rows.to_string().contains("planted"));
    assert!(!cli.run(&["config", "print"]).expect(0).out.contains("planted"));
}

#[test]
fn a_fresh_configuration_passes_the_check_and_every_secret_is_another() {
    let (folder, cli) = nowhere();
    let file = folder.path().join("tenure.toml");
    std::fs::write(&file, cli.run(&["config", "init"]).expect(0).out).unwrap();
    let secrets: Vec<_> = (0..3).map(|_| cli.run(&["config", "secret"]).expect(0).out).collect();
    assert!(secrets[0] != secrets[1] && secrets[1] != secrets[2] && secrets[0].trim().len() == 43);
    let cli = cli.env("TENURE_SECRET", secrets[0].trim()).env("TENURE_CONFIG", file.to_str().unwrap());
    cli.run(&["config", "check"]).expect(0);
    cli.env("TENURE_CONFIG", "missing.toml").run(&["config", "check"]).expect(1);
}

#[test]
fn a_bad_master_secret_is_named_but_not_shown() {
    let (_folder, cli) = nowhere();
    for bad in ["too-short", "not base64 at all!", "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE"] {
        let cli = Cli::on(std::path::Path::new("nowhere")).env("TENURE_SECRET", bad);
        let cli = cli.env("TENURE_SERVER__PUBLIC_URL", "https://id.example.com");
        let printed = cli.run(&["config", "check"]).expect(1);
        assert!(printed.err.contains("TENURE_SECRET: ") && !printed.err.contains(bad), "{printed:?}");
    }
    assert!(cli.run(&["config", "reference"]).expect(0).out.contains("| `settle` | `\"90s\"` |"));
}
