//! POST /sellers.

use blackbox::{App, complete_seller};
use serde_json::{Value, json};

use super::{expect_two_decimals, is_utc_with_milliseconds};

#[tokio::test]
async fn a_registration_is_returned_with_everything_that_was_given() {
    let app = App::spawn().await;
    let user = app.given_user_id("ada").await;
    let owner = app.with_jwt(user, &["user"]);
    let given = complete_seller("ada");
    let created = owner.post("/sellers").json(&given).await;
    assert_eq!(created.status(), 201, "{created:?}");
    assert_eq!(created.header("content-type"), "application/json");
    let seller = created.json();
    let id = seller["id"].as_i64().unwrap();
    assert!(id > 0);
    assert_eq!(created.header("location"), format!("/sellers/{id}"));
    for (member, value) in given.as_object().unwrap() {
        assert_eq!(&seller[member], value, "{member}");
    }
    assert_eq!(seller["userId"], user, "the user of the token");
    assert!(is_utc_with_milliseconds(&seller["createdAt"]) && seller["createdAt"] == seller["updatedAt"], "{seller}");
    assert_eq!(seller["version"], 1);

    // Twice: from the database, then from the cache; byte for byte the response of the registration.
    for _ in 0..2 {
        let found = owner.get(created.header("location")).await;
        assert_eq!((found.status(), found.text()), (200, created.text()));
        assert_eq!(found.header("etag"), created.header("etag"));
        assert_eq!(found.header("cache-control"), "private, no-cache");
    }
}

#[tokio::test]
async fn what_is_not_given_has_its_default() {
    let app = App::spawn().await;
    let owner = app.with_jwt(app.given_user_id("ada").await, &[]);
    let created = owner.post("/sellers").json(json!({"businessName": "Al"})).await;
    assert_eq!(created.status(), 201, "{created:?}");
    let seller = created.json();
    let defaults = json!({
        "businessName": "Al", "businessType": "individual", "paymentMethod": "bank_transfer",
        "commissionRate": 0.0, "rating": 0.0, "totalReviews": 0, "totalProducts": 0, "totalSales": 0,
        "totalRevenue": 0.0, "status": "pending", "verificationStatus": "unverified", "version": 1,
    });
    for (member, value) in defaults.as_object().unwrap() {
        assert_eq!(&seller[member], value, "{member} of {seller}");
    }
    let absent = [
        "businessEmail",
        "businessPhone",
        "taxId",
        "businessAddress",
        "businessCity",
        "businessState",
        "businessCountry",
        "businessPostalCode",
        "logoUrl",
        "website",
        "description",
        "bankName",
        "bankAccountHolder",
        "bankAccountNumber",
        "bankRoutingNumber",
        "currency",
        "verifiedAt",
        "verifiedBy",
        "rejectionReason",
        "suspensionReason",
    ];
    for member in absent {
        assert_eq!(seller.get(member), Some(&Value::Null), "{member} of {seller}");
    }
    expect_two_decimals(created.text());
}

#[tokio::test]
async fn a_user_is_a_seller_only_once() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    for name in ["ada", "another"] {
        seller.owner.post("/sellers").json(complete_seller(name)).await.expect_problem(409, "conflict");
    }
    let page = seller.admin.get("/sellers").await.expect_ok();
    assert_eq!((&page["total"], &page["sellers"][0]["businessName"]), (&json!(1), &json!("ada & Co")));
}

#[tokio::test]
async fn of_two_registrations_of_a_user_at_the_same_time_one_succeeds() {
    const PAIRS: usize = 60;
    let app = App::spawn().await;
    let user = |n| json!({"name": format!("User {n}"), "email": format!("u{n}@example.org")});
    let users = app.post("/users/batch").json((0..PAIRS).map(user).collect::<Value>()).await.json();
    let mut won = [0, 0];
    for user in users.as_array().unwrap() {
        let owner = app.with_jwt(user["id"].as_i64().unwrap(), &["user"]);
        // A different business, so that the responses tell which request won.
        let request = |name: &str| owner.post("/sellers").json(json!({"businessName": name})).into_future();
        let responses: [_; 2] = tokio::join!(request("one"), request("other")).into();
        let winners: Vec<usize> = (0..2).filter(|at| responses[*at].status() == 201).collect();
        let [winner] = winners[..] else { panic!("{responses:?}") };
        responses[1 - winner].expect_problem(409, "conflict");
        won[winner] += 1;
        let seller = owner.get("/sellers/me").await.expect_ok();
        assert_eq!(seller, responses[winner].json());
    }
    println!("the first request won {} times, the second {}", won[0], won[1]);
    let page = app.as_admin().get("/sellers?limit=1").await.expect_ok();
    assert_eq!(page["total"], PAIRS);
}

#[tokio::test]
async fn the_user_comes_from_the_token_and_never_from_the_body() {
    let app = App::spawn().await;
    let (ada, bob) = (app.given_user_id("ada").await, app.given_user_id("bob").await);
    for id in [ada, bob] {
        let body = json!({"businessName": "Ada & Co", "userId": id});
        let response = app.with_jwt(ada, &["user"]).post("/sellers").json(&body).await;
        assert_eq!(response.expect_errors(422, "validation"), ["/userId"]);
    }
    for id in [ada, bob] {
        app.with_jwt(id, &["user"]).get("/sellers/me").await.expect_problem(404, "not-found");
    }
}

#[tokio::test]
async fn only_an_administrator_gives_a_commission_rate() {
    let app = App::spawn().await;
    let user = app.given_user_id("ada").await;
    let body = json!({"businessName": "Ada & Co", "commissionRate": 12.5});
    for roles in [&["user"][..], &[], &["administrator"]] {
        let response = app.with_jwt(user, roles).post("/sellers").json(&body).await;
        response.expect_problem(403, "forbidden");
    }
    app.with_jwt(user, &["user"]).get("/sellers/me").await.expect_problem(404, "not-found");
    let created = app.with_jwt(user, &["admin"]).post("/sellers").json(&body).await;
    assert_eq!(created.status(), 201, "{created:?}");
    assert!(created.text().contains("\"commissionRate\":12.50"), "{created:?}");
}

#[tokio::test]
async fn an_archived_seller_can_register_again() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    assert_eq!(seller.owner.get("/sellers/me").await.status(), 200);
    assert_eq!(seller.admin.delete(seller.path("")).await.status(), 204);
    seller.owner.get("/sellers/me").await.expect_problem(404, "not-found");
    let again = app.given_seller_of("again", seller.user_id).await;
    assert_ne!(again.id, seller.id);
    for path in ["/sellers/me".to_owned(), format!("/sellers/user/{}", seller.user_id), again.path("")] {
        let found = seller.owner.get(&path).await.expect_ok();
        assert_eq!((&found["id"], &found["businessName"]), (&json!(again.id), &json!("again & Co")), "{path}");
    }
    seller.owner.get(seller.path("")).await.expect_problem(404, "not-found");
}
