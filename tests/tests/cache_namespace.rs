//! What the cache must not touch: keys of others, locks and versions in the same Redis, whatever key or pattern it is given.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use std::collections::{BTreeMap, BTreeSet};

use answer::read;
use blackbox::App;
use reqwest::Method;
use serde_json::json;

/// Keys of others, and of the cache's neighbours, none of which it may touch; with their contents.
async fn plant(app: &App) -> BTreeMap<String, Vec<u8>> {
    let names = [
        "a",
        "ab",
        "user:1",
        "user:profile:1",
        "user:version:9001",
        "users:total",
        "locks:door",
        "locks:a",
        "fencing:door",
        "session:a",
        "caches:a",
        "cache",
        "other:cache:entry:kv:get:a",
        "Cache:entry:kv:get:a",
        "entry:kv:get:a",
        "kv:get:a",
        "{cache}:a",
        "xcache:a",
    ];
    let mut redis = app.redis.connection().await;
    for name in names {
        let _: () = redis::cmd("SET").arg(name).arg(format!("of {name}")).query_async(&mut redis).await.unwrap();
    }
    let _: () = redis::cmd("RPUSH").arg("jobs").arg(&["a", "b"]).query_async(&mut redis).await.unwrap();
    let _: () = redis::cmd("HSET").arg("settings").arg(&["a", "b"]).query_async(&mut redis).await.unwrap();
    let _: () = redis::cmd("ZADD").arg("ranks").arg(&["1", "b"]).query_async(&mut redis).await.unwrap();
    planted(app, names.into_iter().chain(["jobs", "settings", "ranks"])).await
}

/// The contents of these keys now.
async fn planted(app: &App, names: impl IntoIterator<Item = impl ToString>) -> BTreeMap<String, Vec<u8>> {
    let mut redis = app.redis.connection().await;
    let mut contents = BTreeMap::new();
    for name in names {
        let name = name.to_string();
        let dump: Option<Vec<u8>> = redis::cmd("DUMP").arg(&name).query_async(&mut redis).await.unwrap();
        contents.insert(name.clone(), dump.unwrap_or_else(|| panic!("{name} is gone")));
    }
    contents
}

/// The versions of users as Redis has them.
async fn versions(app: &App) -> BTreeMap<String, i64> {
    let mut redis = app.redis.connection().await;
    let mut versions = BTreeMap::new();
    for key in app.redis.keys().await {
        if (key.starts_with("user:version:") || key == "users:version") && key != "user:version:9001" {
            let version: i64 = redis::cmd("GET").arg(&key).query_async(&mut redis).await.unwrap();
            versions.insert(key, version);
        }
    }
    versions
}

#[tokio::test]
async fn no_pattern_reaches_beyond_the_keys_of_this_api() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let reads = [format!("/users/{id}"), "/users".to_owned()];
    for path in &reads {
        read(app.get(path).await).await;
        assert!(read(app.get(path).await).await.is_hit());
    }
    let planted_before = plant(&app).await;
    let versions_before = versions(&app).await;
    assert_eq!(versions_before.len(), 2, "{versions_before:?}");
    let patterns = [
        "*",
        "**",
        "?*",
        "user:*",
        "users:*",
        "user:cache:*",
        "locks:*",
        "cache:*",
        "cache:entry:*",
        "*user*",
        "../*",
        "..:..:*",
        "\0*",
        "*\0",
        "\n*",
        "[^x]*",
        "[",
        "[a",
        "\\",
        "a\\",
        "[]*",
        "[^]*",
        "{a,b}",
        "* MATCH *",
    ];
    for pattern in patterns {
        let answer = read(app.invalidate(&json!({"pattern": pattern})).await).await;
        assert_eq!(answer.expect_ok(), json!({"invalidated": 0}), "{pattern:?}: nothing of this API's is cached");
        let key = read(app.invalidate(&json!({"key": pattern})).await).await;
        assert_eq!(key.expect_ok(), json!({"invalidated": 0}), "{pattern:?}");
        assert_eq!(read(app.delete_cached(pattern).await).await.expect_ok()["deleted"], false, "{pattern:?}");
    }
    for path in &reads {
        assert!(read(app.get(path).await).await.is_hit(), "{path}");
    }
    assert_eq!(planted(&app, planted_before.keys()).await, planted_before);
    assert_eq!(versions(&app).await, versions_before);
}

