//! GET /sellers/pending-verification.

use blackbox::App;
use serde_json::json;

use super::ids;
use super::list::{next, pages};

#[tokio::test]
async fn sellers_that_wait_for_verification_are_listed_the_oldest_request_first() {
    let app = App::spawn().await;
    let mut sellers = Vec::new();
    for number in 0..7 {
        sellers.push(app.given_seller(&format!("s{number}")).await);
    }
    let admin = app.as_admin();
    let empty = admin.get("/sellers/pending-verification").await;
    assert_eq!((empty.expect_ok(), next(&empty)), (json!({"sellers": [], "total": 0}), None));

    // The order of the requests is not that of the registrations.
    let asked = [4, 1, 6, 0, 3];
    for number in asked {
        sellers[number].given(&["verify"]).await;
    }
    // A change of another kind is no new request.
    sellers[4].owner.patch(sellers[4].path("/profile")).json(json!({"description": "x"})).await.expect_ok();
    let expected: Vec<i64> = asked.iter().map(|number| sellers[*number].id).collect();
    assert_eq!(pages(&app, "/sellers/pending-verification", 5).await.concat(), expected);
    let cut = pages(&app, "/sellers/pending-verification?limit=2", 5).await;
    assert_eq!(cut, expected.chunks(2).collect::<Vec<_>>());
    let rest = admin.get("/sellers/pending-verification?limit=2&offset=3").await.expect_ok();
    assert_eq!(ids(&rest), expected[3..]);

    // Who is rejected and asks again waits at the end; who is decided or suspended does not wait.
    sellers[4].given(&["reject", "verify"]).await;
    sellers[1].given(&["approve"]).await;
    sellers[6].given(&["suspend"]).await;
    let waiting = admin.get("/sellers/pending-verification").await.expect_ok();
    let left: Vec<i64> = [0, 3, 4].iter().map(|number| sellers[*number].id).collect();
    assert_eq!((ids(&waiting), &waiting["total"]), (left, &json!(3)), "suspended sellers cannot be approved");
}

#[tokio::test]
async fn users_can_be_included() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    seller.given(&["verify"]).await;
    let page = seller.admin.get("/sellers/pending-verification?include=user").await.expect_ok();
    let user = json!({"id": seller.user_id, "name": "ada", "email": "ada@example.org", "isActive": true});
    assert_eq!(page["sellers"][0]["user"], user);
}

#[tokio::test]
async fn parameters_of_the_list_are_refused() {
    let app = App::spawn().await;
    let table = [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=1.5", "limit"),
        ("offset=-1", "offset"),
        ("include=bank", "include"),
        ("status=pending", "status"),
        ("sortBy=rating", "sortBy"),
        ("search=x", "search"),
    ];
    for (query, field) in table {
        let response = app.as_admin().get(format!("/sellers/pending-verification?{query}")).await;
        assert_eq!(response.expect_errors(400, "invalid-parameter"), [field], "{query}");
    }
}
