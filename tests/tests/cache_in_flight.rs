//! A fill that is under way when its entry is invalidated must not bring the old value back: after an invalidation has
//! returned, no read answers what was fetched before it.
//!
//! The interleaving, each time: a GET misses and fetches; the origin (or the database) holds its answer, which is already
//! decided; the invalidation comes and returns; the answer is let go, so that the fill goes on and wants to store it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use answer::read;
use blackbox::{ADMIN_TOKEN, App, Builder, Origin};
use reqwest::{Method, RequestBuilder};
use serde_json::json;

fn app(origin: &Origin) -> Builder {
    // A fill is held for as long as an invalidation takes; neither may run into a deadline here.
    App::builder()
        .variable("cache_origin_url", &origin.url())
        .variable("cache_origin_timeout_ms", "10000")
        .variable("cache_timeout_ms", "2000")
}

/// Every way to invalidate the key `a`, and what it is called.
fn invalidations(app: &App) -> Vec<(&'static str, RequestBuilder)> {
    let post = |body| app.request(Method::POST, "/api/cache/invalidate").json(&body);
    let admin = |path: &str| app.request(Method::DELETE, &format!("/admin/cache{path}")).bearer_auth(ADMIN_TOKEN);
    vec![
        ("DELETE", app.cached(Method::DELETE, "a", "")),
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
    invalidate_during_fills(&origin, &app(&origin).spawn().await).await;
}

/// As on several machines: the invalidation's instance does not know of the fill.
#[tokio::test]
async fn nor_one_by_another_instance() {
    let origin = Origin::start().await;
    let app = app(&origin).host_arg("--max-instance-reuse-count", "1").spawn().await;
    invalidate_during_fills(&origin, &app).await;
}

async fn invalidate_during_fills(origin: &Origin, app: &App) {
    let mut fetched = 0;
    // Twice: the second time Redis knows the key, its version and its module already.
    for round in 0..2 {
        for (name, invalidation) in invalidations(app) {
            origin.hold();
            let filling = tokio::spawn({
                let api = app.api.clone();
                async move { read(api.get_cached("a").await).await }
            });
            fetched += 1;
            origin.asked(fetched).await;
            read(invalidation.send().await.unwrap()).await.expect_ok();
            origin.release();
            filling.await.unwrap().expect_ok();

            let after = read(app.get_cached("a").await).await;
            fetched += 1;
            let value = json!({"request": fetched});
            assert_eq!(after.expect_ok()["value"], value, "{name}, round {round}: an old value came back: {after:?}");
            assert_eq!(origin.count(), fetched, "{name}");
            let hit = read(app.get_cached("a").await).await;
            assert!(hit.is_hit() && hit.json()["value"] == value, "{name}: {hit:?}");
            app.delete_cached("a").await;
        }
    }
}

#[tokio::test]
async fn a_value_that_was_put_during_a_fill_stays() {
    let origin = Origin::start().await;
    let app = app(&origin).spawn().await;
    for round in 1..=6 {
        origin.hold();
        let filling = tokio::spawn({
            let api = app.api.clone();
            async move { read(api.get_cached("a").await).await }
        });
        origin.asked(round).await;
        let put = format!("put {round}");
        if round % 2 == 0 {
            app.put_cached("a", "", &json!(put)).await.error_for_status().unwrap();
        } else {
            app.mset(&json!({"entries": {"a": put}})).await.error_for_status().unwrap();
        }
        origin.release();
        filling.await.unwrap().expect_ok();
        let after = read(app.get_cached("a").await).await;
        assert!(after.is_hit() && after.json()["value"] == put, "round {round}: {after:?}");
        app.delete_cached("a").await;
    }
}

/// Also for those who had joined the fill, and for one who comes after the invalidation while the old fill still runs.
#[tokio::test]
async fn a_read_that_starts_after_the_invalidation_does_not_join_the_old_fill() {
    let origin = Origin::start().await;
    let app = app(&origin).spawn().await;
    for (name, invalidation) in invalidations(&app) {
        let before = origin.count();
        origin.hold();
        let get = || {
            let api = app.api.clone();
            tokio::spawn(async move { read(api.get_cached("a").await).await })
        };
        let old = get();
        origin.asked(before + 1).await;
        read(invalidation.send().await.unwrap()).await.expect_ok();
        let new = get();
        // It fetches for itself, while the first one is still being held.
        origin.asked(before + 2).await;
        origin.release();
        old.await.unwrap().expect_ok();
        let answer = new.await.unwrap();
        assert_eq!(answer.expect_ok()["value"], json!({"request": before + 2}), "{name}: {answer:?}");
        app.delete_cached("a").await;
    }
}

#[tokio::test]
async fn warming_is_a_fill_too() {
    let origin = Origin::start().await;
    let app = app(&origin).spawn().await;
    for (number, (name, invalidation)) in invalidations(&app).into_iter().enumerate() {
        origin.hold();
        let warming = tokio::spawn({
            let api = app.api.clone();
            async move { read(api.warm(&json!({"keys": ["a"]})).await).await }
        });
        origin.asked(2 * number + 1).await;
        read(invalidation.send().await.unwrap()).await.expect_ok();
        origin.release();
        warming.await.unwrap().expect_ok();
        let after = read(app.get_cached("a").await).await;
        assert_eq!(after.expect_ok()["value"], json!({"request": 2 * number + 2}), "{name}: {after:?}");
        app.delete_cached("a").await;
    }
}

/// The same for the users component, whose fills are queries: a lock on the table holds them.
#[tokio::test]
async fn an_invalidation_during_a_query_is_not_undone() {
    let app = App::builder().variable("cache_timeout_ms", "2000").spawn().await;
    let id = app.given_user_id("ada").await;
    for invalidation in ["/module/users", "/operation/users/getById", ""] {
        for path in [format!("/users/{id}"), "/users".to_owned()] {
            if path == "/users" && invalidation.ends_with("getById") {
                continue;
            }
            read(app.admin_cache(Method::DELETE, "").await).await.expect_ok();
            let mut db = app.db().await;
            let lock = db.transaction().await.unwrap();
            lock.batch_execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE").await.unwrap();
            let filling = tokio::spawn({
                let (api, path) = (app.api.clone(), path.clone());
                async move { read(api.get(&path).await).await }
            });
            let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'users'::regclass";
            while lock.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) == 0 {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            read(app.admin_cache(Method::DELETE, invalidation).await).await.expect_ok();
            lock.commit().await.unwrap();
            assert_eq!(filling.await.unwrap().status, 200);
            let after = read(app.get(&path).await).await;
            assert!(!after.is_hit(), "{invalidation}, {path}: the fill of before was stored: {after:?}");
            assert!(read(app.get(&path).await).await.is_hit());
        }
    }
}