#[tokio::test]
async fn no_key_reads_or_overwrites_what_is_not_of_this_api() {
    let app = App::spawn().await;
    let before = plant(&app).await;
    for name in before.keys() {
        assert_eq!(app.head_cached(name).await.status(), 404, "{name}");
        let found = read(app.mget(&json!({"keys": [name]})).await).await;
        assert_eq!(found.expect_ok(), json!({"entries": {}, "missing": [name]}));
        let got = read(app.get_cached(name).await).await;
        assert_eq!(got.expect_ok()["value"]["demo"], format!("value-for-{name}"));
        assert_eq!(app.put_cached(name, "", &json!("mine")).await.status(), 200);
        assert_eq!(read(app.delete_cached(name).await).await.expect_ok()["deleted"], true);
    }
    assert_eq!(planted(&app, before.keys()).await, before);
}

#[tokio::test]
async fn emptying_the_cache_leaves_everything_else() {
    let app = App::spawn().await;
    let planted_before = plant(&app).await;
    let id = app.given_user_id("ada").await;
    let reads = [format!("/users/{id}"), "/users".to_owned(), "/users?limit=3".to_owned()];
    for path in &reads {
        read(app.get(path).await).await;
        assert!(read(app.get(path).await).await.is_hit());
    }
    let names: Vec<String> = planted_before.keys().cloned().collect();
    let entries: BTreeMap<&String, u8> = names.iter().map(|name| (name, 1)).collect();
    app.mset(&json!({"entries": entries})).await.error_for_status().unwrap();
    let versions_before = versions(&app).await;
    let cleared = read(app.admin_cache(Method::DELETE, "").await).await.expect_ok();
    assert_eq!(cleared, json!({"cleared": "all", "invalidated": names.len() + reads.len()}));
    assert_eq!(planted(&app, planted_before.keys()).await, planted_before);
    for (key, before) in versions_before {
        let now = versions(&app).await.get(&key).copied();
        assert!(now.is_some_and(|now| now >= before), "{key} was {before} and is {now:?}");
    }
    let found = read(app.mget(&json!({"keys": names})).await).await.expect_ok();
    assert_eq!(found["entries"], json!({}));
    for path in &reads {
        assert!(read(app.get(path).await).await.is_stored(), "{path}");
    }
}

#[tokio::test]
async fn no_route_sends_a_command_that_blocks_or_empties_redis() {
    let app = App::spawn().await;
    let mut monitor = app.redis.monitor().await;
    app.mset(&json!({"entries": {"a": 1, "b": 2}})).await.error_for_status().unwrap();
    app.mget(&json!({"keys": ["a", "b"]})).await.error_for_status().unwrap();
    app.warm(&json!({"keys": ["a", "c"]})).await.error_for_status().unwrap();
    app.put_cached("d", "", &json!(1)).await.error_for_status().unwrap();
    for key in ["a", "e"] {
        app.get_cached(key).await.error_for_status().unwrap();
        app.head_cached(key).await.error_for_status().unwrap();
        app.delete_cached(key).await.error_for_status().unwrap();
    }
    app.get("/api/cache/stats").await.error_for_status().unwrap();
    for path in ["/stats", "/entries?module=kv"] {
        app.admin_cache(Method::GET, path).await.error_for_status().unwrap();
    }
    for body in [json!({"key": "a"}), json!({"module": "users"}), json!({"userId": 1})] {
        app.invalidate(&body).await.error_for_status().unwrap();
    }
    let names = |commands: Vec<blackbox::Command>| -> BTreeSet<String> {
        commands.into_iter().map(|command| command.name).collect()
    };
    let precise = names(monitor.commands().await);
    assert!(precise.contains("MGET") && precise.contains("UNLINK"), "{precise:?}");
    assert!(!precise.contains("SCAN"), "the cost of these does not depend on what else is in Redis");
    app.invalidate(&json!({"pattern": "*"})).await.error_for_status().unwrap();
    for path in ["/module/kv", "/operation/kv/get", "/user/1", ""] {
        app.admin_cache(Method::DELETE, path).await.error_for_status().unwrap();
    }
    app.admin_cache(Method::POST, "/stats/reset").await.error_for_status().unwrap();
    let all = names(monitor.commands().await);
    assert!(all.contains("SCAN"), "{all:?}");
    for bad in ["KEYS", "FLUSHDB", "FLUSHALL", "SMEMBERS", "EVAL", "EVALSHA", "FCALL", "SORT"] {
        assert!(!all.contains(bad), "{bad} is among {all:?}");
    }
}
