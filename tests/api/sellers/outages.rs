//! The sellers service while Redis or PostgreSQL is down or hangs, and afterwards: every response is correct and in
//! time.

use std::time::{Duration, Instant};

use blackbox::{App, Request, Response, Seller, fast_enough, until, within};
use serde_json::json;

/// Registers, reads, changes, verifies and archives a seller. Returns how long the slowest response took.
async fn exercise(app: &App, user_id: i64) -> Duration {
    let mut slowest = Duration::ZERO;
    let mut timed = async |request: Request| -> Response {
        let start = Instant::now();
        let response = request.await;
        slowest = slowest.max(start.elapsed());
        response
    };
    let (owner, admin) = (app.with_jwt(user_id, &["user"]), app.as_admin());
    let created = timed(owner.post("/sellers").json(blackbox::complete_seller("exercise"))).await;
    assert_eq!(created.status(), 201, "{created:?}");
    let path = created.header("location").to_owned();
    let changed = timed(owner.patch(format!("{path}/profile")).json(json!({"description": "x"}))).await;
    assert_eq!(changed.expect_ok()["version"], 2);
    for action in ["verify", "approve"] {
        let client = if action == "verify" { &owner } else { &admin };
        assert_eq!(timed(client.post(format!("{path}/{action}"))).await.status(), 200);
    }
    let by_user = format!("/sellers/user/{user_id}");
    for view in [path.as_str(), by_user.as_str(), "/sellers/me"] {
        let seen = timed(owner.get(view)).await;
        assert_eq!((&seen.expect_ok()["version"], &seen.json()["status"]), (&json!(4), &json!("active")), "{view}");
    }
    let list = timed(admin.get("/sellers?limit=100&search=exercise")).await;
    assert_eq!(list.expect_ok()["sellers"][0]["version"], 4);
    for view in ["overview", "sales-trend", "products", "revenue"] {
        timed(owner.get(format!("{path}/analytics/{view}"))).await.expect_ok();
    }
    assert_eq!(timed(owner.get(format!("{path}/history"))).await.expect_ok()["total"], 3);
    assert_eq!(timed(admin.delete(&path)).await.status(), 204);
    for view in [path.as_str(), by_user.as_str(), "/sellers/me"] {
        timed(owner.get(view)).await.expect_problem(404, "not-found");
    }
    slowest
}

async fn until_hit(seller: &Seller, path: &str) {
    until("the cache is used", async || seller.owner.get(path).await.is_hit()).await;
}

#[tokio::test]
async fn without_redis_everything_works_from_postgres() {
    let mut app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let user = app.given_user_id("exercise").await;
    until_hit(&seller, &seller.path("")).await;
    app.redis.kill().await.unwrap();
    fast_enough(Duration::from_secs(2), async || exercise(&app, user).await).await;
    for path in [seller.path(""), "/sellers/me".to_owned(), seller.path("/analytics/overview")] {
        let read = seller.owner.get(&path).await;
        assert!(read.status() == 200 && read.is_bypass(), "{path}: {read:?}");
    }
    let sale = seller.given_sale(json!({"amount": 1})).await;
    assert_eq!(seller.refund(&sale).await.status(), 200);

    app.redis.restart().await.unwrap();
    until_hit(&seller, &seller.path("")).await;
    exercise(&app, user).await;
}

#[tokio::test]
async fn a_redis_that_hangs_delays_nobody() {
    let app = App::builder().default_deadlines().spawn().await;
    let seller = app.given_seller("ada").await;
    let user = app.given_user_id("exercise").await;
    until_hit(&seller, &seller.path("")).await;
    app.redis.pause();
    // Each step of a write has a deadline of 100 ms.
    fast_enough(Duration::from_secs(3), async || exercise(&app, user).await).await;
    app.redis.resume();
    until_hit(&seller, &seller.path("")).await;
}

