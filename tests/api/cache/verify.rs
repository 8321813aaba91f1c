//! A cache that checks itself: keys that were fetched from the origin are compared with it, if that is wanted.

use blackbox::{App, Builder, Origin, Reply, until};
use serde_json::json;

use super::stats;

/// Every hit may be checked.
fn checking(origin: &Origin) -> Builder {
    App::builder().origin(origin).variable("cache_verify_ratio", "1")
}

#[tokio::test]
async fn a_value_that_changes_at_the_origin_is_found_and_fetched_again() {
    let origin = Origin::start().await;
    let app = checking(&origin).variable("cache_verify_origin", "true").spawn().await;
    origin.reply("/a", Reply::json("1"));
    assert_eq!(app.get("/api/cache/a").await.expect_ok()["value"], 1);
    until("it is verified", async || {
        app.get("/api/cache/a").await.expect_ok();
        stats(&app).await["totals"]["verified"].as_u64() > Some(0)
    })
    .await;
    origin.reply("/a", Reply::json("2"));
    until("it is healed", async || app.get("/api/cache/a").await.expect_ok()["value"] == 2).await;
    let stats = stats(&app).await;
    assert!(stats["modules"]["kv"]["operations"]["get"]["stale"].as_u64() > Some(0), "{stats:#}");
}

#[tokio::test]
async fn a_value_that_a_client_has_set_is_not_compared_with_the_origin() {
    let origin = Origin::start().await;
    let app = checking(&origin).variable("cache_verify_origin", "true").spawn().await;
    for key in ["set", "probe"] {
        origin.reply(&format!("/{key}"), Reply::json("1"));
        app.get(format!("/api/cache/{key}")).await.expect_ok();
    }
    app.put("/api/cache/set").json(json!(9)).await.expect_success();
    let asked = || origin.requests().len();
    let before = asked();
    for _ in 0..50 {
        assert_eq!(app.get("/api/cache/set").await.expect_ok()["value"], 9);
    }
    assert_eq!(asked(), before, "the origin is not asked");
    until("another key is verified", async || {
        app.get("/api/cache/probe").await.expect_ok();
        stats(&app).await["totals"]["verified"].as_u64() > Some(0)
    })
    .await;
    assert_eq!(stats(&app).await["totals"]["stale"], 0);
    assert_eq!(app.get("/api/cache/set").await.expect_ok()["value"], 9);
}

#[tokio::test]
async fn the_origin_is_not_compared_by_default() {
    let origin = Origin::start().await;
    let app = checking(&origin).spawn().await;
    origin.reply("/a", Reply::json("1"));
    app.get("/api/cache/a").await.expect_ok();
    origin.reply("/a", Reply::json("2"));
    for _ in 0..50 {
        assert_eq!(app.get("/api/cache/a").await.expect_ok()["value"], 1);
    }
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn demo_values_are_never_compared() {
    let app = App::builder().variable("cache_verify_ratio", "1").variable("cache_verify_origin", "true").spawn().await;
    let first = app.get("/api/cache/a").await.expect_ok();
    for _ in 0..50 {
        assert_eq!(app.get("/api/cache/a").await.expect_ok(), first);
    }
    let stats = stats(&app).await;
    assert_eq!((&stats["totals"]["verified"], &stats["totals"]["stale"]), (&json!(0), &json!(0)), "{stats:#}");
}
