//! `/api/v1/admin/plans`

use serde_json::json;
use tenure_domain::user::Role;

use super::{acts, check, get, refuses, ruled, send, somebody};

#[tokio::test]
async fn a_plan_that_is_switched_off_is_402_for_whoever_has_it_until_it_is_on_again() {
    let (app, root_user, root) = ruled().await;
    let (ada_user, mut ada) = somebody(&app, "ada", Role::User).await;
    let account = app.store().user_find(ada_user.id).await.unwrap().unwrap().account_id.unwrap();
    let terms = json!({ "seats": 5, "projects": null });
    let wish = |is_active| {
        json!({ "name": "Pro", "is_active": is_active, "limits": terms, "features": ["export"],
                "stripe_price": "price_1", "reason": "launch" })
    };
    let saved = send(&root, "PUT", "/plans/pro", &wish(true)).await.expect(200).json();
    assert_eq!((&saved["limits"], &saved["features"]), (&terms, &json!(["export"])));
    let change = json!({ "plan": "pro", "reason": "bought" });
    send(&root, "PATCH", &format!("/accounts/{account}"), &change).await.expect(200);
    let needs = "plan:pro,feature:export,limit:seats=5";
    check(&app, &ada, needs).await.expect(200);
    send(&root, "PUT", "/plans/pro", &wish(false)).await.expect(200);
    check(&app, &ada, needs).await.expect(402).problem("plan_inactive");
    ada.refresh().await.expect(200);
    // Those that are switched off are not sold any more, and administrators still see them.
    let sold = app.client.get("/api/v1/auth/plans").send().await.expect(200).json();
    assert_eq!(sold["plans"], json!([]));
    assert_eq!(get(&root, "/plans").await["plans"][0]["is_active"], false);
    send(&root, "PUT", "/plans/pro", &wish(true)).await.expect(200);
    check(&app, &ada, needs).await.expect(200);
    app.clock.advance(crate::world::SECOND);
    // A whole plan is put: what is left out is not so.
    let bare = json!({ "name": "Pro", "is_active": true, "reason": "smaller" });
    let saved = send(&root, "PUT", "/plans/pro", &bare).await.expect(200).json();
    assert_eq!((&saved["limits"], &saved["stripe_price"]), (&json!({}), &json!(null)));
    check(&app, &ada, "feature:export").await.expect(402).problem("plan_missing");
    let [newest, ..] = &acts(&root, "plan:pro").await[..] else { panic!("no acts") };
    assert_eq!(
        (newest[0].as_str(), newest[1].as_str()),
        (format!("admin:{}", root_user.id).as_str(), "smaller")
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_plan_is_told_by_field() {
    let (_app, _, root) = ruled().await;
    let wish = json!({ "name": "Basic", "is_active": true, "stripe_price": "price_1", "reason": "x" });
    send(&root, "PUT", "/plans/basic", &wish).await.expect(200);
    let many: serde_json::Map<_, _> = (0..101).map(|n| (format!("limit{n}"), json!(n))).collect();
    refuses(
        &root,
        "PUT",
        "/plans/pro",
        &[
            (json!({ "name": " ", "is_active": true, "reason": "x" }), "name", "not_a_name"),
            (
                json!({ "name": "Pro", "is_active": true, "limits": many, "reason": "x" }),
                "limits",
                "not_limits",
            ),
            (
                json!({ "name": "Pro", "is_active": true, "limits": { "No": 1 }, "reason": "x" }),
                "limits",
                "not_limits",
            ),
            (
                json!({ "name": "Pro", "is_active": true, "features": ["a b"], "reason": "x" }),
                "features",
                "not_features",
            ),
            (
                json!({ "name": "Pro", "is_active": true, "stripe_price": "a b", "reason": "x" }),
                "stripe_price",
                "not_an_id",
            ),
            (
                json!({ "name": "Pro", "is_active": true, "stripe_price": "price_1", "reason": "x" }),
                "stripe_price",
                "taken",
            ),
            (json!({ "name": "Pro", "is_active": true, "reason": "" }), "reason", "not_a_reason"),
        ],
    )
    .await;
    refuses(
        &root,
        "PUT",
        "/plans/No%20Plan",
        &[(json!({ "name": "Pro", "is_active": true, "reason": "x" }), "slug", "not_a_slug")],
    )
    .await;
    for limits in [json!({ "seats": -1 }), json!({ "seats": "five" }), json!([5])] {
        let wish = json!({ "name": "Pro", "is_active": true, "limits": limits, "reason": "x" });
        send(&root, "PUT", "/plans/pro", &wish).await.expect(422).problem("validation_failed");
    }
    assert_eq!(get(&root, "/plans").await["plans"].as_array().unwrap().len(), 1);
}
