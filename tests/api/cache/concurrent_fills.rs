//! An invalidation is not undone by a fill that is in progress: after the invalidation has returned, no read returns a
//! value that was fetched before it.
//!
//! The order of events, each time: a GET misses and fetches; the origin (or the database) holds its response, whose
//! value is already fixed; the invalidation returns; the origin responds, and the fill tries to store the old value.

use blackbox::{App, Origin, Request, until};
use serde_json::{Value, json};

/// Every way to invalidate the key `a`, with a name.
fn invalidations(app: &App) -> Vec<(&'static str, Request)> {
    let post = |body: Value| app.post("/api/cache/invalidate").json(body);
    let admin = |path: &str| app.admin().delete(format!("/admin/cache{path}"));
    vec![
        ("DELETE", app.delete("/api/cache/a")),
        ("key", post(json!({"key": "a"}))),
        ("pattern", post(json!({"pattern": "a*"}))),
        ("module", post(json!({"module": "kv"}))),
        ("operation", post(json!({"module": "kv", "operation": "get"}))),
        ("DELETE module", admin("/module/kv")),
        ("DELETE operation", admin("/operation/kv/get")),
        ("DELETE all", admin("")),
    ]
}

#[tokio::test]
async fn an_invalidation_during_a_fill_is_not_undone() {
    let origin = Origin::start().await;
    invalidate_during_fills(&origin, &App::builder().origin(&origin).spawn().await).await;
}

/// As on several machines: the instance that invalidates does not know of the fill.
#[tokio::test]
async fn an_invalidation_by_another_instance_is_not_undone() {
    let origin = Origin::start().await;
    let app = App::builder().origin(&origin).instance_per_request().spawn().await;
    invalidate_during_fills(&origin, &app).await;
}

async fn invalidate_during_fills(origin: &Origin, app: &App) {
    let mut fetched = 0;
    // Twice, because in the second round Redis already has the key's version and its module.
    for round in 0..2 {
        for (name, invalidation) in invalidations(app) {
            origin.hold();
            let filling = tokio::spawn(app.get("/api/cache/a").into_future());
            fetched += 1;
            origin.received(fetched).await;
            invalidation.await.expect_ok();
            origin.release();
            filling.await.unwrap().expect_ok();

            let after = app.get("/api/cache/a").await;
            fetched += 1;
            let value = json!({"request": fetched});
            assert_eq!(after.expect_ok()["value"], value, "{name}, round {round}: an old value came back: {after:?}");
            assert_eq!(origin.count(), fetched, "{name}");
            let hit = app.get("/api/cache/a").await;
            assert!(hit.is_hit() && hit.json()["value"] == value, "{name}: {hit:?}");
            app.delete("/api/cache/a").await;
        }
    }
}

#[tokio::test]
async fn a_value_that_is_put_during_a_fill_stays() {
    let origin = Origin::start().await;
    let app = App::builder().origin(&origin).spawn().await;
    for round in 1..=6 {
        origin.hold();
        let filling = tokio::spawn(app.get("/api/cache/a").into_future());
        origin.received(round).await;
        let put = format!("put {round}");
        if round % 2 == 0 {
            app.put("/api/cache/a").json(json!(put)).await.expect_success();
        } else {
            app.post("/api/cache/mset").json(json!({"entries": {"a": put}})).await.expect_success();
        }
        origin.release();
        filling.await.unwrap().expect_ok();
        let after = app.get("/api/cache/a").await;
        assert!(after.is_hit() && after.json()["value"] == put, "round {round}: {after:?}");
        app.delete("/api/cache/a").await;
    }
}

/// Although the old fill is still in progress.
#[tokio::test]
async fn a_read_after_the_invalidation_does_not_join_the_old_fill() {
    let origin = Origin::start().await;
    let app = App::builder().origin(&origin).spawn().await;
    for (name, invalidation) in invalidations(&app) {
        let before = origin.count();
        origin.hold();
        let old = tokio::spawn(app.get("/api/cache/a").into_future());
        origin.received(before + 1).await;
        invalidation.await.expect_ok();
        let new = tokio::spawn(app.get("/api/cache/a").into_future());
        // It fetches for itself, while the first fetch is still in progress.
        origin.received(before + 2).await;
        origin.release();
        old.await.unwrap().expect_ok();
        let response = new.await.unwrap();
        assert_eq!(response.expect_ok()["value"], json!({"request": before + 2}), "{name}: {response:?}");
        app.delete("/api/cache/a").await;
    }
}

#[tokio::test]
async fn an_invalidation_during_warming_is_not_undone() {
    let origin = Origin::start().await;
    let app = App::builder().origin(&origin).spawn().await;
    for (number, (name, invalidation)) in invalidations(&app).into_iter().enumerate() {
        origin.hold();
        let warming = tokio::spawn(app.post("/api/cache/warm").json(json!({"keys": ["a"]})).into_future());
        origin.received(2 * number + 1).await;
        invalidation.await.expect_ok();
        origin.release();
        warming.await.unwrap().expect_ok();
        let after = app.get("/api/cache/a").await;
        assert_eq!(after.expect_ok()["value"], json!({"request": 2 * number + 2}), "{name}: {after:?}");
        app.delete("/api/cache/a").await;
    }
}

/// The same for the users component, whose fills are queries. A lock on the table holds them.
#[tokio::test]
async fn an_invalidation_during_a_query_is_not_undone() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    for invalidation in ["/module/users", "/operation/users/getById", ""] {
        for path in [format!("/users/{id}"), "/users".to_owned()] {
            if path == "/users" && invalidation.ends_with("getById") {
                continue;
            }
            app.admin().delete("/admin/cache").await.expect_ok();
            let mut db = app.db().await;
            let lock = db.transaction().await.unwrap();
            lock.batch_execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE").await.unwrap();
            let filling = tokio::spawn(app.get(&path).into_future());
            let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'users'::regclass";
            until("the query waits for the lock", async || {
                lock.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) > 0
            })
            .await;
            app.admin().delete(format!("/admin/cache{invalidation}")).await.expect_ok();
            lock.commit().await.unwrap();
            assert_eq!(filling.await.unwrap().status(), 200);
            let after = app.get(&path).await;
            assert!(!after.is_hit(), "{invalidation}, {path}: the old fill was stored: {after:?}");
            assert!(app.get(&path).await.is_hit());
        }
    }
}
