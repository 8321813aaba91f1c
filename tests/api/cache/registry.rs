//! GET /admin/cache/entries: the list of all cache entries.

use std::collections::BTreeSet;

use blackbox::{App, Response, entry_path, percent_encoded, until};
use serde_json::{Map, Value, json};

use super::stats;

async fn page(app: &App, query: &str) -> Response {
    app.admin().get(format!("/admin/cache/entries{query}")).await
}

/// All entries of `query`, page by page.
async fn listed(app: &App, query: &str) -> Vec<Value> {
    let mut listed = Vec::new();
    let mut cursor = String::new();
    loop {
        let response = page(app, &format!("{query}{cursor}")).await.expect_ok();
        listed.extend(response["entries"].as_array().unwrap().clone());
        match response["next"].as_str() {
            None => return listed,
            Some(next) => cursor = format!("&cursor={}", percent_encoded(next)),
        }
        assert!(listed.len() < 10_000, "the pages do not end");
    }
}

fn names(entries: &[Value]) -> BTreeSet<String> {
    entries.iter().map(|entry| entry["key"].as_str().unwrap().to_owned()).collect()
}

async fn given(app: &App, count: usize, ttl: u64) {
    let entries: Map<String, Value> = (0..count).map(|number| (format!("k{number}"), json!("x"))).collect();
    app.post("/api/cache/mset").json(json!({"entries": entries, "ttl": ttl})).await.expect_success();
}

async fn registry_keys(app: &App) -> Vec<String> {
    app.redis.keys().await.into_iter().filter(|key| key.starts_with("cache:registry:")).collect()
}

#[tokio::test]
async fn an_entry_is_listed_with_its_metadata() {
    let app = App::spawn().await;
    assert_eq!(page(&app, "?module=kv").await.expect_ok(), json!({"entries": [], "next": null}));
    app.put(entry_path("a:ключ") + "?ttl=1000").json(json!({"text": "x".repeat(1000)})).await;
    for query in ["?module=kv", "?module=kv&operation=get"] {
        let response = page(&app, query).await;
        assert_eq!(response.header("cache-control"), "no-store");
        let entries = response.expect_ok()["entries"].as_array().unwrap().clone();
        assert_eq!(entries.len(), 1);
        let entry = &entries[0];
        assert!(entry["key"].as_str().unwrap().ends_with("a:ключ"), "{entry}");
        assert_eq!((&entry["module"], &entry["operation"]), (&json!("kv"), &json!("get")));
        assert!((900..=1000).contains(&entry["ttl"].as_u64().unwrap()), "{entry}");
        assert!((1000..2000).contains(&entry["size"].as_u64().unwrap()), "in bytes: {entry}");
        assert!(entry["version"].as_str().is_some_and(|version| version.parse::<i64>().is_ok()), "{entry}");
    }
    let version = async || {
        let listed = page(&app, "?module=kv").await.json();
        listed["entries"][0]["version"].as_str().unwrap().parse::<i64>().unwrap()
    };
    let before = version().await;
    app.put(entry_path("a:ключ")).json(json!(1)).await;
    assert!(version().await > before, "a new value has a higher version");
    for query in ["?module=users", "?module=kv&operation=put", "?module=nothing"] {
        assert_eq!(page(&app, query).await.expect_ok(), json!({"entries": [], "next": null}), "{query}");
    }
}

#[tokio::test]
async fn the_pages_list_every_entry_once() {
    let app = App::spawn().await;
    given(&app, 250, 1000).await;
    let expected: BTreeSet<String> = (0..250).map(|number| format!("k{number}")).collect();
    for limit in ["", "&limit=7", "&limit=250", "&limit=1000"] {
        let entries = listed(&app, &format!("?module=kv{limit}")).await;
        assert_eq!((entries.len(), names(&entries)), (250, expected.clone()), "{limit}");
    }
    let first = page(&app, "?module=kv&limit=99").await;
    assert_eq!(first.json()["entries"].as_array().unwrap().len(), 99);
    // RFC 8288: the same query, with a cursor.
    let link = first.header("link");
    let target = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).unwrap();
    assert!(target.contains("module=kv") && target.contains("limit=99") && target.contains("cursor="), "{link}");
    let second = app.admin().get(target).await;
    let second = second.expect_ok();
    let both = [first.json()["entries"].as_array().unwrap(), second["entries"].as_array().unwrap()].map(|e| names(e));
    assert!(both[0].is_disjoint(&both[1]) && both[1].len() == 99, "{second}");
    assert_eq!(page(&app, "?module=kv&limit=251").await.header("link"), "", "the last page has no next one");
    assert_eq!(page(&app, "?module=kv").await.json()["entries"].as_array().unwrap().len(), 100, "the default");
}

