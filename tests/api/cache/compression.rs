//! Large values are compressed in Redis, if that is wanted.

use blackbox::App;
use serde_json::{Value, json};

use super::stats;

const KEY: &str = "cache:entry:kv:get:a";

fn large() -> Value {
    json!(vec![json!({"name": "Ada", "email": "ada@example.org"}); 200])
}

async fn compressing() -> App {
    App::builder().variable("cache_compress_min_bytes", "1000").spawn().await
}

async fn stored_bytes(app: &App, key: &str) -> usize {
    app.redis.ask(&["STRLEN", key]).await
}

#[tokio::test]
async fn large_values_are_compressed_and_small_ones_are_not() {
    let app = compressing().await;
    app.put("/api/cache/a").json(large()).await.expect_success();
    app.put("/api/cache/b").json(json!("small")).await.expect_success();
    assert!(stored_bytes(&app, KEY).await * 10 < large().to_string().len());
    let found = app.get("/api/cache/a").await;
    assert!(found.is_hit(), "{found:?}");
    assert_eq!(found.expect_ok()["value"], large());
    let both = app.post("/api/cache/mget").json(json!({"keys": ["a", "b"]})).await;
    assert_eq!(both.expect_ok()["entries"], json!({"a": large(), "b": "small"}));
    let small: String = app.redis.ask(&["GET", "cache:entry:kv:get:b"]).await;
    assert!(small.ends_with("\n\"small\""), "{small}");
}

#[tokio::test]
async fn pages_of_users_are_compressed() {
    let app = compressing().await;
    for name in ["ada", "bob", "eve", "joe", "kim", "lea", "max", "ned", "pia", "tom"] {
        app.given_user_id(name).await;
    }
    let page = app.get("/users").await;
    let again = app.get("/users").await;
    assert!(again.is_hit() && again.text() == page.text(), "{again:?}");
    let key = again.cache_parameter("key").unwrap().trim_matches('"').to_owned();
    assert!(stored_bytes(&app, &key).await < page.text().len());
}

#[tokio::test]
async fn a_damaged_value_counts_as_corrupt_and_is_replaced() {
    let app = compressing().await;
    app.put("/api/cache/a").json(large()).await.expect_success();
    let stored: Vec<u8> = app.redis.ask(&["GET", KEY]).await;
    let size = stored.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    // It claims to be 4 GB.
    for at in size..size + 4 {
        let mut command = redis::cmd("SETRANGE");
        let command = command.arg(KEY).arg(at).arg(&b"\xff"[..]);
        let _: redis::Value = command.query_async(&mut app.redis.connection().await).await.unwrap();
    }
    let found = app.get("/api/cache/a").await;
    assert!(!found.is_hit(), "{found:?}");
    assert!(stats(&app).await["totals"]["corrupt"].as_u64() > Some(0));
    assert!(app.get("/api/cache/a").await.is_hit());
}
