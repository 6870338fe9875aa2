//! `/api/v1/admin/accounts`

use serde_json::{Value, json};
use tenure_domain::user::Role;

use crate::world::SECOND;

use super::{acts, call, check, get, refuses, ruled, send, somebody};

#[tokio::test]
async fn a_suspension_blocks_the_next_request_of_the_account_and_signs_nobody_out() {
    let (app, root_user, root) = ruled().await;
    let (ada_user, mut ada) = somebody(&app, "ada", Role::User).await;
    let account = app.store().user_find(ada_user.id).await.unwrap().unwrap().account_id.unwrap();
    let path = format!("/accounts/{account}");
    check(&app, &ada, "active_account").await.expect(200);
    for (status, answered, code) in [
        ("suspended", 403, "account_suspended"),
        ("cancelled", 403, "account_cancelled"),
        ("pending_payment", 200, ""),
        ("active", 200, ""),
    ] {
        let changed = send(&root, "PATCH", &path, &json!({ "status": status, "reason": "asked" })).await;
        assert_eq!(changed.expect(200).json()["status"], status);
        let answer = check(&app, &ada, "active_account").await.expect(answered);
        if answered != 200 {
            answer.problem(code);
        }
        ada.refresh().await.expect(200);
    }
    let recorded = acts(&root, &account.to_string()).await;
    let by_root = format!("admin:{}", root_user.id);
    assert_eq!(recorded.len(), 4);
    assert!(recorded.iter().all(|[by, why, what, _]| (*by == by_root) && why == "asked" && what == "status"));
}

#[tokio::test]
async fn an_account_is_created_changed_and_listed() {
    let (app, _, root) = ruled().await;
    send(&root, "PUT", "/plans/pro", &json!({ "name": "Pro", "is_active": true, "reason": "launch" }))
        .await
        .expect(200);
    app.clock.advance(SECOND);
    let wish = json!({ "name": "  Acme ", "status": "trial", "plan": "pro", "reason": "signed" });
    let made = send(&root, "POST", "/accounts", &wish).await.expect(201).json();
    let path = format!("/accounts/{}", made["id"].as_str().unwrap());
    assert_eq!(
        (&made["name"], &made["status"], &made["plan"]),
        (&json!("Acme"), &json!("trial"), &json!("pro"))
    );
    assert_eq!(get(&root, &path).await, made);
    // What is left out stays; null takes away.
    let change = json!({ "is_system": true, "stripe_customer": "cus_1", "reason": "ours" });
    let changed = send(&root, "PATCH", &path, &change).await.expect(200).json();
    assert_eq!(
        (&changed["is_system"], &changed["stripe_customer"], &changed["plan"]),
        (&json!(true), &json!("cus_1"), &json!("pro"))
    );
    let change = json!({ "plan": null, "stripe_customer": null, "reason": "over" });
    let changed = send(&root, "PATCH", &path, &change).await.expect(200).json();
    assert_eq!(
        (&changed["plan"], &changed["stripe_customer"], &changed["name"]),
        (&Value::Null, &Value::Null, &json!("Acme"))
    );

    // Page by page, each once.
    let mut names = vec![];
    let mut next = String::new();
    loop {
        let page = get(&root, &format!("/accounts?limit=1{next}")).await;
        let Some(after) = page["next"].as_str() else { break };
        names.extend(page["accounts"].as_array().unwrap().iter().map(|account| account["name"].clone()));
        next = format!("&after={after}");
    }
    assert_eq!(names, ["root", "Acme"]);
}

#[tokio::test]
async fn what_is_wrong_with_an_account_is_told_by_field_and_nothing_changes() {
    let (_app, _, root) = ruled().await;
    let made =
        send(&root, "POST", "/accounts", &json!({ "name": "Acme", "reason": "x" })).await.expect(201).json();
    let other =
        send(&root, "POST", "/accounts", &json!({ "name": "Other", "reason": "x" })).await.expect(201).json();
    let path = |account: &Value| format!("/accounts/{}", account["id"].as_str().unwrap());
    let customer = json!({ "stripe_customer": "cus_1", "reason": "x" });
    send(&root, "PATCH", &path(&other), &customer).await.expect(200);
    refuses(
        &root,
        "PATCH",
        &path(&made),
        &[
            (json!({ "status": "melted", "reason": "x" }), "status", "not_a_status"),
            (json!({ "name": "", "reason": "x" }), "name", "not_a_name"),
            (json!({ "plan": "No Plan", "reason": "x" }), "plan", "not_a_plan"),
            (json!({ "plan": "none", "reason": "x" }), "plan", "no_such_plan"),
            (json!({ "stripe_customer": "", "reason": "x" }), "stripe_customer", "not_an_id"),
            (json!({ "stripe_customer": "cus_1", "reason": "x" }), "stripe_customer", "taken"),
            (json!({ "status": "active", "reason": " " }), "reason", "not_a_reason"),
            (json!({ "status": "active", "reason": "x".repeat(501) }), "reason", "not_a_reason"),
        ],
    )
    .await;
    refuses(
        &root,
        "POST",
        "/accounts",
        &[
            (json!({ "name": "New", "plan": "none", "reason": "x" }), "plan", "no_such_plan"),
            (json!({ "name": "\u{7}", "reason": "x" }), "name", "not_a_name"),
        ],
    )
    .await;
    // A name that is misspelt, and a reason that is missing, are not passed over.
    for body in [json!({ "statuss": "active", "reason": "x" }), json!({ "status": "active" }), json!([])] {
        send(&root, "PATCH", &path(&made), &body).await.expect(422).problem("validation_failed");
    }
    for gone in ["/accounts/acc_00000000000000000000000000000000", "/accounts/7", "/accounts/..%2f"] {
        call(&root, "GET", gone).send().await.expect(404).problem("not_found");
        send(&root, "PATCH", gone, &json!({ "status": "active", "reason": "x" })).await.expect(404);
    }
    for query in ["after=7", "after="] {
        call(&root, "GET", &format!("/accounts?{query}"))
            .send()
            .await
            .expect(422)
            .problem("validation_failed");
    }
    call(&root, "GET", "/accounts?limit=many").send().await.expect(400).problem("malformed_request");
    assert_eq!(get(&root, "/accounts?limit=0").await["accounts"].as_array().unwrap().len(), 1);
    assert_eq!(get(&root, &path(&made)).await, made);
    assert_eq!(get(&root, "/accounts").await["accounts"].as_array().unwrap().len(), 3);
}
