//! `/assets/{file}` and the favicon.

use crate::world::pages::{ICON, SCRIPT, SCRIPT_BR, SCRIPT_GZIP, STYLE};
use crate::world::{Answer, TestApp};

const PATH: &str = "/assets/app-Ab12_x.js";

async fn ask(app: &TestApp, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut call = app.client.get(path);
    for (name, value) in headers {
        call = call.header(name, value);
    }
    call.send().await
}

fn varies(answer: &Answer) -> String {
    let lines: Vec<_> = answer.headers.get_all("vary").iter().map(|line| line.to_str().unwrap()).collect();
    lines.join(", ")
}

#[tokio::test]
async fn an_asset_comes_in_the_smallest_form_that_the_browser_understands() {
    let app = TestApp::new().await;
    let mut tags = std::collections::HashSet::new();
    for (accepted, encoding, body) in [
        (None, "", SCRIPT),
        (Some("gzip, deflate, br, zstd"), "br", SCRIPT_BR),
        (Some("gzip, deflate"), "gzip", SCRIPT_GZIP),
        (Some("br;q=0, gzip;q=0.1"), "gzip", SCRIPT_GZIP),
        (Some("identity"), "", SCRIPT),
    ] {
        let accepted: Vec<_> = accepted.iter().map(|accepted| ("accept-encoding", *accepted)).collect();
        let answer = ask(&app, PATH, &accepted).await.expect(200).without_cookies();
        assert_eq!((answer.header("content-encoding"), answer.body.as_slice()), (encoding, body));
        assert_eq!(answer.header("content-type"), "text/javascript; charset=utf-8");
        assert_eq!(answer.header("content-length"), body.len().to_string());
        assert_eq!(varies(&answer), "Accept-Encoding, Origin");
        tags.insert(answer.header("etag").to_owned());
    }
    // A strong tag names bytes, so each form has one of its own.
    assert_eq!(tags.len(), 3, "{tags:?}");
    assert!(tags.iter().all(|tag| tag.starts_with('"') && tag.len() == 24), "{tags:?}");
}

#[tokio::test]
async fn what_was_not_compressed_comes_as_it_is() {
    let app = TestApp::new().await;
    let all = [("accept-encoding", "br, gzip")];
    let style = ask(&app, "/assets/app-Cd34.css", &all).await.expect(200);
    assert_eq!((style.header("content-type"), style.body.as_slice()), ("text/css; charset=utf-8", STYLE));
    let icon = ask(&app, "/favicon.svg", &all).await.expect(200);
    assert_eq!((icon.header("content-type"), icon.body.as_slice()), ("image/svg+xml", ICON));
    for answer in [style, icon] {
        assert_eq!(answer.header("content-encoding"), "");
    }
    ask(&app, "/favicon.ico", &all).await.expect(404).problem("not_found");
}

#[tokio::test]
async fn a_browser_that_has_it_is_told_so() {
    let app = TestApp::new().await;
    for path in [PATH, "/favicon.svg"] {
        let br = ("accept-encoding", "br");
        let tag = ask(&app, path, &[br]).await.expect(200).header("etag").to_owned();
        for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".into()] {
            let answer = ask(&app, path, &[br, ("if-none-match", &known)]).await.expect(304);
            assert!(answer.body.is_empty() && answer.header("etag") == tag, "{answer:?}");
            assert_eq!(varies(&answer), "Accept-Encoding, Origin");
        }
        ask(&app, path, &[br, ("if-none-match", "\"other\"")]).await.expect(200);
    }
    // What it has is another form of it.
    let tag = ask(&app, PATH, &[("accept-encoding", "br")]).await.header("etag").to_owned();
    ask(&app, PATH, &[("if-none-match", &tag)]).await.expect(200);
}

#[tokio::test]
async fn head_says_what_get_would() {
    let app = TestApp::new().await;
    let head = app.client.call("HEAD", PATH).header("accept-encoding", "gzip").send().await.expect(200);
    assert!(head.body.is_empty());
    assert_eq!(head.header("content-length"), SCRIPT_GZIP.len().to_string());
    assert_eq!(head.header("content-encoding"), "gzip");
}

#[tokio::test]
async fn nothing_else_is_served_from_there() {
    let app = TestApp::new().await;
    for path in [
        "/assets/unknown-Ab12.js",
        "/assets/app-Ab12_x.js.br",
        "/assets/.hidden.js",
        "/assets/notes.txt",
        "/assets/..%2fsecret.js",
        "/assets/%2e%2e%2fsecret.js",
        "/assets/..%5csecret.js",
        "/assets/%00.js",
        "/assets/%2fetc%2fpasswd",
        "/assets/app-Ab12_x.js%00",
        "/assets/sub/app-Ab12_x.js",
        "/assets/",
        "/sign-in.html",
    ] {
        ask(&app, path, &[]).await.expect(404).without_cookies().problem("not_found");
    }
}