#[tokio::test]
async fn removed_entries_leave_the_list_and_the_counts() {
    let app = App::spawn().await;
    let keys = async || stats(&app).await["totalKeys"].as_u64().unwrap();
    given(&app, 50, 1).await;
    app.put("/api/cache/stays?ttl=1000").json(json!(1)).await;
    app.put("/api/cache/evicted?ttl=1000").json(json!(1)).await;
    app.put("/api/cache/deleted?ttl=1000").json(json!(1)).await;
    app.delete("/api/cache/deleted").await;
    until("expired entries go", async || app.head("/api/cache/k49").await.status() == 404).await;
    assert_eq!(names(&listed(&app, "?module=kv").await), ["evicted", "stays"].map(str::to_owned).into());
    assert_eq!(keys().await, 2);
    // Redis evicts entries when it needs memory.
    let evicted: Vec<_> = app.redis.keys().await.into_iter().filter(|key| key.ends_with(":evicted")).collect();
    app.redis.run(&["DEL", &evicted[0]]).await;
    assert_eq!(names(&listed(&app, "?module=kv").await), ["stays".to_owned()].into());
    assert_eq!(
        app.post("/api/cache/invalidate").json(json!({"module": "kv"})).await.expect_ok(),
        json!({"invalidated": 1})
    );
    assert_eq!(keys().await, 0);
}

#[tokio::test]
async fn empty_registries_disappear() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    let fill = async |ttl: u64| {
        given(&app, 20, ttl).await;
        app.get(format!("/users/{id}")).await;
        until("entries are registered", async || !registry_keys(&app).await.is_empty()).await;
    };
    fill(1000).await;
    let response = app.admin().delete("/admin/cache").await.expect_ok();
    assert_eq!(response["invalidated"], 21);
    assert_eq!(registry_keys(&app).await, [""; 0], "after everything was invalidated");
    fill(1000).await;
    for number in 0..20 {
        app.delete(format!("/api/cache/k{number}")).await;
    }
    app.admin().delete("/admin/cache/module/users").await;
    assert_eq!(registry_keys(&app).await, [""; 0], "after each was deleted");
    given(&app, 20, 1).await;
    // Nobody sends a request.
    until("the registries of expired entries disappear", async || registry_keys(&app).await.is_empty()).await;
}

#[tokio::test]
async fn the_entries_of_users_are_listed() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    for path in [format!("/users/{id}"), "/users".to_owned(), "/users?limit=3".to_owned()] {
        app.get(&path).await;
    }
    // The fill registers the entry, perhaps after its response.
    until("all entries are registered", async || listed(&app, "?module=users").await.len() == 3).await;
    let users = listed(&app, "?module=users&operation=getById").await;
    assert_eq!(users.len(), 1, "{users:?}");
    assert!(users[0]["ttl"].as_u64().unwrap() > 200 && users[0]["size"].as_u64().unwrap() > 100, "{users:?}");
    let lists = listed(&app, "?module=users&operation=list").await;
    assert!(lists.len() == 2 && lists.iter().all(|entry| entry["operation"] == "list"), "{lists:?}");
}

#[tokio::test]
async fn a_hit_sends_no_command_for_the_registry() {
    let app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    for path in [format!("/users/{id}"), "/users".to_owned(), "/api/cache/a".to_owned()] {
        for _ in 0..3 {
            app.get(&path).await;
        }
        let mut monitor = app.redis.monitor().await;
        monitor.settle().await;
        assert!(app.get(&path).await.is_hit(), "{path}");
        let commands = monitor.commands().await;
        let reads = commands.iter().filter(|command| !command.is_counter());
        assert_eq!(reads.map(|command| command.name.as_str()).collect::<Vec<_>>(), ["MGET"], "{path}: {commands:?}");
    }
}

#[tokio::test]
async fn the_registry_outlives_the_host() {
    let mut app = App::spawn().await;
    let id = app.given_user_id("ada").await;
    given(&app, 10, 1000).await;
    app.get(format!("/users/{id}")).await;
    until("all entries are registered", async || listed(&app, "?module=users").await.len() == 1).await;
    let before = names(&listed(&app, "?module=kv").await);
    app.restart_host().await;
    assert_eq!(names(&listed(&app, "?module=kv").await), before);
    assert!(app.get(format!("/users/{id}")).await.is_hit());
    assert_eq!(
        app.post("/api/cache/invalidate").json(json!({"module": "kv"})).await.expect_ok(),
        json!({"invalidated": 10})
    );
    assert_eq!(
        app.post("/api/cache/invalidate").json(json!({"module": "users"})).await.expect_ok(),
        json!({"invalidated": 1})
    );
    assert!(!app.get(format!("/users/{id}")).await.is_hit());
    // When Redis is empty after a restart, nothing is listed.
    given(&app, 10, 1000).await;
    app.redis.restart().await.unwrap();
    until("Redis is used again", async || page(&app, "?module=kv").await.status() == 200).await;
    assert!(listed(&app, "?module=kv").await.is_empty());
}
