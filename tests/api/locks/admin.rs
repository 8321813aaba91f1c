//! GET /admin/locks lists the locks that are held, DELETE /admin/locks/:resource breaks one.

use std::collections::BTreeSet;

use blackbox::{App, Response};
use serde_json::{Value, json};

use super::extend;

async fn page(app: &App, query: &str) -> Response {
    let response = app.admin().get(format!("/admin/locks{query}")).await;
    assert_eq!(response.status(), 200, "{response:?}");
    assert_eq!((response.header("cache-control"), response.header("content-type")), ("no-store", "application/json"));
    response
}

/// All locks, following the links, and the number of pages.
async fn follow(app: &App, first: &str) -> (Vec<Value>, usize) {
    let (mut locks, mut pages) = (Vec::new(), 0);
    let mut query = first.to_owned();
    loop {
        let response = page(app, &query).await;
        let json = response.json();
        locks.extend(json["locks"].as_array().unwrap().iter().cloned());
        pages += 1;
        assert!(pages < 1_000, "the pages do not end");
        let link = response.header("link");
        let Some(next) = json["next"].as_str() else {
            assert_eq!((link, &json["next"]), ("", &Value::Null));
            return (locks, pages);
        };
        let (target, relation) = link.split_once('>').unwrap();
        assert_eq!(relation, "; rel=\"next\"");
        query = target.strip_prefix("</admin/locks").unwrap().to_owned();
        assert!(query.contains(&format!("cursor={next}")), "{query} {next}");
    }
}

#[tokio::test]
async fn without_locks_the_list_is_empty() {
    let app = App::spawn().await;
    app.given_user_id("ada").await;
    let json = page(&app, "").await.json();
    assert_eq!((&json["locks"], &json["next"]), (&json!([]), &Value::Null));
}

#[tokio::test]
async fn the_list_warns_of_servers_that_may_evict_locks() {
    let app = App::spawn().await;
    let warnings = async || page(&app, "").await.json()["warnings"].as_array().unwrap().len();
    assert_eq!(warnings().await, 1, "the tests' Redis evicts like the deployed one of the cache");
    app.redis.run(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]).await;
    assert_eq!(warnings().await, 0);
}

#[tokio::test]
async fn the_list_shows_everything_but_the_token() {
    let app = App::spawn().await;
    let grant = app.given_lock("orders/7 ä", 60_000).await;
    let response = page(&app, "").await;
    let json = response.json();
    let [lock] = json["locks"].as_array().unwrap().as_slice() else { panic!("{json}") };
    assert_eq!((&lock["key"], &lock["resource"]), (&json!("locks:orders/7 ä"), &json!("orders/7 ä")));
    assert_eq!(lock["fencingToken"], grant.fencing_token);
    assert!((50_000..=60_000).contains(&lock["ttl"].as_u64().unwrap()), "{lock}");
    assert_eq!(lock.as_object().unwrap().len(), 4, "{lock}");
    assert!(!response.text().contains(&grant.token));
}

#[tokio::test]
async fn the_pages_list_every_lock_and_nothing_else() {
    let app = App::spawn().await;
    let mut redis = app.redis.connection().await;
    // Many other keys, some of which look like locks.
    let mut pipe = redis::pipe();
    for n in 0..5_000 {
        pipe.set(format!("cache:entry:{n}"), "x").ignore();
    }
    pipe.set("lock:x", "x").set("Locks:x", "x").set("fencing:x", 1).set("locks:", "x").set("locks", "x").ignore();
    // Keys with the prefix of locks that are none: of another type, without a TTL, too long, not UTF-8.
    pipe.cmd("HSET").arg("locks:hash").arg("a").arg(1).ignore();
    pipe.set(format!("locks:{}", "x".repeat(600)), "x").set(&b"locks:\xff"[..], "x").ignore();
    pipe.query_async::<()>(&mut redis).await.unwrap();
    let mut expected = BTreeSet::new();
    for n in 0..150 {
        let name = format!("resource-{n}");
        app.given_lock(&name, 600_000).await;
        expected.insert(name);
    }
    for limit in ["?limit=7", "?limit=1000", ""] {
        let (locks, pages) = follow(&app, limit).await;
        let found: BTreeSet<_> = locks.iter().map(|lock| lock["resource"].as_str().unwrap().to_owned()).collect();
        let others: Vec<_> = found.difference(&expected).collect();
        assert!(others.iter().all(|other| *other == "hash"), "{limit}: {others:?}");
        assert!(found.is_superset(&expected), "{limit}: {} of 150 in {pages} pages", found.len());
        println!("{limit}: {} locks in {pages} pages", locks.len());
    }
}

#[tokio::test]
async fn a_broken_lock_is_free_and_its_holder_cannot_extend_it() {
    let app = App::spawn().await;
    let grant = app.given_lock("orders", 60_000).await;
    app.given_lock("other", 60_000).await;
    let broken = app.admin().delete("/admin/locks/orders").await;
    assert_eq!((broken.status(), broken.json()), (200, json!({"broken": true})));
    assert_eq!(broken.header("cache-control"), "no-store");
    assert_eq!(app.admin().delete("/admin/locks/orders").await.json(), json!({"broken": false}));
    assert_eq!(page(&app, "").await.json()["locks"].as_array().unwrap().len(), 1, "another lock was broken");

    let next = app.given_lock("orders", 60_000).await;
    assert!(next.fencing_token > grant.fencing_token);
    assert_eq!(extend(&app, &grant, 1_000).await, json!({"extended": false, "reason": "held-by-another"}));
    let log = app.host.output();
    assert!(log.lines().any(|line| line.contains("locks/orders") && line.contains("lock broken")), "{log}");
    assert!(!log.contains(&grant.token) && !log.contains(&next.token), "{log}");
}

#[tokio::test]
async fn only_locks_can_be_broken() {
    let app = App::spawn().await;
    for key in ["user:version:1", "fencing:orders", "orders", "lock"] {
        app.redis.run(&["SET", key, "x"]).await;
        assert_eq!(app.admin().delete(format!("/admin/locks/{key}")).await.json(), json!({"broken": false}));
        assert_eq!(app.redis.ask::<i64>(&["EXISTS", key]).await, 1, "{key}");
    }
}
