//! The pages: what they are filled with, and the headers they come with. They are those of
//! `crate::world::pages`; that the real ones are built as the server expects is tested where they are built.

mod forms;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::authz_table;
use crate::world::{Answer, Setup, TestApp};

/// Each page of development, with the title that the fixture gives it.
const TITLES: [(&str, &str); 8] = [
    ("/", "playground"),
    ("/sign-in", "sign-in"),
    ("/sign-up", "sign-up"),
    ("/account", "account"),
    ("/reset-password", "reset-password"),
    ("/admin", "admin"),
    ("/admin/users", "admin"),
    ("/admin/sessions/ses_0199c0a41c3b7d0ea1f0b2c3d4e5f607", "admin"),
];

/// What `attribute` says in the element that has `name`.
#[track_caller]
pub fn value_of(page: &str, name: &str, attribute: &str) -> String {
    let (_, element) =
        page.split_once(&format!("name=\"{name}\"")).unwrap_or_else(|| panic!("{name}: {page}"));
    let (element, _) = element.split_once('>').unwrap();
    let (_, value) = element.split_once(&format!("{attribute}=\"")).unwrap();
    let value = value.split_once('"').unwrap().0;
    let plain = value.replace("&quot;", "\"").replace("&#39;", "'").replace("&lt;", "<").replace("&gt;", ">");
    plain.replace("&amp;", "&")
}

fn config(page: &Answer) -> Value {
    serde_json::from_str(&value_of(&page.text(), "tenure-config", "content")).unwrap()
}

#[tokio::test]
async fn each_page_is_html_under_a_policy_that_allows_our_own_files_alone() {
    let app = TestApp::new().await;
    for (path, title) in TITLES {
        let page = app.client.get(path).send().await.expect(200).without_cookies();
        assert!(page.is_page() && page.text().contains(&format!("<title>{title}</title>")), "{path}");
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        let ours = app.origin();
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
             connect-src 'self'; form-action 'self' {ours} http://localhost:* http://*.localhost:* \
             http://127.0.0.1:*; base-uri 'none'; frame-ancestors 'none'"
        );
        assert_eq!(page.headers.get_all("content-security-policy").iter().collect::<Vec<_>>(), [&policy]);
        assert_eq!(page.header("cross-origin-opener-policy"), "same-origin");
        assert!(page.header("permissions-policy").contains("camera=()"));
    }
}

#[tokio::test]
async fn in_production_forms_may_lead_to_the_allowed_origins_and_nowhere_else() {
    let setup = Setup::default().production().set("ORIGINS__ALLOWED", "[\"https://app.example.com\"]");
    let app = setup.start().await;
    let policy =
        app.client.get("/sign-in").send().await.expect(200).header("content-security-policy").to_owned();
    let expected = "form-action 'self' https://id.example.com https://app.example.com; base-uri";
    assert!(policy.contains(expected), "{policy}");
}

#[tokio::test]
async fn a_page_is_told_what_it_needs_to_know() {
    let app = Setup::default().dev_user("dev@tenure.example", "a\"b'<&>").start().await;
    let page = app.client.get("/sign-in").send().await;
    let expected = json!({
        "remembered_lifetime": 1_728_000, "short_lifetime": 86_400, "registration_open": true,
        "development": true, "dev_user": { "email": "dev@tenure.example", "password": "a\"b'<&>" },
    });
    assert_eq!(config(&page), expected);
    assert!(page.text().contains("Remember me for 20 days"));
    for (name, attribute) in [("email", "value"), ("name", "value")] {
        assert_eq!(value_of(&page.text(), name, attribute), "");
    }
    assert!(page.text().contains("<p role=\"alert\"></p>") && !page.text().contains("checked"));
}

#[tokio::test]
async fn a_server_in_production_knows_no_user_to_try() {
    let setup = Setup::default().production().dev_user("dev@tenure.example", "correct horse");
    let setup = setup.set("SESSION__REMEMBERED_LIFETIME", "36h").set("REGISTRATION__OPEN", "false");
    let app = setup.start().await;
    let page = app.client.get("/sign-in").send().await;
    let expected = json!({
        "remembered_lifetime": 129_600, "short_lifetime": 86_400, "registration_open": false,
        "development": false, "dev_user": null,
    });
    assert_eq!(config(&page), expected);
    assert!(page.text().contains("Remember me for 36 hours"));
}

