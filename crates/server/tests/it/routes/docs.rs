//! The pages that explain the API, and the document that is its contract.

use std::collections::BTreeSet;

use serde_json::Value;
use tenure_domain::problem::Code;

use crate::world::{Setup, TestApp};

/// What answers besides the document's operations: pages for people.
const PAGES: [&str; 3] = ["/api/docs", "/api/docs/codes", "/api/docs/style.css"];

/// Every operation of the document as (method, path).
pub fn operations(document: &Value) -> BTreeSet<(String, String)> {
    let methods = ["get", "put", "post", "patch", "delete", "head", "options", "trace"];
    let mut operations = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys().filter(|key| methods.contains(&key.as_str())) {
            operations.insert((method.to_uppercase(), path.clone()));
        }
    }
    operations
}

#[tokio::test]
async fn every_operation_of_the_document_is_served() {
    let app = Setup::default().set("STRIPE__WEBHOOK_SECRET", "whsec_0123456789abcdef").start().await;
    let document = app.client.get("/api/openapi.json").send().await.expect(200).json();
    let operations = operations(&document);
    assert!(operations.len() >= 14);
    for (method, path) in operations {
        let answer = app.client.call(&method, &path.replace("{id}", "x")).send().await;
        assert!(!matches!(answer.status, 404 | 405), "{method} {path}: {}", answer.status);
    }
}

/// The `Allow` header of a refused method lists what a path does serve; the document must say the same.
#[tokio::test]
async fn every_served_method_of_a_documented_path_is_in_the_document() {
    let app = TestApp::new().await;
    let document = app.client.get("/api/openapi.json").send().await.json();
    let documented = operations(&document);
    let paths: BTreeSet<_> = documented.iter().map(|(_, path)| path.clone()).collect();
    for path in paths {
        let answer = app
            .client
            .call("TRACE", &path.replace("{id}", "x").replace("{slug}", "x"))
            .send()
            .await
            .expect(405);
        let allowed: BTreeSet<_> = answer.header("allow").split(',').map(|m| m.trim().to_owned()).collect();
        let said = documented.iter().filter(|(_, p)| *p == path).map(|(method, _)| method.clone());
        let mut said: BTreeSet<_> = said.collect();
        if said.contains("GET") {
            said.insert("HEAD".into());
        }
        assert_eq!(allowed, said, "{path}");
    }
}

/// The page of routes in the source, read as text, so that a route cannot be served without being written down.
#[test]
fn every_route_in_the_source_is_in_the_document_or_a_page() {
    let source = include_str!("../../../src/http.rs");
    let routes = source.split(".route(").skip(1).map(|rest| rest.split('"').nth(1).unwrap());
    let document = tenure::http::openapi::document();
    let mut count = 0;
    for route in routes {
        let documented = &document["paths"];
        let nested = format!("/api/v1{route}");
        let page = PAGES.contains(&route) || crate::authz_table::PAGES.iter().any(|row| row.path == route);
        let known = page || !documented[route].is_null() || !documented[&nested].is_null();
        assert!(known, "{route} is served but not documented");
        count += 1;
    }
    assert!(count >= 15, "the source is read as it is written: {count}");
}

#[tokio::test]
async fn the_document_names_the_closed_list_of_codes() {
    let app = TestApp::new().await;
    let document = app.client.get("/api/openapi.json").send().await.json();
    let listed = document["components"]["schemas"]["ErrorCode"]["enum"].as_array().unwrap().clone();
    let codes: Vec<Value> = Code::ALL.iter().map(|code| code.as_str().into()).collect();
    assert_eq!(listed, codes);
    assert_eq!(document["openapi"], "3.1.0");
}

#[tokio::test]
async fn the_pages_are_html_without_scripts() {
    let app = TestApp::new().await;
    for page in PAGES {
        let answer = app.client.get(page).send().await.expect(200);
        let text = answer.text();
        if page.ends_with(".css") {
            assert!(answer.header("content-type").starts_with("text/css"));
            continue;
        }
        assert!(answer.header("content-type").starts_with("text/html"), "{page}");
        assert!(text.starts_with("<!doctype html>") && !text.contains("<script"), "{page}");
        assert!(answer.header("content-security-policy").contains("style-src 'self'"), "{page}");
    }
}

#[tokio::test]
async fn every_code_has_an_anchor_where_its_type_points() {
    let app = TestApp::new().await;
    let page = app.client.get("/api/docs/codes").send().await.expect(200).text();
    for code in Code::ALL {
        assert!(page.contains(&format!("id=\"{code}\"")), "{code}");
    }
}
