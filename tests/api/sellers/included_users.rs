//! `include=user`: the users beside the sellers of a list.

use blackbox::{App, Origin, Reply};
use serde_json::{Value, json};

use super::list::{given_sellers, names, next};
use super::users_service::{expect_unavailable, path_of, register, user, using};

#[tokio::test]
async fn users_are_included_with_one_request_for_the_page() {
    let app = App::builder().log_statements().spawn().await;
    let sellers = given_sellers(&app, names(12)).await;
    let gone = &sellers[11];
    app.delete(format!("/users/{}", gone.user_id)).await.expect_success();
    let idle = &sellers[10];
    app.patch(format!("/users/{}", idle.user_id)).json(json!({"isActive": false})).await.expect_ok();
    let before = app.database.statements().len();
    let page = app.as_admin().get("/sellers?include=user&limit=100").await.expect_ok();
    let statements = app.database.statements().split_off(before);
    let of_users = statements.iter().filter(|sql| sql.contains("FROM users")).count();
    assert!(of_users <= 1, "{of_users} statements for one page: {statements:?}");
    assert_eq!(page["total"], 12);
    for (found, seller) in page["sellers"].as_array().unwrap().iter().zip(sellers.iter().rev()) {
        if seller.id == gone.id {
            assert_eq!(found.get("user"), Some(&Value::Null), "{found}");
            continue;
        }
        let user = app.get(format!("/users/{}", seller.user_id)).await.expect_ok();
        let member = |name: &str| user[name].clone();
        let expected = json!({
            "id": seller.user_id, "name": member("name"), "email": member("email"), "isActive": member("isActive")
        });
        assert_eq!(found["user"], expected, "{found}");
    }
    let without = app.as_admin().get("/sellers").await.expect_ok();
    assert!(without["sellers"][0].get("user").is_none(), "{without}");
    let linked = app.as_admin().get("/sellers?include=user&limit=5").await;
    assert!(next(&linked).unwrap().contains("include=user"), "{linked:?}");
}

#[tokio::test]
async fn included_users_are_current() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    seller.given(&["verify"]).await;
    for name in ["Ada Lovelace", "Ada King"] {
        app.patch(format!("/users/{}", seller.user_id)).json(json!({"name": name})).await.expect_ok();
        for path in ["/sellers?include=user", "/sellers/pending-verification?include=user"] {
            for _ in 0..2 {
                let page = seller.admin.get(path).await.expect_ok();
                assert_eq!(page["sellers"][0]["user"]["name"], name, "{path}");
            }
        }
    }
}

#[tokio::test]
async fn another_users_service_is_asked_once_for_a_page() {
    let origin = Origin::start().await;
    let app = using(&origin.url()).spawn().await;
    for id in [5, 3, 9] {
        origin.reply(&path_of(id), Reply::json(user(id, true).to_string()));
        assert_eq!(register(&app, id).await.status(), 201);
    }
    let page = "/sellers?include=user&sortOrder=asc";
    let without = app.as_admin().get("/sellers?sortOrder=asc").await.expect_ok();
    let before = origin.count();
    for users in [json!([user(3, true), user(5, false)]), json!({"data": [user(5, false), user(3, true)]})] {
        for ids in ["5,3,9", "3,5,9"] {
            origin.reply(&format!("/users?ids={ids}"), Reply::json(users.to_string()));
        }
        let found = app.as_admin().get(page).await.expect_ok();
        let active: Vec<&Value> =
            found["sellers"].as_array().unwrap().iter().map(|seller| &seller["user"]["isActive"]).collect();
        assert_eq!(active, [&json!(false), &json!(true), &Value::Null], "{found}");
    }
    assert_eq!(origin.count(), before + 2, "one request for each page: {:?}", origin.requests());
    // An empty page asks nobody.
    assert_eq!(app.as_admin().get("/sellers?include=user&search=nothing").await.expect_ok()["total"], 0);
    assert_eq!(origin.count(), before + 2);

    for ids in ["5,3,9", "3,5,9"] {
        origin.reply(&format!("/users?ids={ids}"), Reply::status(500));
    }
    app.as_admin().get(page).await.expect_problem(502, "user-service-failed");
    drop(origin);
    expect_unavailable(&app.as_admin().get(page).await);
    assert_eq!(
        app.as_admin().get("/sellers?sortOrder=asc").await.expect_ok(),
        without,
        "the list itself needs no users"
    );
}
