//! `include=user`: the users beside the sellers of a list.

use blackbox::App;
use serde_json::{Value, json};

use super::list::{given_sellers, names, next};

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