#[tokio::test]
async fn the_address_says_where_to_go_afterwards_if_we_know_the_place() {
    let app = TestApp::new().await;
    for (query, target) in [
        ("", "/account"),
        ("?return_to=%2Fx%3Fy%3D%22z", "/x?y=\"z"),
        ("?return_to=%2Fx%3Fy%3D1%26z", "/x?y=1&z"),
        ("?return_to=%2Fx%3Fy%3Da%252Bb%2Bc%23d", "/x?y=a%2Bb+c#d"),
        ("?return_to=http%3A%2F%2Flocalhost%3A5173%2Fx", "http://localhost:5173/x"),
        ("?return_to=%2F%2Fevil.example", "/account"),
        ("?return_to=javascript%3Aalert(1)", "/account"),
        ("?return_to=%2Fa&return_to=%2Fb", "/account"),
        ("?return_to=%ff&x", "/account"),
    ] {
        let page = app.client.get(&format!("/sign-in{query}")).send().await.expect(200).text();
        assert_eq!(value_of(&page, "return_to", "value"), target, "{query}");
        // The other form is told the same.
        let onward = value_of(&page, "onward", "href");
        let there = app.client.get(&format!("/{onward}")).send().await.expect(200).text();
        assert_eq!(value_of(&there, "return_to", "value"), target, "{query}");
    }
}

#[tokio::test]
async fn a_page_that_has_not_changed_is_not_sent_again() {
    let app = TestApp::new().await;
    let page = app.client.get("/sign-in").send().await.expect(200);
    let again =
        async |path: &str| app.client.get(path).header("if-none-match", page.header("etag")).send().await;
    let unchanged = again("/sign-in").await.expect(304);
    assert!(unchanged.body.is_empty() && unchanged.is_page());
    assert_eq!(unchanged.header("etag"), page.header("etag"));
    again("/sign-in?return_to=/x").await.expect(200);
    let head = app.client.call("HEAD", "/sign-in").send().await.expect(200);
    assert!(head.body.is_empty() && head.header("etag") == page.header("etag"));
}

#[tokio::test]
async fn in_production_the_root_leads_to_the_account_and_there_is_no_playground() {
    let app = Setup::default().production().start().await;
    let answer = app.client.get("/").send().await.expect(303).without_cookies();
    assert_eq!(answer.header("location"), "/account");
}

#[tokio::test]
async fn a_page_below_others_names_its_files_from_where_everything_is_served() {
    for (url, script) in [("https://id.example.com", "/assets/"), ("https://example.com/id", "/id/assets/")] {
        let app = Setup::default().production().set("SERVER__PUBLIC_URL", url).start().await;
        let page = app.client.get("/admin/users/usr_1").send().await.expect(200).text();
        assert!(page.contains(&format!("src=\"{script}app-Ab12_x.js\"")), "{page}");
    }
}

#[tokio::test]
async fn password_managers_find_the_form_that_changes_a_password() {
    for (url, location) in
        [("https://id.example.com", "/account#password"), ("https://example.com/id", "/id/account#password")]
    {
        let app = Setup::default().production().set("SERVER__PUBLIC_URL", url).start().await;
        let answer = app.client.get("/.well-known/change-password").send().await.expect(303);
        assert_eq!(answer.header("location"), location);
    }
}

#[tokio::test]
async fn a_build_without_pages_says_so_and_works_otherwise() {
    let app = Setup::default().without_pages().start().await;
    let user = app.user("ada").await;
    for (path, _) in TITLES {
        let page = app.client.get(path).send().await.expect(200);
        assert!(!page.is_page() && page.text().contains("its pages are not in this build"), "{path}");
        assert!(page.text().contains("<code>cargo xtask run</code> builds them"), "{path}");
    }
    app.client.get("/assets/app-Ab12_x.js").send().await.expect(404).problem("not_found");
    let refused =
        forms::post(&app, "/sign-in", &[("email", &user.email), ("password", "wrong")]).send().await;
    refused.expect(401).problem("invalid_credentials");
    app.signed_in(&user).await;
}

#[tokio::test]
async fn every_page_serves_the_methods_of_its_rows_and_no_others() {
    let app = TestApp::new().await;
    let paths: BTreeSet<_> = authz_table::PAGES.iter().map(|row| row.path).collect();
    for path in paths {
        let rows = authz_table::PAGES.iter().filter(|row| row.path == path);
        let mut expected: BTreeSet<_> = rows.map(|row| row.method).collect();
        expected.insert("HEAD");
        let answer = app.client.call("PUT", &path.replace("{file}", "x.js")).send().await.expect(405);
        let allowed: BTreeSet<_> = answer.header("allow").split(',').map(str::trim).collect();
        assert_eq!(allowed, expected, "{path}");
    }
}
