//! Conditional changes of named entries: of several at once, one succeeds.

use futures_util::future::join_all;
use versioned_cache::Entry;

use crate::instance::{Instance, NAMED_TTL, Row, on_redis, settings};

const INSTANCES: u64 = 4;
const INCREMENTS: u64 = 25;

fn entry(name: &str) -> Entry {
    Entry::named("kv", "get", name, NAMED_TTL)
}

async fn value(instance: &Instance, entry: &Entry) -> Option<Vec<u8>> {
    instance.cache.get(entry).await.expect("Redis responds").map(|cached| cached.value)
}

#[tokio::test]
async fn a_change_needs_the_value_that_it_expects() {
    on_redis(async |server| {
        let instance = Instance::new(&server, &Row::new(1), settings());
        let (cache, entry) = (&instance.cache, entry("a"));
        assert!(!cache.set_if(&entry, b"1", |current| current.is_some()).await.unwrap());
        assert!(cache.set_if(&entry, b"1", |current| current.is_none()).await.unwrap());
        assert!(!cache.set_if(&entry, b"2", |current| current.is_none()).await.unwrap());
        assert!(cache.set_if(&entry, b"2", |current| current == Some(b"1")).await.unwrap());
        assert_eq!(value(&instance, &entry).await.as_deref(), Some(&b"2"[..]));
        assert!(cache.exists(&entry).await.unwrap().is_some_and(|ttl_ms| ttl_ms > 0));
        assert!(!cache.delete_if(&entry, |current| current == Some(b"1")).await.unwrap());
        assert!(cache.delete_if(&entry, |current| current == Some(b"2")).await.unwrap());
        assert_eq!(value(&instance, &entry).await, None);
        // An outdated entry is no value.
        cache.set(&entry, b"3").await.unwrap();
        cache.invalidate_operation("kv", "get").await.unwrap();
        assert!(cache.set_if(&entry, b"4", |current| current.is_none()).await.unwrap());
        assert_eq!(value(&instance, &entry).await.as_deref(), Some(&b"4"[..]));
        assert_eq!(cache.invalidate_module("kv").await, Ok(1), "what was set on a condition is registered");
    })
    .await;
}

/// Several instances read a number and set the next one if nobody else has changed it. No increment is lost, although
/// removals of another entry and invalidations of another user run at the same time.
#[tokio::test]
async fn no_increment_is_lost() {
    on_redis(async |server| {
        let instances: Vec<_> = (0..INSTANCES).map(|_| Instance::new(&server, &Row::new(1), settings())).collect();
        let entry = entry("counter");
        let number = |value: &[u8]| str::from_utf8(value).unwrap().parse::<u64>().unwrap();
        let increment = async |instance: &Instance| {
            for _ in 0..INCREMENTS {
                loop {
                    let before = value(instance, &entry).await;
                    let next = before.as_deref().map_or(1, |before| number(before) + 1).to_string();
                    let unchanged = |current: Option<&[u8]>| current == before.as_deref();
                    if instance.cache.set_if(&entry, next.as_bytes(), unchanged).await.unwrap() {
                        break;
                    }
                }
                instance.cache.delete(&Entry::named("kv", "get", "other", NAMED_TTL)).await.unwrap();
                instance.cache.invalidate_user(7).await.unwrap();
            }
        };
        join_all(instances.iter().map(increment)).await;
        let last = value(&instances[0], &entry).await.expect("it was set");
        assert_eq!(number(&last), INSTANCES * INCREMENTS);
    })
    .await;
}
