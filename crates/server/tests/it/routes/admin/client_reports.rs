//! `/api/v1/admin/client-reports`

use serde_json::{Value, json};
use tenure_domain::user::Role;

use super::{call, get, refused, ruled, somebody};
use crate::world::{SECOND, TestApp};

async fn report(app: &TestApp, token: Option<&str>, said: &Value) {
    let mut call = app.client.post("/api/v1/auth/logout-event", said);
    if let Some(token) = token {
        call = call.bearer(token);
    }
    call.send().await.expect(202);
    app.clock.advance(SECOND);
}

#[tokio::test]
async fn reports_are_listed_found_and_counted_as_the_command_line_has_them() {
    let (app, _, root) = ruled().await;
    let (ada_user, ada) = somebody(&app, "ada", Role::User).await;
    let begun = app.clock.get().as_ms();
    report(&app, Some(&ada.access), &json!({ "type": "USER_ACTION", "reason": "signed_out" })).await;
    report(&app, None, &json!({ "type": "AUTH_ERROR", "session": ada.session })).await;
    report(&app, None, &json!({ "type": "AUTH_ERROR", "message": "<script>" })).await;
    let all = get(&root, "/client-reports").await;
    let reports = all["reports"].as_array().unwrap();
    let numbers: Vec<_> = reports.iter().map(|report| report["number"].as_u64().unwrap()).collect();
    assert!(numbers.len() == 3 && numbers.is_sorted());
    assert_eq!(all["next"], numbers[2]);
    assert_eq!(
        [
            &reports[0]["verified_session"],
            &reports[0]["verified_user"],
            &reports[0]["type"],
            &reports[0]["reason"]
        ],
        [&json!(ada.session), &json!(ada_user.id), &json!("USER_ACTION"), &json!("signed_out")]
    );
    let find = async |query: &str| {
        let found = get(&root, &format!("/client-reports?{query}")).await;
        let reports = found["reports"].as_array().unwrap().clone();
        reports.iter().map(|report| report["number"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(find(&format!("session={}", ada.session)).await, numbers[..2]);
    assert_eq!(find("kind=AUTH_ERROR").await, numbers[1..]);
    assert_eq!(find(&format!("kind=AUTH_ERROR&session={}", ada.session)).await, numbers[1..2]);
    assert_eq!(find(&format!("since={}", begun + 1000)).await, numbers[1..]);
    assert_eq!(find(&format!("after={}&limit=1", numbers[0])).await, numbers[1..2]);
    assert!(find(&format!("after={}", numbers[2])).await.is_empty());
    let stats = get(&root, &format!("/client-reports/stats?since={}", begun + 1000)).await;
    assert_eq!(
        [&stats["total"], &stats["since"], &stats["by_type"]],
        [&json!(2), &json!(begun + 1000), &json!([{ "name": "AUTH_ERROR", "count": 2 }])]
    );
    assert_eq!(get(&root, "/client-reports/stats").await["total"], 3);
    for (query, field, code) in [("kind=OTHER", "kind", "not_a_kind"), ("session=7", "session", "not_an_id")]
    {
        assert_eq!(refused(&root, &format!("/client-reports?{query}")).await, [field, code]);
    }
    call(&root, "GET", "/client-reports?after=x").send().await.expect(400).problem("malformed_request");
}
