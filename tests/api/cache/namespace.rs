//! Keys that are not of this API, such as locks, versions and keys of others in the same Redis: no request changes
//! them.

use std::collections::{BTreeMap, BTreeSet};

use blackbox::{App, Command, entry_path};
use serde_json::json;

/// Writes keys that the cache may not touch. Returns them with their contents.
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
    for name in names {
        app.redis.run(&["SET", name, &format!("of {name}")]).await;
    }
    app.redis.run(&["RPUSH", "jobs", "a", "b"]).await;
    app.redis.run(&["HSET", "settings", "a", "b"]).await;
    app.redis.run(&["ZADD", "ranks", "1", "b"]).await;
    planted(app, names.into_iter().chain(["jobs", "settings", "ranks"])).await
}

/// The contents of these keys now.
async fn planted(app: &App, names: impl IntoIterator<Item = impl ToString>) -> BTreeMap<String, Vec<u8>> {
    let mut contents = BTreeMap::new();
    for name in names {
        let name = name.to_string();
        let dump: Option<Vec<u8>> = app.redis.ask(&["DUMP", &name]).await;
        contents.insert(name.clone(), dump.unwrap_or_else(|| panic!("{name} is gone")));
    }
    contents
}

/// The versions of users as Redis has them.
async fn versions(app: &App) -> BTreeMap<String, i64> {
    let mut versions = BTreeMap::new();
    for key in app.redis.keys().await {
        if (key.starts_with("user:version:") || key == "users:version") && key != "user:version:9001" {
            let version: i64 = app.redis.ask(&["GET", &key]).await;
            versions.insert(key, version);
        }
    }
    versions
}

#[tokio::test]
async fn no_pattern_matches_keys_of_others() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let reads = [format!("/users/{id}"), "/users".to_owned()];
    for path in &reads {
        app.get(path).await;
        assert!(app.get(path).await.is_hit());
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
        let response = app.post("/api/cache/invalidate").json(json!({"pattern": pattern})).await;
        assert_eq!(response.expect_ok(), json!({"invalidated": 0}), "{pattern:?}: this API has no entries");
        let key = app.post("/api/cache/invalidate").json(json!({"key": pattern})).await;
        assert_eq!(key.expect_ok(), json!({"invalidated": 0}), "{pattern:?}");
        assert_eq!(app.delete(entry_path(pattern)).await.expect_ok()["deleted"], false, "{pattern:?}");
    }
    for path in &reads {
        assert!(app.get(path).await.is_hit(), "{path}");
    }
    assert_eq!(planted(&app, planted_before.keys()).await, planted_before);
    assert_eq!(versions(&app).await, versions_before);
}

#[tokio::test]
async fn no_key_reads_or_overwrites_keys_of_others() {
    let app = App::spawn().await;
    let before = plant(&app).await;
    for name in before.keys() {
        assert_eq!(app.head(entry_path(name)).await.status(), 404, "{name}");
        let found = app.post("/api/cache/mget").json(json!({"keys": [name]})).await;
        assert_eq!(found.expect_ok(), json!({"entries": {}, "missing": [name]}));
        let got = app.get(entry_path(name)).await;
        assert_eq!(got.expect_ok()["value"]["demo"], format!("value-for-{name}"));
        assert_eq!(app.put(entry_path(name)).json(json!("mine")).await.status(), 200);
        assert_eq!(app.delete(entry_path(name)).await.expect_ok()["deleted"], true);
    }
    assert_eq!(planted(&app, before.keys()).await, before);
}

#[tokio::test]
async fn clearing_the_cache_keeps_everything_else() {
    let app = App::spawn().await;
    let planted_before = plant(&app).await;
    let id = app.given_user_id("ada").await;
    let reads = [format!("/users/{id}"), "/users".to_owned(), "/users?limit=3".to_owned()];
    for path in &reads {
        app.get(path).await;
        assert!(app.get(path).await.is_hit());
    }
    let names: Vec<String> = planted_before.keys().cloned().collect();
    let entries: BTreeMap<&String, u8> = names.iter().map(|name| (name, 1)).collect();
    app.post("/api/cache/mset").json(json!({"entries": entries})).await.expect_success();
    let versions_before = versions(&app).await;
    let cleared = app.admin().delete("/admin/cache").await.expect_ok();
    assert_eq!(cleared, json!({"cleared": "all", "invalidated": names.len() + reads.len()}));
    assert_eq!(planted(&app, planted_before.keys()).await, planted_before);
    for (key, before) in versions_before {
        let now = versions(&app).await.get(&key).copied();
        assert!(now.is_some_and(|now| now >= before), "{key} was {before} and is {now:?}");
    }
    let found = app.post("/api/cache/mget").json(json!({"keys": names})).await.expect_ok();
    assert_eq!(found["entries"], json!({}));
    for path in &reads {
        assert!(app.get(path).await.is_stored(), "{path}");
    }
}

#[tokio::test]
async fn no_route_sends_a_command_that_blocks_or_empties_redis() {
    let app = App::spawn().await;
    let mut monitor = app.redis.monitor().await;
    app.post("/api/cache/mset").json(json!({"entries": {"a": 1, "b": 2}})).await.expect_success();
    app.post("/api/cache/mget").json(json!({"keys": ["a", "b"]})).await.expect_success();
    app.post("/api/cache/warm").json(json!({"keys": ["a", "c"]})).await.expect_success();
    app.put("/api/cache/d").json(json!(1)).await.expect_success();
    for key in ["a", "e"] {
        app.get(entry_path(key)).await.expect_success();
        app.head(entry_path(key)).await.expect_success();
        app.delete(entry_path(key)).await.expect_success();
    }
    app.get("/api/cache/stats").await.expect_success();
    for path in ["/stats", "/entries?module=kv"] {
        app.admin().get(format!("/admin/cache{path}")).await.expect_success();
    }
    for body in [json!({"key": "a"}), json!({"module": "users"}), json!({"userId": 1})] {
        app.post("/api/cache/invalidate").json(&body).await.expect_success();
    }
    let names =
        |commands: Vec<Command>| -> BTreeSet<String> { commands.into_iter().map(|command| command.name).collect() };
    let precise = names(monitor.commands().await);
    assert!(precise.contains("MGET") && precise.contains("UNLINK"), "{precise:?}");
    assert!(!precise.contains("SCAN"), "the cost of these requests does not depend on the number of keys in Redis");
    app.post("/api/cache/invalidate").json(json!({"pattern": "*"})).await.expect_success();
    for path in ["/module/kv", "/operation/kv/get", "/user/1", ""] {
        app.admin().delete(format!("/admin/cache{path}")).await.expect_success();
    }
    app.admin().post("/admin/cache/stats/reset").await.expect_success();
    let all = names(monitor.commands().await);
    assert!(all.contains("SCAN"), "{all:?}");
    for bad in ["KEYS", "FLUSHDB", "FLUSHALL", "SMEMBERS", "EVAL", "EVALSHA", "FCALL", "SORT"] {
        assert!(!all.contains(bad), "{bad} is among {all:?}");
    }
}
