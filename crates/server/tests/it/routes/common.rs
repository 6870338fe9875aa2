//! What all routes have in common: paths, methods, ids, CORS.

use crate::world::{Setup, TestApp};

#[tokio::test]
async fn a_trailing_slash_is_optional_everywhere() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    for path in ["/api/v1/system/ping/", "/api/v1/auth/profile/", "/.well-known/jwks.json/", "/api/docs/"] {
        app.client.get(path).bearer(&browser.access).send().await.expect(200);
    }
    let answer = browser.call("POST", "/api/v1/auth/refresh/").send().await.expect(200);
    browser.receive(&answer);
    browser.call("DELETE", "/api/v1/auth/refresh/").send().await.expect(204);
}

#[tokio::test]
async fn an_unknown_path_is_a_problem_of_its_own() {
    let app = TestApp::new().await;
    for path in ["/nothing", "/api/v1", "/api/v1/auth", "/api/v2/auth/login", "/api/v1/auth/logins", "//"] {
        let answer = app.client.get(path).send().await;
        if path != "//" {
            answer.expect(404).problem("not_found");
        }
    }
    let refused = app.client.get("/nothing").header("x-request-id", "support-case-17").send().await;
    let body = refused.problem("not_found");
    assert_eq!(body["request_id"], "support-case-17");
    assert_eq!(body["class"], "request");
    assert_eq!(body["type"], "/api/docs/codes#not_found");
}

#[tokio::test]
async fn another_method_is_405_and_says_which_ones_there_are() {
    let app = TestApp::new().await;
    for (method, path, allow) in [
        ("GET", "/api/v1/auth/login", "POST"),
        ("PUT", "/api/v1/auth/refresh", "POST,DELETE"),
        ("POST", "/api/v1/auth/profile", "GET,HEAD,PATCH"),
        ("TRACE", "/api/v1/auth/profile", "GET,HEAD,PATCH"),
        ("PURGE", "/api/v1/system/ping", "GET,HEAD"),
    ] {
        let answer = app.client.call(method, path).send().await.expect(405);
        answer.problem("method_not_allowed");
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
    }
}

#[tokio::test]
async fn head_answers_as_get_does_but_without_a_body() {
    let app = TestApp::new().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    let head =
        app.client.call("HEAD", "/api/v1/auth/profile").bearer(&browser.access).send().await.expect(200);
    assert!(head.body.is_empty());
    let refused = app.client.call("HEAD", "/api/v1/auth/profile").send().await.expect(401);
    assert!(refused.body.is_empty());
    app.client.call("HEAD", "/nothing").send().await.expect(404);
}

#[tokio::test]
async fn request_ids_are_taken_over_if_plain_and_made_otherwise() {
    let app = TestApp::new().await;
    let id_for = async |given: &[u8]| {
        let call = app.client.get("/api/v1/system/ping").header("x-request-id", given);
        call.send().await.header("x-request-id").to_owned()
    };
    assert_eq!(id_for(b"0af7651916cd43dd8448eb211c80319c").await, "0af7651916cd43dd8448eb211c80319c");
    for odd in [b"".as_slice(), b"short", b"with space inside", b"a\"quote\"-inside", b"\xff\xfe-binary-id"] {
        let made = id_for(odd).await;
        assert_eq!(made.len(), 16, "{odd:?}");
        assert!(made.bytes().all(|b| b.is_ascii_hexdigit()), "{made}");
    }
    let ids: std::collections::HashSet<_> = [id_for(b"").await, id_for(b"").await].into();
    assert_eq!(ids.len(), 2);
}

#[tokio::test]
async fn an_allowed_origin_may_read_answers_and_errors_with_credentials_and_no_other_may() {
    let app = Setup::default().set("ORIGINS__ALLOWED", "[\"https://app.example.com\"]").start().await;
    let ask = async |origin: &str, path: &str| app.client.get(path).header("origin", origin).send().await;
    for path in ["/api/v1/system/ping", "/api/v1/auth/profile", "/nothing"] {
        let answer = ask("https://app.example.com", path).await;
        assert_eq!(answer.header("access-control-allow-origin"), "https://app.example.com", "{path}");
        assert_eq!(answer.header("access-control-allow-credentials"), "true");
        assert!(answer.header("access-control-expose-headers").contains("x-request-id"));
        let varies: Vec<_> = answer.headers.get_all("vary").iter().map(|v| v.to_str().unwrap()).collect();
        assert!(varies.join(",").to_lowercase().contains("origin"), "{varies:?}");
        for other in ["https://evil-app.example.com", "https://app.example.com.evil.net", "null", "*"] {
            let answer = ask(other, path).await;
            assert_eq!(answer.header("access-control-allow-origin"), "", "{other}");
        }
    }
}

#[tokio::test]
async fn a_preflight_says_what_an_allowed_page_may_send() {
    let app = TestApp::new().await;
    let preflight = async |origin: &str| {
        let call = app.client.call("OPTIONS", "/api/v1/auth/refresh").header("origin", origin);
        let call = call.header("access-control-request-method", "DELETE");
        call.header("access-control-request-headers", "tenure-sent-at").send().await.expect(200)
    };
    let answer = preflight(app.origin()).await;
    assert_eq!(answer.header("access-control-allow-origin"), app.origin());
    for method in ["GET", "POST", "PATCH", "DELETE"] {
        assert!(answer.header("access-control-allow-methods").contains(method), "{method}");
    }
    for header in ["authorization", "content-type", "tenure-sent-at", "x-request-id"] {
        assert!(answer.header("access-control-allow-headers").contains(header), "{header}");
    }
    assert_eq!(preflight("https://evil.example").await.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn method_override_headers_override_nothing() {
    let app = TestApp::new().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    for name in ["x-http-method-override", "x-http-method", "x-method-override"] {
        let call = app.client.get("/api/v1/auth/profile").bearer(&browser.access).header(name, "PATCH");
        call.send().await.expect(200);
        let call = browser.call("POST", "/api/v1/auth/refresh").header(name, "DELETE");
        call.send().await.expect(200);
    }
    browser.profile().await.expect(200);
}

/// Nothing in the binary, its configuration or its environment can put the clock into anybody's hands.
#[test]
fn no_setting_enables_a_clock_other_than_the_systems() {
    let defaults = tenure::config::DEFAULTS.to_lowercase();
    let settings = defaults.lines().filter(|line| !line.starts_with('#'));
    for line in settings {
        for word in ["clock", "now", "time_", "fake", "virtual", "entropy", "seed", "test"] {
            assert!(!line.split(" = ").next().unwrap().contains(word) || line.contains("timeout"), "{line}");
        }
    }
    for key in ["SERVER__CLOCK", "SERVER__NOW", "CLOCK", "CLOCK__NOW", "NOW", "TEST__CLOCK", "FAKE_TIME"] {
        let environment = vec![(format!("TENURE_{key}"), "1795000000000".to_owned())];
        let sources = tenure::config::Sources { environment, ..Default::default() };
        let error = tenure::config::Config::load(&sources).unwrap_err().to_string();
        assert!(error.starts_with("unknown key"), "{key}: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let cli = crate::world::Cli::on(folder.path());
    for flag in ["--clock", "--now", "--time", "--fake-time", "--test", "--seed"] {
        let printed = cli.run(&["serve", "--dev", flag, "1795000000000"]).expect(2);
        assert!(printed.err.contains("unexpected argument"), "{printed:?}");
    }
}
