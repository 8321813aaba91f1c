//! What operators see and do: the list of locks that are held, and locks broken by hand.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answer;

use std::collections::BTreeSet;

use answer::{Answer, read};
use blackbox::{App, Grant};
use serde_json::{Value, json};

async fn page(app: &App, query: &str) -> Answer {
    let answer = read(app.list_locks(query).await).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!((answer.header("cache-control"), answer.header("content-type")), ("no-store", "application/json"));
    answer
}

/// All pages, by following the links.
async fn follow(app: &App, first: &str) -> (Vec<Value>, usize) {
    let (mut locks, mut pages) = (Vec::new(), 0);
    let mut query = first.to_owned();
    loop {
        let answer = page(app, &query).await;
        let json = answer.json();
        locks.extend(json["locks"].as_array().unwrap().iter().cloned());
        pages += 1;
        assert!(pages < 1_000, "the pages do not end");
        let link = answer.header("link");
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
    let app = App::builder().patient_locks().spawn().await;
    app.given_user_id("ada").await;
    assert_eq!(page(&app, "").await.json(), json!({"locks": [], "next": null}));
}

#[tokio::test]
async fn the_list_tells_all_but_the_token() {
    let app = App::builder().patient_locks().spawn().await;
    let grant = app.given_lock("orders/7 ä", 60_000).await;
    let answer = page(&app, "").await;
    let json = answer.json();
    let [lock] = json["locks"].as_array().unwrap().as_slice() else { panic!("{json}") };
    assert_eq!((&lock["key"], &lock["resource"]), (&json!("locks:orders/7 ä"), &json!("orders/7 ä")));
    assert_eq!(lock["fencingToken"], grant.fencing_token);
    assert!((50_000..=60_000).contains(&lock["ttl"].as_u64().unwrap()), "{lock}");
    assert_eq!(lock.as_object().unwrap().len(), 4, "{lock}");
    assert!(!answer.body.contains(&grant.token));
}

#[tokio::test]
async fn pages_have_every_lock_and_nothing_else() {
    let app = App::builder().patient_locks().spawn().await;
    let mut redis = app.redis.connection().await;
    // A crowd of other keys, some of which look like locks.
    let mut pipe = redis::pipe();
    for n in 0..5_000 {
        pipe.set(format!("cache:entry:{n}"), "x").ignore();
    }
    pipe.set("lock:x", "x").set("Locks:x", "x").set("fencing:x", 1).set("locks:", "x").set("locks", "x").ignore();
    // Not a lock, but under its prefix: of another type, without an end, with a name that is too long or not UTF-8.
    pipe.cmd("HSET").arg("locks:hash").arg("a").arg(1).ignore();
    pipe.set(format!("locks:{}", "x".repeat(600)), "x").set(&b"locks:\xff"[..], "x").ignore();
    pipe.query_async::<()>(&mut redis).await.unwrap();
    let mut expected = BTreeSet::new();
    for n in 0..150 {
        let name = format!("resource-{n}");
        app.given_lock(&name, 60_000).await;
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
async fn a_broken_lock_is_free_and_its_holder_learns_of_it() {
    let app = App::builder().patient_locks().spawn().await;
    let grant = app.given_lock("orders", 60_000).await;
    app.given_lock("other", 60_000).await;
    let broken = read(app.break_lock("orders").await).await;
    assert_eq!((broken.status.as_u16(), broken.json()), (200, json!({"broken": true})));
    assert_eq!(broken.header("cache-control"), "no-store");
    assert_eq!(read(app.break_lock("orders").await).await.json(), json!({"broken": false}));
    assert_eq!(page(&app, "").await.json()["locks"].as_array().unwrap().len(), 1, "another lock was broken, too");

    let next: Grant = app.given_lock("orders", 60_000).await;
    assert!(next.fencing_token > grant.fencing_token);
    let late = read(app.extend_lock(&grant.key, &grant.token, 1_000).await).await;
    assert_eq!(late.json(), json!({"extended": false, "reason": "held-by-another"}));
    let log = app.host.output();
    assert!(log.lines().any(|line| line.contains("\"orders\"") && line.contains("broken")), "{log}");
    assert!(!log.contains(&grant.token) && !log.contains(&next.token), "{log}");
}

#[tokio::test]
async fn only_locks_can_be_broken() {
    let app = App::builder().patient_locks().spawn().await;
    let mut redis = app.redis.connection().await;
    for key in ["user:version:1", "fencing:orders", "orders", "lock"] {
        let _: String = redis::cmd("SET").arg(key).arg("x").query_async(&mut redis).await.unwrap();
        assert_eq!(read(app.break_lock(key).await).await.json(), json!({"broken": false}));
        assert_eq!(redis::cmd("EXISTS").arg(key).query_async::<i64>(&mut redis).await.unwrap(), 1, "{key}");
    }
}