#[tokio::test]
async fn without_postgres_cached_reads_succeed_and_the_rest_is_unavailable() {
    let mut app = App::builder().private_postgres().spawn().await;
    let seller = app.given_seller("ada").await;
    let other = app.with_jwt(app.given_user_id("other").await, &["user"]);
    let by_user = format!("/sellers/user/{}", seller.user_id);
    let absent = format!("/sellers/{}", seller.id + 7);
    let warm = [
        (&seller.owner, seller.path("")),
        (&other, seller.path("")),
        (&seller.owner, "/sellers/me".to_owned()),
        (&seller.admin, by_user.clone()),
        (&seller.owner, seller.path("/analytics/overview")),
        (&seller.owner, seller.path("/analytics/revenue?period=year")),
    ];
    for (client, path) in &warm {
        client.get(path).await;
        until("the entry is stored", async || client.get(path).await.is_hit()).await;
    }
    other.get(&absent).await.expect_problem(404, "not-found");
    until("the absence is stored", async || other.get(&absent).await.is_hit()).await;

    app.postgres().stop().await.unwrap();
    for (client, path) in &warm {
        let response = client.get(path).await;
        assert!(response.status() == 200 && response.is_hit(), "{path}: {response:?}");
    }
    other.get(&absent).await.expect_problem(404, "not-found");
    let reason = json!({"reason": "because"});
    let requests: [(&str, &dyn Fn() -> Request); 12] = [
        ("another seller", &|| other.get(format!("/sellers/{}", seller.id + 1))),
        ("a user without a seller", &|| other.get("/sellers/me")),
        ("a list", &|| seller.admin.get("/sellers")),
        ("other analytics", &|| seller.owner.get(seller.path("/analytics/sales-trend"))),
        ("profile", &|| seller.owner.patch(seller.path("/profile")).json(json!({"description": "x"}))),
        ("banking", &|| seller.owner.patch(seller.path("/banking")).json(json!({"bankName": "x"}))),
        ("patch", &|| seller.admin.patch(seller.path("")).json(json!({"businessName": "Other"}))),
        ("verify", &|| seller.owner.post(seller.path("/verify"))),
        ("suspend", &|| seller.admin.post(seller.path("/suspend")).json(&reason)),
        ("sale", &|| seller.admin.post(seller.path("/sales")).json(json!({"amount": 1}))),
        ("reviews", &|| seller.admin.post(seller.path("/reviews")).json(json!({"rating": 1}))),
        ("delete", &|| seller.admin.delete(seller.path(""))),
    ];
    for (name, request) in requests {
        println!("{name}");
        within(Duration::from_secs(4), async || request().await.expect_unavailable()).await;
    }
    // A bad request is still a bad request, and a forbidden one is forbidden.
    other.post("/sellers").json(json!({})).await.expect_problem(422, "validation");
    other.delete(seller.path("")).await.expect_problem(403, "forbidden");

    app.postgres().restart().await.unwrap();
    assert_eq!(seller.show().await["version"], 1, "nothing was written");
    until("PostgreSQL is used again", async || {
        let sold = seller.sell(json!({"amount": 1})).await;
        assert!([201, 503].contains(&sold.status()), "{sold:?}");
        sold.status() == 201
    })
    .await;
}

#[tokio::test]
async fn the_policy_consistent_writes_nothing_without_redis() {
    let mut app = App::builder().variable("cache_write_policy", "consistent").spawn().await;
    let seller = app.given_seller("ada").await;
    let user = app.given_user_id("new").await;
    let before = seller.show().await;
    app.redis.kill().await.unwrap();
    for request in [
        app.with_jwt(user, &["user"]).post("/sellers").json(json!({"businessName": "New"})),
        seller.owner.patch(seller.path("/profile")).json(json!({"description": "x"})),
        seller.admin.patch(seller.path("")).json(json!({"businessName": "Other"})),
        seller.owner.post(seller.path("/verify")),
        seller.admin.post(seller.path("/sales")).json(json!({"amount": 1})),
        seller.admin.post(seller.path("/products")).json(json!({"change": 1})),
        seller.admin.delete(seller.path("")),
    ] {
        request.await.expect_unavailable();
    }
    assert_eq!(seller.show().await, before, "reads succeed, and nothing was written");
    assert_eq!(seller.admin.get("/sellers").await.expect_ok()["total"], 1);
    app.redis.restart().await.unwrap();
    let sold = async || seller.sell(json!({"amount": 1})).await.status() == 201;
    until("writes succeed again", sold).await;
}

#[tokio::test]
async fn a_sale_that_waits_too_long_is_cancelled_and_can_be_repeated_with_its_key() {
    let app = App::spawn().await;
    let seller = app.given_seller("ada").await;
    let mut db = app.db().await;
    let lock = db.transaction().await.unwrap();
    lock.execute("SELECT FROM sellers WHERE id = $1 FOR UPDATE", &[&seller.id]).await.unwrap();
    let sale = || {
        let request = seller.admin.post(seller.path("/sales")).header("idempotency-key", "order-1");
        request.json(json!({"amount": 5}))
    };
    within(Duration::from_secs(9), async || sale().await.expect_problem(503, "unavailable")).await;
    lock.rollback().await.unwrap();
    assert_eq!(seller.show().await["totalSales"], 0);
    for _ in 0..2 {
        assert_eq!(sale().await.status(), 201);
    }
    let found = seller.show().await;
    assert_eq!((&found["totalSales"], &found["totalRevenue"]), (&json!(1), &json!(5.0)));
}
